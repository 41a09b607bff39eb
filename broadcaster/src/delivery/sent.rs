//! Which packet of which ring went out under which number: no copy of what was sent, only where to find it.

use std::collections::VecDeque;

use crate::media::{Encoding, PacketNumber};

/// Changes of encoding and skips that are remembered. Each lasts at least as long as a keyframe takes to come; pictures that
/// catch up after a change are one each.
const MAX_SPANS: usize = 48;

/// A run of packets that followed each other in one ring and on the wire.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// Counted without end; its lower 16 bits are the sequence number.
    first: u64,
    count: u64,
    encoding: Encoding,
    packet: PacketNumber,
    timestamp_offset: u32,
}

/// Where a packet that went out comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) encoding: Encoding,
    pub(super) packet: PacketNumber,
    pub(super) timestamp_offset: u32,
}

#[derive(Debug, Default)]
pub(super) struct Sent {
    /// The last one stands here, for it is all that a picture touches.
    last: Option<Span>,
    earlier: VecDeque<Span>,
    next: u64,
}

impl Sent {
    pub(super) fn new(first_sequence: u16) -> Self {
        Self { last: None, earlier: VecDeque::new(), next: u64::from(first_sequence) }
    }

    /// The next packets on the wire come from there and from behind it.
    pub(super) fn record(&mut self, origin: Origin, packets: u64) {
        let Origin { encoding, packet, timestamp_offset } = origin;
        let number = self.next;
        self.next += packets;
        if let Some(span) = &mut self.last
            && (span.encoding, span.timestamp_offset) == (encoding, timestamp_offset)
            && packet == span.packet.plus(span.count)
        {
            span.count += packets;
            return;
        }
        if self.earlier.len() == MAX_SPANS {
            self.earlier.pop_front();
        }
        let span = Span { first: number, count: packets, encoding, packet, timestamp_offset };
        self.earlier.extend(self.last.replace(span));
    }

    /// The endless number of the packet that last bore this sequence number.
    pub(super) fn number(&self, sequence: u16) -> Option<u64> {
        let back = (self.next as u16).wrapping_sub(sequence);
        // Nothing bears the next number yet; it last did a whole round ago, which is too long.
        if back == 0 { None } else { self.next.checked_sub(u64::from(back)) }
    }

    pub(super) fn origin(&self, number: u64) -> Option<Origin> {
        let span = self.last.iter().chain(self.earlier.iter().rev()).find(|span| span.first <= number)?;
        let offset = number - span.first;
        (offset < span.count).then(|| Origin {
            encoding: span.encoding,
            packet: span.packet.plus(offset),
            timestamp_offset: span.timestamp_offset,
        })
    }

    /// The number that the next packet will have.
    pub(super) fn next(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::VideoCodec;

    fn origin(rung: u8, packet: u64) -> Origin {
        let encoding = Encoding::Video { rung, codec: VideoCodec::H264 };
        Origin { encoding, packet: PacketNumber::default().plus(packet), timestamp_offset: 5 }
    }

    #[test]
    fn what_was_sent_is_found_by_its_number_across_wraps_and_switches() {
        let mut sent = Sent::new(65_000);
        let plan = [(0, 100..700), (1, 7..500), (1, 510..600), (0, 900..1000)];
        let mut expected = Vec::new();
        for (rung, packets) in plan {
            for packet in packets {
                expected.push((sent.next() as u16, origin(rung, packet)));
                sent.record(origin(rung, packet), 1);
            }
        }
        for (sequence, origin) in expected {
            let number = sent.number(sequence).expect("sent");
            assert_eq!(sent.origin(number), Some(origin));
        }
        assert_eq!(sent.number(sent.next() as u16), None, "not sent yet");
        assert_eq!(sent.number(64_999).and_then(|number| sent.origin(number)), None, "before the first");
    }

    #[test]
    fn memory_is_bounded() {
        let mut sent = Sent::new(0);
        for packet in 0..10_000 {
            sent.record(origin(packet as u8 % 2, packet), 1);
        }
        assert_eq!(sent.earlier.len(), MAX_SPANS);
    }
}
