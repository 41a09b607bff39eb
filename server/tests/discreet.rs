//! The real binary, asked to log all that there is: whoever reads that does not learn what opens anything.

#[expect(dead_code, reason = "other tests need more of it")]
mod client;

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use server::auth::{Access, NewLink, Role, Store, UnixTime};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    task::JoinHandle,
};

use client::{Client, within};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// In the config, and told to those who relay.
const RELAY_PASSWORD: &str = "canary+of/the~relay 1";
const RELAY_SECRET: &str = "canary-secret-of-the-relay";
const METRICS_TOKEN: &str = "canary-token-of-the-metrics-page";

/// Whatever is logged, even if somebody asks for it by name.
const EVERYTHING: &str = "trace,server=trace,hyper=trace,h2=trace,tower=trace,socketioxide=trace,engineioxide=trace,\
                          tungstenite=trace,tokio_tungstenite=trace,rustls=trace,rusqlite=trace,axum=trace,audit=trace";

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Running {
    child: Child,
    address: SocketAddr,
    log: JoinHandle<String>,
}

impl Running {
    async fn start(folder: &Folder, format: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
        command.arg("--config").arg(folder.0.join("server.toml")).args(["--log", EVERYTHING, "--log-format", format]);
        command.env("RUST_LOG", "trace").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("starts");
        let mut printed = child.stdout.take().expect("piped");
        let mut log = BufReader::new(child.stderr.take().expect("piped"));
        let (mut read, mut line) = (String::new(), String::new());
        let address = loop {
            line.clear();
            assert_ne!(within(log.read_line(&mut line)).await.expect("text"), 0, "it ended: {read}");
            read.push_str(&line);
            let port = line.split("127.0.0.1:").nth(1).filter(|_| line.contains("serving"));
            let digits = port.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
            if let Some(port) = digits.and_then(|digits| digits.parse().ok()) {
                break SocketAddr::from(([127, 0, 0, 1], port));
            }
        };
        let log = tokio::spawn(async move {
            let both = tokio::join!(log.read_to_string(&mut read), printed.read_to_string(&mut line));
            both.0.and(both.1).expect("text");
            read + &line
        });
        Self { child, address, log }
    }

    /// Its end, and all that it has logged and printed.
    async fn stop(mut self) -> String {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.try_into().expect("a process"))).expect("it runs");
        kill_process(id, Signal::TERM).expect("its own child");
        let ended = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await.expect("in time");
        assert!(ended.expect("its own child").success());
        within(self.log).await.expect("no panic")
    }

    async fn http(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = within(TcpStream::connect(self.address)).await.expect("connects");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        within(stream.write_all(request.as_bytes())).await.expect("sent");
        let mut response = String::new();
        within(stream.read_to_string(&mut response)).await.expect("text");
        response
    }

    /// Comes by polling, shows this, and asks that. Returns the session's id and all that is answered.
    async fn poll(&self, hello: &Value, asks: &[Value]) -> (String, String) {
        let opened = self.http("GET", POLLING, "", "").await;
        let sid = opened.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
        let path = format!("{POLLING}&sid={sid}");
        let post = async |text: String| assert!(self.http("POST", &path, "", &text).await.ends_with("ok"));
        let mut heard = String::new();
        post(format!("40{hello}")).await;
        while !heard.contains("40{") && !heard.contains("44{") {
            heard += &self.http("GET", &path, "", "").await;
        }
        for (number, asked) in asks.iter().enumerate() {
            post(format!("42{number}{asked}")).await;
            while !heard.contains(&format!("43{number}[")) {
                heard += &self.http("GET", &path, "", "").await;
            }
        }
        (sid.to_owned(), heard)
    }
}

/// What must not be seen, and what it is the secret of.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn keep(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 16, "{what}: {secret:?} could be in any log");
        self.0.push((what, secret.to_owned()));
    }

    #[track_caller]
    fn assert_unseen(&self, log: &str) {
        for (what, secret) in &self.0 {
            for form in forms(secret) {
                let line = log.lines().find(|line| line.contains(&form));
                assert!(line.is_none(), "{what} is in the log, as {form}: {}", line.unwrap_or_default());
            }
        }
    }
}

