//! What clients ask of the relay: to be known, for addresses, and to speak to somebody.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{Now, PORTS, Relay, refusal::Refusal};
use crate::turn::{
    allocation::{Allocation, CHANNELS, Client, Flow, Unbound},
    credentials::{self, Name},
    message::{Class, Key, Message, Method, Writer, attribute},
    pace::{Allowance, Source},
};

/// RFC 8656, section 7.2.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
const LONGEST_LIFETIME: Duration = Duration::from_secs(3600);

/// A client that has said nothing for that long may have moved elsewhere. Robots speak twice in this time.
const SILENT: Duration = Duration::from_secs(60);

/// One in so many allocations is for robots only: viewers are many, and without its robot's none of theirs is of use.
const ROBOTS_SHARE: usize = 10;

/// REQUESTED-TRANSPORT's.
const UDP: u8 = 17;

/// EVEN-PORT's flag.
const RESERVE_NEXT: u8 = 0x80;

/// A request that is as it should be, and by whom.
struct Authorized<'a> {
    username: &'a str,
    name: Name<'a>,
    key: Key,
}

impl Relay {
    pub(super) fn handle_request(
        &mut self,
        flow: Flow,
        message: &Message,
        now: Now,
        out: &mut Vec<u8>,
    ) -> Option<Flow> {
        let stranger = self.heard(flow, now.instant).is_none();
        if stranger && !self.strangers.may_ask(Source::from(flow.client().ip()), now.instant) {
            self.counters.refused.rate += 1;
            return None;
        }
        if message.method == Method::Binding {
            self.counters.bindings += 1;
            match message.unknown().next() {
                Some(_) => self.refuse(flow, message, Refusal::UnknownAttribute, None, now.instant, out),
                None => {
                    let mut answer = Writer::new(out, Method::Binding, Class::Success, &message.transaction);
                    answer.add_address(attribute::XOR_MAPPED_ADDRESS, flow.client());
                }
            }
            return Some(flow);
        }
        let authorized = match self.authorize(flow, message, now) {
            Ok(authorized) => authorized,
            Err(refusal) => {
                self.refuse(flow, message, refusal, None, now.instant, out);
                return Some(flow);
            }
        };
        let key = authorized.key.clone();
        let granted = match message.method {
            _ if message.unknown().next().is_some() => Err(Refusal::UnknownAttribute),
            Method::Allocate => self.allocate(flow, message, authorized, now, out),
            Method::Refresh => self.refresh(flow, message, &authorized, now, out),
            Method::CreatePermission => self.create_permission(flow, message, &authorized, now, out),
            Method::ChannelBind => self.bind_channel(flow, message, &authorized, now, out),
            Method::Binding | Method::Send | Method::Data => return None,
        };
        match granted {
            Ok(()) => Writer::again(out).sign(&key),
            Err(refusal) => self.refuse(flow, message, refusal, Some(&key), now.instant, out),
        }
        Some(flow)
    }

