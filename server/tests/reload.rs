//! The real binary: what it takes up of its config while it runs.

#[expect(dead_code, reason = "other tests need more of it")]
mod client;

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc,
};

use client::{Client, within};

/// A folder with a config, gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("panocast-reload-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn config(&self) -> PathBuf {
        self.path("server.toml")
    }

    /// A new file in the place of the old one, as editors do it.
    fn write(&self, name: &str, mode: u32, text: &str) {
        let fresh = self.path("fresh");
        fs::write(&fresh, text).expect("written");
        fs::set_permissions(&fresh, fs::Permissions::from_mode(mode)).expect("its own file");
        fs::rename(fresh, self.path(name)).expect("replaced");
    }

    fn write_config(&self, text: &str) {
        self.write("server.toml", 0o644, text);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn server(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.arg("--config").arg(config).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A server that runs, and what it logs.
struct Running {
    child: Child,
    log: mpsc::UnboundedReceiver<String>,
    address: SocketAddr,
}

impl Running {
    async fn start(mut command: Command) -> Self {
        let command = command.args(["--log-format", "json"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        // Read as it comes: a server whose log nobody reads stops.
        let (log, read) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(line) = lines.next_line().await.expect("its log is text") {
                // The test may have seen enough.
                let _ = log.send(line);
            }
        });
        let mut running = Self { child, log: read, address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        let serving = running.logged("serving").await;
        running.address = serving["address"].as_str().and_then(|address| address.parse().ok()).expect("an address");
        running
    }

    /// With the folder's config and a port of its own, whatever that says.
    async fn on_any_port(folder: &Folder) -> Self {
        let mut command = server(&folder.config());
        command.args(["--listen", "127.0.0.1:0"]);
        Self::start(command).await
    }

    /// Waits for a line with this message, whatever else is logged meanwhile.
    async fn logged(&mut self, message: &str) -> Value {
        within(async {
            let mut before = Vec::new();
            while let Some(line) = self.log.recv().await {
                assert!(!line.contains("hunter"), "{line}");
                let json: Value = serde_json::from_str(&line).expect("a JSON value a line");
                if json["message"] == message {
                    return json;
                }
                before.push(line);
            }
            panic!("it ended without {message:?}, but with {before:#?}");
        })
        .await
    }

    fn hang_up(&self) {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.try_into().expect("a process"))).expect("it runs");
        kill_process(id, Signal::HUP).expect("its own child");
    }
}

fn says(line: &Value, field: &str, parts: &[&str]) {
    for part in parts {
        assert!(line[field].as_str().is_some_and(|said| said.contains(part)), "{part:?} is not in {line}");
    }
}

async fn robot(server: &Running) -> (Client, Value) {
    let mut robot = Client::connect(server.address).await;
    let registered = robot.ask(&json!(["broadcaster", { "version": 1, "robot": "demo" }])).await;
    (robot, registered)
}

async fn pair(robot: &mut Client, viewer: &mut Client) {
    let admission = ask_to_watch(viewer).await;
    assert_eq!(admission["ok"], true);
    robot.meet(viewer, &admission).await;
}

async fn ask_to_watch(viewer: &mut Client) -> Value {
    viewer.ask(&json!(["watcher", { "version": 1, "robot": "demo" }])).await
}

/// Shows that the two are still introduced to each other.
async fn speak(robot: &mut Client, viewer: &mut Client) {
    let candidate = json!({ "candidate": "candidate:1 1 udp 1 192.0.2.1 1 typ host", "sdpMid": "0" });
    viewer.say(&json!(["candidate", robot.id, candidate])).await;
    assert_eq!(robot.expect("candidate").await[0], viewer.id.as_str());
    robot.say(&json!(["candidate", viewer.id, candidate])).await;
    assert_eq!(viewer.expect("candidate").await[0], robot.id.as_str());
}

#[tokio::test]
async fn a_replaced_config_holds_for_newcomers_and_disturbs_nobody() {
    let folder = Folder::new("limits");
    folder.write_config("[limits]\nmax_viewers = 1\n");
    let mut server = Running::on_any_port(&folder).await;
    let (mut robot, _) = robot(&server).await;
    let mut first = Client::connect(server.address).await;
    pair(&mut robot, &mut first).await;
    let mut second = Client::connect(server.address).await;
    assert_eq!(ask_to_watch(&mut second).await["error"]["code"], "full");

    folder.write_config("[limits]\nmax_viewers = 2\n");
    let taken = server.logged("config taken").await;
    says(&taken, "changed", &["limits.max_viewers from 1 to 2"]);
    pair(&mut robot, &mut second).await;

    // Half of a config changes nothing, not even the half that could be read, and is mentioned once.
    folder.write_config("[limits]\nmax_viewers = 7\nmax_robots = 0\n");
    let refused = server.logged("config refused: the one before goes on").await;
    says(&refused, "error", &[&folder.config().display().to_string(), "line 3: limits.max_robots", "`0`"]);
    let mut third = Client::connect(server.address).await;
    assert_eq!(ask_to_watch(&mut third).await["error"]["code"], "full");

    folder.write_config("[limits]\nmax_viewers = 1\nmax_connections = 3\n");
    let taken = server.logged("config taken").await;
    says(&taken, "changed", &["limits.max_viewers from 2 to 1", "limits.max_connections from 2000 to 3"]);
    assert_eq!(Client::try_connect(server.address).await.err().as_deref(), Some("full"));
    speak(&mut robot, &mut first).await;
    speak(&mut robot, &mut second).await;
    assert_eq!(ask_to_watch(&mut third).await["error"]["code"], "full");
}

#[tokio::test]
async fn a_hangup_is_answered_and_flags_hold_over_what_is_read_then() {
    let folder = Folder::new("hangup");
    folder.write_config("listen = \"192.0.2.1:1\"\n");
    let mut server = Running::on_any_port(&folder).await;
    server.hang_up();
    server.logged("config read again: nothing has changed").await;
    // Its flag says where it listens, so that this changes nothing.
    folder.write_config("listen = \"192.0.2.1:2\"\n");
    server.hang_up();
    server.logged("config read again: nothing has changed").await;
    // Gone for a moment is no config, and no reason to end.
    fs::remove_file(folder.config()).expect("its own file");
    server.hang_up();
    says(&server.logged("config refused: the one before goes on").await, "error", &["cannot be read"]);
    server.hang_up();
    server.logged("config refused: the one before goes on").await;
    Client::connect(server.address).await;
}

#[tokio::test]
async fn a_server_without_a_config_file_survives_a_hangup() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null()).kill_on_drop(true);
    let mut server = Running::start(command).await;
    server.hang_up();
    server.logged("SIGHUP: there is no config file to read again; --config names one").await;
    Client::connect(server.address).await;
}

