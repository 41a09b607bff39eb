//! What a puppet has got, picture by picture.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use protocol::Notice;

const SPS: u8 = 7;
const STAP_A: u8 = 24;
const NAL_TYPE: u8 = 0x1f;

/// A picture of which every packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The same for whoever got the same.
    pub id: u64,
    /// By the stream's own clock, 90 000 a second.
    pub timestamp: u32,
    /// The same for all pictures of one encoder.
    pub quality: u64,
    /// How long the way's queue has been since the picture before.
    pub queue: Duration,
}

#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The descriptions that the session began with.
    pub offer: String,
    pub answer: String,
    /// Offers that were answered.
    pub offers: u32,
    pub notices: Vec<Notice>,
    pub pictures: Vec<Picture>,
    /// Requests that were made for the sake of making them.
    pub flooded: u64,
    next: Option<u16>,
    whole: bool,
    hasher: DefaultHasher,
    quality: u64,
    queue: Duration,
}

impl Seen {
    /// True: this was the last packet of a picture.
    pub(super) fn count(&mut self, packet: &rtc::rtp::Packet) -> bool {
        let number = packet.header.sequence_number;
        let step = number.wrapping_sub(self.next.unwrap_or(number));
        // Half the range or more: it comes late, and its picture is given up.
        if step >= 1 << 15 {
            return false;
        }
        self.whole &= step == 0;
        self.next = Some(number.wrapping_add(1));
        packet.payload.hash(&mut self.hasher);
        if let Some(set) = parameter_set(&packet.payload) {
            let mut hasher = DefaultHasher::new();
            set.hash(&mut hasher);
            self.quality = hasher.finish();
        }
        if packet.header.marker {
            let picture = Picture {
                id: std::mem::take(&mut self.hasher).finish(),
                timestamp: packet.header.timestamp,
                quality: self.quality,
                queue: std::mem::take(&mut self.queue),
            };
            // The first one's beginning may have been missed.
            if std::mem::replace(&mut self.whole, true) {
                self.pictures.push(picture);
            }
        }
        packet.header.marker
    }

    /// Whether the picture that is coming will be incomplete.
    pub(super) fn misses_something(&self) -> bool {
        !self.whole && self.next.is_some()
    }

    pub(super) fn queued(&mut self, queue: Duration) {
        self.queue = self.queue.max(queue);
    }
}

/// The parameter set that a packet begins with, alone or before others (RFC 6184, section 5.7.1).
fn parameter_set(payload: &[u8]) -> Option<&[u8]> {
    let unit = match payload {
        [header, high, low, units @ ..] if header & NAL_TYPE == STAP_A => {
            units.get(..usize::from(u16::from_be_bytes([*high, *low])))?
        }
        unit => unit,
    };
    unit.first().filter(|header| *header & NAL_TYPE == SPS).map(|_| unit)
}
