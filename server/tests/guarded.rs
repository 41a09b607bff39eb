//! A server that does not let everybody in, and those who try.

#[expect(dead_code, reason = "some of it is for other tests")]
mod client;

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use server::{
    Config, Server,
    auth::{Access, Link, NewLink, Role, Store, Token, UnixTime},
    config::AuthMode,
};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use client::{Client, within};

struct Guarded {
    address: SocketAddr,
    directory: PathBuf,
    keys: Vec<String>,
    cancel: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Guarded {
    /// The robots `open`, `linked` and `shut` may come, in this order.
    async fn start() -> Self {
        let mut name = [0; 8];
        getrandom::fill(&mut name).expect("random bytes");
        let directory = std::env::temp_dir().join(format!("panocast-guarded-{:016x}", u64::from_le_bytes(name)));
        let listen = "127.0.0.1:0".parse().expect("an address");
        let mut config = Config { listen, state_dir: directory.clone(), ..Config::default() };
        config.auth.mode = AuthMode::Keys;
        // Guesses are to be refused, and not only slowed down.
        config.limits.event_burst = NonZeroU32::MAX;
        let mut store = Store::open(&directory).expect("a store");
        let robots = [("open", Access::Public), ("linked", Access::Link), ("shut", Access::Private)];
        let mut add = |(name, access): (&str, Access)| {
            let key = store.add_robot(&name.parse().expect("an id"), access, UnixTime::now()).expect("added");
            key.as_str().to_owned()
        };
        let keys = robots.into_iter().map(&mut add).collect();
        let server = Server::bind(config).await.expect("binds");
        let (address, cancel) = (server.local_addr(), CancellationToken::new());
        let task = tokio::spawn(server.run(cancel.clone()));
        Self { address, directory, keys, cancel, task }
    }

    fn store(&self) -> Store {
        Store::open(&self.directory).expect("a store")
    }

    fn link(&self, lasts: Duration) -> (Link, Token) {
        let robot = "linked".parse().expect("an id");
        let new = NewLink { robot, role: Role::Watch, max_viewers: None, lasts, note: String::new() };
        self.store().add_link(&new, UnixTime::now()).expect("a link")
    }

    async fn robot(&self, place: usize) -> Client {
        let mut robot = Client::connect(self.address).await;
        let reply = robot.ask(&register(["open", "linked", "shut"][place], Some(&self.keys[place]))).await;
        assert_eq!(reply["ok"], true, "{reply}");
        robot
    }

    async fn bearer(&self, token: &str) -> Result<Client, String> {
        Client::try_connect_as(self.address, None, Some(json!({ "version": 1, "token": token }))).await
    }

    async fn stop(mut self) {
        self.cancel.cancel();
        within(&mut self.task).await.expect("no panic").expect("ends well");
    }
}

fn register(robot: &str, key: Option<&str>) -> Value {
    let mut register = json!({ "version": 1, "robot": robot });
    if let Some(key) = key {
        register["key"] = key.into();
    }
    json!(["broadcaster", register])
}

fn watch(robot: &str) -> Value {
    json!(["watcher", { "version": 1, "robot": robot }])
}

/// SplitMix64: what is guessed is the same each time.
struct Guesses(u64);

impl Guesses {
    fn letters(&mut self, count: usize) -> String {
        let mut letter = || {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
            char::from(letters[usize::try_from((z ^ (z >> 31)) % 64).expect("small")])
        };
        (0..count).map(|_| letter()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn none_of_a_thousand_forged_claims_is_accepted_or_disturbs_the_robot() {
    let server = Guarded::start().await;
    let mut robot = server.robot(1).await;
    let mut forger = Client::connect(server.address).await;
    let mut guesses = Guesses(1);
    for number in 0..1000 {
        let robot = ["linked", "open", "shut", "absent"][number % 4];
        let claim = match number % 5 {
            0 => register(robot, None),
            1 => register(robot, Some(&format!("pk_{}", guesses.letters(43)))),
            // Another's, where it is another's.
            2 => register(robot, Some(&server.keys[(number % 4 + 1) % 3])),
            3 => json!(["broadcaster"]),
            _ => register(robot, Some(&server.keys[1].replace(|letter: char| letter.is_ascii_digit(), "x"))),
        };
        let key_fits = claim[1]["key"]
            == json!(server.keys.get(["open", "linked", "shut"].iter().position(|name| *name == robot).unwrap_or(9)));
        if !key_fits {
            let reply = forger.ask(&claim).await;
            assert_eq!(reply["error"]["code"], "unauthorized", "{number}: {reply}");
        }
    }
    let (_, token) = server.link(Duration::from_secs(60));
    let mut viewer = server.bearer(token.as_str()).await.expect("let in");
    let admission = viewer.ask(&watch("linked")).await;
    robot.meet(&mut viewer, &admission).await;
    // Whoever polls shows nothing but its own id: others do not learn it.
    assert_ne!(robot.id, robot.session);
    assert_ne!(viewer.id, viewer.session);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn none_of_ten_thousand_guesses_of_robots_and_tokens_gets_anywhere() {
    let server = Guarded::start().await;
    let _robot = server.robot(1).await;
    let mut guesser = Client::connect(server.address).await;
    let mut guesses = Guesses(2);
    for number in 0..9_000 {
        let name = if number % 3 == 0 { "linked".to_owned() } else { guesses.letters(1 + number % 8) };
        let reply = guesser.ask(&watch(&name)).await;
        assert_eq!(reply["error"]["code"], "unauthorized", "{name}");
        let said = format!("There is no robot {name} that you may watch. Ask its operator for a link.");
        assert_eq!(reply["error"]["message"], said);
    }
    let (link, token) = server.link(Duration::from_secs(60));
    for number in 0..1_000 {
        let mut guess = token.as_str().as_bytes().to_vec();
        let last = guess.len() - 1;
        // The last letter of a signature has bits that say nothing.
        let place = number * 7 % last;
        guess[place] = if guess[place] == b'A' { b'B' } else { b'A' };
        let guess = String::from_utf8(guess).expect("ASCII");
        assert_eq!(server.bearer(&guess).await.err().as_deref(), Some("unauthorized"), "{place}");
    }
    // Whoever shows a valid one again and again is let in each time, until it is taken back.
    assert!(server.bearer(token.as_str()).await.is_ok() && server.bearer(token.as_str()).await.is_ok());
    server.store().revoke_link(&link.id, UnixTime::now()).expect("revoked");
    within(async { while server.bearer(token.as_str()).await.is_ok() {} }).await;
    assert_eq!(server.bearer(token.as_str()).await.err().as_deref(), Some("token_revoked"));
    server.stop().await;
}

/// Medians of questions that alternate: what else the machine does meets both alike.
#[tokio::test(flavor = "multi_thread")]
async fn it_takes_as_long_to_refuse_what_is_there_as_what_is_not() {
    let server = Guarded::start().await;
    let _robot = server.robot(1).await;
    let mut asker = Client::connect(server.address).await;
    let key = format!("pk_{}", Guesses(3).letters(43));
    for [present, absent] in
        [[watch("linked"), watch("absent")], [register("linked", Some(&key)), register("absent", Some(&key))]]
    {
        let (mut of_present, mut of_absent) = (Vec::new(), Vec::new());
        for _ in 0..2_000 {
            for (question, times) in [(&present, &mut of_present), (&absent, &mut of_absent)] {
                let asked = Instant::now();
                let reply = asker.ask(question).await;
                times.push(asked.elapsed().as_secs_f64());
                assert_eq!(reply["error"]["code"], "unauthorized");
            }
        }
        let median = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        let ratio = median(&mut of_present) / median(&mut of_absent);
        assert!((0.75..1.33).contains(&ratio), "{present}: {ratio}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_family_and_of_other_sites_are_refused_when_they_connect() {
    let server = Guarded::start().await;
    let own: &'static str = Box::leak(format!("http://{}", server.address).into_boxed_str());
    let refused = Client::try_connect_as(server.address, Some(own), None).await.err();
    assert_eq!(refused.as_deref(), Some("unauthorized"), "a page that shows nothing");
    let hello = json!({ "version": 1 });
    assert!(Client::try_connect_as(server.address, Some(own), Some(hello.clone())).await.is_ok());
    for foreign in ["https://evil.example", "null", "http://127.0.0.1"] {
        let refused = Client::try_connect_as(server.address, Some(foreign), Some(hello.clone())).await.err();
        assert!(refused.expect(foreign).contains("403"), "{foreign}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_by_a_link_that_ends_is_told_and_the_robot_is() {
    let server = Guarded::start().await;
    let mut robot = server.robot(1).await;
    let (revoked, token) = server.link(Duration::from_secs(60));
    let (_, short) = server.link(Duration::from_secs(2));
    for (token, code) in [(&token, "token_revoked"), (&short, "token_expired")] {
        let mut viewer = server.bearer(token.as_str()).await.expect("let in");
        let admission = viewer.ask(&watch("linked")).await;
        assert_eq!(admission["ok"], true);
        let ticket = robot.meet(&mut viewer, &admission).await;
        assert!(ticket["expires_in"].as_u64().is_some_and(|seconds| seconds <= 60), "{ticket}");
        if code == "token_revoked" {
            server.store().revoke_link(&revoked.id, UnixTime::now()).expect("revoked");
        }
        assert_eq!(viewer.expect("notice").await[0]["code"], code);
        assert_eq!(robot.expect("disconnectPeer").await, [json!(viewer.id)]);
        assert_eq!(robot.expect("bye").await, [json!(viewer.id)]);
        viewer.ended().await;
    }
    server.stop().await;
}
