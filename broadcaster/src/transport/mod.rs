//! The way to one viewer: ICE finds it, DTLS agrees on keys over it. Pure: no socket, no task, no clock.
//!
//! Made of the stack's sans-I/O parts. Media is not its business: it says which path is chosen and which keys are agreed,
//! and gives back what is neither ICE nor DTLS.

mod consent;
mod credentials;
mod dtls;
mod guard;
mod identity;
mod local;
mod remotes;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_ice::{
    Agent, AgentConfig, Event, candidate::unmarshal_candidate, mdns::MulticastDnsMode, state::ConnectionState,
};
use rtc_shared::{TaggedBytesMut, TransportContext, TransportProtocol, error::Error};
use sansio::Protocol;

use crate::srtp::Keys;
use consent::Consent;
pub(crate) use credentials::{Credentials, Ufrag, random_text};
use dtls::Dtls;
pub(crate) use dtls::Role;
use guard::{Guard, Proof};
pub(crate) use identity::{Fingerprint, Identity};
pub(crate) use local::{Local, reflexive_line};
use remotes::{Remotes, Verdict};

/// How often unanswered checks are repeated while connecting. The stack's default costs a join up to 200 ms.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// With that interval, ten seconds of trying: the agent takes a pair up again in no other way.
const MAX_CHECKS: u16 = 200;
/// Answers that may bring the next check forward, of each attempt to connect.
const MAX_HASTES: u32 = 8;

const DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
/// Consent to send expires after 30 s (RFC 7675, section 5.1).
const FAILED_AFTER: Duration = Duration::from_secs(25);
const KEEPALIVE: Duration = Duration::from_secs(2);
/// A relay is the last resort; a direct way that exists has answered by then.
const RELAY_AFTER: Duration = Duration::from_millis(500);

/// How often the agent of a path that works is woken, which has little to do then. The stack's own rhythm is 200 ms.
const CALM_INTERVAL: Duration = Duration::from_secs(1);

/// Checks that come before the viewer's answer does: a few per pair of addresses.
const MAX_EARLY: usize = 16;

/// A packet on its way.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) data: BytesMut,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
}

/// What the viewer's answer says of its end.
pub(crate) struct Remote {
    pub(crate) ufrag: String,
    pub(crate) password: String,
    pub(crate) fingerprints: Vec<Fingerprint>,
    /// Ours, which is the other of the viewer's.
    pub(crate) role: Role,
}

/// The chosen pair of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

pub(crate) enum TransportEvent {
    /// Another path than before is chosen.
    Path(Path),
    /// The viewer is who its answer says, and these are the keys. Comes once.
    Keys(Keys),
    /// Nothing has been heard for a while; another path may be found.
    Disconnected,
    /// The viewer has proven to be there.
    Proven(SocketAddr),
    /// An address of the viewer's that hides behind a name.
    Name(String),
    /// An address of the viewer's that was added, which relays must let through.
    Peer(SocketAddr),
    Closed,
    Failed(Option<Error>),
}

pub(crate) struct Transport {
    ice: Agent,
    dtls: Dtls,
    guard: Guard,
    remotes: Remotes,
    local: Vec<Local>,
    agreed: bool,
    /// Authentic checks that the agent can answer only when the viewer's answer is here.
    early: Vec<Datagram>,
    path: Option<Path>,
    consent: Consent,
    hastes: u32,
    /// How far the agent's clock is ahead of ours.
    ahead: Duration,
    /// When the agent was last woken, if it has found a path and looks for no other.
    calm: Option<Instant>,
    due: Due,
    events: VecDeque<TransportEvent>,
}

/// When something is due. To find out is dear, and it is asked for every picture.
#[derive(Clone, Copy)]
enum Due {
    Unknown,
    Known(Option<Instant>),
}

impl Transport {
    /// `local` are our addresses as of now; the credentials belong into the offer.
    pub(crate) fn new(identity: &Identity, local: &[Local], now: Instant) -> Result<(Self, Credentials), Error> {
        let credentials = Credentials::generate();
        let config = AgentConfig {
            local_ufrag: credentials.ufrag.as_str().to_owned(),
            local_pwd: credentials.password.clone(),
            // Names are resolved for all sessions in one place.
            multicast_dns_mode: MulticastDnsMode::Disabled,
            disconnected_timeout: Some(DISCONNECTED_AFTER),
            failed_timeout: Some(FAILED_AFTER),
            keepalive_interval: Some(KEEPALIVE),
            check_interval: CHECK_INTERVAL,
            max_binding_requests: Some(MAX_CHECKS),
            is_controlling: true,
            // A viewer behind a hidden name shows up as peer reflexive; there is no better candidate to wait for.
            srflx_acceptance_min_wait: Some(Duration::ZERO),
            prflx_acceptance_min_wait: Some(Duration::ZERO),
            relay_acceptance_min_wait: Some(RELAY_AFTER),
            ..AgentConfig::default()
        };
        let mut transport = Self {
            ice: Agent::new(now, Arc::new(config), identity.crypto.clone())?,
            dtls: Dtls::new(identity.clone()),
            guard: Guard::new(credentials.clone(), identity.crypto.clone()),
            remotes: Remotes::new(local.iter().any(|local| local.address().ip().is_loopback())),
            local: Vec::new(),
            agreed: false,
            early: Vec::new(),
            path: None,
            consent: Consent::default(),
            hastes: 0,
            ahead: Duration::ZERO,
            calm: None,
            due: Due::Unknown,
            events: VecDeque::new(),
        };
        for local in local {
            transport.add_local(*local)?;
        }
        Ok((transport, credentials))
    }

