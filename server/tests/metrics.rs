//! Reports over Socket.IO, and what they amount to over HTTP.

#[expect(dead_code, reason = "some of it is for other tests")]
mod client;
#[expect(unreachable_pub, reason = "of the crate that tests everything together")]
#[path = "../../tests/src/exposition.rs"]
mod exposition;

use std::net::SocketAddr;

use serde_json::{Value, json};
use server::{Config, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use client::{Client, within};
use exposition::Exposition;

struct Running {
    address: SocketAddr,
    cancel: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start() -> Self {
        let config = Config { listen: "127.0.0.1:0".parse().expect("an address"), ..Config::default() };
        let server = Server::bind(config).await.expect("binds");
        let (address, cancel) = (server.local_addr(), CancellationToken::new());
        Self { address, cancel: cancel.clone(), task: tokio::spawn(server.run(cancel)) }
    }

    /// The head and the body of a response.
    async fn get(&self, path: &str, headers: &str) -> (String, String) {
        let mut connection = within(TcpStream::connect(self.address)).await.expect("connects");
        let request = format!("GET {path} HTTP/1.0\r\nhost: {}\r\n{headers}\r\n", self.address);
        within(connection.write_all(request.as_bytes())).await.expect("sent");
        let mut response = String::new();
        within(connection.read_to_string(&mut response)).await.expect("a response");
        let (head, body) = response.split_once("\r\n\r\n").expect("a head");
        (head.to_owned(), body.to_owned())
    }

    async fn metrics(&self) -> Exposition {
        let (head, body) = self.get("/metrics", "").await;
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        Exposition::parse(&body).unwrap_or_else(|error| panic!("{error} in\n{body}"))
    }

    async fn overview(&self) -> Value {
        serde_json::from_str(&self.get("/api/v1/overview", "").await.1).expect("JSON")
    }

    async fn stop(self) {
        self.cancel.cancel();
        within(self.task).await.expect("no panic").expect("ends well");
    }
}

/// Waits until all that the client has said before has been heard.
async fn heard(client: &mut Client) {
    client.say(&json!(["heard?"])).await;
    assert_eq!(client.expect("notice").await[0]["code"], "malformed");
}

const DEMO: (&str, &str) = ("robot", "demo");
const MAIN: (&str, &str) = ("camera", "main");

#[tokio::test(flavor = "multi_thread")]
async fn reports_become_figures_and_go_with_their_sender() {
    let server = Running::start().await;
    let mut robot = Client::connect(server.address).await;
    let registered = robot.ask(&json!(["broadcaster", { "version": 1, "robot": "demo" }])).await;
    assert_eq!(registered["report_every"], 5);
    let mut viewer = Client::connect(server.address).await;
    let admission = viewer.ask(&json!(["watcher", { "version": 1, "robot": "demo" }])).await;
    assert_eq!(admission["report_every"], 5);
    let session = &admission["session"];
    robot.meet(&mut viewer, &admission).await;
    let offer = json!({ "type": "offer", "sdp": "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n" });
    robot.say(&json!(["offer", viewer.id, offer])).await;
    let encoding = json!({ "rung": 0, "codec": "h264", "fps": 29.5, "bitrate": 800_000, "new": "field" });
    let camera = json!({ "id": "main", "running": true, "fps": 30, "encodings": [encoding] });
    robot.say(&json!(["report", { "cameras": [camera], "sent": { "bytes": 1_000_000 }, "new": {} }])).await;
    let sent = json!({ "session": session, "rung": 0, "bitrate": 820_000, "loss": 7, "round_trip": -5 });
    robot.say(&json!(["audience", { "viewers": [sent] }, "new"])).await;
    heard(&mut robot).await;
    viewer.expect("offer").await;
    let about = json!({ "session": session });
    viewer.say(&json!(["reception", { "fps": 29, "delay": 140, "freezes": 1, "relayed": true }, about])).await;
    heard(&mut viewer).await;

    let page = server.metrics().await;
    for (name, labels, value) in [
        ("panocast_robots", &[][..], 1.0),
        ("panocast_viewers", &[], 1.0),
        ("panocast_join_seconds_count", &[], 1.0),
        ("panocast_freezes_total", &[], 1.0),
        ("panocast_camera_frames_per_second", &[DEMO, MAIN], 30.0),
        ("panocast_encoding_bytes_per_second", &[DEMO, MAIN, ("rung", "0"), ("codec", "h264")], 100_000.0),
        ("panocast_robot_sent_bytes_total", &[DEMO], 1_000_000.0),
        ("panocast_robot_sent_bytes_per_second", &[DEMO], 102_500.0),
        ("panocast_robot_max_loss_ratio", &[DEMO], 1.0),
        ("panocast_robot_max_round_trip_seconds", &[DEMO], 0.0),
        ("panocast_robot_relayed_viewers", &[DEMO], 1.0),
        ("panocast_viewer_delay_seconds_sum", &[DEMO], 0.14),
        ("panocast_refusals_total", &[("what", "message"), ("code", "malformed")], 2.0),
    ] {
        assert_eq!(page.value(name, labels), Some(value), "{name}");
    }
    let (overview, whole) = (server.overview().await, session.as_str().expect("an id"));
    assert_eq!(overview["robots"][0]["viewers"][0]["session"], whole[..8]);
    assert_eq!(overview["robots"][0]["viewers"][0]["shown"]["delay"], 140.0);
    assert!(!overview.to_string().contains(whole), "whoever knows it can take the session over");

    viewer.raw("41").await;
    robot.expect("disconnectPeer").await;
    assert_eq!(server.metrics().await.value("panocast_robot_relayed_viewers", &[DEMO]), Some(0.0));
    robot.raw("41").await;
    within(async { while server.metrics().await.value("panocast_robots", &[]) != Some(0.0) {} }).await;
    assert_eq!(server.metrics().await.count(DEMO.0, DEMO.1), 0);
    let kinds: Vec<Value> = server.overview().await["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    assert_eq!(kinds, ["robot_up", "joined", "left", "robot_down"]);
    drop((robot, viewer));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reports_on_somebody_else_and_nonsense_is_answered() {
    let server = Running::start().await;
    let mut mine = Client::connect(server.address).await;
    mine.ask(&json!(["broadcaster", { "version": 1, "robot": "mine" }])).await;
    let mut theirs = Client::connect(server.address).await;
    theirs.ask(&json!(["broadcaster", { "version": 1, "robot": "theirs" }])).await;
    let mut viewer = Client::connect(server.address).await;
    let admission = viewer.ask(&json!(["watcher", { "version": 1, "robot": "mine" }])).await;
    mine.expect("watcher").await;
    let session = &admission["session"];
    let about_mine = json!(["audience", { "viewers": [{ "session": session, "bitrate": 9e9, "loss": 1 }] }]);
    theirs.say(&about_mine).await;
    heard(&mut theirs).await;
    for event in [json!(["report", {}]), about_mine] {
        viewer.say(&event).await;
        assert_eq!(viewer.expect("notice").await[0]["code"], "unauthorized", "{event}");
    }
    theirs.say(&json!(["reception", { "fps": 1 }, { "session": session }])).await;
    assert_eq!(theirs.expect("notice").await[0]["code"], "unauthorized");
    for number in ["1e999", "null", "\"1\"", "[]"] {
        viewer.raw(&format!("42[\"reception\",{{\"fps\":{number}}}]")).await;
        let notice = viewer.expect("notice").await[0].clone();
        assert_eq!(notice["code"], "malformed", "{number}: {notice}");
        assert!(notice["message"].as_str().is_some_and(|text| text.contains("reception")), "{notice}");
    }
    let overview = server.overview().await;
    let robots = overview["robots"].as_array().expect("a list");
    assert!(robots.iter().all(|robot| robot.get("sent").is_none()), "{overview}");
    assert!(robots[0]["viewers"][0].get("sent").is_none(), "{overview}");
    assert!(robots[0]["viewers"][0].get("shown").is_none(), "{overview}");
    drop((mine, theirs, viewer));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_through_a_proxy_is_not_of_this_machine() {
    let server = Running::start().await;
    for path in ["/metrics", "/api/v1/overview"] {
        assert!(server.get(path, "").await.0.contains(" 200 "));
        let (head, body) = server.get(path, "x-forwarded-for: 192.0.2.7\r\n").await;
        assert!(head.contains(" 403 ") && body.contains("[metrics]"), "{head}\n{body}");
    }
    server.stop().await;
}
