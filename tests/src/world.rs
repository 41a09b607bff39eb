//! Server and robots in this process, on loopback ports that nobody else has.

use std::{
    fs,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use broadcaster::{
    config::{Camera, Config as RobotConfig, Fanout, MaxBitrate, Media, Rung, Spill, Uplink},
    signalling::ServerUrl,
};
use protocol::{Fingerprint, RobotId};
use server::{
    auth::{Access, Link, NewLink, Role, Store, Token, UnixTime},
    config::{AuthMode, Tls, TlsMode},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{Line, Options, Viewer};

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
    config: server::Config,
    address: SocketAddr,
    /// Where it keeps what it keeps, if anything.
    state: Option<State>,
}

/// A folder as long as it is needed.
struct State(PathBuf);

impl State {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("panocast-world-{:016x}", rand::random::<u64>()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // Somebody may have tidied up before.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// On a port that nobody else has.
fn anywhere() -> server::Config {
    server::Config { listen: "127.0.0.1:0".parse().expect("an address"), ..Default::default() }
}

fn small(camera: &str) -> Camera {
    let id = camera.parse().expect("a valid id");
    Camera { width: 320, height: 160, fps: 30, bitrate: 300_000, ..Camera::synthetic(id) }
}

/// One broadcaster.
pub struct Robot(Running);

impl World {
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(anywhere(), None).await
    }

    /// A server that signs its certificate itself, and the fingerprint that robots know it by.
    pub async fn encrypted() -> anyhow::Result<(Self, Fingerprint)> {
        let state = State::new()?;
        let tls = Tls { mode: TlsMode::SelfSigned { names: Vec::new() }, redirect_from: None };
        let config = server::Config { tls, state_dir: state.0.clone(), ..anywhere() };
        let world = Self::start_with(config.clone(), Some(state)).await?;
        let told = server::report::describe(&config)?;
        let line = told.split_once("fingerprint = \"").and_then(|(_, rest)| rest.split_once('"'));
        let (fingerprint, _) = line.context("`server check` prints the line for robots' configs")?;
        Ok((world, fingerprint.parse()?))
    }

    /// A server that asks robots for keys, and whom it keeps in the folder of [`World::store`].
    pub async fn guarded() -> anyhow::Result<Self> {
        let state = State::new()?;
        let mut config = server::Config { state_dir: state.0.clone(), ..anywhere() };
        config.auth.mode = AuthMode::Keys;
        Self::start_with(config, Some(state)).await
    }

    /// A server that relays.
    pub async fn relaying() -> anyhow::Result<Self> {
        let mut config = anywhere();
        config.turn.enabled = true;
        config.turn.listen = vec!["127.0.0.1:0".parse()?];
        config.turn.public_address = Some("127.0.0.1".to_owned().try_into()?);
        Self::start_with(config, None).await
    }

    /// A server that has more in its config than where it listens and keeps what it keeps.
    pub async fn configured(more: impl FnOnce(&mut server::Config)) -> anyhow::Result<Self> {
        let state = State::new()?;
        let mut config = server::Config { state_dir: state.0.clone(), ..anywhere() };
        more(&mut config);
        Self::start_with(config, Some(state)).await
    }

    /// What a command beside the server would open.
    pub fn store(&self) -> anyhow::Result<Store> {
        let state = self.state.as_ref().context("an open server keeps nothing")?;
        Ok(Store::open(&state.0)?)
    }

    /// A link to watch this robot for an hour.
    pub fn link(&self, robot: &str) -> anyhow::Result<(Link, Token)> {
        let (robot, lasts) = (robot.parse()?, Duration::from_secs(3600));
        let new = NewLink { robot, role: Role::Watch, max_viewers: None, lasts, note: String::new() };
        Ok(self.store()?.add_link(&new, UnixTime::now())?)
    }

    /// A robot that has a key, and reaches the server by this line.
    pub fn robot_with_key(&self, name: &str, line: &Line) -> anyhow::Result<Robot> {
        let key = self.store()?.add_robot(&name.parse()?, Access::Link, UnixTime::now())?;
        let config = RobotConfig { server: line.url(), key: Some(key), cameras: vec![small("main")], ..self.config() };
        Ok(self.start_robot(name, config))
    }

    /// Ends the server and starts it anew at the same place; `meanwhile`, it is not there.
    pub async fn restart(self, meanwhile: impl FnOnce(&mut Store) -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let mut store = self.store()?;
        let Self { server, config, state, address } = self;
        server.stop().await?;
        meanwhile(&mut store)?;
        Self::start_with(server::Config { listen: address, ..config }, state).await
    }

    async fn start_with(config: server::Config, state: Option<State>) -> anyhow::Result<Self> {
        // Tests that wait for a report are not to wait for long.
        let metrics = server::config::Metrics { report_every: Duration::from_secs(1), ..Default::default() };
        let config = server::Config { metrics, drain_timeout: Duration::from_secs(2), ..config };
        let server = server::Server::bind(config.clone()).await?;
        let address = server.local_addr();
        Ok(Self { server: Running::start(|cancel| server.run(cancel)), config, address, state })
    }

    pub fn url(&self) -> ServerUrl {
        format!("{}://{}", self.config.scheme(), self.address).parse().expect("an address")
    }

    /// What the server has at this path, as a program on its machine gets it.
    pub async fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut connection = TcpStream::connect(self.address).await?;
        let request = format!("GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", self.address);
        connection.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        tokio::time::timeout(END_WITHIN, connection.read_to_string(&mut response)).await??;
        let (head, body) = response.split_once("\r\n\r\n").context("a response has a head")?;
        anyhow::ensure!(head.split(' ').nth(1) == Some("200"), "{path}: {response}");
        Ok(body.to_owned())
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

    /// The same, with so many bits per second for all its viewers.
    pub fn robot_with_uplink(&self, name: &str, rungs: Vec<Rung>, max_bitrate: NonZeroU32) -> Robot {
        let width = rungs.iter().map(|rung| rung.width).max().expect("a quality");
        let camera = Camera { width, height: width / 2, ..small("main") };
        let uplink = Uplink { max_bitrate: Some(MaxBitrate::Known(max_bitrate)) };
        let fanout = Fanout { threads: NonZeroUsize::MIN.saturating_add(1) };
        self.start_robot(name, RobotConfig { rungs, uplink, fanout, cameras: vec![camera], ..self.config() })
    }

    /// The same, whose viewers are sent to the media server from so many on, or when its uplink is full.
    pub fn robot_that_spills(&self, name: &str, rungs: Vec<Rung>, spill: Spill, uplink: Uplink) -> Robot {
        let width = rungs.iter().map(|rung| rung.width).max().expect("a quality");
        let camera = Camera { width, height: width / 2, ..small("main") };
        // A guarded server lets it in by a key.
        let key =
            self.store().and_then(|mut store| Ok(store.add_robot(&name.parse()?, Access::Link, UnixTime::now())?));
        self.start_robot(
            name,
            RobotConfig { key: key.ok(), rungs, spill, uplink, cameras: vec![camera], ..self.config() },
        )
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

    /// Somebody who opens a link.
    pub fn viewer_by(&self, robot: &str, token: &Token) -> Viewer {
        let robot = Some(robot.parse().expect("a valid id"));
        Viewer::join(Options { robot, token: Some(token.as_str().to_owned()), ..Options::new(self.url()) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
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
