//! A server that is killed while it writes down what operators change.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Mutex, PoisonError},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use server::auth::{Store, UnixTime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    client::within,
    support::{Folder, Running},
};

/// Who change something at the same time.
const OPERATORS: usize = 4;

const KILLS: usize = 10;
const WRITES_EACH: usize = 100;

/// What the server has said that it has done.
#[derive(Default)]
struct Done {
    robots: BTreeSet<String>,
    links: BTreeSet<String>,
    revoked: BTreeSet<String>,
    count: usize,
}

/// Nothing, if the server is gone before it has answered.
async fn ask(server: &Running, key: &str, method: &str, path: &str, body: &Value) -> Option<Value> {
    let mut stream = within(TcpStream::connect(server.address)).await.ok()?;
    let body = body.to_string();
    let request = format!(
        "{method} /api/v1/operators/{path} HTTP/1.0\r\nhost: {}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        server.address,
        body.len(),
    );
    within(stream.write_all(request.as_bytes())).await.ok()?;
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.0 20"), "{method} {path}: {answer}");
    Some(if body.is_empty() { Value::Null } else { serde_json::from_str(body).ok()? })
}

/// Lets robots in, makes links for them and takes every second one back, for as long as the server answers.
async fn operate(server: &Running, key: &str, name: &str, done: &Mutex<Done>) -> Option<()> {
    let note = |note: &dyn Fn(&mut Done)| {
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut done);
        done.count += 1;
        // In the middle of what the others have asked for.
        if done.count.is_multiple_of(WRITES_EACH) {
            server.kill();
        }
    };
    for number in 0.. {
        let robot = format!("{name}-{number}");
        ask(server, key, "POST", "robots", &json!({ "robot": robot })).await?;
        note(&|done| {
            done.robots.insert(robot.clone());
        });
        for kept in [true, false] {
            let link = ask(server, key, "POST", "links", &json!({ "robot": robot, "lasts": 3600 })).await?;
            let link = link["id"].as_str().expect("an id").to_owned();
            note(&|done| {
                done.links.insert(link.clone());
            });
            if !kept {
                ask(server, key, "DELETE", &format!("links/{link}"), &Value::Null).await?;
                note(&|done| {
                    done.revoked.insert(link.clone());
                });
            }
        }
    }
    None
}

fn holds(directory: &Path, done: &Done) {
    let store = Store::open(directory).expect("the store opens");
    let robots: BTreeSet<String> =
        store.robots().expect("robots").iter().map(|listed| listed.robot.to_string()).collect();
    assert!(robots.is_superset(&done.robots), "lost: {:?}", done.robots.difference(&robots));
    let links = store.links(UnixTime::now()).expect("links");
    let all: BTreeSet<String> = links.iter().map(|link| link.id.to_string()).collect();
    assert!(all.is_superset(&done.links), "lost: {:?}", done.links.difference(&all));
    let revoked: BTreeSet<String> = links.iter().filter(|link| link.revoked).map(|link| link.id.to_string()).collect();
    assert!(revoked.is_superset(&done.revoked), "good again: {:?}", done.revoked.difference(&revoked));
}

#[tokio::test]
async fn whatever_was_acknowledged_survives_a_kill() {
    let folder = Folder::new();
    let directory = folder.root().join("state");
    let key = {
        let mut store = Store::open(&directory).expect("a store");
        store.add_operator(&"ada".parse().expect("a name"), UnixTime::now()).expect("added").as_str().to_owned()
    };
    let config = format!("state_dir = {directory:?}\nauth.mode = \"keys\"\n");
    let done = Mutex::new(Done::default());
    for round in 0..KILLS {
        let server = Running::start(&config).await;
        let names: Vec<String> = (0..OPERATORS).map(|number| format!("r{round}-{number}")).collect();
        join_all(names.iter().map(|name| operate(&server, &key, name, &done))).await;
        holds(&directory, &done.lock().unwrap_or_else(PoisonError::into_inner));
    }
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(done.count >= KILLS * WRITES_EACH, "{} writes", done.count);
}