    /// Finds out whose request it is, cheapest first.
    fn authorize<'a>(&self, flow: Flow, message: &Message<'a>, now: Now) -> Result<Authorized<'a>, Refusal> {
        if !message.is_signed() {
            // A challenge is larger than its question, so that only those get one who have a use for it.
            let may_begin =
                message.method == Method::Allocate && message.find(attribute::REQUESTED_TRANSPORT).is_some();
            return Err(if may_begin { Refusal::Challenge } else { Refusal::BadRequest });
        }
        let texts = [attribute::USERNAME, attribute::REALM].map(|kind| message.text(kind));
        let ([Some(username), Some(realm)], Some(nonce)) = (texts, message.find(attribute::NONCE)) else {
            return Err(Refusal::BadRequest);
        };
        if !self.nonces.holds(nonce, flow.client(), now.instant) {
            return Err(Refusal::StaleNonce);
        }
        let name = Name::parse(username).filter(|_| realm == self.settings.realm).ok_or(Refusal::Unauthorized)?;
        let known = self.flows.get(&flow).and_then(|port| self.allocations.get(port));
        let key = match known.filter(|allocation| allocation.username == username) {
            Some(allocation) => allocation.key.clone(),
            None => {
                let password = credentials::password(&self.settings.secret, username);
                credentials::key(username, realm, &password)
            }
        };
        if !message.is_signed_by(&key) {
            return Err(Refusal::Unauthorized);
        }
        if name.until <= now.unix || self.barred.has(&name) {
            return Err(Refusal::Expired);
        }
        Ok(Authorized { username, name, key })
    }

    fn allocate(
        &mut self,
        flow: Flow,
        message: &Message,
        authorized: Authorized,
        now: Now,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let Authorized { username, name, key } = authorized;
        if let Some((port, allocation)) = self.heard(flow, now.instant) {
            // Its answer was lost.
            if allocation.made_by == message.transaction && allocation.username == username {
                let lasts = allocation.until.saturating_duration_since(now.instant);
                self.write_allocated(flow, port, lasts, message, out);
                return Ok(());
            }
            return Err(Refusal::Mismatch);
        }
        match message.find(attribute::REQUESTED_TRANSPORT) {
            Some([UDP, ..]) => {}
            Some(_) => return Err(Refusal::Transport),
            None => return Err(Refusal::BadRequest),
        }
        let family = if self.settings.address.is_ipv4() { 1 } else { 2 };
        let wanted = message.find(attribute::REQUESTED_ADDRESS_FAMILY).and_then(<[u8]>::first);
        if wanted.is_some_and(|wanted| *wanted != family) {
            return Err(Refusal::Family);
        }
        self.sweep(now.instant);
        self.make_room(flow, &name, now.instant)?;
        let step = match message.find(attribute::EVEN_PORT).and_then(<[u8]>::first) {
            None => 1,
            Some(flags) if flags & RESERVE_NEXT == 0 => 2,
            // Nobody who sends sound and picture by one way has a use for it.
            Some(_) => return Err(Refusal::Full),
        };
        let port = self.free_port(step).ok_or(Refusal::Full)?;

        let (username, holder, until) = (username.to_owned(), name.holder.to_owned(), end_of(&name, now));
        let allowance = Allowance::new(self.settings.bytes_per_second, now.instant);
        let client = Client { flow, username, holder, key, until };
        let mut allocation = Allocation::new(client, message.transaction, allowance, now.instant);
        let lasts = allocation.extend(wanted_lifetime(message), now.instant);
        tracing::debug!(port, holder = allocation.holder, stream = flow.is_stream(), "relay granted");
        self.allocations.insert(port, allocation);
        self.flows.insert(flow, port);
        self.counters.granted += 1;
        self.write_allocated(flow, port, lasts, message, out);
        Ok(())
    }

    fn write_allocated(&self, flow: Flow, port: u16, lasts: Duration, message: &Message, out: &mut Vec<u8>) {
        Writer::new(out, Method::Allocate, Class::Success, &message.transaction)
            .add_address(attribute::XOR_RELAYED_ADDRESS, SocketAddr::new(self.settings.address, port))
            .add(attribute::LIFETIME, &seconds(lasts))
            .add_address(attribute::XOR_MAPPED_ADDRESS, flow.client());
    }

    fn refresh(
        &mut self,
        flow: Flow,
        message: &Message,
        authorized: &Authorized,
        now: Now,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let (port, allocation) = self.owned(flow, authorized, now)?;
        let lasts = match message.number(attribute::LIFETIME) {
            Some(0) => {
                self.remove(port);
                Duration::ZERO
            }
            Some(_) | None => allocation.extend(wanted_lifetime(message), now.instant),
        };
        Writer::new(out, Method::Refresh, Class::Success, &message.transaction)
            .add(attribute::LIFETIME, &seconds(lasts));
        Ok(())
    }

    fn create_permission(
        &mut self,
        flow: Flow,
        message: &Message,
        authorized: &Authorized,
        now: Now,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let address = self.settings.address;
        let (_, allocation) = self.owned(flow, authorized, now)?;
        let mut peers = message.peers().peekable();
        if peers.peek().is_none() {
            return Err(Refusal::BadRequest);
        }
        for peer in peers {
            let peer = peer.ok_or(Refusal::BadRequest)?;
            // Permissions are for an address; some name no port with it.
            if peer.ip() != address || (peer.port() != 0 && !PORTS.contains(&peer.port())) {
                return Err(Refusal::Forbidden);
            }
        }
        allocation.permit(now.instant);
        Writer::new(out, Method::CreatePermission, Class::Success, &message.transaction);
        Ok(())
    }

    fn bind_channel(
        &mut self,
        flow: Flow,
        message: &Message,
        authorized: &Authorized,
        now: Now,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let address = self.settings.address;
        let (port, _) = self.owned(flow, authorized, now)?;
        let number = message.number(attribute::CHANNEL_NUMBER).and_then(|number| u16::try_from(number >> 16).ok());
        let (Some(number), Some(Some(peer))) = (number, message.peers().next()) else {
            return Err(Refusal::BadRequest);
        };
        if !CHANNELS.contains(&number) {
            return Err(Refusal::BadRequest);
        }
        // Channels are counted by whom there is to speak to.
        if peer.ip() != address || !self.may_speak(port, peer.port(), now.instant) {
            return Err(Refusal::Forbidden);
        }
        let allocation = self.allocations.get_mut(&port).ok_or(Refusal::Mismatch)?;
        allocation.bind(number, peer.port(), now.instant).map_err(|unbound| match unbound {
            Unbound::Taken => Refusal::BadRequest,
            Unbound::TooMany => Refusal::Full,
        })?;
        Writer::new(out, Method::ChannelBind, Class::Success, &message.transaction);
        Ok(())
    }

    /// The same, if the request comes from whom it was granted to.
    fn owned(&mut self, flow: Flow, authorized: &Authorized, now: Now) -> Result<(u16, &mut Allocation), Refusal> {
        let (port, allocation) = self.heard(flow, now.instant).ok_or(Refusal::Mismatch)?;
        if allocation.holder != authorized.name.holder {
            return Err(Refusal::WrongCredentials);
        }
        allocation.renew(end_of(&authorized.name, now));
        Ok((port, allocation))
    }

    /// Sees to it that there is room for one more of this holder and this source.
    ///
    /// Holders are counted rather than usernames: each has a new one with every renewal of its credentials.
    fn make_room(&mut self, flow: Flow, name: &Name<'_>, now: Instant) -> Result<(), Refusal> {
        let its_own = |allocation: &&Allocation| allocation.holder == name.holder;
        if self.allocations.values().filter(its_own).count() >= self.settings.max_per_user {
            // A client whose address has changed cannot give back what it had under the former one.
            let longest_silent = self.allocations.iter().filter(|(_, allocation)| its_own(allocation));
            let longest_silent = longest_silent.min_by_key(|(_, allocation)| allocation.heard);
            let left = longest_silent.filter(|(_, allocation)| now.duration_since(allocation.heard) > SILENT);
            let port = *left.ok_or(Refusal::UserQuota)?.0;
            self.remove(port);
        }
        let reserve = |most: usize| if name.is_viewer() { most - most / ROBOTS_SHARE } else { most };
        let source = Source::from(flow.client().ip());
        let neighbours = self.allocations.values().map(|allocation| Source::from(allocation.flow.client().ip()));
        if neighbours.filter(|neighbour| *neighbour == source).count() >= reserve(self.settings.max_per_address) {
            return Err(Refusal::AddressQuota);
        }
        if self.allocations.len() >= reserve(self.settings.max_allocations) { Err(Refusal::Full) } else { Ok(()) }
    }

    fn refuse(
        &mut self,
        flow: Flow,
        message: &Message,
        refusal: Refusal,
        key: Option<&Key>,
        now: Instant,
        out: &mut Vec<u8>,
    ) {
        refusal.count(&mut self.counters.refused);
        let mut answer = Writer::new(out, message.method, Class::Error, &message.transaction);
        answer.add_error(refusal.code());
        match refusal {
            Refusal::Challenge | Refusal::StaleNonce | Refusal::Unauthorized | Refusal::Expired => {
                let nonce = self.nonces.make(flow.client(), now);
                answer.add(attribute::REALM, self.settings.realm.as_bytes()).add(attribute::NONCE, &nonce);
            }
            Refusal::UnknownAttribute => {
                // One is enough to be told of, and no answer grows by it.
                let unknown = message.unknown().next().map(u16::to_be_bytes).unwrap_or_default();
                answer.add(attribute::UNKNOWN_ATTRIBUTES, &unknown);
            }
            Refusal::BadRequest
            | Refusal::Forbidden
            | Refusal::Mismatch
            | Refusal::WrongCredentials
            | Refusal::Family
            | Refusal::Transport
            | Refusal::UserQuota
            | Refusal::AddressQuota
            | Refusal::Full => {}
        }
        if let Some(key) = key {
            answer.sign(key);
        }
    }
}

fn wanted_lifetime(message: &Message) -> Duration {
    let wanted = message.number(attribute::LIFETIME).map(|wanted| Duration::from_secs(wanted.into()));
    wanted.unwrap_or(DEFAULT_LIFETIME).clamp(DEFAULT_LIFETIME, LONGEST_LIFETIME)
}

fn end_of(name: &Name, now: Now) -> Instant {
    // Beyond what any clock counts, they end with the longest allocation.
    let left = Duration::from_secs(name.until.saturating_sub(now.unix));
    now.instant.checked_add(left).unwrap_or(now.instant + LONGEST_LIFETIME)
}

fn seconds(duration: Duration) -> [u8; 4] {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).to_be_bytes()
}
