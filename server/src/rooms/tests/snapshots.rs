//! Pictures that are asked for over HTTP.

use super::*;
use crate::rooms::Asker;

impl World {
    fn ask_picture(&mut self, asker: u64, robot: &str, camera: Option<&str>) -> Vec<String> {
        let camera = camera.map(|camera| camera.parse().expect("an id"));
        written(self.input(Input::Snapshot {
            asker: Asker(asker),
            robot: robot.parse().expect("an id"),
            camera,
            passed_on: false,
        }))
    }

    /// A piece of a picture, with these bytes.
    fn send(&mut self, from: &str, request: u32, last: bool, bytes: &'static [u8]) -> Vec<String> {
        let text = format!(r#"["snapshot",{{"request":{request},"last":{last}}},{{"_placeholder":true,"num":0}}]"#);
        let message = ToServer::decode_with(&text, Some(&bytes.into())).expect("a piece");
        written(self.input(Input::Said { from: peer(from), message, wants_reply: false }))
    }
}

const REGISTER: &str = r#"["broadcaster",{"version":1,"cameras":[{"id":"front"},{"id":"back"}]}]"#;

/// One robot with two cameras.
fn world() -> World {
    let mut world = World::with(&["r", "v"]);
    world.ask("r", REGISTER);
    world
}

#[test]
fn all_who_ask_within_a_second_share_one_picture() {
    let mut world = world();
    assert_eq!(world.ask_picture(1, "demo", None), [r#"r ["snapshot",{"request":1,"camera":"front"}]"#]);
    assert_eq!(world.ask_picture(2, "demo", Some("front")), [""; 0]);
    assert_eq!(world.ask_picture(3, "demo", Some("back")), [r#"r ["snapshot",{"request":2,"camera":"back"}]"#]);
    assert_eq!(world.send("r", 1, false, b"JP"), [""; 0]);
    assert_eq!(world.send("r", 1, true, b"EG"), ["1 JPEG", "2 JPEG"]);
    world.pass(Duration::from_millis(999));
    assert_eq!(world.ask_picture(4, "demo", None), ["4 JPEG"]);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.ask_picture(5, "demo", None), [r#"r ["snapshot",{"request":3,"camera":"front"}]"#]);
}

#[test]
fn what_is_not_there_is_said() {
    let mut world = world();
    assert_one(&world.ask_picture(1, "nobody", None), &["1 unknown_robot: ", "nobody"]);
    assert_one(&world.ask_picture(2, "demo", Some("left")), &["2 unknown_camera: ", "front, back"]);
    world.end("r", Ending::Lost);
    assert_one(&world.ask_picture(3, "demo", None), &["3 robot_offline: "]);
    // Without its object: a page of the family.
    world.connect("r");
    world.say("r", r#"["broadcaster"]"#);
    assert_one(&world.ask_picture(4, "demo", None), &["4 unsupported: ", "web page"]);
}

#[test]
fn a_robot_that_does_not_answer_is_waited_for_no_longer_than_three_seconds() {
    let mut world = world();
    world.ask_picture(1, "demo", None);
    assert_eq!(world.pass(Duration::from_millis(2999)), [""; 0]);
    world.ask_picture(2, "demo", None);
    let answers = world.pass(Duration::from_millis(1));
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert!(
        answers.iter().all(|answer| answer.contains("connection_failed: Robot demo did not answer")),
        "{answers:?}"
    );
    assert_eq!(world.send("r", 1, true, b"JPEG"), [""; 0], "too late");
    assert_one(&world.ask_picture(3, "demo", None), &["3 connection_failed: "]);
    world.pass(Duration::from_secs(1));
    assert!(world.rooms.snapshots.is_empty());
}

#[test]
fn a_robot_that_cannot_or_leaves_says_so_to_all_who_wait() {
    let mut world = world();
    world.ask_picture(1, "demo", None);
    world.ask_picture(2, "demo", Some("back"));
    let failed = r#"["snapshotFailed",{"request":1,"notice":{"code":"camera_lost","message":"No pictures."}}]"#;
    assert_eq!(world.say("r", failed), ["1 camera_lost: No pictures."]);
    let left = world.end("r", Ending::Lost);
    assert_eq!(left, ["2 robot_offline: Robot demo is not connected."]);
    world.end("v", Ending::Lost);
    assert!(world.is_empty());
}

#[test]
fn only_the_robot_that_was_asked_answers_and_only_so_much() {
    let mut world = world();
    world.connect("other");
    world.ask("other", r#"["broadcaster",{"version":1,"robot":"other"}]"#);
    world.ask_picture(1, "demo", None);
    for stranger in ["other", "v"] {
        assert_eq!(world.send(stranger, 1, true, b"FAKE"), [""; 0], "{stranger}");
    }
    assert_eq!(world.send("r", 7, true, b"FAKE"), [""; 0]);
    static MEGABYTE: [u8; 1 << 20] = [7; 1 << 20];
    for _ in 0..4 {
        assert_eq!(world.send("r", 1, false, &MEGABYTE), [""; 0]);
    }
    assert_one(&world.send("r", 1, false, b"!"), &["1 too_large: "]);
}

#[test]
fn a_slow_robot_is_waited_for_while_pieces_come_but_not_for_ever() {
    let mut world = world();
    world.ask_picture(1, "demo", None);
    for _ in 0..3 {
        assert_eq!(world.pass(Duration::from_millis(2900)), [""; 0]);
        assert_eq!(world.send("r", 1, false, b"JP"), [""; 0]);
    }
    assert_eq!(world.send("r", 1, true, b"EG"), ["1 JPJPJPEG"], "after 8.7 s");
    world.ask_picture(2, "demo", Some("back"));
    for _ in 0..4 {
        assert_eq!(world.pass(Duration::from_millis(2499)), [""; 0]);
        world.send("r", 2, false, b"JP");
    }
    assert_one(&world.pass(Duration::from_millis(4)), &["2 connection_failed: ", "only part"]);
    world.pass(Duration::from_secs(1));
    world.ask_picture(3, "demo", Some("back"));
    world.send("r", 3, false, b"JP");
    assert_one(&world.pass(Duration::from_secs(3)), &["3 connection_failed: ", "only part"]);
}

#[test]
fn a_picture_without_bytes_is_none() {
    let mut world = world();
    world.ask_picture(1, "demo", None);
    assert_one(&world.send("r", 1, true, b""), &["1 malformed: ", "without bytes"]);
    world.ask_picture(2, "demo", Some("back"));
    world.send("r", 2, false, b"JPEG");
    assert_eq!(world.send("r", 2, true, b""), ["2 JPEG"]);
}

#[test]
fn a_picture_takes_no_more_room_than_it_needs() {
    let mut world = world();
    world.ask_picture(1, "demo", None);
    static PIECE: [u8; 1000] = [7; 1000];
    for _ in 0..8 {
        world.send("r", 1, false, &PIECE);
    }
    let message = r#"["snapshot",{"request":1,"last":true},{"_placeholder":true,"num":0}]"#;
    let message = ToServer::decode_with(message, Some(&b"!"[..].into())).expect("a piece");
    let mut answers = world.input(Input::Said { from: peer("r"), message, wants_reply: false });
    let Some(Output::Snapshot { answer: Ok(jpeg), .. }) = answers.pop() else { panic!("{answers:?}") };
    world.pass(Duration::from_secs(1));
    assert_eq!(jpeg.try_into_mut().expect("nobody else has it").capacity(), 8001);
}

/// Two robots, with so many cameras each.
fn crowded(cameras: usize) -> World {
    let mut world = World::with(&["r", "s"]);
    let cameras: Vec<String> = (0..cameras).map(|number| format!(r#"{{"id":"c{number}"}}"#)).collect();
    for (peer, robot) in [("r", "demo"), ("s", "other")] {
        let cameras = cameras.join(",");
        world.ask(peer, &format!(r#"["broadcaster",{{"version":1,"robot":"{robot}","cameras":[{cameras}]}}]"#));
    }
    world
}

#[test]
fn a_robot_is_asked_for_eight_pictures_a_second_and_leaves_others_theirs() {
    let mut world = crowded(9);
    for number in 0..8 {
        assert_one(&world.ask_picture(number, "demo", Some(&format!("c{number}"))), &["r [\"snapshot\""]);
    }
    assert_one(&world.ask_picture(8, "demo", Some("c8")), &["8 rate_limited: "]);
    assert_one(&world.ask_picture(9, "other", Some("c8")), &["s [\"snapshot\""]);
    world.pass(Duration::from_secs(1));
    assert_one(&world.ask_picture(10, "demo", Some("c8")), &["r [\"snapshot\""]);
}

#[test]
fn a_slow_robot_has_sixteen_pictures_on_their_way() {
    let mut world = crowded(17);
    for number in 0..16 {
        assert_one(&world.ask_picture(number, "demo", Some(&format!("c{number}"))), &["r [\"snapshot\""]);
        world.pass(Duration::from_millis(150));
    }
    world.pass(Duration::from_millis(500));
    assert_one(&world.ask_picture(16, "demo", Some("c16")), &["16 rate_limited: "]);
    assert_one(&world.ask_picture(17, "other", None), &["s [\"snapshot\""]);
}

#[test]
fn those_who_wait_for_one_robot_leave_room_for_those_who_wait_for_another() {
    let mut world = crowded(1);
    for asker in 0..200 {
        world.ask_picture(asker, "demo", None);
    }
    assert_one(&world.ask_picture(200, "demo", None), &["200 rate_limited: "]);
    assert_one(&world.ask_picture(201, "other", None), &["s [\"snapshot\""]);
    world.input(Input::SnapshotUnasked(Asker(7)));
    assert_eq!(world.ask_picture(202, "demo", None), [""; 0], "in the place of who has gone");
    let answers = world.send("r", 1, true, b"JPEG");
    assert!(answers.len() == 200 && !answers.contains(&"7 JPEG".to_owned()), "{answers:?}");
}
