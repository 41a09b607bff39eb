//! The way to one viewer: ICE finds it, DTLS agrees on keys over it. Pure: no socket, no task, no clock.
//!
//! Made of the stack's sans-I/O parts. Media is not its business: it says which path is chosen and which keys are agreed,
//! and gives back what is neither ICE nor DTLS.

mod agent;
mod consent;
mod credentials;
mod dtls;
mod following;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod guard;
mod identity;
mod local;
mod moving;
mod remotes;

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use bytes::BytesMut;
use rtc_ice::{Event, candidate::unmarshal_candidate, state::ConnectionState};
use rtc_shared::error::Error;

use crate::srtp::Keys;
use agent::IceAgent;
use consent::Consent;
pub(crate) use credentials::{Credentials, Ufrag, random_text};
use dtls::Dtls;
pub(crate) use dtls::Role;
use guard::{Guard, Proof};
pub(crate) use identity::{Fingerprint, Identity};
pub(crate) use local::{Local, reflexive_line};
use moving::Moving;
use remotes::{Remotes, Verdict};

/// Checks that come before the viewer's answer does: a few per pair of addresses.
const MAX_EARLY: usize = 16;

/// A packet on its way.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) data: BytesMut,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
}

/// What the viewer says of its end.
pub(crate) struct Remote {
    pub(crate) ufrag: String,
    pub(crate) password: String,
    pub(crate) fingerprints: Vec<Fingerprint>,
    /// Ours, which is the other of the viewer's.
    pub(crate) role: Role,
    /// It only answers checks, and leaves it to us to choose the path.
    pub(crate) is_lite: bool,
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
    /// There is a path again after a time without one.
    Found,
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
    /// The viewer says something that is neither media nor about it.
    Data(BytesMut),
    Closed,
    Failed(Option<Error>),
}

pub(crate) struct Transport {
    ice: IceAgent,
    dtls: Dtls,
    guard: Guard,
    remotes: Remotes,
    local: Vec<Local>,
    /// Name and password of the viewer's end, once it has answered.
    agreed: Option<(String, String)>,
    /// Authentic checks that the agent can answer only when the viewer's answer is here.
    early: Vec<Datagram>,
    path: Option<Path>,
    moving: Moving,
    consent: Consent,
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
    /// `local` are our addresses as of now; the credentials belong into the description. `controls`: that is an offer.
    pub(crate) fn new(
        identity: &Identity,
        controls: bool,
        local: &[Local],
        now: Instant,
    ) -> Result<(Self, Credentials), Error> {
        let credentials = Credentials::generate();
        let mut transport = Self {
            ice: IceAgent::new(&credentials, controls, identity.crypto.clone(), now)?,
            dtls: Dtls::new(identity.clone()),
            guard: Guard::new(credentials.clone(), identity.crypto.clone()),
            remotes: Remotes::new(local.iter().any(|local| local.address().ip().is_loopback())),
            local: Vec::new(),
            agreed: None,
            early: Vec::new(),
            path: None,
            moving: if controls { Moving::new(now) } else { Moving::resting(now) },
            consent: Consent::default(),
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
            self.ice.add_local(local.candidate()?)?;
        }
        Ok(())
    }

    /// Takes what the viewer has first said of its end.
    pub(crate) fn accept(&mut self, remote: Remote, now: Instant) -> Result<(), Error> {
        self.dtls.accept(remote.role, remote.fingerprints)?;
        self.guard.agree(remote.password.clone(), None);
        self.agreed = Some((remote.ufrag.clone(), remote.password.clone()));
        if remote.is_lite {
            self.ice.control();
        }
        self.ice.start(remote.ufrag, remote.password, now)?;
        for early in std::mem::take(&mut self.early) {
            self.feed_ice(early, now);
        }
        self.run_ice(now);
        Ok(())
    }