/// How a text may be written.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    // Wherever in a longer text it stands; without the letters that what stands beside it has a part in.
    for before in 0..3 {
        let padded = [&b"\0\0"[..before], secret.as_bytes()].concat();
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            forms.push(encoded[4 * usize::from(before > 0)..padded.len() / 3 * 4].to_owned());
        }
    }
    let bytes = |write: fn(&u8) -> String, between: &str| {
        secret.bytes().map(|byte| write(&byte)).collect::<Vec<_>>().join(between)
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let percent = |write: fn(u8) -> String| {
        secret
            .bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { write(byte) })
            .collect::<String>()
    };
    forms.extend([
        percent(|byte| format!("%{byte:02X}")),
        percent(|byte| format!("%{byte:02x}")),
        bytes(|byte| format!("{byte:02x}"), ""),
        bytes(u8::to_string, ", "),
        bytes(u8::to_string, ","),
    ]);
    forms
}

#[test]
fn a_secret_is_found_however_it_is_written() {
    let secret = RELAY_PASSWORD;
    let mut secrets = Secrets::default();
    secrets.keep("it", secret);
    let bytes = secret.as_bytes();
    for before in ["", "a", "ab", "abc", "abcd"] {
        let text = format!("{before}{secret}?");
        for written in [
            text.clone(),
            STANDARD_NO_PAD.encode(&text),
            URL_SAFE_NO_PAD.encode(&text),
            format!("{bytes:?}"),
            "x=canary%2Bof%2Fthe~relay%201".to_owned(),
            text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ] {
            let found = std::panic::catch_unwind(|| secrets.assert_unseen(&written)).is_err();
            assert!(found, "{written}");
        }
    }
    secrets.assert_unseen("something else");
}

