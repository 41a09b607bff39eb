//! Several servers that share robots and viewers over a Redis, each of them the real binary.
//!
//! Whatever depends on how fast the machine is, or takes long, is ignored here; `make test-scale` runs it.

#[expect(dead_code, reason = "some of it is for other tests")]
#[path = "../client/mod.rs"]
mod client;
mod keys;
mod pairs;
mod players;
mod redis;
mod scale;
#[expect(dead_code, reason = "some of it is for other tests")]
#[path = "../load/support.rs"]
mod support;
mod trouble;

use client::Client;
use redis::Redis;
use serde_json::{Value, json};
use support::Running;

/// Two servers with a Redis between them.
struct Two {
    redis: Redis,
    servers: [Running; 2],
}

impl Two {
    async fn start() -> Self {
        Self::with("").await
    }

    /// With more in their configs, which are the same.
    async fn with(config: &str) -> Self {
        let redis = Redis::start().await;
        let servers = [server(&redis, config).await, server(&redis, config).await];
        let two = Self { redis, servers };
        two.know_each_other().await;
        two
    }

    /// Waits until each knows of a robot that the other one has.
    async fn know_each_other(&self) {
        for (here, there) in [(0, 1), (1, 0)] {
            let probe = format!("probe{here}");
            let _robot = robot(&self.servers[here], &probe).await;
            let mut viewer = Client::connect(self.servers[there].address).await;
            admitted(&mut viewer, &probe).await;
        }
    }
}

async fn server(redis: &Redis, config: &str) -> Running {
    Running::start(&format!("{config}\n[cluster]\nredis = {:?}\n", redis.url())).await
}

/// A robot that has registered.
async fn robot(server: &Running, name: &str) -> Client {
    let mut robot = Client::connect(server.address).await;
    let reply = robot.ask(&json!(["broadcaster", { "version": 1, "robot": name }])).await;
    assert_eq!(reply["ok"], true, "{reply}");
    robot
}

/// Asks for the robot, again whenever it is said that there is a reason to, until it may watch.
async fn admitted(viewer: &mut Client, robot: &str) -> Value {
    loop {
        let reply = viewer.ask(&json!(["watcher", { "version": 1, "robot": robot }])).await;
        if reply["ok"] == true {
            return reply;
        }
        loop {
            let event = viewer.event().await;
            if event[0] == "broadcaster" {
                break;
            }
        }
    }
}
