//! What the audit log says of who comes and goes.

use std::time::Duration;

use serde_json::{Value, json};

use super::{guarded::*, *};
use crate::{
    audit::capture::Captured,
    auth::{Access, guarded, key, pass},
};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn whoever_is_let_in_or_refused_is_logged_with_why() {
    let mut world = World::behind(guarded(&ROBOTS, &[]));
    let log = Captured::start();
    world.connect("r");
    world.ask("r", &register("r1", 'b'));
    assert_eq!(log.take(), [json!({ "message": "robot refused", "robot": "r1", "peer": "r", "code": "unauthorized" })]);
    world.ask("r", &register("r1", 'a'));
    let admitted = json!({ "message": "robot admitted", "robot": "r1", "peer": "r", "cameras": 1, "by_key": true });
    assert_eq!(log.take(), [admitted]);

    world.connect("x");
    world.ask("x", &watch("r1"));
    let refused = json!({ "message": "viewer refused", "robot": "r1", "viewer": "x", "code": "unauthorized" });
    assert_eq!(log.take(), [refused]);
    world.connect_with("v", pass("l1", "r1", world.now + HOUR));
    world.ask("v", &watch("r2"));
    let refused = json!({ "message": "viewer refused", "robot": "r2", "viewer": "v", "link": "l1", "role": "watch",
        "code": "unauthorized" });
    assert_eq!(log.take(), [refused]);
    world.ask("v", &watch("r1"));
    let admitted = |resumed| {
        json!({ "message": "viewer admitted", "robot": "r1", "viewer": "v", "session": "s1", "camera": "main",
            "resumed": resumed, "link": "l1", "role": "watch" })
    };
    assert_eq!(log.take(), [admitted(false)]);
    world.say("r", &format!(r#"["offer","v",{OFFER}]"#));
    world.say("v", &format!(r#"["answer","r",{ANSWER}]"#));
    world.say("v", &format!(r#"["candidate","r",{CANDIDATE}]"#));
    assert_eq!(log.take(), [Value::Null; 0], "what they say to each other is nobody's business");
    world.end("v", Ending::Lost);
    world.connect_with("v", pass("l1", "r1", world.now + HOUR));
    world.ask("v", r#"["watcher",{"version":1,"robot":"r1","resume":"s1"}]"#);
    assert_eq!(log.take(), [admitted(true)]);
    world.end("v", Ending::Goodbye);
    world.end("r", Ending::Goodbye);
    let left = json!({ "message": "viewer left", "robot": "r1", "viewer": "v", "session": "s1" });
    assert_eq!(log.take(), [left, json!({ "message": "robot left", "robot": "r1", "peer": "r" })]);
}

#[test]
fn whoever_has_to_leave_is_logged_with_what_was_changed() {
    let expelled = |code: &str| json!({ "message": "viewer expelled", "robot": "r1", "viewer": "v", "link": "l1", "role": "watch", "code": code });
    let left = json!({ "message": "viewer left", "robot": "r1", "viewer": "v", "session": "s1" });
    let revoked = json!({ "message": "change holds", "change": "link taken back", "link": "l1" });
    for is_here in [true, false] {
        let mut world = watched();
        if !is_here {
            world.end("v", Ending::Lost);
        }
        let log = Captured::start();
        world.door(guarded(&ROBOTS, &["l1"]));
        assert_eq!(log.take(), [revoked.clone(), expelled("token_revoked"), left.clone()], "here: {is_here}");
    }
    let (mut world, log) = (watched(), Captured::start());
    world.rooms.send_away(&"r1".parse().expect("an id"), "s1");
    assert_eq!(log.take(), [expelled("sent_away"), left.clone()]);
    let (mut world, log) = (watched(), Captured::start());
    world.pass(HOUR);
    assert_eq!(log.take(), [expelled("token_expired"), left.clone()]);

    let (mut world, log) = (watched(), Captured::start());
    world.door(guarded(&[("r1", Access::Link, 'z')], &[]));
    let keys = json!({ "message": "change holds", "change": "robot's keys", "robot": "r1", "added": 1, "removed": 1 });
    let robot = json!({ "message": "robot expelled", "robot": "r1", "peer": "r", "code": "unauthorized" });
    let all = log.take();
    for line in [keys, robot, left, json!({ "message": "robot left", "robot": "r1", "peer": "r" })] {
        assert!(all.contains(&line), "{line} is not in {all:?}");
    }
    assert!(!format!("{all:?}").contains(key('z').as_str()));
}
