//! Where a scenario plays: its machines, and the real programs on them.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use broadcaster::signalling::ServerUrl;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde::Serialize;
use tests::{Folder, Options, Process, Viewer, binary};

use crate::{
    chromium::Chromium,
    ground::{Ground, Path, Place, Uplink},
    sight::Millis,
};

/// Nothing takes longer on a machine that works, however busy it is.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where servers are.
pub const PORT: u16 = 8080;

/// A picture that moves all over: what encoders are told to make of it, they need.
pub const CAMERA: &str = r#"
[[cameras]]
id = "main"
source = "pipeline"
pipeline = "videotestsrc is-live=true pattern=zone-plate kx2=12 ky2=12 kt=3 ! video/x-raw,width=960,height=540,framerate=30/1"
width = 960
height = 540
fps = 30
bitrate = 1500000
"#;

/// Once a second a robot says how many tasks it has.
const ROBOT_LOG: &str = "info,broadcaster::commands::run=debug";

/// How long scenarios are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Long enough to see that everything happens; what depends on how fast a machine is is not judged.
    Short,
    Full,
}

/// One run of one scenario.
pub struct Stage {
    pub ground: Ground,
    pub length: Length,
    pub seed: u64,
    /// What is left to look at.
    pub folder: PathBuf,
    /// What is not.
    files: Folder,
}

/// The server, at the first line's end.
pub struct Server {
    pub place: Place,
    pub uplink: Uplink,
    pub process: Process,
    config: PathBuf,
    /// Of one that encrypts.
    certificate: Option<PathBuf>,
    environment: Vec<(String, String)>,
}

/// A program and the machine that it runs on.
pub struct Robot {
    pub place: Place,
    pub uplink: Uplink,
    pub process: Process,
}

/// Somebody on a perfect line, whom nothing of all this may concern.
pub struct Witness {
    _place: Place,
    _uplink: Uplink,
    pub viewer: Viewer,
}

/// A browser, on a machine of its own.
pub struct Watcher {
    pub place: Place,
    pub uplink: Uplink,
    pub page: Chromium,
}