async fn discreet(format: &str) {
    let folder = Folder(std::env::temp_dir().join(format!("panocast-discreet-{format}-{}", std::process::id())));
    fs::create_dir_all(&folder.0).expect("a folder");
    let state = folder.0.join("state");
    let config = format!(
        "listen = \"127.0.0.1:0\"\nstate_dir = {state:?}\n[auth]\nmode = \"keys\"\n[metrics]\ntoken = {METRICS_TOKEN:?}\n\
         [turn]\nenabled = true\nlisten = [\"127.0.0.1:0\"]\npublic_address = \"192.0.2.1\"\nsecret = {RELAY_SECRET:?}\n\
         [[ice.servers]]\nurls = [\"turn:192.0.2.2\"]\nusername = \"u\"\ncredential = {RELAY_PASSWORD:?}\n"
    );
    let path = folder.0.join("server.toml");
    fs::write(&path, config).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner's");

    let mut secrets = Secrets::default();
    for (what, secret) in [
        ("a relay's password", RELAY_PASSWORD),
        ("the relay's secret", RELAY_SECRET),
        ("the metrics' token", METRICS_TOKEN),
    ] {
        secrets.keep(what, secret);
    }
    let mut store = Store::open(&state).expect("a store");
    let now = UnixTime::now();
    let robot = "r1".parse().expect("an id");
    let key = store.add_robot(&robot, Access::Link, now).expect("added").as_str().to_owned();
    let new =
        NewLink { robot, role: Role::Watch, max_viewers: None, lasts: Duration::from_secs(600), note: String::new() };
    let (_, token) = store.add_link(&new, now).expect("a link");
    let token = token.as_str().to_owned();
    let operator = store.add_operator(&"ada".parse().expect("a name"), now).expect("added").as_str().to_owned();
    drop(store);
    secrets.keep("a robot's key", &key);
    secrets.keep("an operator's key", &operator);
    // Its parts alone are of use to nobody, and of use in a search.
    for part in token.split('.').skip(1) {
        secrets.keep("a link's token", part);
    }
    let other = |secret: &str| secret.chars().rev().collect::<String>();
    let (bad_key, bad_operator) = (format!("pk_{}", other(&key[3..])), format!("ok_{}", other(&operator[3..])));
    let bad_token = format!("{}.{}", &token[..token.rfind('.').expect("a signature")], "A".repeat(43));
    secrets.keep("a wrong robot's key", &bad_key);
    secrets.keep("a wrong operator's key", &bad_operator);

    let server = Running::start(&folder, format).await;
    let hello = |token: &str| json!({ "version": 1, "token": token });
    let register = |key: &str| json!(["broadcaster", { "version": 1, "robot": "r1", "key": key }]);
    let watch = json!(["watcher", { "version": 1, "robot": "r1" }]);

    // As WebSockets.
    let mut robot = Client::connect(server.address).await;
    assert_eq!(robot.ask(&register(&bad_key)).await["error"]["code"], "unauthorized");
    let registered = robot.ask(&register(&key)).await;
    assert_eq!(registered["ok"], true);
    // It says so in a place where nothing of the kind belongs, and in no message at all.
    robot.say(&json!(["broadcaster", { "robot": key }])).await;
    assert_eq!(robot.expect("notice").await[0]["code"], "unauthorized");
    robot.say(&json!([key, { "sdp": key }])).await;
    robot.expect("notice").await;
    let mut viewer = Client::try_connect_as(server.address, None, Some(hello(&token))).await.expect("let in");
    let admission = viewer.ask(&watch).await;
    assert_eq!(admission["ok"], true, "{admission}");
    robot.meet(&mut viewer, &admission).await;
    secrets.keep("a session", admission["session"].as_str().expect("an id"));
    for told in [&registered, &admission] {
        let relays = told["ice_servers"].as_array().expect("relays");
        let minted = relays.iter().filter_map(|relay| relay["credential"].as_str());
        let minted = minted.filter(|credential| *credential != RELAY_PASSWORD).collect::<Vec<_>>();
        assert!(!minted.is_empty(), "{relays:?}");
        minted.into_iter().for_each(|credential| secrets.keep("a relay's password of a moment", credential));
    }
    for _ in 0..5 {
        let refused = Client::try_connect_as(server.address, None, Some(hello(&bad_token))).await.err();
        assert_eq!(refused.as_deref(), Some("unauthorized"));
    }
    assert!(Client::try_connect_as(server.address, None, Some(json!([token]))).await.is_err());
    let mut broken = Client::connect(server.address).await;
    broken.raw(&format!("42{{{key}{token}")).await;
    // That is no packet, and the end.
    broken.hung_up().await;

    // By polling.
    for (hello, asks, answer) in [
        (hello(&token), vec![watch], "\"ok\":true"),
        (hello(&bad_token), vec![], "unauthorized"),
        (json!({}), vec![register(&bad_key)], "unauthorized"),
        (json!({}), vec![register(&key)], "\"ok\":true"),
    ] {
        let (sid, heard) = server.poll(&hello, &asks).await;
        assert!(heard.contains(answer), "{heard}");
        secrets.keep("a polling session", &sid);
    }

    // Over HTTP.
    let bearer = |secret: &str| format!("authorization: Bearer {secret}\r\n");
    let json = "content-type: application/json\r\n";
    let visit = async |key: &str| server.http("POST", "/api/v1/visit", json, &json!({ "key": key }).to_string()).await;
    assert!(visit(&bad_operator).await.starts_with("HTTP/1.1 401"));
    let begun = visit(&operator).await;
    let cookie = begun.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next()).expect("a cookie");
    secrets.keep("a visit's token", cookie.rsplit('.').next().expect("a signature"));
    let cookie = format!("cookie: {cookie}\r\n");
    for (method, path, headers, body, status) in [
        ("GET", "/api/v1/visit", cookie.clone(), "", 200),
        ("GET", "/api/v1/operators/robots", bearer(&operator), "", 200),
        ("GET", "/api/v1/operators/robots", bearer(&bad_operator), "", 401),
        ("GET", "/metrics", bearer(METRICS_TOKEN), "", 200),
        ("GET", "/metrics", bearer(&other(METRICS_TOKEN)), "", 401),
        ("GET", "/api/v1/robots", bearer(&token), "", 200),
        ("GET", "/api/v1/robots", bearer(&bad_token), "", 403),
        ("GET", "/api/v1/robots/r1/snapshot.jpg", bearer(&bad_token), "", 403),
        ("DELETE", "/api/v1/visit", cookie, "", 204),
    ] {
        let answer = server.http(method, path, &headers, body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {answer}");
    }
    for (path, body, part) in [
        ("robots", json!({ "robot": "r2" }), "\"key\":\""),
        ("links", json!({ "robot": "r2", "lasts": 60 }), "#token="),
    ] {
        let headers = format!("{}{json}", bearer(&operator));
        let made = server.http("POST", &format!("/api/v1/operators/{path}"), &headers, &body.to_string()).await;
        let secret = made.split(part).nth(1).and_then(|rest| rest.split('"').next()).expect("made");
        secrets.keep("what an operator made", secret.rsplit('.').next().expect("a part"));
    }

    let log = server.stop().await;
    for level in ["DEBUG", "INFO"] {
        assert!(log.contains(level), "nothing at {level}: {log}");
    }
    secrets.assert_unseen(&log);
    // Nobody fills it with refusals either.
    let refusals = log.lines().filter(|line| line.contains("connection refused")).count();
    assert!((1..=2).contains(&refusals), "{refusals} lines: {log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_for_people_tells_what_opens_anything() {
    discreet("text").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_for_programs_tells_what_opens_anything() {
    discreet("json").await;
}
