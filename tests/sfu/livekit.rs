//! A LiveKit of a test's own, to stop and to start again.

use std::{fs, net::TcpListener, path::PathBuf, process::Stdio, time::Duration};

use anyhow::Context;
use daemon::secret::Secret;
use server::config::{Engine, Livekit, Sfu, SfuUrl};
use tests::request;
use tokio::process::{Child, Command};

pub(crate) const KEY: &str = "panocast";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct LiveKit {
    program: PathBuf,
    process: Option<Child>,
    port: u16,
    media: u16,
    config: PathBuf,
}

/// The program, if somebody has built it: `make test-scale` does.
pub(crate) fn program() -> Option<PathBuf> {
    let program = PathBuf::from(std::env::var_os("LIVEKIT")?);
    program.is_file().then_some(program)
}

impl LiveKit {
    pub(crate) async fn start(program: PathBuf) -> anyhow::Result<Self> {
        Self::with(program, "").await
    }

    /// With more in its config.
    pub(crate) async fn with(program: PathBuf, more: &str) -> anyhow::Result<Self> {
        // Ports that were free a moment ago, and that it can come back to.
        let free = || anyhow::Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
        let (port, media) = (free()?, free()?);
        let config = std::env::temp_dir().join(format!("panocast-livekit-{port}.yaml"));
        // What it has by other interfaces it would give out as this address as well, and hear nothing there.
        let text = format!(
            "port: {port}\nbind_addresses: [\"127.0.0.1\"]\nkeys:\n  {KEY}: {SECRET}\nlogging:\n  level: warn\n\
             rtc:\n  udp_port: {media}\n  tcp_port: 0\n  use_external_ip: false\n  node_ip: 127.0.0.1\n  \
             enable_loopback_candidate: true\n  interfaces:\n    includes: [lo]\n{more}"
        );
        fs::write(&config, text)?;
        let mut livekit = Self { program, process: None, port, media, config };
        livekit.come_back().await?;
        Ok(livekit)
    }

    fn url(&self) -> anyhow::Result<SfuUrl> {
        let url = format!("http://127.0.0.1:{}", self.port);
        url.parse().map_err(|_| anyhow::anyhow!("{url} is no URL"))
    }

    /// How a server knows it, and where it sends pages: to this one, or another of its nodes.
    pub(crate) fn known(&self, public: &Self, secret: &str) -> anyhow::Result<Sfu> {
        let secret = Secret::from(secret.to_owned());
        let livekit = Livekit { url: self.url()?, public_url: Some(public.url()?), key: KEY.to_owned(), secret };
        Ok(Sfu(Some(Engine::Livekit(livekit))))
    }

    /// SIGKILL: nobody is told anything.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.process.take().context("it runs")?.kill().await?)
    }

    /// Starts it, and waits until it answers.
    pub(crate) async fn come_back(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(&self.config).args(["--node-ip", "127.0.0.1"]);
        let quiet = std::env::var_os("LIVEKIT_LOG").is_none();
        let output = || if quiet { Stdio::null() } else { Stdio::inherit() };
        command.stdin(Stdio::null()).stdout(output()).stderr(output()).kill_on_drop(true);
        self.process = Some(command.spawn().context("livekit-server")?);
        let address = format!("127.0.0.1:{}", self.port).parse()?;
        let answers = async {
            while request(address, "GET", "/", "", "").await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), answers).await.context("it does not begin")?;
        tracing::debug!(media = self.media, "livekit is there");
        Ok(())
    }
}

impl Drop for LiveKit {
    fn drop(&mut self) {
        // It may never have been written.
        let _ = fs::remove_file(&self.config);
    }
}
