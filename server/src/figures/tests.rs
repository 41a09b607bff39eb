//! The figures, told of invented robots and viewers at invented instants.

use std::time::Duration;

use protocol::{AudienceReport, CameraInfo, EventKind, Overview, Reception, RobotReport, Video};
use serde_json::{Value, from_value, json};

use super::*;
use crate::metrics::Text;

const START: u64 = 1_700_000_000_000;

struct World {
    figures: Figures,
    now: Moment,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "an instant to count from; std has no other way to make one")]
    fn new() -> Self {
        let now = Moment { at: Instant::now(), unix: START };
        Self { figures: Figures::new(Some(5), now), now }
    }

    fn pass(&mut self, seconds: u64) {
        self.now = Moment { at: self.now.at + Duration::from_secs(seconds), unix: self.now.unix + seconds * 1000 };
    }

    fn note(&mut self, news: News) {
        self.figures.note(news, self.now);
    }

    fn robot(&mut self, id: &str) {
        let rungs = vec![json!({ "width": 1, "height": 1, "fps": 30, "bitrate": 1 }); 2];
        let video: Video = from_value(json!({ "rungs": rungs })).expect("a video");
        let camera = |id: &str| CameraInfo { id: id.parse().expect("an id"), title: None, video: video.clone() };
        self.note(News::RobotUp { robot: robot(id), cameras: vec![camera("front"), camera("back")] });
    }

    fn join(&mut self, id: &str, at: &str) {
        let camera = "front".parse().expect("an id");
        self.note(News::Joined { session: session(id), robot: robot(at), camera, resumed: false });
    }

    fn report(&mut self, id: &str, report: Value) {
        let report: RobotReport = from_value(report).expect("a report");
        self.note(News::Report { robot: robot(id), report });
    }

    fn audience(&mut self, id: &str, viewers: Value) {
        let audience: AudienceReport = from_value(json!({ "viewers": viewers })).expect("a report");
        self.note(News::Audience { robot: robot(id), audience });
    }

    fn reception(&mut self, id: &str, reception: Value) {
        let reception: Reception = from_value(reception).expect("a report");
        self.note(News::Reception { session: session(id), reception });
    }

    fn overview(&self) -> Overview {
        self.figures.overview(7, self.now)
    }

    fn metrics(&self) -> String {
        let mut text = Text::default();
        self.figures.write_metrics(&mut text, 7, self.now);
        text.finish()
    }

    #[track_caller]
    fn shows(&self, line: &str) {
        let metrics = self.metrics();
        assert!(metrics.lines().any(|other| other == line), "{line} is not in\n{metrics}");
    }
}

fn robot(id: &str) -> RobotId {
    id.parse().expect("an id")
}

fn session(id: &str) -> SessionId {
    id.parse().expect("an id")
}

fn front(fps: f64) -> Value {
    let encodings = json!([{ "rung": 0, "codec": "h264", "fps": fps, "bitrate": 800_000 }]);
    json!({ "cameras": [{ "id": "front", "running": true, "fps": fps, "left_out": 3, "encodings": encodings }],
        "sent": { "packets": 10, "bytes": 12_000, "resent": 1 } })
}

fn viewer(id: &str, bitrate: u32, loss: f64, round_trip: u32) -> Value {
    json!({ "session": id, "rung": 0, "bitrate": bitrate, "loss": loss, "round_trip": round_trip })
}

