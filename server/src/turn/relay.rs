//! A closed TURN relay (RFC 8656): it carries only between addresses of its own, so that nothing behind it can be reached.
//!
//! This is the relay's pure core. Its addresses are ports of one address that nobody listens to: what is sent to one of them
//! is handed to the client that holds it, and never leaves by a socket of its own. Each message makes at most one other, which
//! is written into the caller's buffer.
//!
//! Invariants: nothing is remembered of whoever has not shown credentials; an allocation ends with them, or when they are taken
//! back; a robot reaches its viewers, a viewer its robot, and neither anybody else.

mod refusal;
mod requests;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use super::{
    allocation::{Allocation, CHANNELS, Flow},
    barred::Barred,
    counters::Counters,
    credentials::{UnixTime, belong_together},
    message::{Class, Message, Method, Writer, attribute, split_channel_data, write_channel_data},
    nonce::Nonces,
    pace::Strangers,
};
use daemon::secret::Secret;

/// Larger ones come from nobody who sends pictures.
pub(super) const MAX_MESSAGE: usize = 4096;

/// The ports that allocations get: those that the system hands out, too, so that nothing is mistaken for a service.
const PORTS: RangeInclusive<u16> = 49152..=65535;

/// Pictures come more often than that.
const QUIET: Duration = Duration::from_secs(3);

/// What the operator decided, and what the system made up.
pub(super) struct Settings {
    /// Where allocations seem to be.
    pub(super) address: IpAddr,
    pub(super) realm: String,
    pub(super) secret: Secret,
    pub(super) max_allocations: usize,
    pub(super) max_per_user: usize,
    pub(super) max_per_address: usize,
    /// Of each allocation.
    pub(super) bytes_per_second: u64,
    /// Random.
    pub(super) seed: [u8; 32],
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) instant: Instant,
    pub(super) unix: UnixTime,
}

pub(super) struct Relay {
    settings: Settings,
    nonces: Nonces,
    strangers: Strangers,
    allocations: HashMap<u16, Allocation>,
    flows: HashMap<Flow, u16>,
    barred: Barred,
    /// Where the search for a free port begins.
    next_port: u64,
    indications: u64,
    counters: Counters,
}

impl Relay {
    pub(super) fn new(settings: Settings, start: Instant) -> Self {
        let [low, high] = [0, 8].map(|at| settings.seed[at..].first_chunk().copied().map_or(0, u64::from_le_bytes));
        Self {
            nonces: Nonces::new(&settings.seed[16..], start),
            strangers: Strangers::new(low, start),
            allocations: HashMap::new(),
            flows: HashMap::new(),
            barred: Barred::default(),
            next_port: high,
            indications: 0,
            counters: Counters::default(),
            settings,
        }
    }

    /// Takes one message. To whom what it has written goes, if to anybody.
    pub(super) fn handle(&mut self, flow: Flow, bytes: &[u8], now: Now, out: &mut Vec<u8>) -> Option<Flow> {
        if bytes.len() > MAX_MESSAGE {
            return None;
        }
        if let Some((number, payload)) = split_channel_data(bytes)
            && CHANNELS.contains(&number)
        {
            let (from, to) = {
                let (from, allocation) = self.heard(flow, now.instant)?;
                (from, allocation.peer_of(number, now.instant))
            };
            return self.carry(from, to, payload, now.instant, out);
        }
        let message = Message::parse(bytes)?;
        match (message.class, message.method) {
            (Class::Request, Method::Send | Method::Data) => None,
            (Class::Request, _) => self.handle_request(flow, &message, now, out),
            (Class::Indication, Method::Send) => self.handle_send(flow, &message, now.instant, out),
            (Class::Indication | Class::Success | Class::Error, _) => None,
        }
    }

    /// The client has gone: its connection has.
    pub(super) fn forget(&mut self, flow: Flow) {
        if let Some(port) = self.flows.get(&flow).copied() {
            self.remove(port);
        }
    }

    /// Takes credentials back that end by `until`, and what was granted by them.
    pub(super) fn bar(&mut self, holder: String, until: UnixTime) {
        let granted = self.allocations.iter().filter(|(_, allocation)| allocation.holder == holder);
        let granted: Vec<u16> = granted.map(|(port, _)| *port).collect();
        tracing::debug!(holder, allocations = granted.len(), "credentials taken back");
        for port in granted {
            self.remove(port);
        }
        self.barred.add(holder, until);
    }

