//! The server as a process of its own, what it holds, and those who come to it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
    process::{Child, Command},
};

use crate::client::{Client, within};

/// Linux counts a process's time on a core in hundredths of seconds.
const TICK: Duration = Duration::from_millis(10);

/// Clears the peak of a process's memory (proc(5)).
const FORGET_PEAK: &str = "5";

/// A folder of a test's own, gone with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let mut name = [0; 8];
        getrandom::fill(&mut name).expect("random bytes");
        let path = std::env::temp_dir().join(format!("panocast-load-{:016x}", u64::from_le_bytes(name)));
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that failed has more to say than this.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    /// Bytes of memory: now, and at most since the peak was last forgotten.
    pub(crate) resident: u64,
    pub(crate) peak: u64,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
    pub(crate) cpu: Duration,
}

pub(crate) struct Running {
    process: Child,
    pub(crate) address: SocketAddr,
    _folder: Folder,
}

impl Running {
    /// `config` in its own words. Addresses of this machine are clients like any others.
    pub(crate) async fn start(config: &str) -> Self {
        Self::launch(Command::new(env!("CARGO_BIN_EXE_server")), config).await
    }

    /// The same, with no more than one core for it.
    pub(crate) async fn on_one_core(config: &str) -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("a status");
        let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("cores");
        let first = cores.trim().split([',', '-']).next().expect("a core");
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", first, env!("CARGO_BIN_EXE_server")]);
        Self::launch(command, config).await
    }

    async fn launch(mut command: Command, config: &str) -> Self {
        raise_limit_of_files();
        let folder = Folder::new();
        let file = folder.root().join("server.toml");
        fs::write(&file, format!("listen = \"127.0.0.1:0\"\ntrusted_proxies = []\n{config}")).expect("written");
        // Some of it may be secret, as the server takes it.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its own file");
        command.arg("--config").arg(file).args(["--log-format", "json"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("starts");
        let mut log = BufReader::new(process.stderr.take().expect("piped"));
        let address = within(serves_at(&mut log)).await;
        // A server whose log nobody reads stops.
        tokio::spawn(async move { tokio::io::copy(&mut log, &mut tokio::io::sink()).await });
        Self { process, address, _folder: folder }
    }

    /// SIGKILL: it ends in the middle of whatever it does.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.try_into().expect("a process"))).expect("it runs");
        kill_process(id, signal).expect("its own child");
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.process.id().expect("it runs")))
    }

    pub(crate) fn footprint(&self) -> Footprint {
        let status = fs::read_to_string(self.proc("status")).expect("a status");
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of the status");
            line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
        };
        let count = |folder: &str| fs::read_dir(self.proc(folder)).expect("a folder").count();
        let times = fs::read_to_string(self.proc("stat")).expect("times");
        // The name, which comes second, may hold anything, parentheses included.
        let times = times.rsplit_once(')').expect("a name").1.split_whitespace().skip(11).take(2);
        let ticks: u32 = times.map(|ticks| ticks.parse::<u32>().expect("a number")).sum();
        Footprint {
            resident: bytes("VmRSS:"),
            peak: bytes("VmHWM:"),
            descriptors: count("fd"),
            threads: count("task"),
            cpu: TICK * ticks,
        }
    }

    pub(crate) fn forget_peak(&self) {
        fs::write(self.proc("clear_refs"), FORGET_PEAK).expect("its own child");
    }

    /// Comes from this address.
    pub(crate) async fn connect_from(&self, home: Ipv4Addr) -> TcpStream {
        connect(self.address, home).await
    }

    pub(crate) async fn client_from(&self, home: Ipv4Addr) -> Client {
        client(self.address, home).await
    }

    /// One of a crowd, which comes from as many addresses as it takes.
    pub(crate) async fn visitor(&self, number: usize) -> Client {
        self.client_from(home(number)).await
    }

    /// Somebody who watches the robot `demo`.
    pub(crate) async fn watcher(&self, number: usize) -> Client {
        let mut viewer = self.visitor(number).await;
        let reply = viewer.ask(&json!(["watcher", { "version": 1, "robot": "demo" }])).await;
        assert_eq!(reply["ok"], true, "{reply}");
        viewer
    }

    /// The robot `demo`.
    pub(crate) async fn robot(&self) -> Client {
        let mut robot = Client::connect(self.address).await;
        let reply = robot.ask(&json!(["broadcaster", { "version": 1, "robot": "demo" }])).await;
        assert_eq!(reply["ok"], true, "{reply}");
        robot
    }

    /// What programs on its machine may read.
    pub(crate) async fn get(&self, path: &str) -> String {
        let mut connection = within(TcpStream::connect(self.address)).await.expect("connects");
        let request = format!("GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", self.address);
        within(connection.write_all(request.as_bytes())).await.expect("sent");
        let mut response = String::new();
        within(connection.read_to_string(&mut response)).await.expect("a response");
        response.split_once("\r\n\r\n").expect("a head").1.to_owned()
    }

    pub(crate) async fn overview(&self) -> Value {
        serde_json::from_str(&self.get("/api/v1/overview").await).expect("JSON")
    }

    /// Waits until the server knows of exactly so many connections and viewers.
    pub(crate) async fn knows_of(&self, connections: usize, viewers: usize) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut last = (0, 0);
        let known = async {
            while last != (connections, viewers) {
                looks.tick().await;
                let metrics = self.get("/metrics").await;
                let value = |name| {
                    let line = metrics.lines().find_map(|line| line.strip_prefix(name)).expect("a metric");
                    line.trim().parse::<usize>().expect("a count")
                };
                last = (value("panocast_connections "), value("panocast_viewers "));
            }
        };
        let known = tokio::time::timeout(KNOWN_WITHIN, known).await;
        assert!(known.is_ok(), "{connections} connections and {viewers} viewers, and not {last:?}");
    }

    /// Waits until the process has no more files open and no more threads than before: one that did a piece of work waits for
    /// another for some seconds.
    pub(crate) async fn settles(&self, before: &Footprint) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        within(async {
            loop {
                let now = self.footprint();
                if now.descriptors <= before.descriptors && now.threads <= before.threads {
                    return;
                }
                looks.tick().await;
            }
        })
        .await;
    }
}