#[test]
fn what_robots_and_viewers_report_is_shown_with_them() {
    let mut world = World::new();
    world.robot("demo");
    world.join("session-one", "demo");
    world.pass(1);
    world.join("session-two", "demo");
    world.report("demo", front(29.5));
    world.audience("demo", json!([viewer("session-one", 800_000, 0.1, 20), viewer("session-two", 400_000, 0.0, 40)]));
    world.reception(
        "session-two",
        json!({ "fps": 28, "bitrate": 390_000, "delay": 180, "freezes": 2, "relayed": true }),
    );
    let overview = world.overview();
    assert_eq!((overview.connections, overview.viewers, overview.report_every), (7, 2, Some(5)));
    let demo = &overview.robots[0];
    assert_eq!((demo.since, demo.cameras.len(), demo.cameras[1].report.is_none()), (START, 2, true));
    assert_eq!(demo.cameras[0].report.as_ref().map(|camera| camera.fps.get()), Some(29.5));
    let [one, two] = &demo.viewers[..] else { panic!("{:?}", demo.viewers) };
    assert_eq!((one.session.as_str(), one.since, one.shown), ("session-", START, None));
    assert_eq!(one.sent.map(|sent| sent.bitrate.get()), Some(800_000.0));
    assert_eq!(two.shown.and_then(|shown| shown.delay).map(|delay| delay.get()), Some(180.0));
    for line in [
        "panocast_viewers 2",
        "panocast_connections 7",
        "panocast_joins_total 2",
        "panocast_freezes_total 2",
        r#"panocast_camera_running{robot="demo",camera="front"} 1"#,
        r#"panocast_camera_frames_per_second{robot="demo",camera="front"} 29.5"#,
        r#"panocast_camera_dropped_frames_total{robot="demo",camera="front"} 3"#,
        r#"panocast_encoding_bytes_per_second{robot="demo",camera="front",rung="0",codec="h264"} 100000"#,
        r#"panocast_robot_sent_bytes_total{robot="demo"} 12000"#,
        r#"panocast_robot_resent_packets_total{robot="demo"} 1"#,
        r#"panocast_robot_sent_bytes_per_second{robot="demo"} 150000"#,
        r#"panocast_robot_mean_loss_ratio{robot="demo"} 0.05"#,
        r#"panocast_robot_max_loss_ratio{robot="demo"} 0.1"#,
        r#"panocast_robot_mean_round_trip_seconds{robot="demo"} 0.03"#,
        r#"panocast_robot_max_round_trip_seconds{robot="demo"} 0.04"#,
        r#"panocast_robot_mean_shown_frames_per_second{robot="demo"} 28"#,
        r#"panocast_robot_relayed_viewers{robot="demo"} 1"#,
        r#"panocast_camera_viewers{robot="demo",camera="front"} 2"#,
        r#"panocast_camera_viewers{robot="demo",camera="back"} 0"#,
        r#"panocast_viewer_delay_seconds_bucket{robot="demo",le="0.15"} 0"#,
        r#"panocast_viewer_delay_seconds_bucket{robot="demo",le="0.2"} 1"#,
        r#"panocast_viewer_delay_seconds_count{robot="demo"} 1"#,
    ] {
        world.shows(line);
    }
}

#[test]
fn what_was_reported_vanishes_with_its_subject_and_with_time() {
    let mut world = World::new();
    world.robot("demo");
    world.join("s1", "demo");
    world.report("demo", front(30.0));
    world.audience("demo", json!([viewer("s1", 1, 0.0, 1)]));
    world.reception("s1", json!({ "fps": 30 }));
    world.pass(15);
    let known = |world: &World| {
        let overview = world.overview();
        let robot = &overview.robots[0];
        (robot.sent.is_some(), robot.viewers[0].sent.is_some(), robot.viewers[0].shown.is_some())
    };
    assert_eq!(known(&world), (true, true, true), "two may be missing");
    world.pass(1);
    assert_eq!(known(&world), (false, false, false));
    assert!(!world.metrics().contains("panocast_camera_running{"));

    world.report("demo", front(30.0));
    world.audience("demo", json!([viewer("s1", 1, 0.0, 1)]));
    world.robot("demo");
    assert!(!known(&world).0, "another broadcaster may have its name now");
    world.note(News::RobotDown { robot: robot("demo") });
    assert!(!world.metrics().contains("robot=\"demo\""), "{}", world.metrics());
    assert_eq!((world.overview().robots.len(), world.overview().viewers), (0, 1), "its picture may go on");
    world.robot("demo");
    assert_eq!(known(&world), (false, false, false), "what another said of it means nothing");
    world.note(News::Left { session: session("s1") });
    assert!(world.overview().robots[0].viewers.is_empty());
    world.reception("s1", json!({ "fps": 30 }));
    world.report("gone", front(30.0));
    assert_eq!(world.overview().robots.len(), 1);
}

