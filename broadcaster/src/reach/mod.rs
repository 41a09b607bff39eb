//! How the shared socket is reached from elsewhere: the address that the outside sees, and relays where there is no way in.
//!
//! [`Reach`] decides, and is pure: no socket, no task, no clock. [`shell`] finds the servers, holds the lines to those that are
//! spoken to over TCP or TLS, and asks the local network for viewers' names. One robot has one of each, for all its viewers.
//! Sessions see datagrams as if relays were not there: a relayed address is one more local address of theirs.

mod allocation;
mod binding;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod message;
mod names;
mod peers;
mod server;
mod shell;
mod survey;
#[cfg(test)]
mod tests;
mod transaction;
mod wire;

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use rtc_crypto::RTCCryptoProvider;

use crate::transport::Datagram;
use allocation::Allocation;
use binding::Binding;
pub(crate) use names::LocalName;
pub(crate) use server::{Credentials, Server, ServerId, Transport};
pub(crate) use shell::{ReachInput, ReachTasks, Requests, look_from_outside};
pub(crate) use survey::{Nat, Sighting};

/// Each costs every viewer candidates to try: more make joining slower, not likelier.
pub(crate) const MAX_SERVERS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CandidateKind {
    /// What a NAT makes of us.
    ServerReflexive,
    Relay,
}

/// An address at which viewers may reach us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalCandidate {
    pub(crate) kind: CandidateKind,
    pub(crate) address: SocketAddr,
    /// What sessions send from: the socket's address, or for a relay its own.
    pub(crate) base: SocketAddr,
    /// How the server is spoken to: a relay over TCP is worse than one over UDP, since what is lost there holds up the rest.
    pub(crate) transport: Transport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReachEvent {
    Found(LocalCandidate),
    Lost(LocalCandidate),
}

/// What must be sent.
pub(crate) enum Transmit {
    /// From the media socket; an unspecified `from` leaves the choice to the kernel.
    Udp(Datagram),
    /// A whole message for that server's stream.
    Stream(ServerId, Bytes),
}

pub(crate) struct Reach {
    crypto: Arc<dyn RTCCryptoProvider>,
    stations: Vec<Station>,
    /// What was announced.
    known: Vec<LocalCandidate>,
    events: VecDeque<ReachEvent>,
    /// Last words to servers that are no longer used.
    farewells: VecDeque<Transmit>,
}

/// Everything about one server.
struct Station {
    id: ServerId,
    binding: Option<Binding>,
    allocation: Option<Allocation>,
}

impl Reach {
    pub(crate) fn new(crypto: Arc<dyn RTCCryptoProvider>) -> Self {
        Self { crypto, stations: Vec::new(), known: Vec::new(), events: VecDeque::new(), farewells: VecDeque::new() }
    }

    /// The servers to use from now on. What there is with those among them that are in use already stays; none: everything is
    /// given back.
    pub(crate) fn set_servers(&mut self, servers: Vec<Server>, now: Instant) {
        let mut former = std::mem::take(&mut self.stations);
        for Server { id, relay } in merge(servers) {
            let known = former.iter().position(|station| station.id == id);
            let mut station = known.map_or_else(|| Station::new(id, now), |index| former.swap_remove(index));
            station.nudge(now);
            match relay {
                Some(credentials) => station.set_relay(credentials, &self.crypto, now),
                None => self.farewells.extend(station.drop_relay(now)),
            }
            self.stations.push(station);
        }
        for mut station in former {
            self.farewells.extend(station.drop_relay(now));
        }
        self.announce();
    }

    /// Takes what the socket received. What comes back is for the sessions: the same, or what came out of a relay.
    pub(crate) fn handle_datagram(&mut self, datagram: Datagram, now: Instant) -> Option<Datagram> {
        let id = ServerId { address: canonical(datagram.from), transport: Transport::Udp };
        let Some(station) = self.stations.iter_mut().find(|station| station.id == id) else {
            return Some(datagram);
        };
        let relayed = station.handle(datagram.data, datagram.to, now);
        if relayed.is_none() {
            self.announce();
        }
        relayed
    }

    /// Takes one whole message that came through a server's stream. What comes back is for the sessions.
    pub(crate) fn handle_stream(&mut self, server: ServerId, data: BytesMut, now: Instant) -> Option<Datagram> {
        let station = self.stations.iter_mut().find(|station| station.id == server)?;
        let relayed = station.handle(data, server.address, now);
        if relayed.is_none() {
            self.announce();
        }
        relayed
    }

    pub(crate) fn handle_stream_up(&mut self, server: ServerId, now: Instant) {
        if let Some(allocation) = self.stream(server) {
            allocation.handle_up(now);
            self.announce();
        }
    }

    pub(crate) fn handle_stream_down(&mut self, server: ServerId) {
        if let Some(allocation) = self.stream(server) {
            allocation.handle_down();
            self.announce();
        }
    }

    /// Whether datagrams that a session sends from there go by [`Self::wrap`].
    pub(crate) fn is_relay(&self, from: SocketAddr) -> bool {
        self.stations.iter().any(|station| station.relayed() == Some(from))
    }

    /// Sends a session's datagram through the relay that its `from` belongs to. Lost when that is gone, as on any network.
    pub(crate) fn wrap(&mut self, datagram: Datagram, now: Instant) {
        let station = self.stations.iter_mut().find(|station| station.relayed() == Some(datagram.from));
        if let Some(allocation) = station.and_then(|station| station.allocation.as_mut()) {
            allocation.send(canonical(datagram.to), &datagram.data, now);
        }
    }

