//! The viewers' addresses that one allocation may speak to: permissions, and channels for those that have answered.
//!
//! A channel is bound only to an address from which something came: of the addresses that a viewer names most lead nowhere.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use rtc_stun::{
    attributes::{ATTR_CHANNEL_NUMBER, ATTR_XOR_PEER_ADDRESS},
    error_code::CODE_ALLOC_MISMATCH,
    message::{CLASS_REQUEST, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION, Message},
};

use super::{
    message,
    transaction::{Ask, Overdue},
    wire::{Answer, Wire},
};

/// Every viewer that a robot can have, with some addresses each.
const MAX_PEERS: usize = 512;

/// A permission lasts 5 minutes (RFC 8656, section 9.2).
const RENEW_PERMISSION: Duration = Duration::from_secs(4 * 60);

/// A channel lasts 10 minutes (RFC 8656, section 12).
const CHANNEL_LASTS: Duration = Duration::from_secs(10 * 60);
const RENEW_CHANNEL: Duration = Duration::from_secs(8 * 60);

/// After a refusal, or silence.
const RETRY: Duration = Duration::from_secs(60);

struct Peer {
    /// When something was last sent to it.
    used: Instant,
    permission: Ask,
    channel: Option<Channel>,
}

struct Channel {
    number: u16,
    bound_until: Option<Instant>,
    ask: Ask,
}

/// What an answer did to the allocation as a whole.
pub(super) enum Outcome {
    NotOurs,
    Settled,
    /// The server knows no such allocation any more.
    AllocationLost,
}

pub(super) struct Peers {
    peers: BTreeMap<SocketAddr, Peer>,
    channels: BTreeMap<u16, SocketAddr>,
    next_channel: u16,
    /// The earliest of all, so that packets need not look for it.
    deadline: Option<Instant>,
}

impl Peers {
    pub(super) fn new() -> Self {
        Self {
            peers: BTreeMap::new(),
            channels: BTreeMap::new(),
            next_channel: *message::CHANNELS.start(),
            deadline: None,
        }
    }