    /// Begins to look for another path, with credentials that belong into an offer; the path there is stays in use.
    pub(crate) fn announce_restart(&mut self) -> Result<Credentials, Error> {
        let credentials = Credentials::generate();
        self.ice.announce(&credentials)?;
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
        self.due = Due::Unknown;
        self.ice.restart(now)?;
        self.guard.agree(password.clone(), self.path.map(|path| path.remote));
        self.local.clear();
        self.remotes.restart();
        for local in local {
            self.add_local(*local)?;
        }
        self.agreed = Some((ufrag.clone(), password.clone()));
        self.moving.looks_otherwise(now);
        self.ice.start(ufrag, password, now)?;
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
            self.ice.add_remote(candidate)
        });
        if let Err(error) = added {
            tracing::debug!(%error, "candidate not taken");
        }
        self.run_ice(now);
    }

    /// Gives back what is neither ICE's nor DTLS's and comes from where the viewer has proven to be. Whoever opens it says with
    /// [`Self::heard`] if it was the viewer's: sources can be forged.
    pub(crate) fn handle_datagram(&mut self, datagram: Datagram, now: Instant) -> Option<BytesMut> {
        let from = datagram.from;
        match datagram.data.first()? {
            0..=3 => {
                let proof = self.guard.admit_stun(&datagram.data, datagram.from)?;
                if proof == Proof::New {
                    self.events.push_back(TransportEvent::Proven(from));
                }
                self.heard(from, now);
                self.handle_stun(datagram, now);
                if let Some(path) = self.path
                    && self.moving.has_moved(path.remote != from, now)
                {
                    tracing::debug!("the viewer asks from elsewhere");
                    self.look_again(&[from, path.remote], now);
                }
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
        if self.agreed.is_some() {
            self.feed_ice(datagram, now);
            self.run_ice(now);
        } else if self.early.len() < MAX_EARLY {
            self.early.push(datagram);
        }
    }

    fn feed_ice(&mut self, datagram: Datagram, now: Instant) {
        // What a relay's checks find is not wanted in haste.
        let hasty = is_success(&datagram.data) && !self.local.contains(&Local::Relay(datagram.to));
        self.ice.read(datagram, hasty, now);
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the stack's enums are open; what is not named changes nothing")]
    fn run_ice(&mut self, now: Instant) {
        self.due = Due::Unknown;
        // Checks that were asked for are due at once.
        self.ice.handle_timeout(now);
        while let Some(event) = self.ice.poll_event() {
            match event {
                Event::SelectedCandidatePairChange(local, remote) => {
                    let path = Path { local: local.base_addr(), remote: remote.addr() };
                    self.consent.begin(now);
                    self.guard.settle(path.remote);
                    let found = self.moving.finds(now);
                    self.ice.settle(true, now);
                    if self.path.replace(path) != Some(path) {
                        self.events.push_back(TransportEvent::Path(path));
                    }
                    if found {
                        self.events.push_back(TransportEvent::Found);
                    }
                    self.dtls.start(now);
                    self.run_dtls();
                }
                Event::ConnectionStateChange(ConnectionState::Disconnected) => {
                    self.ice.settle(false, now);
                    self.events.push_back(TransportEvent::Disconnected);
                }
                Event::ConnectionStateChange(ConnectionState::Connected) => {
                    self.ice.settle(self.path.is_some(), now);
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
        if let Some(path) = self.path
            && self.moving.is_lost(now)
        {
            tracing::debug!("the viewer is silent");
            self.look_again(&[path.remote], now);
        }
        if self.moving.gives_up(now) {
            self.events.push_back(TransportEvent::Disconnected);
        }
        self.run_ice(now);
        self.dtls.handle_timeout(now);
        self.run_dtls();
    }

    pub(crate) fn poll_timeout(&mut self) -> Option<Instant> {
        if let Due::Known(at) = self.due {
            return at;
        }
        let moving = self.path.and_then(|_| self.moving.poll_timeout());
        let due = [self.ice.poll_timeout(), self.dtls.poll_timeout(), self.consent.ends(), moving];
        let due = due.into_iter().flatten().min();
        self.due = Due::Known(due);
        due
    }

    pub(crate) fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Datagram> {
        if let Some(datagram) = self.ice.poll_transmit() {
            self.due = Due::Unknown;
            self.consent.sent(&datagram.data);
            return Some(datagram);
        }
        let (data, answers) = self.dtls.poll_transmit()?;
        self.due = Due::Unknown;
        // A handshake need not wait until ICE has chosen: its sender has shown that this way works.
        let Path { local, remote } = self.path.or(answers)?;
        Some(Datagram { data, from: local, to: remote })
    }

    /// Sends the viewer what is no media.
    pub(crate) fn send(&mut self, data: &[u8], now: Instant) {
        self.dtls.send(data, now);
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
