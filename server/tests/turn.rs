//! The embedded relay, in the hands of a client that is not ours: coturn's own, as Debian packages it.

#[expect(dead_code, reason = "some of it is for other tests")]
mod client;
#[expect(unreachable_pub, reason = "of the crate that tests everything together")]
#[path = "../../tests/src/exposition.rs"]
mod exposition;

use std::{net::SocketAddr, process::Stdio, time::Duration};

use server::{
    Config, Server, TurnCounters, TurnTally,
    auth::{Access, Rotation, Store, UnixTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};
use tokio_util::sync::CancellationToken;

use client::{Client, within};
use exposition::Exposition;

const WITHIN: Duration = Duration::from_secs(60);

const CONFIG: &str = r#"
    listen = "127.0.0.1:0"
    [turn]
    enabled = true
    listen = ["127.0.0.1:0"]
    public_address = "127.0.0.1"
    secret = "north and south pole"
    max_allocations_per_user = 10
"#;

/// Two of them, who send each other so many packets, relay to relay.
fn couple(packets: &str, more: &[&str], url: &str) -> Command {
    let (_, port) = url.rsplit_once(':').expect("with its port");
    let mut client = Command::new("turnutils_uclient");
    client
        .args(["-y", "-c", "-u", "demo", "-W", "north and south pole", "-m", "2", "-n", packets, "-z", "5"])
        .args(more)
        .args(["-p", port, "127.0.0.1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    client
}

/// Waits until the relay has counted enough.
async fn until(tally: &TurnTally, enough: impl Fn(TurnCounters) -> bool) {
    let reached = async {
        while !enough(tally.counters()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WITHIN, reached).await.unwrap_or_else(|_| panic!("{:?}", tally.counters()));
}

/// What `/metrics` shows.
async fn metrics(server: SocketAddr) -> Exposition {
    let mut connection = within(TcpStream::connect(server)).await.expect("connects");
    let request = format!("GET /metrics HTTP/1.0\r\nhost: {server}\r\n\r\n");
    within(connection.write_all(request.as_bytes())).await.expect("sent");
    let mut response = String::new();
    within(connection.read_to_string(&mut response)).await.expect("a response");
    let (_, body) = response.split_once("\r\n\r\n").expect("a head");
    Exposition::parse(body).unwrap_or_else(|error| panic!("{error} in\n{body}"))
}

/// Lets two clients speak to each other, relay to relay, and says what the relay saw.
async fn play(arguments: &[&str]) -> TurnCounters {
    let server = Server::bind(toml::from_str::<Config>(CONFIG).expect("valid")).await.expect("binds");
    let (address, tally) = (server.local_addr(), server.turn_tally().expect("it relays"));
    let cancel = CancellationToken::new();
    let running = tokio::spawn(server.run(cancel.clone()));

    let mut client = couple("100", arguments, tally.url());
    let output = tokio::time::timeout(WITHIN, client.output()).await.expect("in time");
    let output = output.expect("turnutils_uclient starts; Debian's package coturn has it");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Total lost packets 0 (0.000000%)"), "{said}");

    let counters = tally.counters();
    let shown = metrics(address).await;
    for (name, labels, value) in [
        ("panocast_relay_allocations_total", &[][..], counters.granted),
        ("panocast_relay_bytes_total", &[], counters.relayed_bytes),
        ("panocast_relay_packets_total", &[], counters.relayed_packets),
        ("panocast_relay_refusals_total", &[("reason", "challenged")], counters.refused.challenged),
        ("panocast_relay_dropped_packets_total", &[("reason", "throttled")], 0),
    ] {
        assert_eq!(shown.value(name, labels), Some(value as f64), "{name}");
    }
    cancel.cancel();
    running.await.expect("it ends").expect("in good order");
    counters
}

#[tokio::test]
async fn coturns_client_is_served_over_udp() {
    let counters = play(&[]).await;
    assert!(counters.granted >= 3, "one for each, and one to try: {counters:?}");
    assert!(counters.relayed_packets >= 200 && counters.throttled_packets == 0, "{counters:?}");
    let indications = play(&["-s"]).await;
    assert!(indications.relayed_packets >= 200, "{indications:?}");
}

#[tokio::test]
async fn coturns_client_is_served_over_tcp() {
    let counters = play(&["-t"]).await;
    assert!(counters.granted >= 3, "one for each, and one to try: {counters:?}");
    assert!(counters.relayed_packets >= 200, "{counters:?}");
}

/// A state of its own, which goes with it.
struct State(std::path::PathBuf);

impl Drop for State {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_that_loses_its_key_is_relayed_no_more() {
    let mut name = [0; 8];
    getrandom::fill(&mut name).expect("random bytes");
    let state = State(std::env::temp_dir().join(format!("panocast-turn-{:016x}", u64::from_le_bytes(name))));
    // Coturn's client makes credentials for a day.
    let config = format!("state_dir = {:?}\nauth.mode = \"keys\"\nice.lifetime = \"48h\"\n{CONFIG}", state.0);
    let mut store = Store::open(&state.0).expect("a store");
    let demo = "demo".parse().expect("an id");
    let key = store.add_robot(&demo, Access::Public, UnixTime::now()).expect("added");
    let server = Server::bind(toml::from_str::<Config>(&config).expect("valid")).await.expect("binds");
    let (address, tally) = (server.local_addr(), server.turn_tally().expect("it relays"));
    let cancel = CancellationToken::new();
    let running = tokio::spawn(server.run(cancel.clone()));
    let mut robot = Client::connect(address).await;
    let register = serde_json::json!(["broadcaster", { "version": 1, "robot": "demo", "key": key.as_str() }]);
    assert_eq!(robot.ask(&register).await["ok"], true);

    let endless = couple("1000000", &[], tally.url()).spawn().expect("turnutils_uclient starts");
    until(&tally, |counters| counters.relayed_packets >= 100).await;
    store.rotate(&demo, Rotation::AtOnce, UnixTime::now()).expect("rotated");
    assert_eq!(robot.expect("notice").await[0]["code"], "unauthorized");
    until(&tally, |counters| counters.allocations == 0).await;
    drop(endless);
    let mut again = couple("1", &[], tally.url());
    within(again.output()).await.expect("it ends");
    assert!(tally.counters().refused.expired > 0, "{:?}", tally.counters());
    assert_eq!(tally.counters().allocations, 0);
    cancel.cancel();
    running.await.expect("it ends").expect("in good order");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_relayed_goes_on_while_the_server_ends_and_no_longer_than_it_may() {
    for drain in ["1h", "1s"] {
        let config = format!("drain_timeout = {drain:?}\n{CONFIG}");
        let server = Server::bind(toml::from_str::<Config>(&config).expect("valid")).await.expect("binds");
        let tally = server.turn_tally().expect("it relays");
        let cancel = CancellationToken::new();
        let running = tokio::spawn(server.run(cancel.clone()));
        let endless = couple("1000000", &[], tally.url()).spawn().expect("turnutils_uclient starts");
        until(&tally, |counters| counters.relayed_packets >= 100).await;
        cancel.cancel();
        if drain == "1h" {
            let before = tally.counters().relayed_packets;
            until(&tally, |counters| counters.relayed_packets >= before + 1000).await;
            assert!(!running.is_finished());
            drop(endless);
            within(running).await.expect("it ends").expect("in good order");
        } else {
            within(running).await.expect("it ends").expect("in good order");
            drop(endless);
        }
    }
}
