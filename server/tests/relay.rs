//! A server on a port of its own, and clients that speak Socket.IO to it.

#[expect(dead_code, reason = "some of it is for other tests")]
mod client;

use std::{net::SocketAddr, num::NonZeroU32};

use serde_json::{Value, json};
use server::{Config, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use client::{Client, within};

struct Running {
    address: SocketAddr,
    cancel: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start(config: Config) -> Self {
        let config = Config { listen: "127.0.0.1:0".parse().expect("an address"), ..config };
        let server = Server::bind(config).await.expect("binds");
        let (address, cancel) = (server.local_addr(), CancellationToken::new());
        let task = tokio::spawn(server.run(cancel.clone()));
        Self { address, cancel, task }
    }

    /// Sends one request by hand and returns the whole response.
    async fn http(&self, method: &str, path: &str, body: &str) -> String {
        let mut connection = within(TcpStream::connect(self.address)).await.expect("connects");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        within(connection.write_all(request.as_bytes())).await.expect("sent");
        let mut response = String::new();
        within(connection.read_to_string(&mut response)).await.expect("a response");
        response
    }

    /// Polls past heartbeats until a response holds this.
    async fn poll_for(&self, path: &str, what: &str) -> String {
        within(async {
            loop {
                let response = self.http("GET", path, "").await;
                if response.contains(what) {
                    return response;
                }
            }
        })
        .await
    }

    async fn robots(&self) -> Value {
        let response = self.http("GET", "/api/v1/robots", "").await;
        let (_, body) = response.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).expect("JSON")
    }

    /// Asks until nobody is left, then stops the server.
    async fn ends_empty(self) {
        within(async { while self.robots().await != json!([]) {} }).await;
        self.cancel.cancel();
        within(self.task).await.expect("no panic").expect("ends well");
    }
}

fn sdp(kind: &str, mark: &str) -> Value {
    json!({ "type": kind, "sdp": format!("v=0\r\ns={mark}\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n") })
}

fn candidate(number: usize) -> Value {
    json!({ "candidate": format!("candidate:{number} 1 udp 1 192.0.2.1 1 typ host"), "sdpMid": "0" })
}

async fn pair(server: &Running) -> (Client, Client, Value) {
    let mut robot = Client::connect(server.address).await;
    let registered = robot.ask(&json!(["broadcaster", { "version": 1, "robot": "demo" }])).await;
    assert_eq!(registered, json!({ "ok": true, "robot": "demo", "ice_servers": [], "report_every": 5 }));
    let mut viewer = Client::connect(server.address).await;
    let admission = viewer.ask(&json!(["watcher", { "version": 1, "robot": "demo" }])).await;
    let ticket = json!({ "session": admission["session"], "camera": "main", "resumed": false });
    assert_eq!(robot.meet(&mut viewer, &admission).await, ticket);
    (robot, viewer, admission)
}

