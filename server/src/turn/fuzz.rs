//! What `make fuzz` reaches of the relay: the pure core, spoken to as clients do.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use super::{
    allocation::Flow,
    counters::Counters,
    credentials::{self, Credentials, Holder, mint},
    message::{Class, Message, Method, Writer, attribute, frame_length},
    relay::{Now, Relay, Settings},
};
use daemon::secret::Secret;

const REALM: &str = "panocast";
const UNIX: u64 = 1_700_000_000;

/// As the operator may set them, and small.
pub const MAX_ALLOCATIONS: usize = 12;
pub const MAX_PER_USER: usize = 2;
pub const BYTES_PER_SECOND: u64 = 10_000;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Bind,
    Allocate,
    Refresh(u32),
    Permit(SocketAddr),
    Channel(u16, SocketAddr),
}

/// The relay, on invented time.
pub struct World {
    relay: Relay,
    start: Instant,
    now: Instant,
}

/// Somebody with credentials, which may be none of ours.
pub struct Client {
    flow: Flow,
    /// `None`: a stranger, who has none.
    pub holder: Option<String>,
    credentials: Credentials,
    nonce: Vec<u8>,
    asked: u64,
    pub relayed: Option<SocketAddr>,
}

impl World {
    pub fn new(address: IpAddr, start: Instant) -> Self {
        let settings = Settings {
            address,
            realm: REALM.to_owned(),
            secret: secret(),
            max_allocations: MAX_ALLOCATIONS,
            max_per_user: MAX_PER_USER,
            max_per_address: MAX_ALLOCATIONS,
            bytes_per_second: BYTES_PER_SECOND,
            seed: [7; 32],
        };
        Self { relay: Relay::new(settings, start), start, now: start }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.relay.sweep(self.now);
    }

    /// What comes of a message: to which of the clients, and what.
    pub fn send(&mut self, clients: &[Client], from: usize, bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
        let unix = UNIX + self.now.duration_since(self.start).as_secs();
        let mut out = Vec::new();
        let to = self.relay.handle(clients[from].flow, bytes, Now { instant: self.now, unix }, &mut out)?;
        let to = clients.iter().position(|client| client.flow == to).expect("it goes to one of the clients");
        Some((to, out))
    }

    pub fn forget(&mut self, client: &Client) {
        self.relay.forget(client.flow);
    }

    pub fn bar(&mut self, client: &Client) {
        if let Some(holder) = &client.holder {
            self.relay.bar(holder.clone(), u64::MAX);
        }
    }

    pub fn serves(&self, client: &Client) -> bool {
        self.relay.serves(client.flow)
    }

    pub fn counters(&self) -> Counters {
        self.relay.counters()
    }
}

impl Client {
    /// `tag`: a robot's viewer. Credentials hold for an hour.
    pub fn of(port: u16, robot: &str, tag: Option<u64>, is_stream: bool) -> Self {
        let robot = robot.parse().expect("an id");
        let holder = match tag {
            None => Holder::Robot(robot),
            Some(tag) => Holder::Viewer { robot, tag },
        };
        let credentials = mint(&secret(), &holder, UNIX + 3600);
        Self::new(port, is_stream, Some(holder.to_string()), credentials)
    }

    pub fn stranger(port: u16) -> Self {
        let username = format!("{}:demo", UNIX + 3600);
        Self::new(port, false, None, Credentials { username, password: "guessed".to_owned() })
    }

    fn new(port: u16, is_stream: bool, holder: Option<String>, credentials: Credentials) -> Self {
        let client = SocketAddr::from(([192, 0, 2, 1], port));
        let flow = if is_stream {
            Flow::Tcp { connection: port.into(), client }
        } else {
            Flow::Udp { socket: 0, local: IpAddr::from([203, 0, 113, 5]), client }
        };
        Self { flow, holder, credentials, nonce: Vec::new(), asked: 0, relayed: None }
    }

    /// A request, signed as soon as it was answered once.
    pub fn ask(&mut self, ask: Ask) -> Vec<u8> {
        self.asked += 1;
        let mut transaction = [0; 12];
        transaction[..8].copy_from_slice(&self.asked.to_be_bytes());
        let method = match ask {
            Ask::Bind => Method::Binding,
            Ask::Allocate => Method::Allocate,
            Ask::Refresh(_) => Method::Refresh,
            Ask::Permit(_) => Method::CreatePermission,
            Ask::Channel(..) => Method::ChannelBind,
        };
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, method, Class::Request, &transaction);
        match ask {
            Ask::Bind => {}
            Ask::Allocate => drop(writer.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0])),
            Ask::Refresh(seconds) => drop(writer.add(attribute::LIFETIME, &seconds.to_be_bytes())),
            Ask::Permit(peer) => drop(writer.add_address(attribute::XOR_PEER_ADDRESS, peer)),
            Ask::Channel(number, peer) => {
                let [upper, lower] = number.to_be_bytes();
                let channel = [upper, lower, 0, 0];
                writer.add(attribute::CHANNEL_NUMBER, &channel).add_address(attribute::XOR_PEER_ADDRESS, peer);
            }
        }
        if !self.nonce.is_empty() {
            let Credentials { username, password } = &self.credentials;
            writer
                .add(attribute::USERNAME, username.as_bytes())
                .add(attribute::REALM, REALM.as_bytes())
                .add(attribute::NONCE, &self.nonce)
                .sign(&credentials::key(username, REALM, password));
        }
        out
    }

    /// Data in the long form.
    pub fn say(peer: SocketAddr, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out, Method::Send, Class::Indication, &[1; 12])
            .add_address(attribute::XOR_PEER_ADDRESS, peer)
            .add(attribute::DATA, payload);
        out
    }

    /// Learns from an answer, which must be a message.
    pub fn hear(&mut self, bytes: &[u8]) {
        let Some(message) = Message::parse(bytes) else {
            return assert!(
                bytes.first().is_some_and(|first| first >> 6 == 1),
                "neither a message nor data: {bytes:?}"
            );
        };
        if let Some(nonce) = message.find(attribute::NONCE) {
            self.nonce = nonce.to_vec();
        }
        if message.method == Method::Allocate && message.class == Class::Success {
            self.relayed = message.address_of(attribute::XOR_RELAYED_ADDRESS);
        }
    }
}

/// The lengths of the messages that a stream begins with, up to where it is none of ours.
pub fn frames(mut stream: &[u8]) -> Vec<usize> {
    let mut lengths = Vec::new();
    while let Ok(Some(length)) = frame_length(stream)
        && let Some(rest) = stream.get(length..)
    {
        lengths.push(length);
        stream = rest;
    }
    lengths
}

/// The peers that a message names, if it is one.
pub fn peers(bytes: &[u8]) -> Option<Vec<Option<SocketAddr>>> {
    Some(Message::parse(bytes)?.peers().collect())
}

fn secret() -> Secret {
    Secret::from("a secret of the fuzzer's".to_owned())
}
