//! Thousands who come and go, in order and not.

use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    client::within,
    support::{PER_ADDRESS, Running, UPGRADE, home},
};

/// Bytes by which memory may differ: an allocator keeps some of what it was given back. If each visit left no more than a task
/// behind, which takes some hundred bytes at least, it would be more.
const SLACK: u64 = 4_000_000;

/// One visit, which ends in one of several ways.
async fn visit(server: &Running, number: usize) {
    let (way, number) = (number % 6, number % VISITORS);
    match way {
        0 => hang_up_in_the_middle(server, number).await,
        // Its end is heard of, and it has not said goodbye.
        1 => drop(server.watcher(number).await),
        2 => server.watcher(number).await.raw("41").await,
        3 => {
            let mut viewer = server.watcher(number).await;
            viewer.ask(&json!(["watcher", { "version": 1, "robot": "demo" }])).await;
            viewer.raw("41").await;
            // Nobody joins twice.
            viewer.provoke("40".to_owned()).await;
        }
        4 => server.visitor(number).await.abort(),
        _ => server.watcher(number).await.abort(),
    }
}

/// Asks for everything, and is gone before it can be answered.
async fn hang_up_in_the_middle(server: &Running, number: usize) {
    let mut stream = server.connect_from(home(number)).await;
    let asks = [UPGRADE.as_bytes(), JOIN].concat();
    within(stream.write_all(&asks)).await.expect("asked");
    if number.is_multiple_of(2) {
        // The first part of the answer.
        let _ = within(stream.read_exact(&mut [0; 12])).await;
    }
    stream.set_zero_linger().expect("its own socket");
}

/// Socket.IO's greeting, in a frame that is masked with nothing.
const JOIN: &[u8] = &[0x81, 0x82, 0, 0, 0, 0, b'4', b'0'];

/// Enough that none of their addresses has more than its share while the server has not heard yet of those who left.
const VISITORS: usize = PER_ADDRESS * 200;
const AT_ONCE: usize = 64;

async fn visits(server: &Running, numbers: std::ops::Range<usize>) {
    stream::iter(numbers).for_each_concurrent(AT_ONCE, |number| visit(server, number)).await;
}

#[tokio::test]
async fn whoever_comes_and_goes_leaves_nothing() {
    const FIRST: usize = 2_000;
    const CYCLES: usize = 10_000;
    // Whoever is lost is waited for, and not for long here.
    let server = Running::start("limits.session_grace = \"1s\"").await;
    let mut robot = server.robot().await;
    let taking = tokio::spawn(async move { robot.ended().await });
    visits(&server, 0..FIRST).await;
    server.knows_of(1, 0).await;
    let before = server.footprint();
    visits(&server, FIRST..FIRST + CYCLES).await;
    server.knows_of(1, 0).await;
    server.settles(&before).await;
    let after = server.footprint();
    println!("{CYCLES} cycles: {before:?} -> {after:?}");
    assert!(after.resident < before.resident + SLACK, "{before:?} -> {after:?}");
    assert!(!taking.is_finished(), "the robot was not disturbed");
    let overview = server.overview().await;
    assert_eq!(overview["robots"][0]["viewers"], json!([]), "no ghosts");
    taking.abort();
}
