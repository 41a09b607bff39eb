//! Our address as one server sees it: asked for again and again, which also keeps the way through a NAT open.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_stun::{
    attributes::ATTR_XORMAPPED_ADDRESS,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message},
};

use super::{
    CandidateKind, LocalCandidate, message,
    server::Transport,
    transaction::{Ask, Overdue, Transaction},
};

/// NATs forget a UDP flow after 30 s (RFC 8445, section 11).
const KEEPALIVE: Duration = Duration::from_secs(25);

/// Servers tell everybody who asks.
const UNSIGNED: u32 = 0;

pub(super) struct Binding {
    ask: Ask,
    seen: Option<LocalCandidate>,
    out: Option<BytesMut>,
}

impl Binding {
    pub(super) fn new(now: Instant) -> Self {
        Self { ask: Ask::At(now), seen: None, out: None }
    }

    pub(super) fn candidate(&self) -> Option<LocalCandidate> {
        // Where no NAT is in the way it is an address that everybody knows already.
        self.seen.filter(|seen| seen.address != seen.base)
    }

    /// What the server sees, NAT or no NAT.
    pub(super) fn seen(&self) -> Option<SocketAddr> {
        self.seen.map(|seen| seen.address)
    }

    /// Asks now if nothing is known yet: something has changed that may help.
    pub(super) fn nudge(&mut self, now: Instant) {
        if self.seen.is_none() && matches!(self.ask, Ask::At(_)) {
            self.ask = Ask::At(now);
        }
    }

    /// `to` is where the answer arrived. False: it answers nothing that was asked here.
    pub(super) fn handle_message(&mut self, message: &Message, to: SocketAddr, now: Instant) -> bool {
        if self.ask.answered_by(message).is_none() {
            return false;
        }
        let address = message::address(message, ATTR_XORMAPPED_ADDRESS);
        let (kind, transport) = (CandidateKind::ServerReflexive, Transport::Udp);
        self.seen = address.filter(|_| message.typ == BINDING_SUCCESS).map(|address| LocalCandidate {
            kind,
            address,
            base: to,
            transport,
        });
        self.ask = Ask::At(now + KEEPALIVE);
        true
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.ask {
            Ask::At(due) if *due <= now => {
                let request = message::new(BINDING_REQUEST.method, BINDING_REQUEST.class);
                self.out = Some(BytesMut::from(&request.raw[..]));
                self.ask = Ask::Asked(Transaction::new(&request, UNSIGNED, Transport::Udp, now));
            }
            Ask::At(_) => {}
            Ask::Asked(transaction) => match transaction.handle_timeout(now) {
                Some(Overdue::Resend(message)) => self.out = Some(message),
                Some(Overdue::GivenUp) => {
                    self.seen = None;
                    self.ask = Ask::At(now + KEEPALIVE);
                }
                None => {}
            },
        }
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        self.ask.due()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.out.take()
    }
}