/// Viewers may say as much as they like.
fn talkative() -> Config {
    let mut config = Config::default();
    config.limits.event_burst = NonZeroU32::MAX;
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn bursts_keep_their_order_in_both_directions() {
    let server = Running::start(talkative()).await;
    let (mut robot, mut viewer, mut admission) = pair(&server).await;
    assert_eq!(admission["session"].as_str().map(str::len), Some(32), "128 bits in hexadecimal");
    for round in 0..40 {
        let mark = round.to_string();
        robot.say(&json!(["offer", viewer.id, sdp("offer", &mark)])).await;
        viewer.say(&json!(["answer", robot.id, sdp("answer", &mark)])).await;
        for number in 0..50 {
            robot.say(&json!(["candidate", viewer.id, candidate(number)])).await;
            viewer.say(&json!(["candidate", format!("/#{}", robot.id), candidate(number)])).await;
        }
        let about = json!({ "session": admission["session"] });
        assert_eq!(viewer.expect("offer").await, [json!(robot.id), sdp("offer", &mark), about.clone()]);
        assert_eq!(robot.expect("answer").await, [json!(viewer.id), sdp("answer", &mark), about.clone()]);
        for number in 0..50 {
            assert_eq!(viewer.expect("candidate").await, [json!(robot.id), candidate(number), about.clone()]);
            assert_eq!(robot.expect("candidate").await, [json!(viewer.id), candidate(number), about.clone()]);
        }
        admission = viewer.ask(&json!(["watcher", { "version": 1, "robot": "demo" }])).await;
        robot.expect("watcher").await;
    }
    assert_eq!(server.robots().await[0]["viewers"], 1);
    viewer.raw("41").await;
    assert_eq!(robot.expect("disconnectPeer").await, [json!(viewer.id)]);
    assert_eq!(robot.expect("bye").await, [json!(viewer.id)]);
    drop((robot, viewer));
    server.ends_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_answered_or_costs_only_its_sender() {
    let server = Running::start(Config::default()).await;
    let (mut robot, mut viewer, _) = pair(&server).await;
    let long = json!({ "type": "answer", "sdp": format!("v=0\r\nm=video 9 x 96\r\na={}\r\n", "x".repeat(40_000)) });
    for (event, code) in [
        (json!(["answer", robot.id, null]), "malformed"),
        (json!(["answer", robot.id]), "malformed"),
        (json!(["answer"]), "malformed"),
        (json!(["answer", robot.id, { "type": "answer", "sdp": "" }]), "malformed"),
        (json!(["answer", robot.id, long]), "too_large"),
        (json!(["candidate", robot.id, { "candidate": "hello" }]), "malformed"),
        (json!(["candidate", "somebody", candidate(1)]), "unauthorized"),
        (json!(["offer", robot.id, sdp("offer", "")]), "malformed"),
        (json!(["shutdown", "now"]), "malformed"),
        (json!(["watcher", { "robot": "../etc" }]), "malformed"),
    ] {
        viewer.say(&event).await;
        assert_eq!(viewer.expect("notice").await[0]["code"], code, "{event}");
    }
    for killer in [format!("42[\"answer\",\"{}\"]", "x".repeat(1 << 20)), "42[".to_owned(), "9".to_owned()] {
        Client::connect(server.address).await.provoke(killer).await;
    }
    viewer.say(&json!(["answer", robot.id, sdp("answer", "still here")])).await;
    assert_eq!(robot.expect("answer").await[1], sdp("answer", "still here"));
    drop((robot, viewer));
    server.ends_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_large_messages_is_answered_one_by_one() {
    let server = Running::start(talkative()).await;
    let (mut robot, mut viewer, _) = pair(&server).await;
    let large = sdp("answer", &"x".repeat(20_000));
    for _ in 0..300 {
        viewer.say(&json!(["answer", "somebody", large])).await;
    }
    viewer.say(&json!(["answer", robot.id, sdp("answer", "after it")])).await;
    for _ in 0..300 {
        assert_eq!(viewer.expect("notice").await[0]["code"], "unauthorized");
    }
    assert_eq!(robot.expect("answer").await[1], sdp("answer", "after it"));
    drop((robot, viewer));
    server.ends_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_start_with_polling_are_served_and_waiting_ones_are_told() {
    let server = Running::start(Config::default()).await;
    let mut waiting = Client::connect(server.address).await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = server.http("GET", path, "").await;
    let sid = opened.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    let path = format!("{path}&sid={sid}");
    assert!(server.http("POST", &path, "40").await.ends_with("ok"));
    let greeting = server.poll_for(&path, "40{\"sid\":").await;
    assert!(greeting.contains("access-control-allow-origin: *"), "{greeting}");
    assert!(server.http("POST", &path, "42[\"broadcaster\"]").await.ends_with("ok"));
    assert_eq!(waiting.expect("broadcaster").await, [json!({ "robot": "demo" })]);
    waiting.say(&json!(["watcher"])).await;
    let introduced = server.poll_for(&path, "42[\"watcher\",\"").await;
    let viewer = introduced.split("\"watcher\",\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    // As these pages know each other.
    assert_eq!(viewer, waiting.session);
    assert!(
        server.http("POST", &path, &format!("42{}", json!(["offer", viewer, sdp("offer", "")]))).await.ends_with("ok")
    );
    assert_eq!(waiting.expect("offer").await[0], sid);
    assert!(server.http("POST", &path, "41").await.ends_with("ok"));
    assert_eq!(waiting.expect("broadcasterLeft").await, [json!({ "robot": "demo" })]);
    drop(waiting);
    server.ends_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_is_hung_up_on_and_does_not_join_twice() {
    let server = Running::start(Config::default()).await;
    let mut client = Client::connect(server.address).await;
    client.raw("41").await;
    client.raw("40").await;
    // What is said while it is still leaving is not answered; no more than the end of it comes then.
    if let Some(answer) = client.packet().await {
        assert_eq!(answer, r#"44{"message":"rate_limited"}"#);
        client.hung_up().await;
    }

    // Whoever polls may do so for ever.
    let path = "/socket.io/?EIO=4&transport=polling";
    let open = async || {
        let opened = server.http("GET", path, "").await;
        opened.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned()
    };
    let session = format!("{path}&sid={}", open().await);
    assert!(server.http("POST", &session, "40").await.ends_with("ok"));
    server.poll_for(&session, "40{\"sid\":").await;
    assert!(server.http("POST", &session, "41").await.ends_with("ok"));
    within(async { while !server.http("POST", &session, "3").await.contains("Session ID unknown") {} }).await;

    // So may who began by polling and went on as a WebSocket.
    let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket&sid={}", server.address, open().await);
    let mut client =
        Client::open(TcpStream::connect(server.address).await.expect("connects"), url).await.expect("a WebSocket");
    client.raw("2probe").await;
    assert_eq!(client.packet().await.as_deref(), Some("3probe"));
    for text in ["5", "40"] {
        client.raw(text).await;
    }
    assert!(client.packet().await.is_some_and(|packet| packet.starts_with("40{")));
    client.raw("41").await;
    client.hung_up().await;
    server.ends_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_refused_until_one_ends() {
    let mut config = Config::default();
    config.limits.max_connections = std::num::NonZeroUsize::MIN;
    let server = Running::start(config).await;
    let mut first = Client::connect(server.address).await;
    assert_eq!(Client::try_connect(server.address).await.err().as_deref(), Some("full"));
    first.raw("41").await;
    within(async { while Client::try_connect(server.address).await.is_err() {} }).await;
    drop(first);
    server.ends_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_dropped_before_it_costs_the_others() {
    let server = Running::start(talkative()).await;
    let (robot, mut viewer, _) = pair(&server).await;
    let answer = json!(["answer", robot.id, sdp("answer", &"x".repeat(4000))]);
    within(async {
        while server.robots().await != json!([]) {
            for _ in 0..100 {
                viewer.say(&answer).await;
            }
        }
    })
    .await;
    assert_eq!(viewer.expect("broadcasterLeft").await, [json!({ "robot": "demo" })]);
    drop((robot, viewer));
    server.ends_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ending_server_says_so_to_everyone_and_closes() {
    let server = Running::start(Config::default()).await;
    let (mut robot, mut viewer, _) = pair(&server).await;
    let mut nobody = Client::connect(server.address).await;
    // A connection that is just being greeted is closed without a word; this one is past that.
    nobody.say(&json!(["hello"])).await;
    nobody.expect("notice").await;
    server.cancel.cancel();
    for client in [&mut robot, &mut viewer, &mut nobody] {
        // The viewer may hear of the robot's end, too.
        while client.event().await[1]["code"] != "draining" {}
        client.ended().await;
    }
    within(server.task).await.expect("no panic").expect("ends well");
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_too_much_at_once_is_told_as_well() {
    let mut config = Config::default();
    (config.limits.events_per_second, config.limits.event_burst) = (NonZeroU32::MIN, NonZeroU32::MIN);
    let server = Running::start(config).await;
    // Most of them are heard before the desk may speak to them.
    for _ in 0..100 {
        let mut chatterer = Client::connect(server.address).await;
        chatterer.blurt((0..10).map(|number| json!(["candidate", "somebody", candidate(number)]))).await;
        assert_eq!(chatterer.expect("notice").await[0]["code"], "unauthorized");
        assert_eq!(chatterer.expect("notice").await[0]["code"], "rate_limited");
    }
    server.ends_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_too_much_is_told_once_and_then_disconnected() {
    let mut config = Config::default();
    config.limits.events_per_second = NonZeroU32::MIN;
    let server = Running::start(config).await;
    let (mut robot, mut viewer, _) = pair(&server).await;
    let mut chatterer = Client::connect(server.address).await;
    for number in 0..500 {
        chatterer.say(&json!(["candidate", "somebody", candidate(number)])).await;
    }
    let mut answered = 0;
    while chatterer.expect("notice").await[0]["code"] == "unauthorized" {
        answered += 1;
    }
    assert!(answered >= 80, "{answered} were answered");
    chatterer.flood(&json!(["candidate", "somebody", candidate(1)]), 5_000).await;
    viewer.say(&json!(["answer", robot.id, sdp("answer", "undisturbed")])).await;
    assert_eq!(robot.expect("answer").await[1], sdp("answer", "undisturbed"));
    drop((robot, viewer));
    server.ends_empty().await;
}
