//! Connections break and come back; media does not notice.

use super::*;

const WATCH: &str = r#"["watcher",{"robot":"demo"}]"#;
const RESUME: &str = r#"["watcher",{"robot":"demo","resume":"s1"}]"#;
const RESUMED: &str = r#"{"session":"s1","camera":"main","resumed":true}"#;

fn pair() -> World {
    let mut world = World::with(&["robot", "viewer"]);
    world.say("robot", r#"["broadcaster",{"robot":"demo"}]"#);
    world.say("viewer", WATCH);
    world
}

#[test]
fn a_viewer_that_lost_its_connection_comes_back_to_its_session() {
    let mut world = pair();
    assert_eq!(world.end("viewer", Ending::Lost), [""; 0], "its media may well go on");
    assert_eq!(world.say("robot", &format!(r#"["candidate","viewer",{CANDIDATE}]"#)), [""; 0]);
    world.connect("again");
    let outputs = world.ask("again", RESUME);
    assert_eq!(outputs[0], format!(r#"robot ["watcher","again",{RESUMED}]"#));
    assert!(outputs[1].contains(r#""resumed":true"#));
    assert_eq!(world.pass(GRACE * 2), [""; 0]);
    assert_one(&world.say("robot", &format!(r#"["offer","again",{OFFER}]"#)), &["again "]);
    assert_one(&world.say("robot", &format!(r#"["offer","viewer",{OFFER}]"#)), &["unauthorized"]);
}

#[test]
fn a_viewer_that_does_not_come_back_is_given_up_after_the_grace() {
    let mut world = pair();
    world.end("viewer", Ending::Lost);
    assert_eq!(world.rooms.poll_timeout(), Some(world.now + GRACE));
    assert_eq!(world.pass(GRACE - Duration::from_millis(1)), [""; 0]);
    let ended = world.pass(Duration::from_millis(1));
    assert_eq!(ended, [r#"robot ["disconnectPeer","viewer"]"#, r#"robot ["bye","viewer"]"#]);
    assert_eq!(world.rooms.poll_timeout(), None);
    world.connect("again");
    assert_one(&world.say("again", RESUME), &[r#""session":"s2""#, r#""resumed":false"#]);
}

#[test]
fn who_says_goodbye_is_gone_at_once_and_so_is_a_page_of_the_family() {
    let mut world = pair();
    assert_eq!(world.end("viewer", Ending::Goodbye).len(), 2);
    assert_eq!(world.end("viewer", Ending::Goodbye), [""; 0], "once is enough");
    world.connect("page");
    world.say("page", r#"["watcher"]"#);
    assert_eq!(world.end("page", Ending::Lost), [r#"robot ["disconnectPeer","page"]"#, r#"robot ["bye","page"]"#]);
}

#[test]
fn a_half_open_link_loses_its_session_to_the_newcomer() {
    let mut world = pair();
    world.connect("again");
    let outputs = world.say("again", RESUME);
    assert!(outputs[0].starts_with(r#"viewer ["notice",{"code":"replaced""#), "{outputs:?}");
    assert_eq!(outputs[1..], [format!(r#"robot ["watcher","again",{RESUMED}]"#)]);
    assert_one(&world.say("viewer", &format!(r#"["candidate","robot",{CANDIDATE}]"#)), &["unauthorized"]);
    assert_eq!(world.end("viewer", Ending::Lost), [""; 0]);
    assert_eq!(world.rooms.live()[0].viewers, 1);
}

#[test]
fn a_robot_that_comes_back_keeps_the_sessions_that_it_names() {
    let mut world = pair();
    world.connect("viewer2");
    world.say("viewer2", WATCH);
    let left = r#"["broadcasterLeft",{"robot":"demo"}]"#;
    assert_eq!(world.end("robot", Ending::Lost), [format!("viewer {left}"), format!("viewer2 {left}")]);
    assert_one(&world.ask("viewer", RESUME), &["robot_offline"]);
    world.connect("robot2");
    assert_eq!(world.say("robot2", r#"["broadcaster",{"robot":"demo","sessions":["s1"]}]"#).len(), 2);
    // Nobody is introduced to the new connection until it asks.
    assert_one(&world.say("robot2", &format!(r#"["offer","viewer",{OFFER}]"#)), &["unauthorized"]);
    assert_eq!(world.say("viewer", RESUME), [format!(r#"robot2 ["watcher","viewer",{RESUMED}]"#)]);
    let fresh = world.say("viewer2", r#"["watcher",{"robot":"demo","resume":"s2"}]"#);
    assert_one(&fresh, &[r#""session":"s3""#, r#""resumed":false"#]);
}

#[test]
fn after_a_restart_of_the_server_robot_and_viewers_find_each_other() {
    let mut world = World::with(&["robot", "viewer", "thief"]);
    assert_one(&world.ask("viewer", RESUME), &["robot_offline"]);
    let named = r#"["broadcaster",{"robot":"demo","cameras":[{"id":"main"},{"id":"back"}],"sessions":["s1"]}]"#;
    world.say("robot", named);
    assert_eq!(world.say("viewer", RESUME), [format!(r#"robot ["watcher","viewer",{RESUMED}]"#)]);
    assert_one(&world.say("robot", &format!(r#"["offer","viewer",{OFFER}]"#)), &["viewer "]);
    // Another robot cannot name it away.
    world.say("thief", r#"["broadcaster",{"robot":"r2","sessions":["s1"]}]"#);
    world.connect("late");
    assert_one(&world.say("late", r#"["watcher",{"robot":"r2","resume":"s1"}]"#), &[r#""resumed":false"#]);
}

#[test]
fn a_page_made_robot_cannot_resume() {
    let mut world = World::with(&["robot", "viewer", "again"]);
    world.say("robot", r#"["broadcaster"]"#);
    world.say("viewer", WATCH);
    world.end("viewer", Ending::Lost);
    let outputs = world.say("again", RESUME);
    assert_eq!(outputs[..2], [r#"robot ["disconnectPeer","viewer"]"#, r#"robot ["bye","viewer"]"#]);
    assert_one(&outputs[2..], &[r#""resumed":false"#]);
    world.say("robot", r#"["broadcaster"]"#);
    let fresh = world.say("again", r#"["watcher",{"robot":"demo","resume":"s2"}]"#);
    assert_one(&fresh, &[r#""session":"s3""#, r#""resumed":false"#]);
}

#[test]
fn a_resumed_session_replaces_the_one_that_the_viewer_had() {
    let mut world = pair();
    world.end("viewer", Ending::Lost);
    world.connect("again");
    world.say("again", WATCH);
    assert_eq!(world.say("again", RESUME), [format!(r#"robot ["watcher","again",{RESUMED}]"#)]);
    assert_eq!(world.rooms.sessions.len(), 1);
    assert_eq!(world.say("again", RESUME), [format!(r#"robot ["watcher","again",{RESUMED}]"#)], "again is the same");
}

#[test]
fn another_camera_is_another_session() {
    let mut world = World::with(&["robot", "viewer"]);
    world.say("robot", r#"["broadcaster",{"robot":"demo","cameras":[{"id":"main"},{"id":"back"}]}]"#);
    world.say("viewer", WATCH);
    let outputs = world.say("viewer", r#"["watcher",{"robot":"demo","camera":"back","resume":"s1"}]"#);
    assert_eq!(outputs, [r#"robot ["watcher","viewer",{"session":"s2","camera":"back","resumed":false}]"#]);
    assert_eq!(world.rooms.sessions.len(), 1);
}
