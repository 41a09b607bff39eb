//! A train of packets that leave at once: how far apart they come says how fast the path is.

use std::{ops::Range, time::Duration};

/// Reports count in quarters of a millisecond.
const FINEST: Duration = Duration::from_micros(250);

#[derive(Debug)]
pub(super) struct Train {
    /// The transport-wide numbers of its packets.
    numbers: Range<u64>,
    heard: u64,
    arrived: u32,
    bytes: usize,
    arrivals: Option<(Duration, Duration)>,
}

/// How a train came through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Passage {
    /// Bits per second between its first packet and its last.
    pub(super) rate: f64,
    pub(super) loss: f64,
}

impl Train {
    pub(super) fn new(numbers: Range<u64>) -> Self {
        Self { heard: numbers.start, numbers, arrived: 0, bytes: 0, arrivals: None }
    }

    /// A packet was reported on.
    pub(super) fn hear(&mut self, number: u64, arrival: Option<Duration>, size: usize) {
        if number < self.numbers.start {
            return;
        }
        // What comes after it may be reported on while some of it never is.
        self.heard = self.heard.max(number + 1);
        let Some(arrival) = arrival.filter(|_| number < self.numbers.end) else { return };
        self.arrived += 1;
        self.arrivals = Some(match self.arrivals {
            // The first packet's own bytes came before the clock started.
            None => (arrival, arrival),
            Some((first, last)) => {
                self.bytes += size;
                (first.min(arrival), last.max(arrival))
            }
        });
    }

    pub(super) fn passage(&self) -> Option<Passage> {
        if self.heard < self.numbers.end {
            return None;
        }
        let sent = (self.numbers.end - self.numbers.start) as f64;
        let took = self.arrivals.map_or(FINEST, |(first, last)| (last - first).max(FINEST));
        Some(Passage { rate: self.bytes as f64 * 8.0 / took.as_secs_f64(), loss: 1.0 - f64::from(self.arrived) / sent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gaps_between_packets_show_the_rate() {
        let mut train = Train::new(10..15);
        for number in 10..15 {
            assert_eq!(train.passage(), None, "not all of it was reported on");
            train.hear(number, Some(Duration::from_millis(500 + 4 * (number - 10))), 1000);
        }
        assert_eq!(train.passage(), Some(Passage { rate: 2e6, loss: 0.0 }));
    }

    #[test]
    fn a_train_that_lost_its_end_is_known_by_what_comes_after() {
        let mut train = Train::new(10..14);
        train.hear(9, Some(Duration::ZERO), 1000);
        train.hear(10, Some(Duration::ZERO), 1000);
        train.hear(11, Some(Duration::from_millis(8)), 1000);
        assert_eq!(train.passage(), None);
        train.hear(14, Some(Duration::from_millis(90)), 1000);
        assert_eq!(train.passage(), Some(Passage { rate: 1e6, loss: 0.5 }));
    }
}