#[tokio::test]
async fn what_takes_a_restart_is_said_and_what_does_not_is_done() {
    let folder = Folder::new("restart");
    folder.write_config("listen = \"127.0.0.1:0\"\n");
    let mut server = Running::start(server(&folder.config())).await;
    folder.write_config("listen = \"127.0.0.1:1\"\n[log]\nfilter = \"info,server=debug\"\n");
    says(&server.logged("config taken").await, "changed", &["log.filter from \"info\" to \"info,server=debug\""]);
    let later = server.logged("this takes effect at the next start only").await;
    says(&later, "changed", &["listen from 127.0.0.1:0 to 127.0.0.1:1"]);
    assert_eq!(later["level"], "WARN");
    // It listens where it did, and logs what it did not.
    let mut client = Client::connect(server.address).await;
    client.say(&json!(["nonsense"])).await;
    server.logged("message refused").await;
}

#[tokio::test]
async fn secrets_are_renewed_in_their_files_and_never_taken_from_open_ones() {
    let folder = Folder::new("secrets");
    folder.write("turn.1", 0o600, "hunter2\n");
    folder.write("turn.2", 0o640, "hunter3\n");
    folder.write("turn.open", 0o644, "hunter4\n");
    // As containers do it: what is read is a link, which comes to lead elsewhere.
    let lead_to = |name: &str| {
        symlink(name, folder.path("fresh-link")).expect("a link");
        fs::rename(folder.path("fresh-link"), folder.path("turn")).expect("replaced");
    };
    lead_to("turn.1");
    folder.write_config(
        "[log]\nfilter = \"trace\"\n\
         [[ice.servers]]\nurls = [\"turn:192.0.2.1\"]\nusername = \"u\"\ncredential_file = \"turn\"\n",
    );
    let mut server = Running::on_any_port(&folder).await;
    let (_first, registered) = robot(&server).await;
    assert_eq!(registered["ice_servers"][0]["credential"], "hunter2");
    lead_to("turn.2");
    says(&server.logged("config taken").await, "changed", &["ice.servers"]);
    let (_second, registered) = robot(&server).await;
    assert_eq!(registered["ice_servers"][0]["credential"], "hunter3");
    lead_to("turn.open");
    let refused = server.logged("config refused: the one before goes on").await;
    says(&refused, "error", &["ice.servers.1.credential", "turn", "0644", "chmod 640"]);
    let (_third, registered) = robot(&server).await;
    assert_eq!(registered["ice_servers"][0]["credential"], "hunter3");
}
