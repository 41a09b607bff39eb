//! What a second server costs those who come, and whether everybody finds the right one among thousands.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    Two,
    client::{Client, within},
    redis::Redis,
    support::{PER_ADDRESS, Running, quantile},
};

/// Of those who join a robot elsewhere, beside those who join one that is where they are.
const SLOWER: f64 = 1.5;

/// From when Redis answers again to when a robot elsewhere can be watched.
const BACK_WITHIN: Duration = Duration::from_secs(3);

const JOINING: usize = 500;
const ROUNDS: usize = 5;

fn room() -> String {
    format!(
        "[limits]\nmax_robots = 2000\nmax_viewers = 10000\nmax_connections = 20000\n\
         max_connections_per_address = {PER_ADDRESS}\nsession_grace = \"1s\"\n"
    )
}

/// Says what it is for, so that it can be told whether all of them are right.
async fn robot_from(server: &Running, number: usize, name: &str) -> Client {
    let mut robot = server.visitor(number).await;
    let reply = within(robot.ask(&json!(["broadcaster", { "version": 1, "robot": name }]))).await;
    assert_eq!(reply["ok"], true, "{reply}");
    robot
}

async fn joins(server: &Running, name: &str, first: usize) -> Vec<Duration> {
    let join = |number| async move {
        let began = Instant::now();
        let mut viewer = server.visitor(first + number).await;
        let reply = viewer.ask(&json!(["watcher", { "version": 1, "robot": name }])).await;
        assert_eq!(reply["ok"], true, "{reply}");
        (viewer, began.elapsed())
    };
    let joined: Vec<_> = stream::iter(0..JOINING).map(join).buffer_unordered(JOINING).collect().await;
    joined.into_iter().map(|(_, took)| took).collect()
}

#[tokio::test]
#[ignore = "measures"]
async fn joining_a_robot_at_another_server_takes_little_longer() {
    let alone = Running::start(&room()).await;
    let two = Two::with(&room()).await;
    let mut robots = Vec::new();
    for server in [&alone, &two.servers[0]] {
        let mut robot = robot_from(server, 0, "r").await;
        robots.push(tokio::spawn(async move { robot.ended().await }));
    }
    let (mut here, mut there) = (Vec::new(), Vec::new());
    let cpu = |servers: &[&Running]| servers.iter().map(|server| server.footprint().cpu).sum::<Duration>();
    let (one, both) = ([&alone], two.servers.each_ref());
    let before = (cpu(&one), cpu(&both), two.redis.spent().await);
    for round in 0..ROUNDS {
        let first = 1000 * (round + 1);
        here.push(quantile(&mut joins(&alone, "r", first).await, 0.99));
        there.push(quantile(&mut joins(&two.servers[1], "r", first).await, 0.99));
    }
    let redis = two.redis.spent().await;
    let of_each = |spent: Duration| spent / (JOINING * ROUNDS) as u32;
    println!(
        "processor time of a join: {:?} at one server, {:?} at both of two, and {:?} with {:.1} commands at Redis",
        of_each(cpu(&one) - before.0),
        of_each(cpu(&both) - before.1),
        of_each(redis.0 - before.2.0),
        (redis.1 - before.2.1) as f64 / (JOINING * ROUNDS) as f64
    );
    println!("{JOINING} join at once, p99 of {ROUNDS} times: {here:?} at one server, {there:?} across two");
    let (here, there) = (quantile(&mut here, 0.5), quantile(&mut there, 0.5));
    assert!(there.as_secs_f64() <= SLOWER * here.as_secs_f64(), "{there:?} beside {here:?}");
    robots.into_iter().for_each(|robot| robot.abort());
}

#[tokio::test]
#[ignore = "takes long"]
async fn a_thousand_robots_and_ten_thousand_watchers_find_each_other() {
    const ROBOTS: usize = 1000;
    const WATCHERS: usize = 10_000;
    let two = Two::with(&room()).await;
    let name = |number: usize| format!("r{number}");
    let robots = stream::iter(0..ROBOTS).map(|number| {
        let server = &two.servers[number % 2];
        async move { robot_from(server, number, &name(number)).await }
    });
    let robots: Vec<Client> = robots.buffered(64).collect().await;
    // Each of them is watched from both servers.
    let watchers = stream::iter(0..WATCHERS).map(|number| {
        let (server, robot) = (&two.servers[number / ROBOTS % 2], number % ROBOTS);
        async move {
            let mut viewer = server.visitor(ROBOTS + number).await;
            let admission = crate::admitted(&mut viewer, &name(robot)).await;
            (robot, viewer, admission)
        }
    });
    let began = Instant::now();
    let watchers: Vec<(usize, Client, serde_json::Value)> = watchers.buffer_unordered(64).collect().await;
    println!("{WATCHERS} watchers of {ROBOTS} robots joined in {:?}", began.elapsed());
    let mut expected: BTreeMap<usize, BTreeMap<String, usize>> = BTreeMap::new();
    for (place, (robot, _, admission)) in watchers.iter().enumerate() {
        let session = admission["session"].as_str().expect("a session").to_owned();
        expected.entry(*robot).or_default().insert(session, place);
    }
    let mut watchers: Vec<Option<Client>> = watchers.into_iter().map(|(_, viewer, _)| Some(viewer)).collect();
    for (number, mut robot) in robots.into_iter().enumerate() {
        let sessions = &expected[&number];
        for _ in 0..sessions.len() {
            let introduced = robot.expect("watcher").await;
            let session = introduced[1]["session"].as_str().expect("a session");
            let place = sessions.get(session).unwrap_or_else(|| panic!("{session} is not one of robot {number}'s"));
            let mut viewer = watchers[*place].take().expect("introduced once");
            let sdp = format!("v=0\r\ns={number}\r\nm=video 9 x 96\r\n");
            robot.say(&json!(["offer", introduced[0], { "type": "offer", "sdp": sdp }])).await;
            assert_eq!(viewer.expect("offer").await[1]["sdp"], sdp);
        }
    }
    assert!(watchers.iter().all(Option::is_none));
}

#[tokio::test]
#[ignore = "measures"]
async fn redis_that_comes_and_goes_costs_seconds_and_leaves_nothing() {
    let mut redis = Redis::start().await;
    let config = format!("{}[cluster]\nredis = {:?}\n", room(), redis.url());
    let servers = [Running::start(&config).await, Running::start(&config).await];
    let mut robot = robot_from(&servers[0], 0, "r").await;
    let mut viewer = servers[1].visitor(1).await;
    crate::admitted(&mut viewer, "r").await;
    robot.expect("watcher").await;
    let before = servers.each_ref().map(Running::footprint);
    let mut waits = Vec::new();
    for number in 0..20 {
        redis.kill().await;
        let near = robot_from(&servers[1], 2, "near").await;
        let mut visitor = servers[1].visitor(3 + number).await;
        let reply = visitor.ask(&json!(["watcher", { "version": 1, "robot": "near" }])).await;
        assert_eq!(reply["ok"], true, "{reply}");
        drop((near, visitor));
        redis.come_back().await;
        let back = Instant::now();
        while viewer.expect("broadcaster").await[0]["robot"] != "r" {}
        crate::admitted(&mut viewer, "r").await;
        waits.push(back.elapsed());
        while robot.event().await[0] != "watcher" {}
    }
    println!("a robot elsewhere could be watched {waits:?} after Redis was back");
    assert!(waits.iter().all(|wait| *wait <= BACK_WITHIN), "{waits:?}");
    for (server, before) in servers.iter().zip(before) {
        server.settles(&before).await;
    }
}
