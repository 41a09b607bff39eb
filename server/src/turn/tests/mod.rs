//! The relay, spoken to as clients do, with invented addresses and instants.

mod carrying;
mod granting;
mod loops;
mod random;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    allocation::Flow,
    counters::Counters,
    credentials::{self, Credentials, Holder, UnixTime, mint},
    message::{Class, Key, Message, Method, Writer, attribute},
    relay::{Now, Relay, Settings},
};
use daemon::secret::Secret;

const SECOND: Duration = Duration::from_secs(1);
const RELAY: &str = "203.0.113.5";
const REALM: &str = "panocast";

/// When the tests begin, and for how long credentials hold.
const UNIX: UnixTime = 1_700_000_000;
const HOLDS: UnixTime = 3600;

fn secret() -> Secret {
    Secret::from("a secret of the tests".to_owned())
}

fn robot(name: &str) -> Holder {
    Holder::Robot(name.parse().expect("an id"))
}

fn viewer(robot: &str, tag: u64) -> Holder {
    Holder::Viewer { robot: robot.parse().expect("an id"), tag }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

struct World {
    relay: Relay,
    start: Instant,
    now: Now,
}

/// A robot or a viewer, and what it knows of its relay.
struct Client {
    flow: Flow,
    credentials: Credentials,
    nonce: Vec<u8>,
    asked: u64,
    relayed: Option<SocketAddr>,
}

/// What a client was answered.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Success { lifetime: Option<u32>, mapped: Option<SocketAddr> },
    Error(u16),
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    #[expect(clippy::disallowed_methods, reason = "an instant to count from; std has no other way to make one")]
    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            address: RELAY.parse().expect("an address"),
            realm: REALM.to_owned(),
            secret: secret(),
            max_allocations: 100,
            max_per_user: 2,
            max_per_address: 10,
            bytes_per_second: 1_000_000,
            seed: [7; 32],
        };
        change(&mut settings);
        let start = Instant::now();
        Self { relay: Relay::new(settings, start), start, now: Now { instant: start, unix: UNIX } }
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.unix = UNIX + self.now.instant.duration_since(self.start).as_secs();
        self.relay.sweep(self.now.instant);
    }

    /// What comes of a message: to whom, and what.
    fn send(&mut self, flow: Flow, bytes: &[u8]) -> Option<(Flow, Vec<u8>)> {
        let mut out = Vec::new();
        let to = self.relay.handle(flow, bytes, self.now, &mut out)?;
        Some((to, out))
    }

    fn counters(&self) -> Counters {
        self.relay.counters()
    }

    /// With an allocation.
    fn client(&mut self, port: u16, holder: &Holder) -> Client {
        let mut client = Client::new(port, holder, UNIX + HOLDS);
        assert!(matches!(client.allocate(self), Answer::Success { .. }));
        client
    }

    /// A robot and a viewer of it who may speak to each other.
    fn couple(&mut self) -> (Client, Client) {
        let (mut robot, mut viewer) = (self.client(1, &robot("demo")), self.client(2, &viewer("demo", 1)));
        let [robots, viewers] = [&robot, &viewer].map(Client::relayed);
        assert!(robot.permit(self, viewers).is_success() && viewer.permit(self, robots).is_success());
        (robot, viewer)
    }
}

impl Answer {
    fn is_success(&self) -> bool {
        matches!(self, Self::Success { .. })
    }
}

impl Client {
    fn new(port: u16, holder: &Holder, until: UnixTime) -> Self {
        let client = SocketAddr::from(([192, 0, 2, 1], port));
        let flow = Flow::Udp { socket: 0, local: RELAY.parse().expect("an address"), client };
        Self::on(flow, mint(&secret(), holder, until))
    }

    fn on(flow: Flow, credentials: Credentials) -> Self {
        Self { flow, credentials, nonce: Vec::new(), asked: 0, relayed: None }
    }

    fn key(&self) -> Key {
        credentials::key(&self.credentials.username, REALM, &self.credentials.password)
    }

    fn relayed(&self) -> SocketAddr {
        self.relayed.expect("it has an allocation")
    }

    /// A request with its signature, or without if there is no nonce yet.
    fn request(&mut self, method: Method, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
        self.asked += 1;
        let mut transaction = [0; 12];
        transaction[..8].copy_from_slice(&self.asked.to_be_bytes());
        transaction[8..10].copy_from_slice(&self.flow.client().port().to_be_bytes());
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, method, Class::Request, &transaction);
        fill(&mut writer);
        if !self.nonce.is_empty() {
            writer
                .add(attribute::USERNAME, self.credentials.username.as_bytes())
                .add(attribute::REALM, REALM.as_bytes())
                .add(attribute::NONCE, &self.nonce)
                .sign(&self.key());
        }
        out
    }

    /// Asks, and once more if it is challenged.
    fn ask(&mut self, world: &mut World, method: Method, fill: impl Fn(&mut Writer)) -> Answer {
        for _ in 0..2 {
            let request = self.request(method, &fill);
            let signed = !self.nonce.is_empty();
            let (to, bytes) = world.send(self.flow, &request).expect("answered");
            assert_eq!(to, self.flow);
            let answer = Message::parse(&bytes).expect("a message");
            assert_eq!((answer.method, &answer.transaction[..]), (method, &request[8..20]));
            if answer.class == Class::Success {
                assert!(answer.is_signed_by(&self.key()), "what is granted is signed");
                let address = |kind| answer.address_of(kind);
                self.relayed = address(attribute::XOR_RELAYED_ADDRESS).or(self.relayed);
                let mapped = address(attribute::XOR_MAPPED_ADDRESS);
                return Answer::Success { lifetime: answer.number(attribute::LIFETIME), mapped };
            }
            assert_eq!(answer.class, Class::Error);
            let error = answer.find(attribute::ERROR_CODE).expect("a code");
            let code = u16::from(error[2]) * 100 + u16::from(error[3]);
            let challenged = (code == 401 && !signed) || code == 438;
            if !challenged {
                return Answer::Error(code);
            }
            assert_eq!(answer.text(attribute::REALM), Some(REALM));
            self.nonce = answer.find(attribute::NONCE).expect("a nonce").to_vec();
        }
        panic!("challenged again and again");
    }

    fn allocate(&mut self, world: &mut World) -> Answer {
        self.ask(world, Method::Allocate, |request| {
            request.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        })
    }

    fn refresh(&mut self, world: &mut World, lifetime: u32) -> Answer {
        self.ask(world, Method::Refresh, |request| {
            request.add(attribute::LIFETIME, &lifetime.to_be_bytes());
        })
    }

    fn permit(&mut self, world: &mut World, peer: SocketAddr) -> Answer {
        self.ask(world, Method::CreatePermission, |request| {
            request.add_address(attribute::XOR_PEER_ADDRESS, peer);
        })
    }

    fn bind(&mut self, world: &mut World, number: u16, peer: SocketAddr) -> Answer {
        let [high, low] = number.to_be_bytes();
        self.ask(world, Method::ChannelBind, |request| {
            request.add(attribute::CHANNEL_NUMBER, &[high, low, 0, 0]).add_address(attribute::XOR_PEER_ADDRESS, peer);
        })
    }

    /// In the long form.
    fn say(&self, world: &mut World, peer: SocketAddr, payload: &[u8]) -> Option<(Flow, Vec<u8>)> {
        let mut out = Vec::new();
        Writer::new(&mut out, Method::Send, Class::Indication, &[1; 12])
            .add_address(attribute::XOR_PEER_ADDRESS, peer)
            .add(attribute::DATA, payload);
        world.send(self.flow, &out)
    }
}
