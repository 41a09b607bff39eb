//! What `make fuzz` reaches of names and of the servers that help.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use bytes::BytesMut;

use super::{CandidateKind, Credentials, LocalName, Reach, Server, ServerId, Transmit, Transport, names};
use crate::transport::{Datagram, fuzz::Shared};

pub use super::shell::fuzz::{Sought, sought};

/// Names and addresses that a packet of multicast DNS tells.
pub fn told(packet: &[u8]) -> Vec<(String, IpAddr)> {
    names::answers(packet)
}

/// The packet that asks for a name, if it is one to ask for.
pub fn question(name: &str) -> Option<Vec<u8>> {
    LocalName::new(name).map(|name| names::question(name.as_str()))
}

/// Where the robot is, and its two servers, of which the second is spoken to over TCP.
pub const ROBOT: ([u8; 4], u16) = ([10, 0, 0, 1], 8190);
const SERVERS: [ServerId; 2] = [server(1, Transport::Udp), server(2, Transport::Tcp)];

const fn server(number: u8, transport: Transport) -> ServerId {
    let address = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(192, 0, 2, number), 3478));
    ServerId { address, transport }
}

/// What reaches a session by a relay.
#[derive(Debug)]
pub struct Relayed {
    pub data: Vec<u8>,
    pub from: SocketAddr,
    pub to: SocketAddr,
}

/// A robot with relays.
pub struct Helped {
    reach: Reach,
    now: Instant,
}

impl Helped {
    pub fn new(shared: &Shared, now: Instant) -> Self {
        let mut helped = Self { reach: Reach::new(shared.0.crypto.clone()), now };
        helped.name("a");
        helped
    }

    /// The server gives these credentials for them from now on.
    pub fn name(&mut self, username: &str) {
        let relay = Some(Credentials { username: username.to_owned(), password: "b".to_owned() });
        let servers = SERVERS.map(|id| Server { id, relay: relay.clone() });
        self.reach.set_servers(servers.to_vec(), self.now);
    }

    /// Something that comes from one of them. What is none of its words is for the sessions.
    pub fn hear(&mut self, by_stream: bool, data: &[u8]) -> Option<Relayed> {
        let data = BytesMut::from(data);
        let relayed = if by_stream {
            self.reach.handle_stream(SERVERS[1], data, self.now)
        } else {
            self.reach.handle_datagram(Datagram { data, from: SERVERS[0].address, to: ROBOT.into() }, self.now)
        };
        relayed.map(|Datagram { data, from, to }| Relayed { data: data.to_vec(), from, to })
    }

    pub fn line(&mut self, is_up: bool) {
        if is_up {
            self.reach.handle_stream_up(SERVERS[1], self.now);
        } else {
            self.reach.handle_stream_down(SERVERS[1]);
        }
    }

    pub fn permit(&mut self, peer: SocketAddr) {
        self.reach.permit(peer, self.now);
    }

    pub fn send(&mut self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        self.reach.wrap(Datagram { data: BytesMut::from(payload), from, to }, self.now);
    }

    /// Those of its addresses that are a relay's, and all others.
    pub fn addresses(&self) -> [Vec<SocketAddr>; 2] {
        let of = |kind| self.reach.candidates().filter(|found| found.kind == kind).map(|found| found.address).collect();
        [of(CandidateKind::Relay), of(CandidateKind::ServerReflexive)]
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.reach.handle_timeout(self.now);
    }

    /// When it wants to be woken, if not at once.
    pub fn sleeps(&self) -> Option<Duration> {
        self.reach.poll_timeout().map(|at| at.saturating_duration_since(self.now))
    }

    /// What it wants sent, and whether by the stream.
    pub fn asks(&mut self) -> Vec<(bool, Vec<u8>)> {
        while self.reach.poll_event().is_some() {}
        let asked = std::iter::from_fn(|| self.reach.poll_transmit()).map(|transmit| match transmit {
            Transmit::Udp(datagram) => (false, datagram.data.to_vec()),
            Transmit::Stream(_, data) => (true, data.to_vec()),
        });
        asked.collect()
    }
}