async fn connect(server: SocketAddr, home: Ipv4Addr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((home, 0).into()).expect("an address of this machine");
    within(socket.connect(server)).await.expect("connects")
}

pub(crate) async fn client(server: SocketAddr, home: Ipv4Addr) -> Client {
    Client::over(connect(server, home).await, None, None).await.expect("admitted")
}

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Ghosts are swept every ten seconds, and who comes back may do so for ten.
const KNOWN_WITHIN: Duration = Duration::from_secs(60);

/// Waits until it says where it listens.
async fn serves_at(log: &mut BufReader<tokio::process::ChildStderr>) -> SocketAddr {
    let mut lines = String::new();
    loop {
        let start = lines.len();
        let read = log.read_line(&mut lines).await.expect("its log is text");
        assert!(read > 0, "it ended: {lines}");
        let said: Value = serde_json::from_str(&lines[start..]).expect("a JSON value a line");
        if said["message"] == "serving" {
            return said["address"].as_str().and_then(|address| address.parse().ok()).expect("an address");
        }
    }
}

/// All of 127.0.0.0/8 is this machine. Nobody has more than an address may by default.
pub(crate) fn home(number: usize) -> Ipv4Addr {
    let [.., third, fourth] = (number / PER_ADDRESS).to_be_bytes();
    Ipv4Addr::new(127, 1, third, fourth)
}

/// Asks for a WebSocket.
pub(crate) const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n\
    connection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

pub(crate) const PER_ADDRESS: usize = 20;

/// As the server does.
fn raise_limit_of_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the maximum");
}

/// The time that this share of them did not take longer than.
pub(crate) fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let place = (times.len() as f64 * share).ceil() as usize;
    times[place.clamp(1, times.len()) - 1]
}
