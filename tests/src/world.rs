//! Server and robots in this process, on loopback ports that nobody else has.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use anyhow::Context;
use broadcaster::{
    config::{Camera, Config as RobotConfig, Fanout, Media, Rung},
    signalling::ServerUrl,
};
use protocol::RobotId;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{Options, Viewer};

/// Nothing in a healthy world takes longer to end.
const END_WITHIN: Duration = Duration::from_secs(10);

struct Running {
    cancel: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    fn start<F>(body: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let cancel = CancellationToken::new();
        Self { task: tokio::spawn(body(cancel.clone())), cancel }
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.cancel.cancel();
        tokio::time::timeout(END_WITHIN, self.task).await.context("it did not end")??
    }
}

/// One server.
pub struct World {
    server: Running,
    address: SocketAddr,
}

fn small(camera: &str) -> Camera {
    let id = camera.parse().expect("a valid id");
    Camera { width: 320, height: 160, fps: 30, bitrate: 300_000, ..Camera::synthetic(id) }
}

/// One broadcaster.
pub struct Robot(Running);

impl World {
    pub async fn start() -> anyhow::Result<Self> {
        let listen = "127.0.0.1:0".parse()?;
        let config = server::Config { listen, drain_timeout: Duration::from_secs(2), ..Default::default() };
        let server = server::Server::bind(config).await?;
        let address = server.local_addr();
        Ok(Self { server: Running::start(|cancel| server.run(cancel)), address })
    }

    pub fn url(&self) -> ServerUrl {
        format!("http://{}", self.address).parse().expect("an address")
    }

    /// A small picture: these tests are about everything around it.
    pub fn robot(&self, name: &str) -> Robot {
        self.robot_with_cameras(name, &["main"])
    }

    pub fn robot_with_cameras(&self, name: &str, cameras: &[&str]) -> Robot {
        self.start_robot(name, RobotConfig { cameras: cameras.iter().map(|id| small(id)).collect(), ..self.config() })
    }

    /// A robot whose viewers are shared by so many threads.
    pub fn robot_with_threads(&self, name: &str, threads: NonZeroUsize) -> Robot {
        let fanout = Fanout { threads };
        self.start_robot(name, RobotConfig { fanout, cameras: vec![small("main")], ..self.config() })
    }

    /// A robot whose picture, as wide as its best quality, comes in several.
    pub fn robot_with_rungs(&self, name: &str, rungs: Vec<Rung>) -> Robot {
        let width = rungs.iter().map(|rung| rung.width).max().expect("a quality");
        let camera = Camera { width, height: width / 2, ..small("main") };
        self.start_robot(name, RobotConfig { rungs, cameras: vec![camera], ..self.config() })
    }

    /// A robot with one camera, as a config names it.
    pub fn robot_with_camera(&self, name: &str, camera: serde_json::Value) -> anyhow::Result<Robot> {
        let cameras = vec![serde_json::from_value(camera)?];
        Ok(self.start_robot(name, RobotConfig { cameras, ..self.config() }))
    }

    fn config(&self) -> RobotConfig {
        let media = Media { listen: "127.0.0.1:0".parse().expect("an address"), ..Default::default() };
        RobotConfig { server: self.url(), media, ..Default::default() }
    }

    fn start_robot(&self, name: &str, config: RobotConfig) -> Robot {
        let config = RobotConfig { robot: name.parse().expect("a valid id"), ..config };
        Robot(Running::start(|cancel| broadcaster::run(config, watch::channel(None).0, cancel)))
    }

    /// Somebody who opens `/watch/{robot}`.
    pub fn viewer(&self, robot: &str) -> Viewer {
        let robot: RobotId = robot.parse().expect("a valid id");
        Viewer::join(Options { robot: Some(robot), ..Options::new(self.url()) })
    }

    /// Ends the server as SIGTERM does.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.server.stop().await
    }
}

impl Robot {
    /// Ends it as SIGTERM does.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.0.stop().await
    }
}
