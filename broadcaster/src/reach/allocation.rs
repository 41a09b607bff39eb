//! An address of ours on one TURN server (RFC 8656): got, kept, and got again when it is lost.
//!
//! New credentials are tried on what there is: a relay that ends with the old ones, as ours does, goes on with those that follow.
//! Others insist on the ones that an allocation was made with, which then serve on, and the new ones serve the next.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_crypto::RTCCryptoProvider;
use rtc_stun::{
    attributes::{ATTR_LIFETIME, ATTR_REQUESTED_TRANSPORT, ATTR_XOR_RELAYED_ADDRESS},
    error_code::{CODE_ALLOC_MISMATCH, ErrorCode},
    message::{CLASS_REQUEST, METHOD_ALLOCATE, METHOD_REFRESH, Message},
};

use super::{
    message,
    peers::{Outcome, Peers},
    server::{Credentials, ServerId, Transport},
    transaction::{Ask, Overdue, Transaction},
    wire::{Answer, Identity, Wire},
};
use crate::signalling::backoff::Backoff;

/// REQUESTED-TRANSPORT: what is relayed is UDP, however the server is spoken to.
const UDP: [u8; 4] = [17, 0, 0, 0];

/// The longest that the loss of an allocation goes unnoticed; a server that was restarted tells nobody.
const REFRESH_WITHIN: Duration = Duration::from_secs(30);

/// However short a server says that an allocation lasts.
const SHORTEST_REFRESH: Duration = Duration::from_secs(1);

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub(super) struct Allocation {
    server: ServerId,
    wire: Wire,
    credentials: Credentials,
    state: State,
    backoff: Backoff,
}

enum State {
    /// The stream to the server does not stand.
    Offline,
    Resting {
        until: Instant,
    },
    Asking(Transaction),
    Held(Held),
}

struct Held {
    relayed: SocketAddr,
    refresh: Ask,
    peers: Peers,
    /// Rare, and larger than all the rest.
    trial: Option<Box<Trial>>,
}

/// A refresh with credentials that may follow those in use.
struct Trial {
    identity: Identity,
    asked: Transaction,
}

