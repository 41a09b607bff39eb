//! A Redis of a test's own.

use std::{net::TcpListener, process::Stdio, time::Duration};

use anyhow::Context;
use tests::Folder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

pub(crate) struct Redis {
    _process: Child,
    port: u16,
    _folder: Folder,
}

impl Redis {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        // One that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = Folder::new()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let process = command.spawn().context("redis-server, which `make test` installs")?;
        let answers = async {
            while !is_there(port).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), answers).await.context("Redis does not begin")?;
        Ok(Self { _process: process, port, _folder: folder })
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

async fn is_there(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut answer = String::new();
    let asked = stream.write_all(b"PING\r\nQUIT\r\n").await;
    asked.is_ok() && stream.read_to_string(&mut answer).await.is_ok() && answer.contains("PONG")
}
