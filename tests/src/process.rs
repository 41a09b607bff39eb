//! The real binaries as processes of their own, to kill and to measure.

use std::{
    fs,
    io::{self, BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use anyhow::Context;
use broadcaster::signalling::ServerUrl;
use tokio::time::Instant;

use crate::{Options, PATIENCE, Puppet, Viewer, terminal::Terminal};

/// A child that does not outlive its test.
pub struct Process(Child);

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    pub resident_kib: u64,
    pub threads: usize,
    pub descriptors: usize,
}

impl Process {
    /// Starts a binary of this workspace, which must have been built.
    pub fn start(name: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::spawn(name, arguments, &[], Stdio::inherit())
    }

    /// The same, with more in its environment.
    pub fn start_with(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::spawn(name, arguments, environment, Stdio::inherit())
    }

    /// The same, with somebody who reads what it logs.
    pub fn start_logged(name: &str, arguments: &[&str]) -> anyhow::Result<(Self, Log)> {
        Self::start_logged_with(name, arguments, &[])
    }

    /// The same, with more in its environment.
    pub fn start_logged_with(
        name: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<(Self, Log)> {
        let mut process = Self::spawn(name, arguments, environment, Stdio::piped())?;
        let log = Log::read(process.0.stderr.take().context("its log is piped")?);
        Ok((process, log))
    }

    /// Starts whatever a command says.
    pub fn of(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn().with_context(|| format!("start {}", command.get_program().display()))?;
        Ok(Self(child))
    }

    fn spawn(name: &str, arguments: &[&str], environment: &[(&str, &str)], log: Stdio) -> anyhow::Result<Self> {
        let path = binary(name)?;
        let child = Command::new(&path)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}; `make build` makes it", path.display()))?;
        Ok(Self(child))
    }

    /// The same, at a terminal of so many columns.
    pub fn start_at_terminal(name: &str, arguments: &[&str], columns: u16) -> anyhow::Result<(Self, Terminal)> {
        let (terminal, end) = Terminal::open(columns)?;
        Ok((Self::spawn(name, arguments, &[("TERM", "xterm")], end.into())?, terminal))
    }

    /// Runs a binary to its end and returns what it printed, a JSON value a line.
    pub async fn run(name: &str, arguments: &[&str]) -> anyhow::Result<Vec<serde_json::Value>> {
        let output = tokio::process::Command::new(binary(name)?).args(arguments).kill_on_drop(true).output().await?;
        let lines = std::str::from_utf8(&output.stdout)?.lines().map(serde_json::from_str);
        anyhow::ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(lines.collect::<Result<_, _>>()?)
    }

    /// Runs a binary to its end, whatever that is, with more in its environment.
    pub async fn output(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Output> {
        let path = binary(name)?;
        let mut command = tokio::process::Command::new(&path);
        command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
        command.output().await.with_context(|| format!("run {}; `make build` makes it", path.display()))
    }

    /// Starts a binary on a machine of its own that has no network at all, not even a loopback.
    ///
    /// Returns when it has logged `until`.
    pub fn start_without_network(name: &str, arguments: &[&str], until: &str) -> anyhow::Result<Self> {
        let mut child = Command::new("unshare")
            .args(["--net", "--map-root-user", "--kill-child"])
            .arg(binary(name)?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("start unshare, which is part of util-linux")?;
        let log = child.stderr.take().context("its log is piped")?;
        let process = Self(child);
        Log::read(log).wait(until).with_context(|| format!("{name} failed; are user namespaces allowed here?"))?;
        Ok(process)
    }

    /// SIGKILL: nobody is told anything.
    pub fn kill(&mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }

    /// SIGTERM: it ends in good order.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal("-TERM")
    }

    /// SIGTERM, and waits for the end that it asks for. Blocks; who does not end within a minute is killed.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.terminate()?;
        let deadline = Instant::now() + ENDS_WITHIN;
        let ended = loop {
            match self.0.try_wait()? {
                Some(ended) => break ended,
                None if Instant::now() < deadline => std::thread::park_timeout(LOOKS_EVERY),
                None => {
                    self.kill()?;
                    anyhow::bail!("it was told to end, and still ran after {ENDS_WITHIN:?}");
                }
            }
        };
        anyhow::ensure!(ended.success(), "it ended with {ended}");
        Ok(())
    }

    /// SIGSTOP: it stands still, as on a machine that hangs.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal("-STOP")
    }

    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal("-CONT")
    }

    /// SIGHUP: a server reads its config again.
    pub fn hang_up(&self) -> anyhow::Result<()> {
        self.signal("-HUP")
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let status = Command::new("kill").args([signal, &self.0.id().to_string()]).status()?;
        anyhow::ensure!(status.success(), "kill {signal} failed");
        Ok(())
    }

    pub fn is_running(&mut self) -> io::Result<bool> {
        self.0.try_wait().map(|ended| ended.is_none())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    pub fn footprint(&self) -> anyhow::Result<Footprint> {
        let proc = PathBuf::from(format!("/proc/{}", self.0.id()));
        let status = fs::read_to_string(proc.join("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process has VmRSS")?;
        let count = |what: &str| -> io::Result<usize> { Ok(fs::read_dir(proc.join(what))?.count()) };
        Ok(Footprint {
            resident_kib: resident.trim().trim_end_matches(" kB").parse()?,
            threads: count("task")?,
            descriptors: count("fd")?,
        })
    }

    /// Whether this file is part of it, as a library is.
    pub fn has_mapped(&self, file: &Path) -> io::Result<bool> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.0.id()))?;
        Ok(maps.lines().any(|line| line.ends_with(&*file.to_string_lossy())))
    }

    /// What it takes once it has no more threads and files open than before: a thread that did a piece of work waits for
    /// another for some seconds.
    pub async fn settles(&self, before: &Footprint) -> anyhow::Result<Footprint> {
        let settled = async {
            loop {
                let now = self.footprint()?;
                if now.threads <= before.threads && now.descriptors <= before.descriptors {
                    return Ok(now);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, settled)
            .await
            .with_context(|| format!("{before:?} has become {:?}", self.footprint()))?
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a process logs, line by line. Read to the end, so that the process never waits for that.
pub struct Log(std::sync::mpsc::Receiver<String>);

impl Log {
    fn read(log: std::process::ChildStderr) -> Self {
        let (lines, read) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                // Who wanted to know may have heard enough.
                let _ = lines.send(line);
            }
        });
        Self(read)
    }

    /// Waits for a line that contains this, whatever else is logged meanwhile. Blocks.
    pub fn wait(&self, text: &str) -> anyhow::Result<String> {
        self.until(text).map(|mut seen| seen.pop().expect("it ends with that line"))
    }

    /// The same, and returns all lines up to there.
    pub fn until(&self, text: &str) -> anyhow::Result<Vec<String>> {
        let mut seen = Vec::new();
        let deadline = Instant::now() + LOGS_WITHIN;
        loop {
            match self.0.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = line.contains(text);
                    seen.push(line);
                    if found {
                        return Ok(seen);
                    }
                }
                Err(_) => anyhow::bail!("nothing was logged about {text:?}, but:\n{}", seen.join("\n")),
            }
        }
    }

    /// All that is left, when the process has ended. Blocks.
    pub fn rest(self) -> Vec<String> {
        self.0.into_iter().collect()
    }
}