impl Allocation {
    pub(super) fn new(
        server: ServerId,
        credentials: Credentials,
        crypto: Arc<dyn RTCCryptoProvider>,
        now: Instant,
    ) -> Self {
        let wire = Wire::new(server.transport, crypto, credentials.clone());
        let state = match server.transport {
            Transport::Udp => State::Resting { until: now },
            Transport::Tcp | Transport::Tls => State::Offline,
        };
        Self { server, wire, credentials, state, backoff: Backoff::between(FIRST_WAIT, LONGEST_WAIT) }
    }

    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Held(held) => Some(held.relayed),
            State::Offline | State::Resting { .. } | State::Asking(_) => None,
        }
    }

    /// Credentials for the next allocation, which is asked for at once if there is none, and for this one if they fit.
    pub(super) fn set_credentials(&mut self, credentials: Credentials, now: Instant) {
        let fresh = self.credentials != credentials;
        self.credentials = credentials;
        match self.state {
            State::Held(_) if fresh => self.try_credentials(Identity::new(self.credentials.clone()), now),
            State::Offline | State::Held(_) => {}
            State::Asking(_) if !fresh => {}
            State::Resting { .. } | State::Asking(_) => self.allocate(now),
        }
    }

    /// The stream to the server stands: nothing of what was on a former one counts.
    pub(super) fn handle_up(&mut self, now: Instant) {
        self.wire.clear();
        self.allocate(now);
    }

    pub(super) fn handle_down(&mut self) {
        self.wire.clear();
        self.state = State::Offline;
    }

    /// Lets the server have its address back.
    pub(super) fn release(&mut self, now: Instant) {
        if self.relayed().is_some() {
            self.refresh(Some(Duration::ZERO), now);
        }
    }

    pub(super) fn permit(&mut self, peer: SocketAddr, now: Instant) {
        if let State::Held(held) = &mut self.state
            && message::same_family(held.relayed.ip(), peer.ip())
        {
            held.peers.permit(peer, &mut self.wire, now);
        }
    }

    pub(super) fn send(&mut self, peer: SocketAddr, payload: &[u8], now: Instant) {
        if let State::Held(held) = &mut self.state
            && message::same_family(held.relayed.ip(), peer.ip())
        {
            held.peers.send(peer, payload, &mut self.wire, now);
        }
    }

    /// From whom it comes, and what.
    pub(super) fn handle_channel_data(&self, data: BytesMut) -> Option<(SocketAddr, BytesMut)> {
        let State::Held(held) = &self.state else {
            return None;
        };
        let (channel, data) = message::split_channel_data(data)?;
        Some((held.peers.peer_of(channel)?, data))
    }

    /// The same for the long form; answers are dealt with here.
    pub(super) fn handle_message(&mut self, mut message: Message, now: Instant) -> Option<(SocketAddr, BytesMut)> {
        match &mut self.state {
            State::Held(held) if message.typ == message::DATA_INDICATION => {
                let (peer, data) = message::data(&message)?;
                held.peers.heard(peer, &mut self.wire, now);
                return Some((peer, data));
            }
            State::Held(Held { trial: Some(trial), .. }) if trial.asked.is_answered_by(&message) => {
                self.handle_tried(message, now);
            }
            State::Held(held) if held.refresh.answered_by(&message).is_some() => self.handle_refreshed(message, now),
            State::Held(held) => match held.peers.handle_message(&mut message, &mut self.wire, now) {
                Outcome::NotOurs | Outcome::Settled => {}
                Outcome::AllocationLost => self.lose(now),
            },
            State::Asking(transaction) if transaction.is_answered_by(&message) => self.handle_allocated(message, now),
            State::Offline | State::Resting { .. } | State::Asking(_) => {}
        }
        None
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Offline => {}
            State::Resting { until } if *until <= now => self.allocate(now),
            State::Resting { .. } => {}
            State::Asking(transaction) => match transaction.handle_timeout(now) {
                Some(Overdue::Resend(message)) => self.wire.send(message),
                Some(Overdue::GivenUp) => self.rest("it does not answer", None, now),
                None => {}
            },
            State::Held(held) => {
                held.peers.handle_timeout(&mut self.wire, now);
                match held.trial.as_mut().and_then(|trial| trial.asked.handle_timeout(now)) {
                    Some(Overdue::Resend(message)) => self.wire.send(message),
                    Some(Overdue::GivenUp) => held.trial = None,
                    None => {}
                }
                match &mut held.refresh {
                    Ask::At(due) if *due <= now => self.refresh(None, now),
                    Ask::At(_) => {}
                    Ask::Asked(transaction) => match transaction.handle_timeout(now) {
                        Some(Overdue::Resend(message)) => self.wire.send(message),
                        Some(Overdue::GivenUp) => self.lose(now),
                        None => {}
                    },
                }
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Offline => None,
            State::Resting { until } => Some(*until),
            State::Asking(transaction) => Some(transaction.due()),
            State::Held(held) => {
                let trial = held.trial.as_ref().map(|trial| trial.asked.due());
                [Some(held.refresh.due()), held.peers.poll_timeout(), trial].into_iter().flatten().min()
            }
        }
    }

    pub(super) fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.wire.poll()
    }

    fn allocate(&mut self, now: Instant) {
        self.wire.set_credentials(self.credentials.clone());
        self.ask_allocation(now);
    }

    fn ask_allocation(&mut self, now: Instant) {
        let mut request = message::new(METHOD_ALLOCATE, CLASS_REQUEST);
        request.add(ATTR_REQUESTED_TRANSPORT, &UDP);
        self.state = State::Asking(self.wire.ask(request, now));
    }

    fn handle_allocated(&mut self, mut answer: Message, now: Instant) {
        let State::Asking(question) = &self.state else {
            return;
        };
        match self.wire.judge(question, &mut answer) {
            None => {}
            Some(Answer::Again) => self.ask_allocation(now),
            Some(Answer::Granted) => {
                let relayed = message::address(&answer, ATTR_XOR_RELAYED_ADDRESS);
                let (Some(relayed), Some(refresh)) = (relayed, next_refresh(&answer, now)) else {
                    return self.rest("it gave us an address that is none", None, now);
                };
                tracing::debug!(server = %self.server, %relayed, "a relay serves us");
                self.state = State::Held(Held { relayed, refresh: Ask::At(refresh), peers: Peers::new(), trial: None });
            }
            Some(Answer::Refused(code)) => {
                if code == CODE_ALLOC_MISMATCH {
                    // A broadcaster that was on this port before left it behind, and nobody else will give it back.
                    self.refresh(Some(Duration::ZERO), now);
                }
                self.rest("it refused us an address", Some(code), now);
            }
        }
    }

    fn refresh(&mut self, lifetime: Option<Duration>, now: Instant) {
        let mut request = message::new(METHOD_REFRESH, CLASS_REQUEST);
        if let Some(lifetime) = lifetime {
            let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
            request.add(ATTR_LIFETIME, &seconds.to_be_bytes());
        }
        let asked = self.wire.ask(request, now);
        if let State::Held(held) = &mut self.state {
            held.refresh = Ask::Asked(asked);
        }
    }

    fn handle_refreshed(&mut self, mut answer: Message, now: Instant) {
        let State::Held(Held { refresh: Ask::Asked(question), .. }) = &self.state else {
            return;
        };
        let next = match self.wire.judge(question, &mut answer) {
            None => return,
            Some(Answer::Again) => return self.refresh(None, now),
            Some(Answer::Granted) => next_refresh(&answer, now),
            Some(Answer::Refused(_)) => None,
        };
        match (&mut self.state, next) {
            (State::Held(held), Some(next)) => {
                self.backoff.reset();
                held.refresh = Ask::At(next);
            }
            (State::Held(_) | State::Offline | State::Resting { .. } | State::Asking(_), _) => self.lose(now),
        }
    }

    fn try_credentials(&mut self, mut identity: Identity, now: Instant) {
        let request = message::new(METHOD_REFRESH, CLASS_REQUEST);
        let asked = self.wire.acting_as(&mut identity, |wire| wire.ask(request, now));
        if let State::Held(held) = &mut self.state {
            held.trial = Some(Box::new(Trial { identity, asked }));
        }
    }

    fn handle_tried(&mut self, mut answer: Message, now: Instant) {
        let State::Held(held) = &mut self.state else {
            return;
        };
        let Some(mut trial) = held.trial.take() else {
            return;
        };
        let Trial { identity, asked } = &mut *trial;
        match self.wire.acting_as(identity, |wire| wire.judge(asked, &mut answer)) {
            None => held.trial = Some(trial),
            Some(Answer::Again) => self.try_credentials(trial.identity, now),
            Some(Answer::Granted) => {
                tracing::debug!(server = %self.server, "the relay goes on with new credentials");
                self.wire.set_identity(trial.identity);
            }
            Some(Answer::Refused(code)) => {
                tracing::debug!(server = %self.server, code = code.0, "the relay goes on with the credentials it has");
            }
        }
    }

    /// The server has forgotten us, or does not want us any more.
    fn lose(&mut self, now: Instant) {
        tracing::debug!(server = %self.server, "the relay's address is lost; another will be asked for");
        self.state = State::Resting { until: now + self.backoff.next(rand::random()) };
    }

    fn rest(&mut self, why: &str, code: Option<ErrorCode>, now: Instant) {
        let code = code.map(|code| code.0);
        if self.backoff.is_fresh() {
            tracing::warn!(server = %self.server, why, code, "no relay for viewers behind strict networks; trying on");
        } else {
            tracing::debug!(server = %self.server, why, code, "still no relay");
        }
        self.state = State::Resting { until: now + self.backoff.next(rand::random()) };
    }
}

/// None: it has ended already.
fn next_refresh(answer: &Message, now: Instant) -> Option<Instant> {
    let lasts = Duration::from_secs(message::lifetime(answer)?.into());
    (!lasts.is_zero()).then(|| now + (lasts / 2).clamp(SHORTEST_REFRESH, REFRESH_WITHIN))
}
