//! A Redis of a test's own, to stop and to start again.

use std::{net::TcpListener, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

use crate::{client::within, support::Folder};

pub(crate) struct Redis {
    process: Option<Child>,
    port: u16,
    folder: Folder,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        // A port that was free a moment ago, and that it can come back to.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let mut redis = Self { process: None, port, folder: Folder::new() };
        redis.come_back().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// SIGKILL: what it kept in memory is gone.
    pub(crate) async fn kill(&mut self) {
        self.process.take().expect("it runs").kill().await.expect("its own child");
    }

    /// Starts it, and waits until it answers.
    pub(crate) async fn come_back(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--loglevel", "warning"]).arg("--dir").arg(self.folder.root());
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        self.process = Some(command.spawn().expect("redis-server, which `make test` installs"));
        within(async {
            while self.answer("PING").await.is_none_or(|answer| !answer.contains("PONG")) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// What it has spent since it began: processor time, and commands that it was given.
    pub(crate) async fn spent(&self) -> (Duration, u64) {
        let info = self.answer("INFO").await.expect("it is there");
        let value = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name)).expect("a line of INFO");
            line.trim().parse::<f64>().expect("a number")
        };
        let cpu = value("used_cpu_user:") + value("used_cpu_sys:");
        (Duration::from_secs_f64(cpu), value("total_commands_processed:") as u64)
    }

    /// What it says to a command, if it is there.
    pub(crate) async fn answer(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    }
}
