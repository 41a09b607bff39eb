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
