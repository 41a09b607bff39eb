//! The rooms, told what happens in the words of the wire, with invented ids and instants.

mod audited;
mod elsewhere;
mod guarded;
mod joining;
mod publishing;
mod random;
mod relaying;
mod reporting;
mod returning;
mod snapshots;
mod witness;

use std::time::{Duration, Instant};

use protocol::{IceServer, PeerId, ToServer};

use super::{Door, Ending, Input, News, Output, Reply, Rooms, Settings};
use crate::{figures::Moment, turn::credentials::Holder};

const GRACE: Duration = Duration::from_secs(10);

/// A robot that relays are listed for.
const RELAYED: &str = "relayed";
const RENEW_ICE: Duration = Duration::from_secs(3600);

const OFFER: &str = r#"{"type":"offer","sdp":"v=0\r\nm=video 9 x 96\r\n"}"#;
const ANSWER: &str = r#"{"type":"answer","sdp":"v=0\r\nm=video 9 x 96\r\n"}"#;
const CANDIDATE: &str = r#"{"candidate":"candidate:1 1 udp 1 192.0.2.1 1 typ host"}"#;

pub(super) fn peer(id: &str) -> PeerId {
    id.parse().expect("an id")
}

fn server(holder: &str) -> IceServer {
    IceServer { urls: vec![format!("stun:{holder}")], username: None, credential: None }
}

/// Everything around the rooms. Session ids count up from `s1`.
pub(super) struct World {
    pub(super) rooms: Rooms,
    pub(super) now: Instant,
    /// What the rooms had to tell, and nobody has asked for yet.
    pub(super) news: Vec<News>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::behind(Door::Open)
    }

    #[expect(clippy::disallowed_methods, reason = "an instant to count from; std has no other way to make one")]
    pub(super) fn behind(door: Door) -> Self {
        let settings = Settings {
            default_robot: "demo".parse().expect("an id"),
            max_robots: 3,
            max_viewers: 3,
            session_grace: GRACE,
            renew_ice_after: None,
            report_every: None,
        };
        let mut minted = 0;
        let mint = move || {
            minted += 1;
            format!("s{minted}").parse().expect("an id")
        };
        // In these tests no relay needs credentials, unless it is asked for by name.
        let list = |holder: &Holder, most: Option<Duration>| match holder {
            Holder::Robot(robot) if robot.as_str() == RELAYED => vec![server("robot")],
            Holder::Viewer { robot, .. } if robot.as_str() == RELAYED => {
                vec![server(&most.map_or("viewer".to_owned(), |most| format!("for-{}", most.as_secs())))]
            }
            Holder::Robot(_) | Holder::Viewer { .. } => Vec::new(),
        };
        let now = Instant::now();
        let begun = Moment { at: now, unix: 1_000_000 };
        let rooms = Rooms::new(settings, door, Box::new(mint), Box::new(list), begun);
        Self { rooms, now, news: Vec::new() }
    }

    /// With these connections, which have said nothing.
    pub(super) fn with(peers: &[&str]) -> Self {
        let mut world = Self::new();
        for peer in peers {
            assert_eq!(world.connect(peer), [""; 0]);
        }
        world
    }

    pub(super) fn input(&mut self, input: Input) -> Vec<Output> {
        self.rooms.handle(input, self.now);
        self.drain()
    }

    pub(super) fn drain(&mut self) -> Vec<Output> {
        self.news.extend(std::iter::from_fn(|| self.rooms.poll_news()));
        std::iter::from_fn(|| self.rooms.poll_output()).collect()
    }

    pub(super) fn connect(&mut self, id: &str) -> Vec<String> {
        written(self.input(Input::Connected { peer: peer(id), pass: None, is_local: false, guest_of: None }))
    }

    pub(super) fn end(&mut self, id: &str, ending: Ending) -> Vec<String> {
        written(self.input(Input::Disconnected { peer: peer(id), ending }))
    }

    /// Without an acknowledgement, as pages of the family do.
    pub(super) fn say(&mut self, from: &str, text: &str) -> Vec<String> {
        let message = ToServer::decode(text).expect(text);
        written(self.input(Input::Said { from: peer(from), message, wants_reply: false }))
    }

    /// With an acknowledgement, which is written last.
    pub(super) fn ask(&mut self, from: &str, text: &str) -> Vec<String> {
        let message = ToServer::decode(text).expect(text);
        written(self.input(Input::Said { from: peer(from), message, wants_reply: true }))
    }

    pub(super) fn pass(&mut self, time: Duration) -> Vec<String> {
        self.now += time;
        self.rooms.handle_timeout(self.now);
        written(self.drain())
    }

    pub(super) fn is_empty(&self) -> bool {
        let Rooms {
            peers,
            robots,
            sessions,
            deadlines,
            snapshots,
            out,
            news,
            passes,
            expiries,
            claims,
            local,
            others,
            publications,
            ..
        } = &self.rooms;
        peers.is_empty()
            && passes.is_empty()
            && expiries.is_empty()
            && local.is_empty()
            && claims.is_empty()
            && others.is_empty()
            && publications.is_empty()
            && robots.is_empty()
            && sessions.is_empty()
            && deadlines.is_empty()
            && snapshots.is_empty()
            && out.is_empty()
            && news.is_empty()
    }
}

/// `receiver ["event", …]`, or `reply {…}`, without the nulls at the end.
fn written(outputs: Vec<Output>) -> Vec<String> {
    let event = |to: &PeerId, text: String| format!("{to} {}", text.replace(",null", ""));
    let json = |result: serde_json::Result<String>| result.expect("encodes");
    let write = |output: &Output| match output {
        Output::ToViewer { to, message } => event(to, json(serde_json::to_string(message))),
        Output::Close { peer } => format!("{peer} closed"),
        Output::ToRobot { to, message } => event(to, json(serde_json::to_string(message))),
        Output::Reply(Reply::Watch(reply)) => format!("reply {}", json(serde_json::to_string(reply))),
        Output::Forward { to, what } => format!("{to} {what:?}"),
        Output::Errand(errand) => format!("engine {errand:?}"),
        Output::Snapshot { asker, answer: Ok(jpeg) } => format!("{} {}", asker.0, String::from_utf8_lossy(jpeg)),
        Output::Snapshot { asker, answer: Err(notice) } => format!("{} {}: {}", asker.0, notice.code, notice.message),
        Output::Reply(Reply::Register(reply)) => format!("reply {}", json(serde_json::to_string(reply))),
    };
    outputs.iter().map(write).collect()
}

/// Asserts that there is one output, which contains all of these.
#[track_caller]
pub(super) fn assert_one(outputs: &[String], parts: &[&str]) {
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    for part in parts {
        assert!(outputs[0].contains(part), "{} should contain {part}", outputs[0]);
    }
}
