//! A robot's crowd goes to a media server, and comes back.

use std::time::Duration;

use protocol::{Code, Media, MediaKind, MediaToken, Notice, Sdp};

use super::{ANSWER, GRACE, OFFER, World, assert_one, peer, written};
use crate::rooms::{
    Door, Ending, Input, Output,
    publications::{Done, Engine, Errand},
};

const REGISTER: &str = r#"["broadcaster",{"robot":"demo","cameras":[{"id":"main"},{"id":"arm"}]}]"#;
const WATCH: &str = r#"["watcher",{"robot":"demo","takes":["livekit"]}]"#;
const BESIDE: &str = r#"["watcher",{"robot":"demo","takes":["livekit"],"beside":true}]"#;
const DIRECT: &str = r#"["watcher",{"robot":"demo","takes":[]}]"#;
/// From somebody who does not say.
const PLAIN: &str = r#"["watcher",{"robot":"demo"}]"#;
const MAIN: &str = r#"{"camera":"main"}"#;

/// A media server that lets everybody in.
pub(super) fn engine(kind: MediaKind) -> Engine {
    Engine {
        kind,
        qualities: 3,
        let_in: Box::new(move |session, place, _| match kind {
            MediaKind::Livekit => {
                let token = MediaToken::new(format!("{session}-{}-{}", place.robot, place.camera));
                Media::Livekit { url: "ws://sfu".to_owned(), token }
            }
            MediaKind::Whep | MediaKind::Other => Media::Whep,
        }),
    }
}

/// A server with a media server, and a robot.
fn world(kind: MediaKind, viewers: &[&str]) -> World {
    let mut world = World::behind(Door::Open);
    world.rooms.publications.set_engine(engine(kind));
    world.connect("r");
    let sfu = match kind {
        MediaKind::Livekit => r#""sfu":{"qualities":3,"data":true,"apart":true}"#,
        MediaKind::Whep | MediaKind::Other => r#""sfu":{"qualities":3}"#,
    };
    assert_one(&world.ask("r", REGISTER), &[sfu]);
    for viewer in viewers {
        world.connect(viewer);
    }
    world
}