impl Stage {
    pub async fn new(folder: PathBuf, seed: u64, length: Length) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self { ground: Ground::new(seed).await?, length, seed, folder, files: Folder::new()? })
    }

    /// So long, or a part of that where only the principle matters.
    pub fn takes(&self, full: u64) -> Duration {
        match self.length {
            Length::Full => Duration::from_secs(full),
            Length::Short => Duration::from_secs(full.div_ceil(6).max(3)),
        }
    }

    /// A server with this in its config, besides what its address needs.
    pub async fn server(&mut self, config: &str) -> anyhow::Result<Server> {
        self.server_with(config, Vec::new()).await
    }

    /// The same, with more in its environment.
    pub async fn server_with(&mut self, config: &str, environment: Vec<(String, String)>) -> anyhow::Result<Server> {
        let (place, uplink) = self.ground.connected("server", Path::PERFECT).await?;
        self.serve(place, uplink, &format!("insecure = true\n{config}"), None, environment).await
    }

    /// The same over TLS, with a certificate for its address from an authority of our own.
    pub async fn encrypted_server(&mut self, config: &str) -> anyhow::Result<Server> {
        let (place, uplink) = self.ground.connected("server", Path::PERFECT).await?;
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([uplink.address.to_string()])?;
        let certificate = self.write("certificate.pem", &cert.pem())?;
        let key = self.write("key.pem", &signing_key.serialize_pem())?;
        let files = format!("certificate = \"{}\"\nkey = \"{}\"\n", certificate.display(), key.display());
        let config = format!("public_url = \"https://$ADDRESS:{PORT}\"\n{config}[tls]\nmode = \"files\"\n{files}");
        self.serve(place, uplink, &config, Some(certificate), Vec::new()).await
    }

    async fn serve(
        &self,
        place: Place,
        uplink: Uplink,
        config: &str,
        certificate: Option<PathBuf>,
        environment: Vec<(String, String)>,
    ) -> anyhow::Result<Server> {
        let address = uplink.address;
        let config = config.replace("$ADDRESS", &address.to_string());
        let head = format!("listen = \"{address}:{PORT}\"\nstate_dir = \"{}\"\n", self.state());
        let config = self.write("server.toml", &format!("{head}{config}"))?;
        let process = self.start_server(&place, &config, &environment).await?;
        Ok(Server { place, uplink, process, config, certificate, environment })
    }

    /// The same server again, after its end.
    pub async fn restart(&self, server: &mut Server) -> anyhow::Result<()> {
        server.process = self.start_server(&server.place, &server.config, &server.environment).await?;
        Ok(())
    }

    async fn start_server(
        &self,
        place: &Place,
        config: &std::path::Path,
        environment: &[(String, String)],
    ) -> anyhow::Result<Process> {
        let arguments = ["--config".into(), config.display().to_string()];
        self.start(place, "server", &arguments, environment.to_vec()).await
    }

    fn state(&self) -> String {
        self.file("state").display().to_string()
    }

    /// The robot `demo`, with its camera, on this machine.
    pub async fn broadcaster(&self, place: &Place, server: &Server) -> anyhow::Result<Process> {
        self.broadcaster_with(place, server, CAMERA, Vec::new()).await
    }

    /// With these cameras, and more in its environment.
    pub async fn broadcaster_with(
        &self,
        place: &Place,
        server: &Server,
        cameras: &str,
        mut environment: Vec<(String, String)>,
    ) -> anyhow::Result<Process> {
        let trusted = server.certificate.iter().map(|file| ("SSL_CERT_FILE".to_owned(), file.display().to_string()));
        environment.extend(trusted);
        let config = self.write("broadcaster.toml", &format!("server = \"{}\"\n{cameras}", server.url()))?;
        let filter = std::env::var("ROBOT_LOG").unwrap_or_else(|_| ROBOT_LOG.to_owned());
        let arguments = ["--config".into(), config.display().to_string(), "--log".into(), filter];
        self.start(place, "broadcaster", &arguments, environment).await
    }

    pub async fn robot(&mut self, server: &Server) -> anyhow::Result<Robot> {
        let (place, uplink) = self.ground.connected("robot", Path::PERFECT).await?;
        let process = self.broadcaster(&place, server).await?;
        Ok(Robot { place, uplink, process })
    }

    /// Somebody who opens the robot's page, and sees it move.
    pub async fn watcher(&mut self, server: &Server) -> anyhow::Result<Watcher> {
        let (place, uplink) = self.ground.connected("viewer", Path::PERFECT).await?;
        let page = self.page(&place, server).await?;
        Ok(Watcher { place, uplink, page })
    }

    /// The robot's page in a browser on that machine, which moves.
    pub async fn page(&self, place: &Place, server: &Server) -> anyhow::Result<Chromium> {
        let page = Chromium::start(place, self.log("chromium")?).await?;
        self.open(&page, server).await?;
        Ok(page)
    }

    pub async fn open(&self, page: &Chromium, server: &Server) -> anyhow::Result<()> {
        let url = format!("{}watch/demo", server.url());
        let opened = async {
            // The server may be about to start.
            while let Err(error) = page.open(&url).await {
                tracing::debug!(%error, "not opened yet");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, opened).await.context("the page opens")?;
        let moves =
            page.until("document.body?.dataset.state === 'live' && window.eye?.frames.length > 30", PATIENCE).await;
        if moves.is_err() {
            page.screenshot(&self.folder.join("page.png")).await?;
        }
        moves
    }

    pub async fn witness(&mut self, server: &Server) -> anyhow::Result<Witness> {
        let (place, uplink) = self.ground.connected("witness", Path::PERFECT).await?;
        let options = Options::new(server.url());
        let mut viewer = place.run(async move { Viewer::join(options) }).await?;
        viewer.until(PATIENCE, |reception| reception.frames >= 10).await?;
        Ok(Witness { _place: place, _uplink: uplink, viewer })
    }

    /// Starts one of the workspace's programs there. It does not outlive this process.
    pub async fn start(
        &self,
        place: &Place,
        name: &str,
        arguments: &[String],
        environment: Vec<(String, String)>,
    ) -> anyhow::Result<Process> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(binary(name)?).args(arguments).envs(environment);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.log(name)?);
        place.run(async move { Process::of(&mut command) }).await?
    }

    /// A file of its own for what this program says.
    pub fn log(&self, name: &str) -> anyhow::Result<File> {
        let path = self.folder.join(format!("{name}.log"));
        Ok(OpenOptions::new().create(true).append(true).open(path)?)
    }

    /// Where a file of that name may be that nobody needs afterwards.
    pub fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.file(name);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes())?;
        Ok(path)
    }
}

impl Server {
    pub fn url(&self) -> ServerUrl {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}:{PORT}", self.uplink.address).parse().expect("an address")
    }
}

/// By the clock that pages go by here.
pub fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set").as_secs_f64() * 1000.0
}
