//! Who may report on whom, and what is told of it.

use super::*;

const REPORT: &str = r#"["report",{"cameras":[{"id":"main","running":true,"fps":30}]}]"#;
const RECEPTION: &str = r#"["reception",{"fps":29.5,"delay":120,"freezes":0,"relayed":false}]"#;

/// Robots `r1` and `r2` with a viewer each, `v1` in session `s1` and `v2` in `s2`.
fn world() -> World {
    let mut world = World::with(&["r1", "r2", "v1", "v2", "nobody"]);
    for (robot, viewer) in [("r1", "v1"), ("r2", "v2")] {
        world.say(robot, &format!(r#"["broadcaster",{{"version":1,"robot":"{robot}"}}]"#));
        world.say(viewer, &format!(r#"["watcher",{{"version":1,"robot":"{robot}"}}]"#));
    }
    world.news.clear();
    world
}

impl World {
    fn told(&mut self) -> Vec<String> {
        let tell = |news: News| match news {
            News::RobotUp { robot, cameras } => format!("{robot} up with {}", cameras.len()),
            News::RobotDown { robot } => format!("{robot} down"),
            News::RobotRefused { robot, code } => format!("robot {robot:?} refused: {code}"),
            News::Joined { session, robot, camera, resumed } => format!("{session} at {robot}/{camera}, {resumed}"),
            News::Refused { robot, code } => {
                format!("refused at {}: {code}", robot.as_ref().map_or("?", |robot| robot.as_str()))
            }
            News::Offered { session } => format!("{session} offered"),
            News::Left { session } => format!("{session} left"),
            News::Barred { holder } => format!("{holder} barred"),
            News::NotTaken { code } => format!("not taken: {code}"),
            News::Report { robot, report } => format!("{robot} reports {} cameras", report.cameras.len()),
            News::Audience { robot, audience } => {
                let names: Vec<&str> = audience.viewers.iter().map(|viewer| viewer.session.as_str()).collect();
                format!("{robot} reports {}", names.join(" "))
            }
            News::Reception { session, reception } => format!("{session} sees {}", reception.fps.get()),
        };
        std::mem::take(&mut self.news).into_iter().map(tell).collect()
    }
}

#[test]
fn a_robot_reports_on_itself_and_on_its_own_viewers_and_on_nobody_elses() {
    let mut world = world();
    let audience = |sessions: &[&str]| {
        let viewers: Vec<String> =
            sessions.iter().map(|session| format!(r#"{{"session":"{session}","bitrate":1,"loss":0}}"#)).collect();
        format!(r#"["audience",{{"viewers":[{}]}}]"#, viewers.join(","))
    };
    assert_eq!(world.say("r1", REPORT), [""; 0]);
    world.say("r1", &audience(&["s1", "s2", "s99"]));
    world.say("r2", &audience(&["s1"]));
    assert_eq!(world.told(), ["r1 reports 1 cameras", "r1 reports s1", "r2 reports "]);
    for (who, event) in [("v1", REPORT.to_owned()), ("nobody", REPORT.to_owned()), ("v1", audience(&["s1"]))] {
        assert_one(&world.say(who, &event), &[who, "unauthorized", "Only robots report"]);
        assert_eq!(world.told(), ["not taken: unauthorized"]);
    }
    world.say("r1", r#"["broadcaster",{"version":1,"robot":"r2"}]"#);
    world.told();
    assert_eq!(world.say("r2", REPORT), [""; 0], "another has its name now, which it will hear of by itself");
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn a_viewer_reports_on_the_session_that_it_has_and_on_no_other() {
    let mut world = world();
    assert_eq!(world.say("v1", RECEPTION), [""; 0]);
    assert_eq!(world.told(), ["s1 sees 29.5"]);
    let about = |session: &str| RECEPTION.replace("}]", &format!(r#"}},{{"session":"{session}"}}]"#));
    world.say("v1", &about("s1"));
    assert_eq!(world.told(), ["s1 sees 29.5"]);
    world.say("v1", &about("s2"));
    world.say("nobody", &about("s1"));
    assert_eq!(world.told(), [""; 0], "somebody else's, or one from before");
    assert_one(&world.say("r1", RECEPTION), &["r1", "unauthorized", "Only viewers report"]);
}

#[test]
fn who_comes_is_refused_and_leaves_is_told() {
    let mut world = World::with(&["r", "v", "w"]);
    world.say("v", r#"["watcher",{"version":1,"robot":"r"}]"#);
    world.say("v", r#"["watcher",{"version":9,"robot":"r"}]"#);
    world.say("r", r#"["broadcaster",{"version":9}]"#);
    world.say("r", r#"["broadcaster",{"version":1,"robot":"r"}]"#);
    world.say("v", r#"["watcher",{"version":1,"robot":"r"}]"#);
    world.say("r", &format!(r#"["offer","v",{OFFER}]"#));
    assert_eq!(
        world.told(),
        [
            "refused at r: unknown_robot",
            "refused at r: version",
            "robot None refused: version",
            "r up with 1",
            "s1 at r/main, false",
            "s1 offered",
        ]
    );
    world.end("v", Ending::Lost);
    assert_eq!(world.told(), [""; 0], "it may come back");
    world.say("w", r#"["watcher",{"version":1,"robot":"r","resume":"s1"}]"#);
    world.say("w", r#"["answer","nobody",null]"#);
    world.say("w", r#"["watcher",{"version":1,"robot":"r"}]"#);
    world.end("w", Ending::Goodbye);
    world.end("r", Ending::Lost);
    assert_eq!(
        world.told(),
        ["s1 at r/main, true", "not taken: unauthorized", "s1 left", "s2 at r/main, false", "s2 left", "r down"]
    );
}

#[test]
fn robots_and_viewers_are_told_how_often_to_report() {
    let mut world = World::with(&["robot", "viewer"]);
    world.rooms.settings.report_every = Some(7);
    let registered = world.ask("robot", r#"["broadcaster",{"version":1}]"#);
    assert!(registered[1].contains(r#""report_every":7"#), "{registered:?}");
    let admitted = world.ask("viewer", r#"["watcher",{"version":1}]"#);
    assert!(admitted[1].contains(r#""report_every":7"#), "{admitted:?}");
}