/// A network camera that can be stopped, killed and started again at one address.
pub struct RtspCamera {
    process: Process,
    port: u16,
}

impl RtspCamera {
    pub fn start() -> anyhow::Result<Self> {
        // A port that was free a moment ago, and that it can come back to.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Self { process: Self::launch(port)?, port })
    }

    fn launch(port: u16) -> anyhow::Result<Process> {
        Process::start("rtsp-camera", &["--port", &port.to_string()])
    }

    pub fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/camera", self.port)
    }

    /// Kills it, starts it again, and returns for how long it was away. Blocks.
    pub fn replace(&mut self) -> anyhow::Result<Duration> {
        let died = Instant::now();
        self.process.kill()?;
        self.process = Self::launch(self.port)?;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            anyhow::ensure!(died.elapsed() < LISTENS_WITHIN, "the camera does not come back");
            std::thread::park_timeout(LOOKS_EVERY);
        }
        Ok(died.elapsed())
    }

    /// SIGSTOP: its connections stay, and nothing comes.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.process.freeze()
    }

    pub fn thaw(&self) -> anyhow::Result<()> {
        self.process.thaw()
    }
}

/// A server on a port of its own, and a broadcaster for it.
pub struct Processes {
    pub server: Process,
    pub broadcaster: Process,
    pub url: ServerUrl,
    port: u16,
    config: Option<Config>,
}

