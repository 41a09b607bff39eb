//! What one viewer got.

use std::{cell::Cell, time::SystemTime};

use crate::wire::{Count, FLOOR_TYPE, Flow};

const TYPE: u8 = 0x7f;

#[derive(Default)]
pub(super) struct Tally {
    media: Stream,
    floor: Stream,
    began: Cell<u64>,
    pub(super) opened: Cell<u64>,
    pub(super) to_open: Cell<u64>,
    pub(super) reports: Cell<u64>,
}

#[derive(Default)]
struct Stream {
    flow: Cell<Flow>,
    last: Cell<Option<u16>>,
}

impl Tally {
    /// Takes an RTP packet. True: it is the fan-out's.
    pub(super) fn take(&self, packet: &[u8]) -> bool {
        let [_, kind, high, low, ..] = packet else { return false };
        let media = kind & TYPE != FLOOR_TYPE;
        let stream = if media { &self.media } else { &self.floor };
        stream.take(u16::from_be_bytes([*high, *low]), packet.len());
        if media && self.began.get() == 0 {
            let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            self.began.set(since_1970.as_micros() as u64);
        }
        media
    }

    pub(super) fn media(&self) -> Flow {
        self.media.flow.get()
    }

    pub(super) fn add_to(&self, sum: Count) -> Count {
        Count {
            media: self.media.add_to(sum.media),
            floor: self.floor.add_to(sum.floor),
            watching: sum.watching + usize::from(self.began.get() > 0),
            last_began: sum.last_began.max(self.began.get()),
            opened: sum.opened + self.opened.get(),
            to_open: sum.to_open + self.to_open.get(),
            reports: sum.reports + self.reports.get(),
            ..sum
        }
    }
}

impl Stream {
    fn take(&self, sequence: u16, bytes: usize) {
        let mut flow = self.flow.get();
        flow.packets += 1;
        flow.bytes += bytes as u64;
        if let Some(last) = self.last.get() {
            let step = sequence.wrapping_sub(last);
            if step >= 1 << 15 {
                // It came late, and is not missing any more.
                flow.missing = flow.missing.saturating_sub(1);
                self.flow.set(flow);
                return;
            }
            flow.missing += u64::from(step).saturating_sub(1);
        }
        self.flow.set(flow);
        self.last.set(Some(sequence));
    }

    fn add_to(&self, sum: Flow) -> Flow {
        let flow = self.flow.get();
        Flow { packets: sum.packets + flow.packets, bytes: sum.bytes + flow.bytes, missing: sum.missing + flow.missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, sequence: u16) -> [u8; 4] {
        let [high, low] = sequence.to_be_bytes();
        [0x80, kind, high, low]
    }

    #[test]
    fn the_floors_packets_and_the_fan_outs_are_counted_apart_and_gaps_in_both() {
        let tally = Tally::default();
        for sequence in [65_534, 65_535, 0, 3, 1] {
            assert!(tally.take(&packet(0x80 | 102, sequence)));
        }
        for sequence in [7, 9] {
            assert!(!tally.take(&packet(FLOOR_TYPE, sequence)));
        }
        let count = tally.add_to(Count::default());
        assert_eq!((count.media.packets, count.media.missing, count.media.bytes), (5, 1, 20));
        assert_eq!((count.floor.packets, count.floor.missing, count.watching), (2, 1, 1));
    }
}
