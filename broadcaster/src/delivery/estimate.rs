//! What a viewer's path carries, from the viewer's reports on when packets came.
//!
//! The stack's congestion control makes the bandwidth of it. Beside that stand what it does not tell: how long the path's
//! queue is, and how fast a train of packets came through.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use rtc_interceptor::{BandwidthEstimator, Gcc, PacketReport, RateCalculator, convert_twcc};
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;

use super::departures::Departures;

/// Believed of a path that nothing is known of: what most networks carry, so that the first keyframe is not held back.
const INITIAL: f64 = 10_000_000.0;
const MIN: f64 = 50_000.0;
const MAX: f64 = 100_000_000.0;

/// The shortest delay seen within one to two of these is that of the empty path: routes change.
const BASE_WINDOW: Duration = Duration::from_secs(10);

/// What is known of a viewer's path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Estimate {
    /// What it carries, in bits per second.
    pub(crate) bitrate: f64,
    /// What came through lately, in bits per second.
    pub(crate) received: Option<f64>,
    /// The share of packets that were lost, smoothed.
    pub(crate) loss: f64,
    /// How long a packet waits on its way because of those before it.
    pub(crate) queue: Duration,
    pub(crate) round_trip: Option<Duration>,
    /// The viewer reports on what comes.
    pub(crate) reported: bool,
}

pub(super) struct Estimator {
    gcc: Gcc,
    received: RateCalculator,
    pub(super) departures: Departures,
    reports: Vec<PacketReport>,
    delays: Delays,
    train: Option<Train>,
    estimate: Estimate,
}

/// A run of packets that left at once, and how it came.
#[derive(Debug)]
struct Train {
    numbers: Range<u64>,
    heard: u64,
    arrived: u32,
    bytes: usize,
    first: Option<Duration>,
    last: Duration,
}

/// How a train came through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Passage {
    /// Bits per second between its first packet and its last.
    pub(super) rate: f64,
    pub(super) loss: f64,
}

impl Estimator {
    pub(super) fn new() -> Self {
        let estimate = Estimate { bitrate: INITIAL, ..Estimate::default() };
        Self {
            gcc: Gcc::new(INITIAL, MIN, MAX),
            received: RateCalculator::default(),
            departures: Departures::default(),
            reports: Vec::new(),
            delays: Delays::default(),
            train: None,
            estimate,
        }
    }

    pub(super) fn estimate(&self) -> Estimate {
        self.estimate
    }

    /// The path has shown, or is supposed, to carry this much: what was believed before does not count.
    pub(super) fn suppose(&mut self, bitrate: f64) {
        self.gcc = Gcc::new(bitrate, MIN, MAX);
        self.estimate.bitrate = bitrate.clamp(MIN, MAX);
    }

    pub(super) fn round_trip(&mut self, time: Duration) {
        self.estimate.round_trip = Some(time);
    }

    /// The packets of these transport-wide numbers left at once.
    pub(super) fn watch_train(&mut self, numbers: Range<u64>) {
        self.train =
            Some(Train { heard: numbers.start, numbers, arrived: 0, bytes: 0, first: None, last: Duration::ZERO });
    }

    /// How the train came through, as soon as all of it was reported on.
    pub(super) fn take_passage(&mut self) -> Option<Passage> {
        let passage = self.train.as_ref()?.passage()?;
        self.train = None;
        Some(passage)
    }

    pub(super) fn handle(&mut self, feedback: &TransportLayerCc, now: Instant) {
        self.reports.clear();
        for acknowledgement in convert_twcc(feedback) {
            let Some(departure) = self.departures.find(acknowledgement.sequence_number) else { continue };
            if let Some(train) = &mut self.train {
                train.hear(departure.number, acknowledgement.arrival, departure.size);
            }
            if let Some(arrival) = acknowledgement.arrival {
                self.delays.add(departure.at, arrival, now);
                self.received.add(now, departure.size);
            }
            self.reports.push(PacketReport {
                ssrc: 0,
                id: departure.number,
                rtp_sequence_number: 0,
                is_twcc: true,
                twcc_sequence_number: acknowledgement.sequence_number,
                size: departure.size,
                arrived: acknowledgement.arrived,
                departure: departure.at,
                arrival: acknowledgement.arrival,
                ecn: acknowledgement.ecn,
            });
        }
        if self.reports.is_empty() {
            return;
        }
        self.gcc.on_reports(now, &self.reports);
        self.estimate.bitrate = self.gcc.target_bitrate();
        self.estimate.loss = self.gcc.stats().packet_loss.unwrap_or_default();
        self.estimate.received = self.received.rate_bits_per_second(now);
        self.estimate.queue = self.delays.queue();
        self.estimate.reported = true;
    }

    /// A viewer that sends no such reports still says how much it lost.
    pub(super) fn lost(&mut self, share: f64) {
        if !self.estimate.reported {
            self.estimate.loss = 0.5 * self.estimate.loss + 0.5 * share;
        }
    }
}

impl Train {
    fn hear(&mut self, number: u64, arrival: Option<Duration>, size: usize) {
        if !self.numbers.contains(&number) {
            // What came after it was reported on, so all of it was.
            if number >= self.numbers.end {
                self.heard = self.numbers.end;
            }
            return;
        }
        self.heard = self.heard.max(number + 1);
        let Some(arrival) = arrival else { return };
        self.arrived += 1;
        match self.first {
            // The first packet's own bytes came before the clock started.
            None => self.first = Some(arrival),
            Some(_) => self.bytes += size,
        }
        self.last = self.last.max(arrival);
    }

    fn passage(&self) -> Option<Passage> {
        if self.heard < self.numbers.end {
            return None;
        }
        let sent = (self.numbers.end - self.numbers.start) as f64;
        // Reports count in quarters of a millisecond.
        let took = self.last.saturating_sub(self.first.unwrap_or_default()).max(Duration::from_micros(250));
        Some(Passage { rate: self.bytes as f64 * 8.0 / took.as_secs_f64(), loss: 1.0 - f64::from(self.arrived) / sent })
    }
}

/// One-way delays. The two clocks have nothing in common, so only differences count.
#[derive(Debug, Default)]
struct Delays {
    epoch: Option<Instant>,
    /// The least of this window and of the one before, in seconds.
    base: [Option<f64>; 2],
    window: Option<Instant>,
    smoothed: f64,
}

impl Delays {
    fn add(&mut self, departure: Instant, arrival: Duration, now: Instant) {
        let epoch = *self.epoch.get_or_insert(departure);
        let delay = arrival.as_secs_f64() - departure.saturating_duration_since(epoch).as_secs_f64();
        if now.saturating_duration_since(*self.window.get_or_insert(now)) > BASE_WINDOW {
            self.window = Some(now);
            self.base = [None, self.base[0]];
        }
        self.base[0] = Some(self.base[0].map_or(delay, |base| base.min(delay)));
        let above = delay - self.least();
        self.smoothed += (above - self.smoothed) / 8.0;
    }

    fn least(&self) -> f64 {
        self.base.iter().flatten().copied().fold(f64::INFINITY, f64::min)
    }

    fn queue(&self) -> Duration {
        Duration::try_from_secs_f64(self.smoothed.max(0.0)).unwrap_or_default()
    }
}