#[test]
fn a_report_adds_nothing_that_was_not_announced_and_nothing_twice() {
    let mut world = World::new();
    world.robot("demo");
    let encoding = |rung: u8| json!({ "rung": rung, "codec": "h264", "fps": 1, "bitrate": 1 });
    let camera = |id: &str| {
        json!({ "id": id, "running": true, "fps": 1,
            "encodings": [encoding(0), encoding(0), encoding(1), encoding(2), encoding(9)] })
    };
    world.report("demo", json!({ "cameras": [camera("front"), camera("front"), camera("cellar")] }));
    let metrics = world.metrics();
    assert_eq!(metrics.matches("panocast_camera_running{").count(), 1, "{metrics}");
    assert_eq!(metrics.matches("panocast_encoding_bytes_per_second{").count(), 2, "{metrics}");
}

#[test]
fn who_reports_too_often_is_heard_as_often_as_was_asked() {
    let mut world = World::new();
    world.robot("demo");
    world.join("s1", "demo");
    for round in 0..20 {
        world.reception("s1", json!({ "fps": round, "delay": 100, "freezes": 1_000_000 }));
        world.report("demo", front(f64::from(round)));
        world.pass(1);
    }
    // At 0, 3, 6 … 18 seconds.
    world.shows(r#"panocast_viewer_delay_seconds_count{robot="demo"} 7"#);
    world.shows(r#"panocast_camera_frames_per_second{robot="demo",camera="front"} 18"#);
    world.shows("panocast_freezes_total 100");
    let mut silent = Figures::new(None, world.now);
    let joined = News::Joined {
        session: session("s"),
        robot: robot("r"),
        camera: "main".parse().expect("an id"),
        resumed: false,
    };
    silent.note(joined, world.now);
    let reception = from_value(json!({ "fps": 1, "freezes": 3 })).expect("a report");
    silent.note(News::Reception { session: session("s"), reception }, world.now);
    assert_eq!(silent.totals.freezes, 0, "nobody asked");
}

#[test]
fn freezes_of_a_session_from_before_are_not_counted_again() {
    let mut world = World::new();
    world.robot("demo");
    let camera = "front".parse().expect("an id");
    world.note(News::Joined { session: session("s1"), robot: robot("demo"), camera, resumed: true });
    for freezes in [40, 42, 41] {
        world.reception("s1", json!({ "fps": 1, "freezes": freezes }));
        world.pass(5);
    }
    world.shows("panocast_freezes_total 2");
    world.shows("panocast_returns_total 1");
    world.shows("panocast_join_seconds_count 0");
}

#[test]
fn joining_takes_from_the_question_to_the_first_offer() {
    let mut world = World::new();
    world.robot("demo");
    world.join("s1", "demo");
    world.now.at += Duration::from_millis(30);
    world.note(News::Offered { session: session("s1") });
    world.pass(10);
    world.note(News::Offered { session: session("s1") });
    world.shows(r#"panocast_join_seconds_bucket{le="0.025"} 0"#);
    world.shows(r#"panocast_join_seconds_bucket{le="0.05"} 1"#);
    world.shows("panocast_join_seconds_count 1");
}

#[test]
fn refusals_are_counted_by_code_and_shown_once_however_often_somebody_knocks() {
    let mut world = World::new();
    world.robot("demo");
    for number in 0..1000 {
        let made_up = Some(robot(&format!("r{number}")));
        world.note(News::Refused { robot: made_up.clone(), code: Code::UnknownRobot });
        world.note(News::Refused { robot: Some(robot("demo")), code: Code::Full });
        world.note(News::RobotRefused { robot: made_up, code: Code::Full });
        world.note(News::NotTaken { code: Code::Malformed });
        world.figures.turned_away(Code::TokenExpired, world.now);
        world.pass(1);
    }
    let events = world.overview().events;
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.robot.is_some(), event.times)).collect();
    assert_eq!(
        told,
        [
            (EventKind::RobotUp, true, 1),
            (EventKind::Refused, false, 1000),
            (EventKind::Refused, true, 1000),
            (EventKind::RobotRefused, false, 1000),
            (EventKind::TurnedAway, false, 1000)
        ]
    );
    assert_eq!(events[1].at, START + 999_000, "the last time");
    for what in [
        "connection\",code=\"token_expired",
        "viewer\",code=\"unknown_robot",
        "viewer\",code=\"full",
        "robot\",code=\"full",
        "message\",code=\"malformed",
    ] {
        world.shows(&format!("panocast_refusals_total{{what=\"{what}\"}} 1000"));
    }
}

#[test]
fn what_is_kept_is_bounded() {
    let mut world = World::new();
    for number in 0..1100 {
        let id = format!("r{number}");
        world.robot(&id);
        world.join(&format!("s{number}"), &id);
        if number >= 20 {
            world.note(News::RobotDown { robot: robot(&id) });
        }
        world.note(News::Left { session: session(&format!("s{number}")) });
    }
    world.robot("late");
    world.robot("r50");
    for _ in 0..500 {
        world.figures.sample(world.now);
        world.pass(5);
    }
    let overview = world.overview();
    assert_eq!((overview.events.len(), overview.history.len()), (256, 120));
    assert_eq!(overview.robots[0].history.len(), 120);
    assert_eq!((world.figures.named.len(), world.figures.viewers.len()), (1000, 0));
    let metrics = world.metrics();
    assert!(!metrics.contains("robot=\"late\""), "names may be made up");
    assert!(metrics.contains("robot=\"r50\"") && metrics.contains("robot=\"r7\""), "these were there before");
    world.shows("panocast_robots_unnamed 1");
    world.shows("panocast_robots 22");
}

#[test]
fn the_past_has_a_sample_of_each_moment() {
    let mut world = World::new();
    world.robot("demo");
    world.figures.sample(world.now);
    world.pass(5);
    for id in ["s1", "s2"] {
        world.join(id, "demo");
    }
    world.note(News::Refused { robot: None, code: Code::Full });
    world.report("demo", front(25.0));
    world.audience("demo", json!([viewer("s1", 100, 0.5, 10), viewer("s2", 200, 0.0, 30)]));
    world.reception("s1", json!({ "fps": 30, "delay": 250 }));
    world.figures.sample(world.now);
    world.pass(20);
    world.figures.sample(world.now);
    let Overview { history, robots, .. } = world.overview();
    let counts: Vec<_> =
        history.iter().map(|sample| (sample.robots, sample.viewers, sample.joined, sample.refused)).collect();
    assert_eq!(counts, [(1, 0, 0, 0), (1, 2, 2, 1), (1, 2, 0, 0)]);
    let [before, now, later] = &robots[0].history[..] else { panic!("{:?}", robots[0].history) };
    assert_eq!((before.at, before.viewers, before.fps, before.bitrate), (START, 0, None, None));
    assert_eq!((now.at, now.viewers), (START + 5000, 2));
    assert_eq!(now.fps.map(|fps| fps.get()), Some(25.0));
    assert_eq!(now.bitrate.map(|bitrate| bitrate.get()), Some(300.0));
    assert_eq!(now.loss.map(|loss| loss.get()), Some(0.25));
    assert_eq!(now.round_trip.map(|time| time.get()), Some(20.0));
    assert_eq!(now.delay.map(|time| time.get()), Some(250.0));
    assert_eq!((later.viewers, later.fps, later.delay), (2, None, None), "nobody has reported since");
}