    pub(super) fn serves(&self, flow: Flow) -> bool {
        self.flows.contains_key(&flow)
    }

    /// Lets go of what has ended. It counts for nothing before already.
    pub(super) fn sweep(&mut self, now: Instant) {
        let ended = self.allocations.iter().filter(|(_, allocation)| !allocation.stands(now));
        let ended: Vec<u16> = ended.map(|(port, _)| *port).collect();
        for port in ended {
            self.remove(port);
        }
        for allocation in self.allocations.values_mut() {
            allocation.forget_channels(now);
        }
    }

    /// Whether somebody would miss it: robots have allocations all the time, whether anybody watches by them or not.
    pub(super) fn is_carrying(&self, now: Instant) -> bool {
        self.allocations
            .values()
            .filter(|allocation| allocation.stands(now))
            .any(|allocation| allocation.carried_at.is_some_and(|at| now.saturating_duration_since(at) < QUIET))
    }

    pub(super) fn counters(&self) -> Counters {
        Counters { allocations: self.allocations.len(), ..self.counters }
    }

    fn handle_send(&mut self, flow: Flow, message: &Message, now: Instant, out: &mut Vec<u8>) -> Option<Flow> {
        let (from, _) = self.heard(flow, now)?;
        let (Some(peer), Some(payload)) = (message.peers().next()?, message.find(attribute::DATA)) else {
            return None;
        };
        let to = (peer.ip() == self.settings.address).then_some(peer.port());
        self.carry(from, to, payload, now, out)
    }

    /// From one allocation to another, as both want it.
    fn carry(&mut self, from: u16, to: Option<u16>, payload: &[u8], now: Instant, out: &mut Vec<u8>) -> Option<Flow> {
        let to = to.filter(|to| self.may_speak(from, *to, now));
        let permits = |port: &u16| self.allocations.get(port).is_some_and(|allocation| allocation.permits(now));
        let Some(to) = to.filter(|to| permits(&from) && permits(to)) else {
            self.counters.stray_packets += 1;
            return None;
        };
        let sender = self.allocations.get_mut(&from)?;
        if !sender.allowance.take(payload.len(), now) {
            self.counters.throttled_packets += 1;
            return None;
        }
        let length = u64::try_from(payload.len()).unwrap_or_default();
        sender.carried += length;
        sender.carried_at = Some(now);
        self.counters.relayed_packets += 1;
        self.counters.relayed_bytes += length;

        let receiver = self.allocations.get(&to)?;
        match receiver.channel_to(from, now) {
            Some(number) => write_channel_data(out, number, payload, receiver.flow.is_stream()),
            None => {
                self.indications = self.indications.wrapping_add(1);
                let mut transaction = [0; 12];
                transaction[4..].copy_from_slice(&self.indications.to_be_bytes());
                Writer::new(out, Method::Data, Class::Indication, &transaction)
                    .add_address(attribute::XOR_PEER_ADDRESS, SocketAddr::new(self.settings.address, from))
                    .add(attribute::DATA, payload);
            }
        }
        Some(receiver.flow)
    }

    fn may_speak(&self, from: u16, to: u16, now: Instant) -> bool {
        let standing = |port| self.allocations.get(&port).filter(|allocation| allocation.stands(now));
        let holders = standing(from).zip(standing(to));
        holders.is_some_and(|(from, to)| belong_together(&from.holder, &to.holder))
    }

    /// The allocation of whoever speaks there.
    fn heard(&mut self, flow: Flow, now: Instant) -> Option<(u16, &mut Allocation)> {
        let port = *self.flows.get(&flow)?;
        let allocation = self.allocations.get_mut(&port).filter(|allocation| allocation.stands(now))?;
        allocation.heard = now;
        Some((port, allocation))
    }

    /// In no order that one could foresee, so that a port which comes free is not taken by another at once.
    fn free_port(&mut self, step: usize) -> Option<u16> {
        // Knuth's constants for a generator of full period.
        self.next_port = self.next_port.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let first = usize::try_from(self.next_port >> 33).unwrap_or_default() % PORTS.len() / step * step;
        let mut ports = PORTS.skip(first).chain(PORTS.take(first)).step_by(step);
        ports.find(|port| !self.allocations.contains_key(port))
    }

    fn remove(&mut self, port: u16) {
        if let Some(allocation) = self.allocations.remove(&port) {
            self.flows.remove(&allocation.flow);
            tracing::debug!(port, holder = allocation.holder, carried = allocation.carried, "relay ended");
        }
    }
}