/// A broadcaster's config, in a file as long as it is needed.
struct Config(PathBuf);

impl Config {
    fn write(port: u16, text: &str) -> io::Result<Self> {
        // The port is nobody else's.
        let path = std::env::temp_dir().join(format!("panocast-{port}.toml"));
        fs::write(&path, text)?;
        Ok(Self(path))
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // Somebody may have tidied up before.
        let _ = fs::remove_file(&self.0);
    }
}

impl Processes {
    pub fn start() -> anyhow::Result<Self> {
        Self::launch(None)
    }

    /// With a broadcaster that has these `[[cameras]]`.
    pub fn with_cameras(cameras: &str) -> anyhow::Result<Self> {
        Self::launch(Some(&format!("[media]\nlisten = \"127.0.0.1:0\"\n{cameras}")))
    }

    fn launch(config: Option<&str>) -> anyhow::Result<Self> {
        // A port that was free a moment ago, and that a server which is killed can come back to.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let url: ServerUrl = format!("http://127.0.0.1:{port}").parse()?;
        let config = config.map(|text| Config::write(port, text)).transpose()?;
        let broadcaster = start_broadcaster(&url, config.as_ref())?;
        Ok(Self { server: start_server(port)?, broadcaster, url, port, config })
    }

    /// Kills the server. [`Self::start_server`] brings it back.
    pub fn kill_server(&mut self) -> io::Result<()> {
        self.server.kill()
    }

    pub fn start_server(&mut self) -> anyhow::Result<()> {
        self.server = start_server(self.port)?;
        Ok(())
    }

    /// Kills the broadcaster and starts another one.
    pub fn replace_broadcaster(&mut self) -> anyhow::Result<()> {
        self.broadcaster.kill()?;
        self.broadcaster = start_broadcaster(&self.url, self.config.as_ref())?;
        Ok(())
    }

    /// Somebody who opens the default robot.
    pub fn viewer(&self) -> Viewer {
        Viewer::join(Options::new(self.url.clone()))
    }

    /// Somebody who opens it and does as told.
    pub fn puppet(&self) -> Puppet {
        Puppet::join(Options::new(self.url.clone()))
    }
}

fn start_server(port: u16) -> anyhow::Result<Process> {
    Process::start("server", &["--listen", &format!("127.0.0.1:{port}"), "--log", "warn"])
}

fn start_broadcaster(server: &ServerUrl, config: Option<&Config>) -> anyhow::Result<Process> {
    let config = config.map_or(Path::new(BROADCASTER), |Config(path)| path).to_string_lossy();
    let arguments = ["--config", &config, "--server", &server.to_string(), "--log", "warn"];
    // With an arena for each thread, memory grows by steps for as long as threads come and go, and nothing else shows.
    Process::start_with("broadcaster", &arguments, &[("MALLOC_ARENA_MAX", "1")])
}

const LOGS_WITHIN: Duration = Duration::from_secs(60);
const ENDS_WITHIN: Duration = Duration::from_secs(60);
const LISTENS_WITHIN: Duration = Duration::from_secs(60);
/// The standard library tells nobody when a child has ended, nor anybody when one begins to listen.
const LOOKS_EVERY: Duration = Duration::from_millis(5);

/// A small picture on a port of its own.
const BROADCASTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/broadcaster.toml");

/// Where a binary of this workspace is: tests lie in `target/<profile>/deps`, binaries one folder above.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("find this program")?;
    let folder = own.parent().context("a program lies in a folder")?;
    let profile = if folder.ends_with("deps") { folder.parent().context("and that in one")? } else { folder };
    Ok(profile.join(name))
}