    /// Makes sure that an address may be spoken to.
    pub(super) fn permit(&mut self, address: SocketAddr, wire: &mut Wire, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&address) {
            peer.used = now;
            return;
        }
        if self.peers.len() >= MAX_PEERS
            && let Some(longest_unused) =
                self.peers.iter().min_by_key(|(_, peer)| peer.used).map(|(address, _)| *address)
        {
            self.remove(longest_unused);
        }
        let permission = ask_permission(address, wire, now);
        self.deadline = Some(self.deadline.map_or(permission.due(), |deadline| deadline.min(permission.due())));
        self.peers.insert(address, Peer { used: now, permission, channel: None });
    }

    /// Sends by the channel if it stands. Otherwise in the long form, for which the permission may be on its way still.
    pub(super) fn send(&mut self, address: SocketAddr, payload: &[u8], wire: &mut Wire, now: Instant) {
        self.permit(address, wire, now);
        let channel = self.peers.get(&address).and_then(|peer| peer.channel.as_ref());
        let bound = channel.filter(|channel| channel.bound_until.is_some_and(|until| now < until));
        let data = match bound {
            Some(channel) => message::channel_data(channel.number, payload, wire.is_stream()),
            None => message::send_indication(address, payload),
        };
        if let Some(data) = data {
            wire.send(data);
        }
    }

    /// Something came from there in the long form: from now on the short one is worth its while.
    pub(super) fn heard(&mut self, address: SocketAddr, wire: &mut Wire, now: Instant) {
        let Some(peer) = self.peers.get_mut(&address).filter(|peer| peer.channel.is_none()) else {
            return;
        };
        let taken = &self.channels;
        let mut from_here = (self.next_channel..=*message::CHANNELS.end()).chain(message::CHANNELS);
        // A number may serve another peer only minutes after it was given up: they are taken in turn.
        let Some(number) = from_here.find(|number| !taken.contains_key(number)) else {
            return;
        };
        self.next_channel = if number == *message::CHANNELS.end() { *message::CHANNELS.start() } else { number + 1 };
        let ask = ask_channel(address, number, wire, now);
        peer.channel = Some(Channel { number, bound_until: None, ask });
        self.channels.insert(number, address);
        self.reckon();
    }

    pub(super) fn peer_of(&self, channel: u16) -> Option<SocketAddr> {
        self.channels.get(&channel).copied()
    }

    pub(super) fn handle_message(&mut self, answer: &mut Message, wire: &mut Wire, now: Instant) -> Outcome {
        let asked = self.peers.iter_mut().find_map(|(address, peer)| {
            if peer.permission.answered_by(answer).is_some() {
                return Some((*address, &mut peer.permission, None));
            }
            let Channel { number, bound_until, ask } = peer.channel.as_mut()?;
            ask.answered_by(answer)?;
            Some((*address, ask, Some((*number, bound_until))))
        });
        let Some((address, ask, channel)) = asked else {
            return Outcome::NotOurs;
        };
        let Ask::Asked(question) = ask else {
            return Outcome::NotOurs;
        };
        *ask = match (wire.judge(question, answer), channel) {
            (None, _) => return Outcome::Settled,
            (Some(Answer::Granted), None) => Ask::At(now + RENEW_PERMISSION),
            (Some(Answer::Granted), Some((_, bound_until))) => {
                *bound_until = Some(now + CHANNEL_LASTS);
                Ask::At(now + RENEW_CHANNEL)
            }
            (Some(Answer::Again), None) => ask_permission(address, wire, now),
            (Some(Answer::Again), Some((number, _))) => ask_channel(address, number, wire, now),
            (Some(Answer::Refused(CODE_ALLOC_MISMATCH)), _) => return Outcome::AllocationLost,
            (Some(Answer::Refused(code)), channel) => {
                tracing::debug!(
                    code = code.0,
                    channel = channel.is_some(),
                    "the relay will not speak to a viewer's address"
                );
                Ask::At(now + RETRY)
            }
        };
        self.reckon();
        Outcome::Settled
    }

    pub(super) fn handle_timeout(&mut self, wire: &mut Wire, now: Instant) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        let idle = |peer: &Peer| {
            let renewal = matches!(peer.permission, Ask::At(due) if due <= now);
            renewal && now.saturating_duration_since(peer.used) >= RENEW_PERMISSION
        };
        let gone: Vec<SocketAddr> =
            self.peers.iter().filter(|(_, peer)| idle(peer)).map(|(address, _)| *address).collect();
        for address in gone {
            self.remove(address);
        }
        for (address, peer) in &mut self.peers {
            advance(&mut peer.permission, wire, now, |wire| ask_permission(*address, wire, now));
            if let Some(Channel { number, ask, .. }) = &mut peer.channel {
                advance(ask, wire, now, |wire| ask_channel(*address, *number, wire, now));
            }
        }
        self.reckon();
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    fn remove(&mut self, address: SocketAddr) {
        if let Some(Peer { channel: Some(channel), .. }) = self.peers.remove(&address) {
            self.channels.remove(&channel.number);
        }
    }

    fn reckon(&mut self) {
        let due = |peer: &Peer| {
            let channel = peer.channel.as_ref().map(|channel| channel.ask.due());
            channel.map_or(peer.permission.due(), |channel| channel.min(peer.permission.due()))
        };
        self.deadline = self.peers.values().map(due).min();
    }
}

fn advance(ask: &mut Ask, wire: &mut Wire, now: Instant, again: impl FnOnce(&mut Wire) -> Ask) {
    match ask {
        Ask::At(due) if *due <= now => *ask = again(wire),
        Ask::At(_) => {}
        Ask::Asked(transaction) => match transaction.handle_timeout(now) {
            Some(Overdue::Resend(message)) => wire.send(message),
            Some(Overdue::GivenUp) => *ask = Ask::At(now + RETRY),
            None => {}
        },
    }
}

fn ask_permission(address: SocketAddr, wire: &mut Wire, now: Instant) -> Ask {
    let mut request = message::new(METHOD_CREATE_PERMISSION, CLASS_REQUEST);
    message::add_address(&mut request, ATTR_XOR_PEER_ADDRESS, address);
    Ask::Asked(wire.ask(request, now))
}

fn ask_channel(address: SocketAddr, number: u16, wire: &mut Wire, now: Instant) -> Ask {
    let mut request = message::new(METHOD_CHANNEL_BIND, CLASS_REQUEST);
    let [high, low] = number.to_be_bytes();
    request.add(ATTR_CHANNEL_NUMBER, &[high, low, 0, 0]);
    message::add_address(&mut request, ATTR_XOR_PEER_ADDRESS, address);
    Ask::Asked(wire.ask(request, now))
}
