//! A robot that is asked to log all that there is, and what of it opens anything.

use std::{net::UdpSocket, path::PathBuf};

use anyhow::Context;
use serde_json::json;
use server::{
    Config, Server,
    auth::{Access, Store, UnixTime},
};
use tests::Process;
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, leaving_nothing};

/// Whatever is logged, even by those whom somebody asks for by name.
const EVERYTHING: &str =
    "trace,broadcaster=trace,rtc=trace,webrtc=trace,tungstenite=trace,tokio_tungstenite=trace,rustls=trace";

/// Told to the robot with a relay that does not know it.
const RELAY_PASSWORD: &str = "canary+of/the~relay";

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// As it is, as it would be in an address, and byte by byte.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let percent = secret.replace('+', "%2B").replace('/', "%2F");
    let list = format!("{bytes:?}");
    vec![secret.to_owned(), percent, hex, list.trim_matches(['[', ']']).to_owned()]
}

#[test]
fn no_log_of_a_robot_tells_what_opens_anything() -> anyhow::Result<()> {
    let folder = Folder(std::env::temp_dir().join(format!("panocast-discreet-{}", std::process::id())));
    leaving_nothing(async {
        // Free a moment ago.
        let turn = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        let config: Config = serde_json::from_value(json!({
            "listen": "127.0.0.1:0",
            "state_dir": folder.0,
            "auth": { "mode": "keys" },
            "turn": { "enabled": true, "listen": [turn], "public_address": "127.0.0.1" },
            "ice": { "servers": [{ "urls": [format!("turn:{turn}")], "username": "u", "credential": RELAY_PASSWORD }] },
        }))?;
        let key = Store::open(&folder.0)?.add_robot(&"demo".parse()?, Access::Public, UnixTime::now())?;
        let server = Server::bind(config).await?;
        let (url, cancel) = (format!("http://{}", server.local_addr()), CancellationToken::new());
        let server = tokio::spawn(server.run(cancel.clone()));
        let wrong = format!("pk_{}", key.as_str()[3..].chars().rev().collect::<String>());
        let mut said_more = false;
        for (shown, hears) in [(wrong.as_str(), "the server refused this robot"), (key.as_str(), "kind=Relay")] {
            let arguments = ["--config", BROADCASTER, "--server", &url, "--log", EVERYTHING];
            let environment = [("PANOCAST_KEY", shown), ("RUST_LOG", "trace")];
            let (mut process, log) = Process::start_logged_with("broadcaster", &arguments, &environment)?;
            let said = tokio::task::spawn_blocking(move || {
                let mut said = log.until(hears)?;
                process.stop()?;
                said.extend(log.rest());
                anyhow::Ok(said)
            });
            let said = said.await??;
            said_more |= said.iter().any(|line| line.contains("DEBUG"));
            for form in [shown, RELAY_PASSWORD].into_iter().flat_map(forms) {
                let line = said.iter().find(|line| line.contains(&form));
                assert!(line.is_none(), "{form} is in the log: {}", line.map_or("", |line| line));
            }
        }
        assert!(said_more, "nothing but the usual was logged");
        cancel.cancel();
        tokio::time::timeout(PATIENCE, server).await.context("the server ends")??
    })
}

/// A small picture on a port of its own.
const BROADCASTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/broadcaster.toml");
