//! Redis and servers that die and come back.

use rustix::process::Signal;
use serde_json::json;

use crate::{Two, admitted, client::Client, robot};

#[tokio::test]
async fn without_redis_each_server_serves_its_own_and_with_it_all_again() {
    let mut two = Two::start().await;
    let mut far = robot(&two.servers[0], "far").await;
    let _near = robot(&two.servers[1], "near").await;
    let mut watching = Client::connect(two.servers[1].address).await;
    let admission = admitted(&mut watching, "far").await;
    far.meet(&mut watching, &admission).await;
    two.redis.kill().await;
    for _ in 0..20 {
        let mut viewer = Client::connect(two.servers[1].address).await;
        let reply = viewer.ask(&json!(["watcher", { "version": 1, "robot": "near" }])).await;
        assert_eq!(reply["ok"], true, "{reply}");
    }
    // It is told so, be it at once or when the line was found to be broken.
    let mut waiting = Client::connect(two.servers[1].address).await;
    let reply = waiting.ask(&json!(["watcher", { "version": 1, "robot": "far" }])).await;
    assert_eq!(reply["error"]["code"], "robot_offline", "{reply}");
    two.redis.come_back().await;
    admitted(&mut waiting, "far").await;
    // Who watched goes on with the same session, and the robot was never told otherwise.
    assert_eq!(watching.expect("broadcaster").await[0]["robot"], "far");
    let resume = json!({ "version": 1, "robot": "far", "resume": admission["session"] });
    let resumed = watching.ask(&json!(["watcher", resume])).await;
    assert_eq!((&resumed["resumed"], &resumed["session"]), (&json!(true), &admission["session"]), "{resumed}");
    for _ in 0..2 {
        assert_eq!(far.event().await[0], "watcher");
    }
}

#[tokio::test]
async fn a_server_that_dies_loses_its_own_and_they_come_back_elsewhere() {
    let two = Two::start().await;
    let mut robots = [robot(&two.servers[0], "here").await, robot(&two.servers[1], "there").await];
    // One of each server, who watch crosswise.
    let mut viewers = [Client::connect(two.servers[0].address).await, Client::connect(two.servers[1].address).await];
    let mut sessions = Vec::new();
    for (viewer, (robot, name)) in viewers.iter_mut().zip(robots.iter_mut().rev().zip(["there", "here"])) {
        let admission = admitted(viewer, name).await;
        robot.meet(viewer, &admission).await;
        sessions.push(admission["session"].clone());
    }
    two.servers[0].kill();
    let [_, stays] = &mut viewers;
    assert_eq!(stays.expect("broadcasterLeft").await[0]["robot"], "here");
    // The robot that was there comes to the other one, with its session.
    let mut moved = Client::connect(two.servers[1].address).await;
    let register = json!({ "version": 1, "robot": "here", "sessions": [sessions[1]] });
    assert_eq!(moved.ask(&json!(["broadcaster", register])).await["ok"], true);
    assert_eq!(stays.expect("broadcaster").await[0]["robot"], "here");
    let resume = json!({ "version": 1, "robot": "here", "resume": sessions[1] });
    assert_eq!(stays.ask(&json!(["watcher", resume])).await["resumed"], true);
    // So does the viewer that was there.
    let mut moved = Client::connect(two.servers[1].address).await;
    let resume = json!({ "version": 1, "robot": "there", "resume": sessions[0] });
    assert_eq!(moved.ask(&json!(["watcher", resume])).await["resumed"], true);
    let [_, there] = &mut robots;
    let renamed = there.expect("watcher").await;
    assert_eq!((&renamed[1]["session"], &renamed[1]["resumed"]), (&sessions[0], &json!(true)));
}

#[tokio::test]
async fn what_a_server_had_is_forgotten_in_redis_when_it_ends() {
    let two = Two::start().await;
    let _robot = robot(&two.servers[0], "r").await;
    let nodes = two.redis.answer("SCARD panocast:nodes").await.expect("an answer");
    assert!(nodes.starts_with(":2"), "{nodes}");
    two.servers[0].signal(Signal::TERM);
    crate::client::within(async {
        while !two.redis.answer("SCARD panocast:nodes").await.expect("an answer").starts_with(":1") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let keys = two.redis.answer("KEYS panocast:node:*").await.expect("an answer");
    assert!(keys.starts_with("*1"), "{keys}");
}
