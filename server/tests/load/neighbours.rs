//! Those who are served beside somebody who misbehaves.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    client::{Client, within},
    support::{Running, client, quantile},
};

/// What the others may wait for an answer.
const PROMPT: Duration = Duration::from_millis(50);

/// How often each of them asks: less than anybody may.
const ASKS_EVERY: Duration = Duration::from_millis(100);

/// How soon a reader that stalls is given up.
const REAPED_WITHIN: Duration = Duration::from_secs(20);

/// Viewers who ask again and again, each from an address of its own.
struct Neighbours {
    asking: JoinSet<Vec<Duration>>,
    enough: watch::Sender<bool>,
}

impl Neighbours {
    async fn start(server: &Running, count: usize) -> Self {
        let (enough, told) = watch::channel(false);
        let mut asking = JoinSet::new();
        for number in 0..count {
            let (mut viewer, mut told) = (server.watcher(number * 20).await, told.clone());
            asking.spawn(async move {
                let mut times = Vec::new();
                let mut again = tokio::time::interval(ASKS_EVERY);
                again.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    tokio::select! {
                        _ = told.wait_for(|enough| *enough) => return times,
                        _ = again.tick() => {}
                    }
                    let asked = Instant::now();
                    let reply = viewer.ask(&json!(["watcher", { "version": 1, "robot": "demo" }])).await;
                    assert_eq!(reply["ok"], true, "{reply}");
                    times.push(asked.elapsed());
                }
            });
        }
        Self { asking, enough }
    }

    /// How long they waited for their answers.
    async fn stop(mut self) -> Vec<Duration> {
        self.enough.send_replace(true);
        let mut all = Vec::new();
        while let Some(times) = within(self.asking.join_next()).await {
            all.extend(times.expect("no panic"));
        }
        all
    }
}

/// Says so many things as fast as it can, and comes back each time that it is thrown out, as what it registers as. Returns how
/// often it came.
async fn flood(server: SocketAddr, registers: Option<Value>, events: usize) -> usize {
    let (mut said, mut connections) = (0, 0);
    while said < events {
        let mut client = client(server, [127, 2, 0, 1].into()).await;
        connections += 1;
        if let Some(register) = &registers {
            client.ask(register).await;
        }
        while said < events && client.try_say(&json!(["candidate", "somebody", { "candidate": "" }])).await {
            said += 1;
        }
    }
    connections
}

/// The 99th percentile of what others wait for their answers while somebody floods.
async fn beside_flood(registers: Option<Value>) -> Duration {
    const EVENTS: usize = 100_000;
    let server = Running::start("").await;
    let mut robot = server.robot().await;
    let robot = tokio::spawn(async move { robot.ended().await });
    let neighbours = Neighbours::start(&server, 50).await;
    let began = Instant::now();
    let (mut connections, mut times) = (0, 0);
    // As often as it takes for the others to have asked often enough; and where it does not slow their clients.
    while began.elapsed() < Duration::from_secs(10) {
        connections += tokio::spawn(flood(server.address, registers.clone(), EVENTS)).await.expect("no panic");
        times += 1;
    }
    let took = began.elapsed();
    let mut waited = neighbours.stop().await;
    let (asked, p99) = (waited.len(), quantile(&mut waited, 0.99));
    println!("{times} x {EVENTS} events over {connections} connections in {took:?}: {asked} answers, p99 {p99:?}");
    robot.abort();
    p99
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn who_floods_costs_the_others_no_time() {
    let p99 = beside_flood(None).await;
    assert!(p99 < PROMPT, "{p99:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn a_robot_that_floods_costs_the_others_no_time() {
    let p99 = beside_flood(Some(json!(["broadcaster", { "version": 1, "robot": "other" }]))).await;
    assert!(p99 < PROMPT, "{p99:?}");
}

/// Viewers who join, and then neither read nor say anything; and what the robot knows them by, which has been told of others
/// before.
async fn stall(server: &Running, robot: &mut Client, before: usize, count: usize) -> (Vec<Client>, Vec<String>) {
    let mut stalled = Vec::new();
    for number in 0..count {
        stalled.push(server.watcher(10_000 + number * 20).await);
    }
    let mut names = Vec::new();
    for _ in 0..before + count {
        let told = robot.expect("watcher").await;
        names.push(told[0].as_str().expect("a name").to_owned());
    }
    (stalled, names.split_off(before))
}

/// The kernel's clock cannot be paused: this takes as long as stalled readers are borne.
async fn beside_stalled(config: &str) -> (Vec<Duration>, Duration, u64) {
    const EACH: usize = 50;
    let server = Running::start(config).await;
    let mut robot = server.robot().await;
    let neighbours = Neighbours::start(&server, EACH).await;
    let (stalled, names) = stall(&server, &mut robot, EACH, EACH).await;
    server.knows_of(2 * EACH + 1, 2 * EACH).await;
    let (before, began) = (server.footprint(), Instant::now());
    server.forget_peak();
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    // As much as a robot may say, to those who take nothing.
    let sdp = format!("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na={}\r\n", "x".repeat(16_000));
    let sending = tokio::spawn(async move {
        let mut again = tokio::time::interval(Duration::from_millis(100));
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            for name in &names {
                robot.say(&json!(["offer", name, { "type": "offer", "sdp": sdp }])).await;
                counted.fetch_add(1, Relaxed);
            }
            while robot.heard().await {}
        }
    });
    server.knows_of(EACH + 1, EACH).await;
    let reaped = began.elapsed();
    let waited = neighbours.stop().await;
    sending.abort();
    let cost = server.footprint().peak.saturating_sub(before.resident);
    println!("stalled readers: {reaped:?}, {} offers, {cost} bytes at most", sent.load(Relaxed));
    drop(stalled);
    (waited, reaped, cost)
}

#[tokio::test]
async fn readers_that_stall_are_given_up_and_the_others_served() {
    let (waited, reaped, _) = beside_stalled("limits.session_grace = \"1ms\"").await;
    assert!(waited.len() > 50, "the others were answered: {}", waited.len());
    println!("given up after {reaped:?}");
}

#[tokio::test]
#[ignore = "measures"]
async fn readers_that_stall_cost_the_others_no_time() {
    let (mut waited, reaped, _) = beside_stalled("limits.session_grace = \"1ms\"").await;
    let (asked, p99) = (waited.len(), quantile(&mut waited, 0.99));
    println!("beside stalled readers: {asked} answers, p99 {p99:?}; given up after {reaped:?}");
    assert!(p99 < PROMPT, "{p99:?}");
    assert!(reaped <= REAPED_WITHIN, "{reaped:?}");
}
