//! Whoever is let in at one server is let in at all of them, until that is taken back at any.

use std::time::Duration;

use serde_json::{Value, json};
use server::auth::{Access, Link, NewLink, Role, Store, Token, UnixTime};

use crate::{
    client::{Client, within},
    redis::Redis,
    support::{Folder, Running},
};

struct Guarded {
    running: Running,
    /// What it keeps.
    folder: Folder,
}

impl Guarded {
    async fn start(redis: &Redis) -> Self {
        let folder = Folder::new();
        let config = format!("state_dir = {:?}\n[auth]\nmode = \"keys\"\n", folder.root());
        Self { running: crate::server(redis, &config).await, folder }
    }
}

/// What an operator does at this server's prompt.
fn store(server: &Guarded) -> Store {
    Store::open(server.folder.root()).expect("a store")
}

fn add_robot(server: &Guarded, name: &str) -> String {
    let key = store(server).add_robot(&name.parse().expect("an id"), Access::Link, UnixTime::now()).expect("added");
    key.as_str().to_owned()
}

fn add_link(server: &Guarded, robot: &str) -> (Link, Token) {
    let robot = robot.parse().expect("an id");
    let lasts = Duration::from_secs(3600);
    let new = NewLink { robot, role: Role::Watch, max_viewers: None, lasts, note: String::new() };
    store(server).add_link(&new, UnixTime::now()).expect("a link")
}

/// As soon as this server knows of it.
async fn revoke(server: &Guarded, link: &Link) {
    within(async {
        while store(server).revoke_link(&link.id, UnixTime::now()).is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Registers as soon as this server knows of the key.
async fn register(server: &Guarded, name: &str, key: &str) -> Client {
    within(async {
        loop {
            let mut robot = Client::connect(server.running.address).await;
            let reply = robot.ask(&json!(["broadcaster", { "version": 1, "robot": name, "key": key }])).await;
            if reply["ok"] == true {
                return robot;
            }
            assert_eq!(reply["error"]["code"], "unauthorized", "{reply}");
        }
    })
    .await
}

async fn bearer(server: &Guarded, token: &Token) -> Result<Client, String> {
    Client::try_connect_as(server.running.address, None, Some(json!({ "version": 1, "token": token.as_str() }))).await
}

/// Watches as soon as this server knows of the link and of the robot.
async fn watch(server: &Guarded, name: &str, token: &Token) -> (Client, Value) {
    within(async {
        loop {
            let Ok(mut viewer) = bearer(server, token).await else { continue };
            let reply = viewer.ask(&json!(["watcher", { "version": 1, "robot": name }])).await;
            if reply["ok"] == true {
                return (viewer, reply);
            }
        }
    })
    .await
}

/// Comes until it is refused for this.
async fn refused(server: &Guarded, token: &Token, code: &str) {
    within(async {
        while bearer(server, token).await.err().as_deref() != Some(code) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_one_server_gives_all_of_them_take_and_any_of_them_takes_back() {
    let redis = Redis::start().await;
    let servers = [Guarded::start(&redis).await, Guarded::start(&redis).await];
    let [here, there] = &servers;
    let key = add_robot(here, "r");
    let mut robot = register(there, "r", &key).await;
    for taken_back_at in [here, there] {
        let (link, token) = add_link(there, "r");
        let (mut viewer, admission) = watch(here, "r", &token).await;
        let ticket = robot.meet(&mut viewer, &admission).await;
        assert_eq!(ticket["link"], link.id.as_str());
        revoke(taken_back_at, &link).await;
        assert_eq!(viewer.expect("notice").await[0]["code"], "token_revoked");
        assert_eq!(robot.expect("disconnectPeer").await, [json!(viewer.id)]);
        robot.expect("bye").await;
        viewer.ended().await;
        for server in &servers {
            refused(server, &token, "token_revoked").await;
        }
    }
    store(here).remove_robot(&"r".parse().expect("an id"), UnixTime::now()).expect("removed");
    assert_eq!(robot.expect("notice").await[0]["code"], "unauthorized");
    robot.ended().await;
}

#[tokio::test]
async fn what_was_taken_back_while_redis_was_away_is_taken_back_everywhere_when_it_is_there() {
    let mut redis = Redis::start().await;
    let servers = [Guarded::start(&redis).await, Guarded::start(&redis).await];
    let key = add_robot(&servers[0], "r");
    let _robot = register(&servers[1], "r", &key).await;
    let (link, token) = add_link(&servers[1], "r");
    drop(watch(&servers[0], "r", &token).await);
    // It keeps nothing itself: what the servers know is enough.
    redis.kill().await;
    revoke(&servers[1], &link).await;
    refused(&servers[1], &token, "token_revoked").await;
    bearer(&servers[0], &token).await.expect("what nobody has told it");
    redis.come_back().await;
    refused(&servers[0], &token, "token_revoked").await;
    // Who comes new learns all of it.
    let third = Guarded::start(&redis).await;
    refused(&third, &token, "token_revoked").await;
    register(&third, "r", &key).await;
}