    pub(crate) fn path(&self) -> Option<Path> {
        self.path
    }

    pub(crate) fn add_local(&mut self, local: Local) -> Result<(), Error> {
        if !self.local.contains(&local) {
            self.local.push(local);
            self.due = Due::Unknown;
            self.ice.add_local_candidate(local.candidate()?)?;
        }
        Ok(())
    }

    /// Takes the viewer's first answer.
    pub(crate) fn accept(&mut self, remote: Remote, now: Instant) -> Result<(), Error> {
        self.dtls.accept(remote.role, remote.fingerprints)?;
        self.guard.agree(remote.password.clone(), None);
        self.agreed = true;
        self.ice.start_connectivity_checks(now + self.ahead, true, remote.ufrag, remote.password)?;
        for early in std::mem::take(&mut self.early) {
            self.feed_ice(early, now);
        }
        self.run_ice(now);
        Ok(())
    }

    /// Begins to look for another path, with credentials that belong into an offer; the path there is stays in use.
    pub(crate) fn announce_restart(&mut self) -> Result<Credentials, Error> {
        let credentials = Credentials::generate();
        let ufrag = credentials.ufrag.as_str().to_owned();
        self.ice.generate_restart_credentials(ufrag, credentials.password.clone())?;
        self.guard.announce(credentials.clone());
        Ok(credentials)
    }

    /// Takes the viewer's answer to a restart. `local` are our addresses as of now.
    pub(crate) fn accept_restart(
        &mut self,
        ufrag: String,
        password: String,
        local: &[Local],
        now: Instant,
    ) -> Result<(), Error> {
        self.ice.apply_restart(now + self.ahead, false)?;
        self.calm = None;
        self.guard.agree(password.clone(), self.path.map(|path| path.remote));
        self.local.clear();
        self.remotes.restart();
        self.hastes = 0;
        for local in local {
            self.add_local(*local)?;
        }
        self.ice.start_connectivity_checks(now + self.ahead, true, ufrag, password)?;
        self.run_ice(now);
        Ok(())
    }

    /// Takes one of the viewer's candidates, as it stands behind `a=` in a session description.
    pub(crate) fn add_candidate(&mut self, candidate: &str, now: Instant) {
        match self.remotes.judge(candidate) {
            Verdict::Try => self.add_remote(candidate, now),
            Verdict::Resolve(name) => self.events.push_back(TransportEvent::Name(name)),
            Verdict::Ignore => {}
        }
    }

    /// One of the names that were asked for is known.
    pub(crate) fn resolved(&mut self, name: &str, address: std::net::IpAddr, now: Instant) {
        if let Some(candidate) = self.remotes.resolved(name, address) {
            self.add_remote(&candidate, now);
        }
    }

    fn add_remote(&mut self, candidate: &str, now: Instant) {
        let line = candidate.strip_prefix("candidate:").unwrap_or(candidate);
        let added = unmarshal_candidate(line).and_then(|candidate| {
            self.events.push_back(TransportEvent::Peer(candidate.addr()));
            self.ice.add_remote_candidate(candidate)
        });
        if let Err(error) = added {
            tracing::debug!(%error, "candidate not taken");
        }
        self.run_ice(now);
    }

    /// Gives back what is neither ICE's nor DTLS's and comes from where the viewer has proven to be.
    pub(crate) fn handle_datagram(&mut self, datagram: Datagram, now: Instant) -> Option<BytesMut> {
        match datagram.data.first()? {
            0..=3 => {
                let proof = self.guard.admit_stun(&datagram.data, datagram.from)?;
                if proof == Proof::New {
                    self.events.push_back(TransportEvent::Proven(datagram.from));
                }
                self.handle_stun(datagram, now);
                None
            }
            _ if !self.guard.admit_other(datagram.from) => None,
            20..=63 => {
                let Datagram { data, from, to } = datagram;
                self.due = Due::Unknown;
                self.dtls.handle(data, Path { local: to, remote: from }, now);
                self.run_dtls();
                None
            }
            128..=191 => Some(datagram.data),
            _ => None,
        }
    }

