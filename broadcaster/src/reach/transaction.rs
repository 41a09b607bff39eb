//! One question to a server: asked again until it is answered or given up.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_stun::message::{Message, TransactionId};

use super::server::Transport;

/// RFC 8489, section 6.2.1.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The last of them 7.5 s after the first, and given up 8 s later.
const MAX_SENDS: u32 = 5;

/// On a stream nothing is lost: it is asked once, and may have to queue behind video.
const STREAM_WAIT: Duration = Duration::from_secs(16);

pub(super) struct Transaction {
    id: TransactionId,
    message: BytesMut,
    /// Which of the server's nonces it was signed with, counted.
    pub(super) nonce: u32,
    sends: u32,
    due: Instant,
}

/// What a deadline that has passed calls for.
pub(super) enum Overdue {
    Resend(BytesMut),
    GivenUp,
}

impl Transaction {
    /// One that has been sent just now.
    pub(super) fn new(message: &Message, nonce: u32, transport: Transport, now: Instant) -> Self {
        let (sends, wait) = match transport {
            Transport::Udp => (1, FIRST_WAIT),
            Transport::Tcp | Transport::Tls => (MAX_SENDS, STREAM_WAIT),
        };
        let (id, message) = (message.transaction_id, BytesMut::from(&message.raw[..]));
        Self { id, message, nonce, sends, due: now + wait }
    }

    pub(super) fn is_answered_by(&self, message: &Message) -> bool {
        self.id == message.transaction_id
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Overdue> {
        if now < self.due {
            return None;
        }
        if self.sends == MAX_SENDS {
            return Some(Overdue::GivenUp);
        }
        self.due = now + FIRST_WAIT * (1 << self.sends);
        self.sends += 1;
        Some(Overdue::Resend(self.message.clone()))
    }
}

/// Something that is asked for at its time, and again when its time comes round.
pub(super) enum Ask {
    At(Instant),
    Asked(Transaction),
}

impl Ask {
    pub(super) fn due(&self) -> Instant {
        match self {
            Self::At(due) => *due,
            Self::Asked(transaction) => transaction.due(),
        }
    }

    /// The question that a message answers.
    pub(super) fn answered_by(&self, message: &Message) -> Option<&Transaction> {
        match self {
            Self::At(_) => None,
            Self::Asked(transaction) => Some(transaction).filter(|transaction| transaction.is_answered_by(message)),
        }
    }
}
