//! One client's address on the relay, and whom it may hear there.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use super::{
    message::{Key, Transaction},
    pace::Allowance,
};

/// RFC 8656, sections 9.2 and 12.
const PERMISSION_LASTS: Duration = Duration::from_secs(5 * 60);
const CHANNEL_LASTS: Duration = Duration::from_secs(10 * 60);

/// Those of RFC 5766 and RFC 8656.
pub(super) const CHANNELS: RangeInclusive<u16> = 0x4000..=0x7fff;

/// Every viewer that a robot can have, with some addresses each.
const MAX_CHANNELS: usize = 2048;

/// How a client reaches the relay, which is all that it is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Flow {
    Udp {
        /// Which of ours.
        socket: usize,
        /// Which of this machine's addresses was spoken to, and is to answer.
        local: std::net::IpAddr,
        client: SocketAddr,
    },
    Tcp {
        /// No other has the same number, ever.
        connection: u64,
        client: SocketAddr,
    },
}

impl Flow {
    pub(super) fn client(self) -> SocketAddr {
        match self {
            Self::Udp { client, .. } | Self::Tcp { client, .. } => client,
        }
    }

    pub(super) fn is_stream(self) -> bool {
        match self {
            Self::Udp { .. } => false,
            Self::Tcp { .. } => true,
        }
    }
}

#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) flow: Flow,
    pub(super) username: String,
    pub(super) holder: String,
    /// Signs what `username` says.
    pub(super) key: Key,
    /// The request that made it, which may come twice.
    pub(super) made_by: Transaction,
    /// As far as it was asked for.
    pub(super) until: Instant,
    /// With the credentials it ends in any case.
    pub(super) credentials_until: Instant,
    pub(super) allowance: Allowance,
    /// When its client last said anything.
    pub(super) heard: Instant,
    /// What its client has sent through it, and when it last did.
    pub(super) carried: u64,
    pub(super) carried_at: Option<Instant>,
    /// All addresses are this relay's own, and permissions are for all ports of one.
    permitted_until: Option<Instant>,
    channels: BTreeMap<u16, Channel>,
    /// The other way round.
    numbers: BTreeMap<u16, u16>,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    peer: u16,
    until: Instant,
}

/// Why a channel is not bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unbound {
    /// Its number, or its peer, is bound otherwise.
    Taken,
    TooMany,
}

/// Who asks, by which credentials, and until when they hold.
pub(super) struct Client {
    pub(super) flow: Flow,
    pub(super) username: String,
    pub(super) holder: String,
    pub(super) key: Key,
    pub(super) until: Instant,
}

impl Allocation {
    pub(super) fn new(client: Client, made_by: Transaction, allowance: Allowance, now: Instant) -> Self {
        let Client { flow, username, holder, key, until } = client;
        Self {
            flow,
            username,
            holder,
            key,
            made_by,
            until: now,
            credentials_until: until,
            allowance,
            heard: now,
            carried: 0,
            carried_at: None,
            permitted_until: None,
            channels: BTreeMap::new(),
            numbers: BTreeMap::new(),
        }
    }

    /// Lets it stand for so long, and says how long that will be.
    pub(super) fn extend(&mut self, lifetime: Duration, now: Instant) -> Duration {
        self.until = (now + lifetime).min(self.credentials_until);
        self.until.saturating_duration_since(now)
    }

    /// Takes what follows its credentials; what comes under the former ones still counts.
    pub(super) fn renew(&mut self, until: Instant) {
        self.credentials_until = self.credentials_until.max(until);
    }

    pub(super) fn stands(&self, now: Instant) -> bool {
        now < self.until
    }

    pub(super) fn permit(&mut self, now: Instant) {
        self.permitted_until = Some(now + PERMISSION_LASTS);
    }

    pub(super) fn permits(&self, now: Instant) -> bool {
        self.permitted_until.is_some_and(|until| now < until)
    }

    /// Binds a channel, or keeps it bound.
    pub(super) fn bind(&mut self, number: u16, peer: u16, now: Instant) -> Result<(), Unbound> {
        self.forget_channels(now);
        let (bound, numbered) = (self.channels.get(&number), self.numbers.get(&peer));
        match (bound, numbered) {
            (None, None) if self.channels.len() >= MAX_CHANNELS => return Err(Unbound::TooMany),
            (None, None) => {}
            (Some(channel), Some(_)) if channel.peer == peer => {}
            (Some(_), _) | (None, Some(_)) => return Err(Unbound::Taken),
        }
        self.channels.insert(number, Channel { peer, until: now + CHANNEL_LASTS });
        self.numbers.insert(peer, number);
        self.permit(now);
        Ok(())
    }

    pub(super) fn peer_of(&self, number: u16, now: Instant) -> Option<u16> {
        self.channels.get(&number).filter(|channel| now < channel.until).map(|channel| channel.peer)
    }

    pub(super) fn channel_to(&self, peer: u16, now: Instant) -> Option<u16> {
        let number = *self.numbers.get(&peer)?;
        self.peer_of(number, now).map(|_| number)
    }

    pub(super) fn forget_channels(&mut self, now: Instant) {
        self.channels.retain(|_, channel| now < channel.until);
        let channels = &self.channels;
        self.numbers.retain(|_, number| channels.contains_key(number));
    }
}
