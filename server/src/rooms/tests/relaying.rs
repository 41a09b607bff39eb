//! What passes between a robot and its viewers, and what does not.

use super::*;

/// One robot with one viewer, another robot with another, and somebody who has said nothing.
fn two_pairs() -> World {
    let mut world = World::with(&["robot", "viewer", "robot2", "viewer2", "nobody"]);
    world.say("robot", r#"["broadcaster"]"#);
    world.say("viewer", r#"["watcher"]"#);
    world.say("robot2", r#"["broadcaster",{"robot":"r2"}]"#);
    world.say("viewer2", r#"["watcher",{"robot":"r2"}]"#);
    world
}

#[test]
fn offers_answers_and_candidates_carry_their_senders_name_and_session() {
    let mut world = two_pairs();
    assert_eq!(
        world.say("robot", &format!(r#"["offer","viewer",{OFFER}]"#)),
        [format!(r#"viewer ["offer","robot",{OFFER},{{"session":"s1"}}]"#)]
    );
    assert_eq!(
        world.say("viewer", &format!(r#"["answer","robot",{ANSWER}]"#)),
        [format!(r#"robot ["answer","viewer",{ANSWER},{{"session":"s1"}}]"#)]
    );
    // Edge 5: candidates may come before the answer. Edge 6: some ids have a prefix.
    assert_eq!(
        world.say("viewer", &format!(r#"["candidate","/#robot",{CANDIDATE},{{"session":"s1"}}]"#)),
        [format!(r#"robot ["candidate","viewer",{CANDIDATE},{{"session":"s1"}}]"#)]
    );
    assert_eq!(
        world.say("robot", r#"["notice","viewer",{"code":"connection_failed","message":"No way."}]"#),
        [r#"viewer ["notice",{"code":"connection_failed","message":"No way."},{"session":"s1"}]"#]
    );
}

#[test]
fn a_viewer_that_offers_is_answered() {
    let mut world = World::with(&["robot", "player"]);
    world.say("robot", r#"["broadcaster"]"#);
    let told = world.say("player", r#"["watcher",{"offers":true}]"#);
    assert_one(&told[..1], &["robot [\"watcher\",\"player\"", r#""offers":true"#]);
    assert_eq!(
        world.say("player", &format!(r#"["offer","robot",{OFFER}]"#)),
        [format!(r#"robot ["offer","player",{OFFER},{{"session":"s1"}}]"#)]
    );
    assert_eq!(
        world.say("robot", &format!(r#"["answer","player",{ANSWER}]"#)),
        [format!(r#"player ["answer","robot",{ANSWER},{{"session":"s1"}}]"#)]
    );
    for text in [format!(r#"["offer","robot",{ANSWER}]"#), r#"["offer","robot",null]"#.to_owned()] {
        assert_one(&world.say("player", &text), &["player ", "malformed"]);
    }
}

#[test]
fn edge_3_nobody_reaches_those_they_were_not_introduced_to() {
    let mut world = two_pairs();
    let candidate = |to: &str| format!(r#"["candidate","{to}",{CANDIDATE}]"#);
    for (from, to) in [
        ("robot", "viewer2"),
        ("robot", "robot2"),
        ("robot", "nobody"),
        ("robot", "robot"),
        ("viewer", "robot2"),
        ("viewer", "viewer2"),
        ("viewer", "viewer"),
        ("nobody", "robot"),
        ("nobody", "viewer"),
    ] {
        let refused = world.say(from, &candidate(to));
        assert_one(&refused, &[&format!(r#"{from} ["notice",{{"code":"unauthorized""#)]);
        let absent = world.say(from, &candidate("absent"));
        assert_eq!(refused[0].replace(&format!("peer {to}."), "peer absent."), absent[0], "the same answer for both");
    }
    world.end("viewer", Ending::Goodbye);
    assert_one(&world.say("robot", &candidate("viewer")), &["robot ", "unauthorized"]);
}

#[test]
fn edge_4_null_payloads_are_dropped_and_said() {
    let mut world = two_pairs();
    for text in [r#"["offer","viewer",null]"#, r#"["offer","viewer"]"#, r#"["candidate","viewer",null]"#] {
        assert_one(&world.say("robot", text), &[r#"robot ["notice",{"code":"malformed""#, "null"]);
    }
    assert_one(&world.say("viewer", r#"["answer","robot",null]"#), &["viewer ", "malformed", "null"]);
    assert_eq!(world.say("robot", &format!(r#"["offer","viewer",{OFFER}]"#)).len(), 1, "the connection goes on");
}

#[test]
fn what_goes_the_wrong_way_is_malformed() {
    let mut world = two_pairs();
    for (from, text) in [
        ("robot", format!(r#"["answer","viewer",{ANSWER}]"#)),
        ("robot", format!(r#"["offer","viewer",{ANSWER}]"#)),
        ("viewer", format!(r#"["offer","robot",{OFFER}]"#)),
        ("viewer", format!(r#"["answer","robot",{OFFER}]"#)),
        ("viewer", r#"["notice","robot",{"code":"full","message":""}]"#.to_owned()),
    ] {
        assert_one(&world.say(from, &text), &[&format!(r#"{from} ["notice",{{"code":"malformed""#)]);
    }
}

#[test]
fn messages_about_a_former_session_are_dropped() {
    let mut world = two_pairs();
    world.say("viewer", r#"["watcher"]"#);
    let about = r#"{"session":"s1"}"#;
    assert_eq!(world.say("viewer", &format!(r#"["answer","robot",{ANSWER},{about}]"#)), [""; 0]);
    assert_eq!(world.say("robot", &format!(r#"["offer","viewer",{OFFER},{about}]"#)), [""; 0]);
}

#[test]
fn a_flood_of_candidates_is_cut_off_once_it_has_been_said() {
    let mut world = two_pairs();
    for (from, to) in [("viewer", "robot"), ("robot", "viewer")] {
        let candidate = format!(r#"["candidate","{to}",{CANDIDATE}]"#);
        for _ in 0..protocol::MAX_CANDIDATES {
            assert_one(&world.say(from, &candidate), &[&format!("{to} ")]);
        }
        assert_one(&world.say(from, &candidate), &[&format!("{from} "), "rate_limited"]);
        assert_eq!(world.say(from, &candidate), [""; 0]);
    }
    world.say("viewer", r#"["watcher"]"#);
    assert_one(&world.say("viewer", &format!(r#"["candidate","robot",{CANDIDATE}]"#)), &["robot "]);
}

#[test]
fn malformed_messages_are_answered_and_the_gone_are_not() {
    let mut world = two_pairs();
    let notice = || ToServer::decode("[7]").expect_err("refused").notice();
    let input = |from| Input::Malformed { from: peer(from), notice: notice() };
    for from in ["robot", "viewer", "nobody"] {
        assert_one(&written(world.input(input(from))), &[from, "malformed"]);
    }
    assert_eq!(world.input(input("absent")), []);
    assert_eq!(world.say("absent", r#"["broadcaster"]"#), [""; 0]);
}

fn host(address: &str) -> String {
    format!(r#"{{"candidate":"candidate:1 1 udp 1 {address} 5000 typ host"}}"#)
}

#[test]
fn candidates_that_lead_nowhere_are_not_relayed_and_those_of_a_host_only_within_it() {
    let say = |world: &mut World, address: &str| {
        let to_viewer = world.say("robot", &format!(r#"["candidate","viewer",{}]"#, host(address)));
        let to_robot = world.say("viewer", &format!(r#"["candidate","robot",{}]"#, host(address)));
        [to_viewer, to_robot]
    };
    let mut apart = two_pairs();
    for told in say(&mut apart, "224.0.0.251").into_iter().chain(say(&mut apart, "0.0.0.0")) {
        assert_one(&told, &["notice", "malformed", "leads nowhere"]);
    }
    assert_eq!(say(&mut apart, "127.0.0.1"), [[""; 0]; 2]);
    for address in ["192.168.1.5", "a1b2.local", "203.0.113.5"] {
        let [to_viewer, to_robot] = say(&mut apart, address);
        assert_one(&to_viewer, &["viewer [\"candidate\"", address]);
        assert_one(&to_robot, &["robot [\"candidate\"", address]);
    }
    // Only one of them is here.
    let mut world = World::new();
    world.input(Input::Connected { peer: peer("robot"), pass: None, is_local: true, guest_of: None });
    world.connect("viewer");
    world.say("robot", r#"["broadcaster"]"#);
    world.say("viewer", r#"["watcher"]"#);
    assert_eq!(say(&mut world, "127.0.0.1"), [[""; 0]; 2]);
    let mut together = World::new();
    for id in ["robot", "viewer"] {
        together.input(Input::Connected { peer: peer(id), pass: None, is_local: true, guest_of: None });
    }
    together.say("robot", r#"["broadcaster"]"#);
    together.say("viewer", r#"["watcher"]"#);
    let [to_viewer, to_robot] = say(&mut together, "127.0.0.1");
    assert_one(&to_viewer, &["127.0.0.1"]);
    assert_one(&to_robot, &["127.0.0.1"]);
}

#[test]
fn descriptions_are_relayed_without_the_candidates_that_are_of_no_use_there() {
    let mut world = two_pairs();
    let line = |address: &str| format!(r"a=candidate:1 1 udp 1 {address} 5000 typ host\r\n");
    let offer = |lines: &str| format!(r#"{{"type":"offer","sdp":"v=0\r\nm=video 9 x 96\r\n{lines}"}}"#);
    let all = offer(&format!("{}{}{}", line("127.0.0.1"), line("192.168.1.5"), line("224.0.0.1")));
    assert_eq!(
        world.say("robot", &format!(r#"["offer","viewer",{all}]"#)),
        [format!(r#"viewer ["offer","robot",{},{{"session":"s1"}}]"#, offer(&line("192.168.1.5")))]
    );
}

#[test]
fn what_crosses_the_word_that_the_robot_has_gone_or_come_anew_is_dropped_and_offends_nobody() {
    let mut world = two_pairs();
    let say = |world: &mut World, about: &str| {
        world.say("viewer", &format!(r#"["candidate","robot",{CANDIDATE},{{"session":"{about}"}}]"#))
    };
    world.end("robot", Ending::Lost);
    assert_eq!(say(&mut world, "s1"), [""; 0]);
    assert_one(&say(&mut world, "s2"), &[r#"viewer ["notice",{"code":"unauthorized""#]);
    world.connect("robot-anew");
    world.say("robot-anew", r#"["broadcaster",{"sessions":["s1"]}]"#);
    assert_eq!(say(&mut world, "s1"), [""; 0]);
}
