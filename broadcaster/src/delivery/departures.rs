//! When what left, for the viewer's reports on when it came (transport-wide congestion control).
//!
//! All packets of a send leave at one instant and are of one length, so a send is one entry, however many packets it has.

use std::{collections::VecDeque, time::Instant};

/// Reports come every 50 to 250 ms, and may be late by as much as a router can hold back: some seconds, of which each has
/// about a hundred sends. What nobody has reported on by then is lost for the estimate.
const MAX_SENDS: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Send {
    /// Counted without end; its lower 16 bits are the transport-wide number.
    first: u64,
    count: u16,
    size: u16,
    pub(super) at: Instant,
}

impl Send {
    fn contains(&self, number: u64) -> bool {
        number.checked_sub(self.first).is_some_and(|offset| offset < u64::from(self.count))
    }

    /// Of each of its packets.
    pub(super) fn size(&self) -> usize {
        usize::from(self.size)
    }
}

/// One packet that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Departure {
    pub(super) number: u64,
    pub(super) send: Send,
}

impl Departure {
    /// The packet after it, if it left with it.
    pub(super) fn next(self) -> Option<Self> {
        let Self { number, send } = self;
        send.contains(number + 1).then_some(Self { number: number + 1, send })
    }
}

#[derive(Debug, Default)]
pub(super) struct Departures {
    sends: VecDeque<Send>,
    /// Sends that are forgotten.
    forgotten: u64,
    next: u64,
    /// The send that was asked for last, counted with those that are forgotten: the next report goes on from there.
    place: u64,
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

    /// So many packets of that size leave at once.
    pub(super) fn record(&mut self, packets: usize, size: usize, at: Instant) {
        let first = self.next;
        self.next += packets as u64;
        if self.sends.len() == MAX_SENDS {
            self.sends.pop_front();
            self.forgotten += 1;
        }
        let count = u16::try_from(packets).expect("a send has some dozens");
        self.sends.push_back(Send { first, count, size: u16::try_from(size).unwrap_or(u16::MAX), at });
    }

    /// The packet that last bore this transport-wide number.
    pub(super) fn find(&mut self, sequence: u16) -> Option<Departure> {
        let back = u64::from((self.next as u16).wrapping_sub(sequence));
        // Nothing bears the next number yet.
        let number = self.next.checked_sub(back).filter(|_| back > 0)?;
        let place = self.place.saturating_sub(self.forgotten) as usize;
        let covers = |place: &usize| self.sends.get(*place).is_some_and(|send| send.contains(number));
        let place = [place, place + 1].into_iter().find(covers).or_else(|| {
            let after = self.sends.partition_point(|send| send.first <= number);
            after.checked_sub(1).filter(covers)
        })?;
        self.place = self.forgotten + place as u64;
        Some(Departure { number, send: self.sends[place] })
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
            for (packets, size) in [(9, 1200), (1, 700)] {
                let first = departures.next();
                let send = Send { first, count: packets as u16, size, at };
                all.extend((first..first + packets).map(|number| Departure { number, send }));
                departures.record(packets as usize, usize::from(size), at);
            }
        }
        assert_eq!(departures.sends.len(), MAX_SENDS);
        for departure in &all[all.len() - 2000..] {
            assert_eq!(departures.find(departure.number as u16), Some(*departure));
        }
        for departure in all[all.len() - 2000..].iter().rev() {
            assert_eq!(departures.find(departure.number as u16), Some(*departure), "in any order");
        }
        for pair in all[all.len() - 2000..].windows(2) {
            assert_eq!(pair[0].next(), Some(pair[1]).filter(|next| next.send == pair[0].send));
        }
        assert_eq!(departures.find(departures.next() as u16), None);
        assert_eq!(departures.find((departures.next() as u16).wrapping_sub(3000)), None, "too old");
        assert_eq!(departures.bytes_from(departures.next()), 0);
        assert_eq!(departures.bytes_from(departures.next() - 13), 2 * 700 + 11 * 1200);
    }
}