fn publish(world: &mut World) -> Done {
    let outputs = written_and_kept(world, "r", &format!(r#"["publish",{MAIN},{OFFER}]"#));
    let Some(Output::Errand(Errand::Publish { place, attempt, .. })) = outputs.into_iter().last() else {
        panic!("the media server is asked")
    };
    Done::Published { place, attempt, answer: Ok(sdp()) }
}

fn written_and_kept(world: &mut World, from: &str, text: &str) -> Vec<Output> {
    let message = protocol::ToServer::decode(text).expect(text);
    world.input(Input::Said { from: peer(from), message, wants_reply: false })
}

fn sdp() -> Sdp {
    Sdp::try_from("v=0\r\nm=video 9 x 96\r\n".to_owned()).expect("a description")
}

fn done(world: &mut World, done: Done) -> Vec<String> {
    written(world.input(Input::Engine(done)))
}

/// The pictures arrive there.
fn live(world: &mut World) -> Vec<String> {
    let answered = publish(world);
    assert_one(&done(world, answered), &["r [\"publishing\"", ANSWER]);
    world.say("r", &format!(r#"["published",{MAIN}]"#))
}

#[test]
fn a_crowd_is_asked_to_move_and_whoever_comes_then_is_sent_there_at_once() {
    let mut world = world(MediaKind::Livekit, &["a", "b", "old"]);
    for (viewer, watch) in
        [("a", WATCH), ("b", r#"["watcher",{"robot":"demo","camera":"arm","takes":["livekit"]}]"#), ("old", DIRECT)]
    {
        world.ask(viewer, watch);
    }
    assert_eq!(
        live(&mut world),
        [r#"a ["move",{"session":"s1"}]"#],
        "another camera's stay, and who takes nothing else"
    );
    let moved = world.ask("a", BESIDE);
    assert_one(&moved, &[r#""session":"s4""#, r#""media":{"livekit":{"url":"ws://sfu","token":"s4-demo-main"}}"#]);
    assert_eq!(
        world.say("r", r#"["notice","a",{"code":"camera_lost","message":"no"},{"session":"s1"}]"#).len(),
        1,
        "it still hears of what it watches"
    );
    assert_eq!(world.say("a", r#"["arrived",{"session":"s4"}]"#), [r#"r ["disconnectPeer","a"]"#, r#"r ["bye","a"]"#]);
    assert_eq!(world.say("a", r#"["arrived",{"session":"s4"}]"#), [""; 0], "once");
    assert_eq!(world.pass(Duration::from_secs(1)), [r#"r ["crowd",{"camera":"main","viewers":1}]"#]);
    world.connect("c");
    assert_one(&world.ask("c", PLAIN), &["s5-demo-main"]);
    assert_eq!(world.pass(Duration::from_secs(1)), [r#"r ["crowd",{"camera":"main","viewers":2}]"#]);
    assert_eq!(world.rooms.live()[0].viewers, 4);
    let left = world.end("c", Ending::Goodbye);
    assert_one(&left, &["engine Leave", "s5", "barred: false"]);
    assert_eq!(world.pass(Duration::from_secs(1)), [r#"r ["crowd",{"camera":"main","viewers":1}]"#]);
}

#[test]
fn they_go_one_after_the_other() {
    let mut world = world(MediaKind::Livekit, &["a", "b", "c"]);
    for viewer in ["a", "b", "c"] {
        world.ask(viewer, WATCH);
    }
    assert_eq!(live(&mut world), [r#"a ["move",{"session":"s1"}]"#]);
    assert_one(&world.ask("a", BESIDE), &["s4-demo-main"]);
    world.say("a", r#"["arrived",{"session":"s4"}]"#);
    assert_eq!(
        world.pass(Duration::from_millis(300)),
        [r#"r ["crowd",{"camera":"main","viewers":1}]"#, r#"b ["move",{"session":"s2"}]"#]
    );
    // Whoever has not been asked yet need not.
    assert_eq!(world.say("r", &format!(r#"["recall",{MAIN}]"#)), [r#"a ["move",{"session":"s4"}]"#]);
    assert_eq!(world.pass(Duration::from_secs(1)), [""; 0]);
}

#[test]
fn who_comes_back_meanwhile_goes_in_turn() {
    let viewers = ["a", "b", "c"];
    let mut world = world(MediaKind::Livekit, &viewers);
    for viewer in viewers {
        world.ask(viewer, WATCH);
    }
    live(&mut world);
    for (viewer, session) in [("b", "s2"), ("c", "s3")] {
        let resumed = world.ask(viewer, &WATCH.replace("}]", &format!(r#","resume":"{session}"}}]"#)));
        assert!(resumed.iter().any(|said| said.contains(r#""resumed":true"#)), "{resumed:?}");
        assert!(!resumed.iter().any(|said| said.contains("move")), "{resumed:?}");
    }
    // By now it takes nothing but the robot.
    world.ask("b", &DIRECT.replace("}]", r#","resume":"s2"}]"#));
    assert_eq!(world.pass(Duration::from_millis(300)), [r#"c ["move",{"session":"s3"}]"#]);
    assert_eq!(world.pass(Duration::from_secs(1)), [""; 0]);
    world.end("c", Ending::Lost);
    world.connect("c2");
    let again = world.ask("c2", &WATCH.replace("}]", r#","resume":"s3"}]"#));
    assert_eq!(again.last().map(String::as_str), Some(r#"c2 ["move",{"session":"s3"}]"#), "{again:?}");
    world.end("a", Ending::Lost);
    world.connect("a2");
    let again = world.ask("a2", &WATCH.replace("}]", r#","resume":"s1"}]"#));
    assert!(!again.iter().any(|said| said.contains("move")), "nobody goes at the same time: {again:?}");
    assert_eq!(world.pass(Duration::from_millis(300)), [r#"a2 ["move",{"session":"s1"}]"#]);
    world.pass(Duration::from_millis(300));
    assert_eq!(world.rooms.publications.poll_timeout(), None, "nothing is left to be done");
}

#[test]
fn they_come_back_without_a_break_when_they_are_recalled() {
    let mut world = world(MediaKind::Livekit, &["a"]);
    live(&mut world);
    world.ask("a", WATCH);
    assert_eq!(world.say("r", &format!(r#"["recall",{MAIN}]"#)), [r#"a ["move",{"session":"s1"}]"#]);
    let back = world.ask("a", BESIDE);
    assert_eq!(back.len(), 2, "{back:?}");
    assert!(
        back[0].starts_with(r#"r ["watcher","a",{"session":"s2""#) && back[1].contains(r#""media":"p2p""#),
        "{back:?}"
    );
    assert_one(&world.say("r", &format!(r#"["offer","a",{OFFER},{{"session":"s2"}}]"#)), &["a [\"offer\""]);
    assert_one(&world.say("a", r#"["arrived",{"session":"s2"}]"#), &["engine Leave", "s1"]);
    world.pass(Duration::from_secs(1));
    assert_one(&world.say("r", &format!(r#"["unpublish",{MAIN}]"#)), &["engine Unpublish", "main"]);
    for connection in ["a", "r"] {
        world.end(connection, Ending::Goodbye);
    }
    world.pass(GRACE);
    world.news.clear();
    assert!(world.is_empty() && world.rooms.publications.is_empty());
}

#[test]
fn a_media_server_that_has_nothing_any_more_costs_nobody_a_place() {
    let mut world = world(MediaKind::Livekit, &["a", "b"]);
    live(&mut world);
    world.ask("a", WATCH);
    let over = world.say("r", &format!(r#"["unpublish",{MAIN}]"#));
    assert!(over[0].contains("engine Unpublish") && over[1] == r#"a ["move",{"session":"s1"}]"#, "{over:?}");
    let again = world.ask("a", BESIDE);
    assert!(again.iter().any(|said| said.contains(r#""media":"p2p""#)), "{again:?}");
    assert!(world.ask("b", WATCH).iter().any(|said| said.contains(r#""media":"p2p""#)));
}

#[test]
fn what_the_media_server_does_not_take_is_told_to_the_robot_alone() {
    let mut world = world(MediaKind::Livekit, &["a"]);
    world.ask("a", WATCH);
    let Done::Published { place, attempt, .. } = publish(&mut world) else { panic!("it was") };
    let refused = || Err(Notice::new(Code::ConnectionFailed, "no"));
    let told = done(&mut world, Done::Published { place: place.clone(), attempt, answer: refused() });
    assert_one(&told, &[r#"r ["notPublished",{"camera":"main"},{"code":"connection_failed""#]);
    assert_eq!(done(&mut world, Done::Published { place, attempt, answer: refused() }), [""; 0], "nobody waits for it");
    assert_one(&world.say("r", &format!(r#"["published",{MAIN}]"#)), &["r [\"notice\"", "malformed"]);
    let first = publish(&mut world);
    let second = publish(&mut world);
    assert_eq!(done(&mut world, first), [""; 0], "it has offered anew since");
    assert_one(&done(&mut world, second), &["r [\"publishing\""]);
}

#[test]
fn only_a_robot_publishes_and_only_what_it_has() {
    let mut world = world(MediaKind::Livekit, &["a"]);
    world.ask("a", WATCH);
    let offer = format!(r#"["publish",{MAIN},{OFFER}]"#);
    assert_one(&world.say("a", &offer), &["a [\"notice\"", "Only robots"]);
    assert_one(&world.say("r", &offer.replace("main", "nose")), &["r [\"notice\"", "unknown_camera"]);
    assert_one(&world.say("r", &format!(r#"["publish",{MAIN},{ANSWER}]"#)), &["r [\"notice\"", "malformed"]);
    let mut without = World::with(&["r"]);
    assert_one(&without.ask("r", REGISTER), &["reply"]);
    assert_one(&without.say("r", &offer), &["r [\"notice\"", "[sfu]"]);
}

#[test]
fn a_viewer_of_a_server_that_speaks_whep_offers_to_it_and_not_to_the_robot() {
    let mut world = world(MediaKind::Whep, &["a"]);
    live(&mut world);
    assert_one(&world.ask("a", &WATCH.replace("livekit", "whep")), &[r#""media":"whep""#, r#""peer":"r""#]);
    let offered = written_and_kept(&mut world, "a", &format!(r#"["offer","r",{OFFER},{{"session":"s1"}}]"#));
    let [Output::Errand(Errand::Play { session, .. })] = offered.as_slice() else { panic!("{offered:?}") };
    let answer = Done::Played { session: session.clone(), answer: Ok(sdp()) };
    assert_one(&done(&mut world, answer), &[r#"a ["answer","r""#, r#"{"session":"s1"}"#]);
    let session = session.clone();
    let refused = Done::Played { session, answer: Err(Notice::new(Code::ConnectionFailed, "no")) };
    assert_one(&done(&mut world, refused), &[r#"a ["notice",{"code":"connection_failed""#, r#"{"session":"s1"}"#]);
    assert_eq!(world.say("a", r#"["candidate","r",{"candidate":""},{"session":"s1"}]"#), [""; 0]);
    let over = world.end("a", Ending::Goodbye);
    assert_one(&over, &["engine Leave"]);
}

#[test]
fn a_link_that_is_taken_back_is_of_no_use_there_either() {
    let mut world = world(MediaKind::Livekit, &["a"]);
    live(&mut world);
    world.ask("a", WATCH);
    assert!(world.rooms.send_away(&"demo".parse().expect("an id"), "s1"));
    let said = written(world.drain());
    assert!(said.iter().any(|said| said.contains("engine Leave") && said.contains("barred: true")), "{said:?}");
    assert!(said.iter().any(|said| said == "a closed"), "{said:?}");
}

#[test]
fn a_robot_that_comes_back_says_what_it_still_publishes() {
    let mut world = world(MediaKind::Livekit, &["a"]);
    live(&mut world);
    world.ask("a", WATCH);
    world.end("r", Ending::Lost);
    world.connect("r2");
    let again = REGISTER.replace(r#""robot":"demo""#, r#""robot":"demo","published":["main","nose"]"#);
    let said = world.ask("r2", &again);
    assert!(!said.iter().any(|said| said.contains("move") || said.contains("engine")), "{said:?}");
    let resumed = world.ask("a", r#"["watcher",{"robot":"demo","takes":["livekit"],"resume":"s1"}]"#);
    assert_one(&resumed, &[r#""resumed":true"#, "s1-demo-main"]);
    world.end("r2", Ending::Lost);
    world.connect("r3");
    let said = world.ask("r3", REGISTER);
    assert!(said.iter().any(|said| said == r#"a ["move",{"session":"s1"}]"#), "{said:?}");
}

#[test]
fn a_server_that_begins_anew_goes_on_with_what_robots_still_publish() {
    let mut world = world(MediaKind::Livekit, &["a"]);
    world.connect("r2");
    world.ask("r2", &REGISTER.replace(r#""robot":"demo""#, r#""robot":"other","published":["main"]"#));
    assert_one(&world.ask("a", &WATCH.replace("demo", "other")), &["s1-other-main"]);
}