    fn handle_stun(&mut self, datagram: Datagram, now: Instant) {
        self.due = Due::Unknown;
        self.consent.received(&datagram.data, now);
        if self.agreed {
            self.feed_ice(datagram, now);
            self.run_ice(now);
        } else if self.early.len() < MAX_EARLY {
            self.early.push(datagram);
        }
    }

    fn feed_ice(&mut self, Datagram { data, from, to }: Datagram, now: Instant) {
        // What a relay's checks find is not wanted in haste.
        let answer = is_success(&data) && !self.local.contains(&Local::Relay(to));
        let transport =
            TransportContext { local_addr: to, peer_addr: from, transport_protocol: TransportProtocol::UDP, ecn: None };
        if let Err(error) = self.ice.handle_read(TaggedBytesMut { now: now + self.ahead, transport, message: data }) {
            tracing::debug!(%error, "check not taken");
        }
        if answer && self.ice.get_selected_candidate_pair().is_none() {
            self.haste(now);
        }
    }

    /// The agent goes on from a pair that works only at its next regular check: its clock is put forward to that.
    fn haste(&mut self, now: Instant) {
        if self.hastes < MAX_HASTES
            && let Some(due) = self.ice.poll_timeout()
        {
            self.hastes += 1;
            self.ahead = self.ahead.max(due.saturating_duration_since(now));
            self.tick_ice(now);
        }
    }

    fn tick_ice(&mut self, now: Instant) {
        self.calm = self.calm.map(|_| now);
        if let Err(error) = self.ice.handle_timeout(now + self.ahead) {
            tracing::debug!(%error, "ICE timer");
        }
    }

    /// When the agent wants to be woken, on our clock.
    fn ice_timeout(&mut self) -> Option<Instant> {
        let at = self.ice.poll_timeout()?;
        let at = at.checked_sub(self.ahead).unwrap_or(at);
        // What is overdue at once is a check that was asked for.
        Some(self.calm.filter(|ticked| at > *ticked).map_or(at, |ticked| at.max(ticked + CALM_INTERVAL)))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the stack's enums are open; what is not named changes nothing")]
    fn run_ice(&mut self, now: Instant) {
        self.due = Due::Unknown;
        // Checks that were asked for are due at once.
        if self.ice_timeout().is_some_and(|at| at <= now) {
            self.tick_ice(now);
        }
        while let Some(tagged) = self.ice.poll_event() {
            match tagged.event {
                Event::SelectedCandidatePairChange(local, remote) => {
                    let path = Path { local: local.base_addr(), remote: remote.addr() };
                    self.consent.begin(now);
                    self.calm = Some(now);
                    if self.path.replace(path) != Some(path) {
                        self.events.push_back(TransportEvent::Path(path));
                    }
                    self.dtls.start(now);
                    self.run_dtls();
                }
                Event::ConnectionStateChange(ConnectionState::Disconnected) => {
                    self.calm = None;
                    self.events.push_back(TransportEvent::Disconnected);
                }
                Event::ConnectionStateChange(ConnectionState::Connected) => {
                    self.calm = self.path.map(|_| now);
                }
                Event::ConnectionStateChange(ConnectionState::Failed) => {
                    self.path = None;
                    self.events.push_back(TransportEvent::Failed(None));
                }
                _ => {}
            }
        }
    }

    fn run_dtls(&mut self) {
        while let Some(event) = self.dtls.poll_event() {
            self.events.push_back(event);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.consent.ends().is_some_and(|at| at <= now) {
            self.consent.withdraw();
            self.path = None;
            self.events.push_back(TransportEvent::Failed(None));
        }
        self.run_ice(now);
        self.dtls.handle_timeout(now);
        self.run_dtls();
    }

    pub(crate) fn poll_timeout(&mut self) -> Option<Instant> {
        if let Due::Known(at) = self.due {
            return at;
        }
        let due = [self.ice_timeout(), self.dtls.poll_timeout(), self.consent.ends()].into_iter().flatten().min();
        self.due = Due::Known(due);
        due
    }

    pub(crate) fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Datagram> {
        if let Some(TaggedBytesMut { transport, message, .. }) = self.ice.poll_write() {
            self.due = Due::Unknown;
            self.consent.sent(&message);
            return Some(Datagram { data: message, from: transport.local_addr, to: transport.peer_addr });
        }
        let (data, answers) = self.dtls.poll_transmit()?;
        self.due = Due::Unknown;
        // A handshake need not wait until ICE has chosen: its sender has shown that this way works.
        let Path { local, remote } = self.path.or(answers)?;
        Some(Datagram { data, from: local, to: remote })
    }

    /// Says goodbye; what is left to transmit carries it.
    pub(crate) fn close(&mut self, now: Instant) {
        self.due = Due::Unknown;
        self.dtls.close(now);
    }
}

/// Whether this is a STUN message that says yes (RFC 8489, section 5).
fn is_success(data: &[u8]) -> bool {
    data.starts_with(&[1, 1])
}