    /// A viewer's address that sessions will speak to through relays: said early it spares the first checks a round trip.
    pub(crate) fn permit(&mut self, peer: SocketAddr, now: Instant) {
        for allocation in self.stations.iter_mut().filter_map(|station| station.allocation.as_mut()) {
            allocation.permit(canonical(peer), now);
        }
    }

    /// What is known now; events tell of changes.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = LocalCandidate> {
        self.known.iter().copied()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for station in &mut self.stations {
            station.handle_timeout(now);
        }
        self.announce();
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.stations.iter().filter_map(Station::poll_timeout).min()
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.farewells.pop_front().or_else(|| self.stations.iter_mut().find_map(Station::poll_transmit))
    }

    pub(crate) fn poll_event(&mut self) -> Option<ReachEvent> {
        self.events.pop_front()
    }

    fn stream(&mut self, server: ServerId) -> Option<&mut Allocation> {
        let station = self.stations.iter_mut().find(|station| station.id == server)?;
        station.allocation.as_mut().filter(|_| server.transport != Transport::Udp)
    }

    /// Turns what has changed into events. Two servers that see us at the same address make one candidate.
    fn announce(&mut self) {
        let mut current: Vec<LocalCandidate> = Vec::with_capacity(2 * MAX_SERVERS);
        for candidate in self.stations.iter().flat_map(Station::candidates) {
            if !current.contains(&candidate) {
                current.push(candidate);
            }
        }
        if current == self.known {
            return;
        }
        self.events.extend(self.known.iter().filter(|known| !current.contains(known)).copied().map(ReachEvent::Lost));
        self.events.extend(current.iter().filter(|found| !self.known.contains(found)).copied().map(ReachEvent::Found));
        self.known = current;
    }
}

impl Station {
    fn new(id: ServerId, now: Instant) -> Self {
        // Only the media socket's own address is worth knowing.
        let binding = (id.transport == Transport::Udp).then(|| Binding::new(now));
        Self { id, binding, allocation: None }
    }

    fn nudge(&mut self, now: Instant) {
        if let Some(binding) = &mut self.binding {
            binding.nudge(now);
        }
    }

    /// Gives the station its relay, or new credentials for it.
    fn set_relay(&mut self, credentials: Credentials, crypto: &Arc<dyn RTCCryptoProvider>, now: Instant) {
        match &mut self.allocation {
            Some(allocation) => allocation.set_credentials(credentials, now),
            None => self.allocation = Some(Allocation::new(self.id, credentials, Arc::clone(crypto), now)),
        }
    }

    /// What remains to be said to the relay.
    fn drop_relay(&mut self, now: Instant) -> Vec<Transmit> {
        let Some(mut allocation) = self.allocation.take() else {
            return Vec::new();
        };
        allocation.release(now);
        std::iter::from_fn(|| allocation.poll_transmit()).map(|data| self.transmit(data)).collect()
    }

    fn relayed(&self) -> Option<SocketAddr> {
        self.allocation.as_ref()?.relayed()
    }

    fn candidates(&self) -> impl Iterator<Item = LocalCandidate> {
        let transport = self.id.transport;
        let relay = |address| LocalCandidate { kind: CandidateKind::Relay, address, base: address, transport };
        self.binding.as_ref().and_then(Binding::candidate).into_iter().chain(self.relayed().map(relay))
    }

    fn handle(&mut self, data: BytesMut, to: SocketAddr, now: Instant) -> Option<Datagram> {
        let (from, data) = if message::is_channel_data(&data) {
            self.allocation.as_ref()?.handle_channel_data(data)?
        } else {
            let message = message::decode(&data)?;
            if self.binding.as_mut().is_some_and(|binding| binding.handle_message(&message, to, now)) {
                return None;
            }
            self.allocation.as_mut()?.handle_message(message, now)?
        };
        Some(Datagram { data, from, to: self.relayed()? })
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(binding) = &mut self.binding {
            binding.handle_timeout(now);
        }
        if let Some(allocation) = &mut self.allocation {
            allocation.handle_timeout(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let binding = self.binding.as_ref().map(Binding::poll_timeout);
        let allocation = self.allocation.as_ref().and_then(Allocation::poll_timeout);
        binding.into_iter().chain(allocation).min()
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let asked = self.binding.as_mut().and_then(Binding::poll_transmit);
        let data = asked.or_else(|| self.allocation.as_mut().and_then(Allocation::poll_transmit))?;
        Some(self.transmit(data))
    }

    fn transmit(&self, data: BytesMut) -> Transmit {
        match self.id.transport {
            Transport::Udp => Transmit::Udp(Datagram { data, from: any_port(self.id.address), to: self.id.address }),
            Transport::Tcp | Transport::Tls => Transmit::Stream(self.id, data.freeze()),
        }
    }
}

/// One entry a server, and no more than [`MAX_SERVERS`]: most relays tell addresses, too, and are listed for both.
fn merge(servers: Vec<Server>) -> Vec<Server> {
    let mut merged: Vec<Server> = Vec::with_capacity(MAX_SERVERS);
    for Server { mut id, relay } in servers {
        id.address = canonical(id.address);
        if let Some(server) = merged.iter_mut().find(|server| server.id == id) {
            server.relay = server.relay.take().or(relay);
        } else if merged.len() < MAX_SERVERS {
            merged.push(Server { id, relay });
        }
    }
    merged
}

/// The source that the kernel chooses on the way to there.
fn any_port(to: SocketAddr) -> SocketAddr {
    match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
