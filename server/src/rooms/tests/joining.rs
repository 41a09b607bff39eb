//! Who is announced, admitted, refused, replaced.

use super::*;

const ROBOT: &str = r#"["broadcaster",{"version":1,"robot":"demo"}]"#;
const WATCH: &str = r#"["watcher",{"version":1,"robot":"demo"}]"#;

#[test]
fn edge_1_a_viewer_before_any_robot_is_told_when_it_comes() {
    let mut world = World::with(&["robot", "asked", "waits", "other"]);
    // Pages of the family have no use for a refusal, and no handler that it would hurt.
    assert_one(&world.say("asked", r#"["watcher"]"#), &[r#"asked ["notice""#, "robot_offline"]);
    world.say("other", r#"["watcher",{"robot":"else"}]"#);
    assert_eq!(
        world.say("robot", r#"["broadcaster"]"#),
        [r#"waits ["broadcaster",{"robot":"demo"}]"#, r#"asked ["broadcaster",{"robot":"demo"}]"#]
    );
    assert_eq!(
        world.say("asked", r#"["watcher"]"#),
        [r#"robot ["watcher","asked",{"session":"s1","camera":"main","resumed":false}]"#]
    );
}

#[test]
fn edge_2_a_page_that_announces_itself_again_gets_its_watchers_again() {
    let mut world = World::with(&["robot", "viewer"]);
    world.say("robot", r#"["broadcaster"]"#);
    world.say("viewer", r#"["watcher"]"#);
    assert_eq!(world.say("robot", r#"["broadcaster"]"#), [r#"viewer ["broadcaster",{"robot":"demo"}]"#]);
    // The old peer is still there until then: what is under way reaches it.
    assert_eq!(world.say("viewer", &format!(r#"["candidate","robot",{CANDIDATE}]"#)).len(), 1);
    assert_one(&world.say("viewer", r#"["watcher"]"#), &[r#"robot ["watcher","viewer",{"session":"s2""#]);
    assert_eq!(
        world.end("viewer", Ending::Lost),
        [r#"robot ["disconnectPeer","viewer"]"#, r#"robot ["bye","viewer"]"#]
    );
}

#[test]
fn an_admitted_viewer_learns_what_it_needs_before_the_offer() {
    let mut world = World::with(&["robot", "viewer"]);
    let cameras = r#""cameras":[{"id":"front","video":{"projection":{"kind":"equirectangular"}}},{"id":"back"}]"#;
    let reply = world.ask("robot", &format!(r#"["broadcaster",{{"version":1,"robot":"r2",{cameras}}}]"#));
    assert_eq!(reply, [r#"reply {"ok":true,"robot":"r2","ice_servers":[]}"#]);
    let outputs = world.ask("viewer", r#"["watcher",{"version":1,"robot":"r2"}]"#);
    assert_eq!(outputs[0], r#"robot ["watcher","viewer",{"session":"s1","camera":"front","resumed":false}]"#);
    assert_eq!(
        outputs[1],
        r#"reply {"ok":true,"session":"s1","robot":"r2","camera":"front","peer":"robot","resumed":false,"ice_servers":[],"video":{"projection":{"kind":"equirectangular"},"rungs":[]},"media":"p2p"}"#
    );
    let unknown = world.ask("viewer", r#"["watcher",{"version":1,"robot":"r2","camera":"top"}]"#);
    assert_one(&unknown, &["unknown_camera", "front, back"]);
}

#[test]
fn unknown_robots_are_told_from_those_that_are_away() {
    let mut world = World::with(&["robot", "viewer"]);
    assert_one(&world.ask("viewer", r#"["watcher",{"robot":"r2"}]"#), &["reply", "unknown_robot"]);
    world.say("robot", r#"["broadcaster",{"robot":"r2"}]"#);
    assert_eq!(world.end("robot", Ending::Lost), [r#"viewer ["broadcasterLeft",{"robot":"r2"}]"#]);
    assert_one(&world.ask("viewer", r#"["watcher",{"robot":"r2"}]"#), &["reply", "robot_offline"]);
    assert_one(&world.ask("viewer", r#"["watcher",{"robot":"demo"}]"#), &["reply", "robot_offline"]);
}

#[test]
fn other_versions_are_refused() {
    let mut world = World::with(&["robot", "viewer"]);
    assert_one(&world.ask("robot", r#"["broadcaster",{"version":2}]"#), &["reply", "\"version\""]);
    assert_one(&world.say("robot", r#"["broadcaster",{"version":2}]"#), &[r#"robot ["notice""#, "\"version\""]);
    assert_one(&world.ask("viewer", r#"["watcher",{"version":0}]"#), &["reply", "\"version\""]);
    assert!(world.rooms.live().is_empty());
}

#[test]
fn limits_hold_and_places_come_free() {
    let mut world = World::with(&["r1", "r2", "r3", "r4", "v1", "v2", "v3", "v4"]);
    for robot in ["r1", "r2", "r3"] {
        assert_one(&world.ask(robot, &format!(r#"["broadcaster",{{"robot":"{robot}"}}]"#)), &["ok"]);
    }
    assert_one(&world.ask("r4", r#"["broadcaster",{"robot":"r4"}]"#), &["full"]);
    // A robot that takes another name gives one place up for it.
    assert_one(&world.ask("r3", r#"["broadcaster",{"robot":"r5"}]"#), &["ok"]);
    for viewer in ["v1", "v2", "v3"] {
        assert_eq!(world.ask(viewer, r#"["watcher",{"robot":"r1"}]"#).len(), 2);
    }
    assert_one(&world.ask("v4", r#"["watcher",{"robot":"r1"}]"#), &["full"]);
    assert_eq!(world.ask("v3", r#"["watcher",{"robot":"r1"}]"#).len(), 2, "it has a place already");
    world.end("v1", Ending::Goodbye);
    assert_eq!(world.ask("v4", r#"["watcher",{"robot":"r1"}]"#).len(), 2);
    assert_eq!(world.rooms.live()[0].viewers, 3);
}

#[test]
fn a_robot_that_registers_elsewhere_replaces_its_old_connection() {
    let mut world = World::with(&["old", "new", "viewer"]);
    world.say("old", ROBOT);
    world.say("viewer", WATCH);
    let outputs = world.say("new", ROBOT);
    assert_eq!(outputs.len(), 2, "{outputs:?}");
    assert!(outputs[0].starts_with(r#"old ["notice",{"code":"replaced""#), "{outputs:?}");
    assert_eq!(outputs[1], r#"viewer ["broadcaster",{"robot":"demo"}]"#);
    assert_one(&world.say("old", &format!(r#"["offer","viewer",{OFFER}]"#)), &["unauthorized"]);
    assert_eq!(world.end("old", Ending::Lost), [""; 0], "the robot is still there");
    assert_eq!(world.rooms.live().len(), 1);
}

#[test]
fn viewers_change_robots_and_roles_change() {
    let mut world = World::with(&["r1", "r2", "page"]);
    world.say("r1", r#"["broadcaster",{"robot":"r1"}]"#);
    world.say("r2", r#"["broadcaster",{"robot":"r2"}]"#);
    world.say("page", r#"["watcher",{"robot":"r1"}]"#);
    let outputs = world.say("page", r#"["watcher",{"robot":"r2"}]"#);
    assert_eq!(outputs[..2], [r#"r1 ["disconnectPeer","page"]"#, r#"r1 ["bye","page"]"#]);
    assert!(outputs[2].starts_with(r#"r2 ["watcher","page""#));
    let outputs = world.say("page", r#"["broadcaster",{"robot":"r3"}]"#);
    assert_eq!(outputs, [r#"r2 ["disconnectPeer","page"]"#, r#"r2 ["bye","page"]"#]);
    assert_eq!(world.rooms.live().len(), 3);
    world.say("page", r#"["watcher",{"robot":"r2"}]"#);
    assert_eq!(world.rooms.live().len(), 2);
}

#[test]
fn cameras_with_the_same_name_are_refused() {
    let mut world = World::with(&["robot"]);
    let twice = r#"["broadcaster",{"cameras":[{"id":"a"},{"id":"a"}]}]"#;
    assert_one(&world.ask("robot", twice), &["malformed", "same id"]);
}

#[test]
fn everyone_is_told_of_the_end() {
    let mut world = World::with(&["a", "robot", "viewer"]);
    world.say("robot", ROBOT);
    world.say("viewer", WATCH);
    let outputs = written(world.input(Input::Draining));
    assert_eq!(outputs.len(), 3);
    assert!(outputs.iter().all(|output| output.contains(r#"["notice",{"code":"draining""#)), "{outputs:?}");
}

#[test]
fn robots_that_stay_are_told_of_relays_again() {
    let mut world = World::with(&["robot", "page", "late", "viewer"]);
    world.rooms.settings.renew_ice_after = Some(RENEW_ICE);
    let registered = world.ask("robot", r#"["broadcaster",{"version":1,"robot":"relayed"}]"#);
    assert_one(&registered, &[r#""ice_servers":[{"urls":["stun:robot"]}]"#]);
    // Pages of the family know no such event.
    world.say("page", r#"["broadcaster"]"#);
    let admitted = world.ask("viewer", r#"["watcher",{"robot":"relayed"}]"#);
    assert!(admitted[1].contains(r#""ice_servers":[{"urls":["stun:viewer"]}]"#), "{admitted:?}");
    assert_eq!(world.pass(RENEW_ICE - Duration::from_secs(1)), [""; 0]);
    world.say("late", r#"["broadcaster",{"version":1,"robot":"r3"}]"#);
    let outputs = world.pass(Duration::from_secs(1));
    assert_eq!(outputs, [r#"late ["iceServers",[]]"#, r#"robot ["iceServers",[{"urls":["stun:robot"]}]]"#]);
    assert_eq!(world.pass(RENEW_ICE).len(), 2);
    let changed = written(world.input(Input::IceChanged));
    assert_eq!(changed.len(), 2, "at once, if there are others: {changed:?}");
    assert_eq!(world.pass(RENEW_ICE - Duration::from_secs(1)), [""; 0]);
    for robot in ["robot", "page", "late"] {
        world.end(robot, Ending::Goodbye);
    }
    assert_eq!(world.pass(RENEW_ICE), [""; 0]);
    assert_eq!(world.rooms.poll_timeout(), None, "there is nobody to be told");
}

fn settings(default_robot: &str, max_robots: usize, max_viewers: usize) -> Settings {
    let default_robot = default_robot.parse().expect("an id");
    Settings { default_robot, max_robots, max_viewers, session_grace: GRACE, renew_ice_after: None, report_every: None }
}

#[test]
fn lower_limits_hold_for_newcomers_and_throw_nobody_out() {
    let mut world = World::with(&["r1", "r2", "r3", "v1", "v2", "v3", "again"]);
    for robot in ["r1", "r2"] {
        world.say(robot, &format!(r#"["broadcaster",{{"robot":"{robot}"}}]"#));
    }
    let watch = r#"["watcher",{"robot":"r1"}]"#;
    world.say("v1", watch);
    world.say("v2", watch);
    assert_eq!(world.input(Input::Settings(settings("demo", 1, 1))), []);
    assert_eq!((world.rooms.live().len(), world.rooms.live()[0].viewers), (2, 2));
    assert_one(&world.ask("v3", watch), &["full"]);
    assert_one(&world.ask("r3", r#"["broadcaster",{"robot":"r3"}]"#), &["full"]);
    // Those who are in are still served, may begin anew, and may come back.
    assert_one(&world.say("v1", &format!(r#"["candidate","r1",{CANDIDATE}]"#)), &["r1 [\"candidate\",\"v1\""]);
    assert_one(&world.ask("r2", r#"["broadcaster",{"robot":"r2"}]"#), &["ok"]);
    assert_eq!(world.ask("v2", watch).len(), 2);
    world.end("v1", Ending::Lost);
    assert_eq!(world.ask("again", r#"["watcher",{"robot":"r1","resume":"s1"}]"#).len(), 2);
    // A robot that lost its link names more sessions than it could have now: all of them are known here.
    let back = r#"["broadcaster",{"robot":"r1","sessions":["s1","s3"]}]"#;
    assert_eq!(world.say("r3", back).len(), 4, "the former connection is told, and all three who chose the robot");
    for (viewer, session) in [("again", "s1"), ("v2", "s3")] {
        let resumed = world.ask(viewer, &format!(r#"["watcher",{{"robot":"r1","resume":"{session}"}}]"#));
        assert!(resumed.iter().any(|output| output.contains(r#""resumed":true"#)), "{resumed:?}");
    }
    world.end("again", Ending::Goodbye);
    world.end("v2", Ending::Goodbye);
    assert_eq!(world.ask("v3", watch).len(), 2);
}

#[test]
fn those_who_wait_for_the_default_robot_are_told_when_it_is_another() {
    let mut world = World::with(&["robot", "waits", "asked"]);
    world.say("robot", r#"["broadcaster",{"robot":"r1"}]"#);
    world.say("asked", r#"["watcher",{"robot":"demo"}]"#);
    let told = written(world.input(Input::Settings(settings("r1", 3, 3))));
    assert_eq!(told, [r#"waits ["broadcaster",{"robot":"r1"}]"#]);
    assert_eq!(world.input(Input::Settings(settings("r1", 3, 3))), [], "once");
    assert_eq!(world.input(Input::Settings(settings("r2", 3, 3))), [], "it is not here");
    assert_eq!(world.say("waits", r#"["watcher"]"#).len(), 1, "it is told that r2 is not here");
}
