//! Behind a door that does not let everybody in.

use std::{num::NonZeroU32, time::Duration};

use super::*;
use crate::auth::{Access, Pass, guarded, key, pass};

const HOUR: Duration = Duration::from_secs(3600);

pub(super) const ROBOTS: [(&str, Access, char); 3] =
    [("demo", Access::Public, 'd'), ("r1", Access::Link, 'a'), ("r2", Access::Private, 'b')];

pub(super) fn register(robot: &str, letter: char) -> String {
    let key = key(letter).as_str().to_owned();
    format!(r#"["broadcaster",{{"version":1,"robot":"{robot}","key":"{key}"}}]"#)
}

fn register_with(robot: &str, letter: char, sessions: &str) -> String {
    register(robot, letter).replace("}]", &format!(r#","sessions":[{sessions}]}}]"#))
}

pub(super) fn watch(robot: &str) -> String {
    format!(r#"["watcher",{{"version":1,"robot":"{robot}"}}]"#)
}

impl World {
    pub(super) fn connect_with(&mut self, id: &str, pass: Pass) {
        assert_eq!(
            written(self.input(Input::Connected { peer: peer(id), pass: Some(pass), is_local: false, guest_of: None })),
            [""; 0]
        );
    }

    pub(super) fn door(&mut self, door: Door) -> Vec<String> {
        written(self.input(Input::Door(door)))
    }
}

/// The robot r1 is there, and v watches it by link l1, which is good for an hour.
pub(super) fn watched() -> World {
    let mut world = World::behind(guarded(&ROBOTS, &[]));
    world.connect("r");
    assert_one(&world.ask("r", &register("r1", 'a')), &["\"ok\":true"]);
    world.connect_with("v", pass("l1", "r1", world.now + HOUR));
    let told = world.ask("v", &watch("r1"));
    assert!(told[0].starts_with("r [\"watcher\",\"v\"") && told[0].contains("\"expires_in\":3600"), "{told:?}");
    assert!(told[1].contains("\"ok\":true"), "{told:?}");
    world
}

#[test]
fn a_robot_needs_its_own_key_and_the_answer_is_the_same_for_those_that_do_not_exist() {
    let mut world = World::behind(guarded(&ROBOTS, &[]));
    world.connect("x");
    let refused = |world: &mut World, claim: &str| {
        let told = world.ask("x", claim);
        assert_one(&told, &["\"code\":\"unauthorized\""]);
        told[0].replace("r1", "?").replace("r9", "?")
    };
    let wrong = refused(&mut world, &register("r1", 'b'));
    assert_eq!(wrong, refused(&mut world, &register("r9", 'b')));
    assert_eq!(wrong, refused(&mut world, r#"["broadcaster",{"version":1,"robot":"r1"}]"#));
    refused(&mut world, r#"["broadcaster"]"#);
    assert!(world.rooms.live().is_empty());
    assert_one(&world.ask("x", &register("r1", 'a')), &["\"ok\":true"]);
}

#[test]
fn a_claim_without_the_key_does_not_displace_the_robot_that_is_here() {
    let mut world = watched();
    world.connect("x");
    for claim in [register("r1", 'b'), register("r1", 'd'), r#"["broadcaster",{"robot":"r1"}]"#.to_owned()] {
        assert_one(&world.ask("x", &claim), &["unauthorized"]);
    }
    let candidate = world.say("v", &format!(r#"["candidate","r",{CANDIDATE}]"#));
    assert_one(&candidate, &["r [\"candidate\",\"v\""]);
}

#[test]
fn who_may_not_watch_does_not_learn_what_there_is() {
    let mut world = watched();
    world.connect("x");
    let answers: Vec<String> = ["r1", "r2", "r9"]
        .into_iter()
        .map(|robot| world.ask("x", &watch(robot)).join(" ").replace(robot, "?"))
        .collect();
    assert!(answers[0].contains("unauthorized"), "{answers:?}");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "here, elsewhere and nowhere: {answers:?}");
    // Nor does it hear of it later.
    world.connect("r-again");
    let told = world.ask("r-again", &register("r1", 'a'));
    assert!(!told.iter().any(|told| told.starts_with("x ")), "{told:?}");
    let told = world.end("r-again", Ending::Goodbye);
    assert!(!told.iter().any(|told| told.starts_with("x ")), "{told:?}");
}

#[test]
fn a_robot_that_anybody_may_watch_needs_no_link_and_a_private_one_more_than_a_link() {
    let mut world = World::behind(guarded(&ROBOTS, &[]));
    for (connection, robot, letter) in [("d", "demo", 'd'), ("p", "r2", 'b')] {
        world.connect(connection);
        assert_one(&world.ask(connection, &register(robot, letter)), &["\"ok\":true"]);
    }
    world.connect("v");
    assert_eq!(world.ask("v", &watch("demo")).len(), 2);
    world.connect_with("w", pass("l1", "r2", world.now + HOUR));
    assert_one(&world.ask("w", &watch("r2")), &["unauthorized"]);
}

#[test]
fn when_a_link_ends_its_viewer_is_told_and_the_robot_stops() {
    let mut world = watched();
    assert_eq!(world.pass(HOUR - Duration::from_secs(1)), [""; 0]);
    let told = world.pass(Duration::from_secs(1));
    assert_eq!(told[1..], ["r [\"disconnectPeer\",\"v\"]", "r [\"bye\",\"v\"]", "v closed"]);
    assert!(told[0].starts_with("v [\"notice\"") && told[0].contains("token_expired"), "{told:?}");
    assert_one(&world.ask("v", &watch("r1")), &["token_expired"]);
    world.end("v", Ending::Lost);
    world.end("r", Ending::Lost);
    assert!(world.is_empty());
}

#[test]
fn when_a_link_is_taken_back_only_its_viewers_leave() {
    let mut world = watched();
    world.connect_with("w", pass("l2", "r1", world.now + HOUR));
    assert_eq!(world.ask("w", &watch("r1")).len(), 2);
    let told = world.door(guarded(&ROBOTS, &["l1"]));
    assert_eq!(told[1..], ["r [\"disconnectPeer\",\"v\"]", "r [\"bye\",\"v\"]", "v closed"]);
    assert!(told[0].starts_with("v ") && told[0].contains("token_revoked"), "{told:?}");
    assert_one(&world.ask("v", &watch("r1")), &["token_revoked"]);
}

#[test]
fn a_viewer_that_lost_its_line_does_not_keep_its_picture_longer_than_its_link() {
    let gone = ["r [\"disconnectPeer\",\"v\"]", "r [\"bye\",\"v\"]"];
    let mut world = watched();
    world.now += HOUR - Duration::from_secs(2);
    world.end("v", Ending::Lost);
    assert_eq!(world.pass(Duration::from_secs(2)), gone);
    let mut world = watched();
    world.end("v", Ending::Lost);
    assert_eq!(world.door(guarded(&ROBOTS, &["l1"])), gone);
}

#[test]
fn a_session_is_resumed_by_those_only_who_may_watch_its_robot() {
    let mut world = watched();
    world.end("v", Ending::Lost);
    world.connect("x");
    let resume = r#"["watcher",{"version":1,"robot":"r1","resume":"s1"}]"#;
    assert_one(&world.ask("x", resume), &["unauthorized"]);
    world.connect_with("w", pass("l1", "r1", world.now + HOUR));
    let told = world.ask("w", resume);
    assert!(told[0].starts_with("r ") && told[0].contains("\"resumed\":true"), "{told:?}");
}

#[test]
fn a_link_is_good_for_so_many_at_a_time() {
    let mut world = World::behind(guarded(&ROBOTS, &[]));
    world.connect("r");
    world.ask("r", &register("r1", 'a'));
    for id in ["a", "b", "c"] {
        let two = Pass { max_viewers: NonZeroU32::new(2), ..pass("l1", "r1", world.now + HOUR) };
        world.connect_with(id, two);
    }
    assert_eq!(world.ask("a", &watch("r1")).len(), 2);
    assert_eq!(world.ask("b", &watch("r1")).len(), 2);
    assert_one(&world.ask("c", &watch("r1")), &["\"code\":\"full\""]);
    assert_eq!(world.ask("a", &watch("r1")).len(), 2, "who asks again is no other");
    world.end("b", Ending::Goodbye);
    assert_eq!(world.ask("c", &watch("r1")).len(), 2);
}

#[test]
fn what_a_viewer_is_given_for_relays_ends_with_its_link() {
    let mut world = World::behind(guarded(&[(RELAYED, Access::Link, 'a')], &[]));
    world.connect("r");
    world.ask("r", &register(RELAYED, 'a'));
    world.connect_with("v", pass("l1", RELAYED, world.now + HOUR));
    assert!(world.ask("v", &watch(RELAYED))[1].contains(r#""urls":["stun:for-3600"]"#));
    world.pass(HOUR / 2);
    let again = world.ask("v", &watch(RELAYED));
    assert!(again[1].contains(r#""urls":["stun:for-1800"]"#), "{again:?}");
}

/// Whose credentials for relays were taken back: of a robot, or of its viewers.
fn barred(world: &mut World) -> [usize; 2] {
    let news = std::mem::take(&mut world.news);
    let barred = |news: &News| if let News::Barred { holder } = news { Some(holder.clone()) } else { None };
    let holders: Vec<Holder> = news.iter().filter_map(barred).collect();
    let robots = holders.iter().filter(|holder| matches!(holder, Holder::Robot(_))).count();
    [robots, holders.len() - robots]
}

#[test]
fn whoever_has_to_leave_is_relayed_no_more_and_who_goes_by_itself_is_nobodys_concern() {
    let mut world = watched();
    world.end("v", Ending::Goodbye);
    assert_eq!(barred(&mut world), [0, 0]);
    let mut world = watched();
    world.end("v", Ending::Lost);
    world.pass(GRACE);
    assert_eq!(barred(&mut world), [0, 0]);

    for is_here in [true, false] {
        let watched = || {
            let mut world = watched();
            if !is_here {
                world.end("v", Ending::Lost);
            }
            world
        };
        let mut world = watched();
        world.door(guarded(&ROBOTS, &["l1"]));
        assert_eq!(barred(&mut world), [0, 1], "its link was taken back; here: {is_here}");
        let mut world = watched();
        world.rooms.send_away(&"r1".parse().expect("an id"), "s1");
        world.drain();
        assert_eq!(barred(&mut world), [0, 1], "an operator sent it away; here: {is_here}");
        let mut world = watched();
        world.end("r", Ending::Lost);
        world.door(guarded(&ROBOTS, &["l1"]));
        assert_eq!(barred(&mut world), [0, 1], "its robot cannot be told; here: {is_here}");
        let mut world = watched();
        world.door(guarded(&[("r1", Access::Link, 'z')], &[]));
        assert_eq!(barred(&mut world), [1, 1], "the robot has to leave; its viewer is here: {is_here}");
    }
}

#[test]
fn a_robot_whose_key_is_taken_away_leaves_with_all_its_viewers() {
    let mut world = watched();
    let told = world.door(guarded(&[("r1", Access::Link, 'z')], &[]));
    let of = |to: &str| told.iter().filter(|told| told.starts_with(to)).cloned().collect::<Vec<_>>();
    assert_eq!(of("r [\"disconnectPeer\"").len(), 1, "{told:?}");
    assert!(of("r [\"notice\"")[0].contains("unauthorized"), "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("r closed"));
    assert_eq!(of("v [\"broadcasterLeft\"").len(), 1, "{told:?}");
    assert_one(&world.ask("r", &register("r1", 'a')), &["unauthorized"]);
}

#[test]
fn a_robot_that_is_closed_to_the_public_loses_those_who_may_not_stay() {
    let mut world = World::behind(guarded(&ROBOTS, &[]));
    world.connect("d");
    world.ask("d", &register("demo", 'd'));
    world.connect("v");
    world.ask("v", &watch("demo"));
    let told = world.door(guarded(&[("demo", Access::Link, 'd')], &[]));
    assert!(told[0].starts_with("v [\"notice\"") && told[0].contains("unauthorized"), "{told:?}");
    assert_eq!(told[1..], ["d [\"disconnectPeer\",\"v\"]", "d [\"bye\",\"v\"]", "v closed"]);
}

/// A viewer that does not ask again when its robot comes back keeps its picture, but not for longer than it may.
#[test]
fn a_viewer_that_keeps_quiet_when_its_robot_returns_is_ended_all_the_same() {
    let mut world = watched();
    world.end("r", Ending::Lost);
    world.connect("r-again");
    world.ask("r-again", &register_with("r1", 'a', "\"s1\""));
    let told = world.door(guarded(&ROBOTS, &["l1"]));
    assert!(told.contains(&r#"r-again ["sessionEnded",{"session":"s1"}]"#.to_owned()), "{told:?}");
}

#[test]
fn what_ended_while_the_robot_was_away_ends_when_it_is_back() {
    let mut world = watched();
    world.end("r", Ending::Lost);
    let told = world.door(guarded(&ROBOTS, &["l1"]));
    assert_eq!(told.len(), 2, "{told:?}");
    world.connect("r-again");
    let told = world.ask("r-again", &register_with("r1", 'a', "\"s1\",\"s-other\""));
    assert_eq!(told[0], r#"r-again ["sessionEnded",{"session":"s1"}]"#);
    // Nobody knows the other one here. Its viewer has a while to show that it may watch.
    assert_eq!(world.pass(Duration::from_secs(29)), [""; 0]);
    assert_eq!(world.pass(Duration::from_secs(1)), [r#"r-again ["sessionEnded",{"session":"s-other"}]"#]);
}

/// Three may watch. After a restart nobody here knows which of them a robot that names more should keep.
#[test]
fn what_a_robot_names_beyond_its_limit_ends_at_once() {
    let ended = |told: &[String]| told.iter().filter(|told| told.contains("sessionEnded")).cloned().collect::<Vec<_>>();
    for (robot, letter) in [("r1", 'a'), ("demo", 'd')] {
        let mut world = World::behind(guarded(&ROBOTS, &[]));
        world.connect("r");
        let told = world.ask("r", &register_with(robot, letter, r#""a","b","c","d","e""#));
        let beyond = ["e", "d"].map(|session| format!(r#"r ["sessionEnded",{{"session":"{session}"}}]"#));
        assert_eq!(ended(&told), beyond);
    }
    // Those that are known here have their places.
    let mut world = watched();
    world.end("r", Ending::Lost);
    world.connect("r-again");
    let told = world.ask("r-again", &register_with("r1", 'a', r#""s1","a","b","c""#));
    assert_eq!(ended(&told), [r#"r-again ["sessionEnded",{"session":"c"}]"#]);
    assert_eq!(world.pass(Duration::from_secs(30)).len(), 2, "the others are waited for");
}

/// A server that has restarted knows links, and no sessions.
#[test]
fn a_robot_is_told_at_once_whose_links_were_taken_back_while_the_server_was_away() {
    let mut world = World::behind(guarded(&ROBOTS, &["l1"]));
    world.connect("r");
    let links = r#""links":{"s1":"l1","s2":"l2","s9":"l1"}}]"#;
    let told = world.ask("r", &register_with("r1", 'a', "\"s1\",\"s2\",\"s3\"").replace("}]", &format!(",{links}")));
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], r#"r ["sessionEnded",{"session":"s1"}]"#);
    world.connect_with("v", pass("l2", "r1", world.now + HOUR));
    let told = world.ask("v", r#"["watcher",{"version":1,"robot":"r1","resume":"s2"}]"#);
    assert!(told[0].contains("\"resumed\":true") && told[0].contains("\"link\":\"l2\""), "{told:?}");
}

#[test]
fn pages_of_the_family_that_wait_hear_of_the_default_robot_only_if_they_may_watch_it() {
    for (access, told) in [(Access::Public, 1), (Access::Link, 0)] {
        let mut world = World::behind(guarded(&[("demo", access, 'd')], &[]));
        world.connect("page");
        world.connect("d");
        let outputs = world.ask("d", &register("demo", 'd'));
        assert_eq!(outputs.iter().filter(|output| output.starts_with("page ")).count(), told, "{outputs:?}");
    }
}

#[test]
fn an_operator_sends_a_viewer_away_and_nobody_else() {
    let mut world = watched();
    world.connect_with("w", pass("l2", "r1", world.now + HOUR));
    world.ask("w", &watch("r1"));
    assert!(!world.rooms.send_away(&"r2".parse().expect("an id"), "s1"), "another robot's");
    assert!(world.rooms.send_away(&"r1".parse().expect("an id"), "s1"));
    let told = written(world.drain());
    assert!(told[0].starts_with("v [\"notice\"") && told[0].contains("sent_away"), "{told:?}");
    assert_eq!(told[1..], ["r [\"disconnectPeer\",\"v\"]", "r [\"bye\",\"v\"]", "v closed"]);
    assert!(!world.rooms.send_away(&"r1".parse().expect("an id"), "s1"), "it has gone");
}
