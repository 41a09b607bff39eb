//! When what left, for the viewer's reports on when it came (transport-wide congestion control).
//!
//! All packets of a send leave at one instant and are of one length, so a send is one entry, however many packets it has.

use std::{collections::VecDeque, time::Instant};

/// Reports come every 50 to 250 ms, and may be late by as much as a router can hold back: some seconds, of which each has
/// about a hundred sends. What nobody has reported on by then is lost for the estimate.
const MAX_SENDS: usize = 512;

#[derive(Clone, Copy, Debug)]
struct Send {
    /// Counted without end; its lower 16 bits are the transport-wide number.
    first: u64,
    count: u16,
    size: u16,
    at: Instant,
}

/// One packet that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Departure {
    pub(super) number: u64,
    pub(super) size: usize,
    pub(super) at: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Departures {
    sends: VecDeque<Send>,
    next: u64,
}

impl Departures {
    /// The transport-wide number of the next packet.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The size of all packets that left from that number on, as far as it is remembered.
    pub(super) fn bytes_from(&self, number: u64) -> usize {
        let counted = self.sends.iter().rev().map_while(|send| {
            let end = send.first + u64::from(send.count);
            let packets = usize::try_from(end.saturating_sub(send.first.max(number))).unwrap_or(usize::MAX);
            (packets > 0).then_some(packets * usize::from(send.size))
        });
        counted.sum()
    }

    /// One packet leaves. Packets of one send bear its instant.
    pub(super) fn record(&mut self, size: usize, at: Instant) {
        let number = self.next;
        self.next += 1;
        let size = u16::try_from(size).unwrap_or(u16::MAX);
        if let Some(send) = self.sends.back_mut()
            && (send.size, send.at) == (size, at)
            && send.count < u16::MAX
        {
            send.count += 1;
            return;
        }
        if self.sends.len() == MAX_SENDS {
            self.sends.pop_front();
        }
        self.sends.push_back(Send { first: number, count: 1, size, at });
    }

    /// The packet that last bore this transport-wide number.
    pub(super) fn find(&self, sequence: u16) -> Option<Departure> {
        let back = u64::from((self.next as u16).wrapping_sub(sequence));
        // Nothing bears the next number yet.
        let number = self.next.checked_sub(back).filter(|_| back > 0)?;
        let after = self.sends.partition_point(|send| send.first <= number);
        let send = self.sends.get(after.checked_sub(1)?)?;
        (number - send.first < u64::from(send.count)).then(|| Departure {
            number,
            size: usize::from(send.size),
            at: send.at,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn the_last_packets_are_found_and_memory_is_bounded() {
        let t0 = Instant::now();
        let mut departures = Departures::default();
        let mut all = Vec::new();
        for send in 0..9000_u64 {
            let at = t0 + Duration::from_millis(send * 33);
            for packet in 0..10 {
                let size = if packet == 9 { 700 } else { 1200 };
                all.push(Departure { number: departures.next(), size, at });
                departures.record(size, at);
            }
        }
        assert_eq!(departures.sends.len(), MAX_SENDS);
        for departure in &all[all.len() - 2000..] {
            assert_eq!(departures.find(departure.number as u16), Some(*departure));
        }
        assert_eq!(departures.find(departures.next() as u16), None);
        assert_eq!(departures.find((departures.next() as u16).wrapping_sub(3000)), None, "too old");
        assert_eq!(departures.bytes_from(departures.next()), 0);
        assert_eq!(departures.bytes_from(departures.next() - 13), 2 * 700 + 11 * 1200);
    }
}
