//! What a viewer's path does to its packets, from the viewer's reports on when they came.
//!
//! A camera's picture does not fill a path, so how much that could carry cannot be seen from what it carries. What can be
//! seen is whether it is too much: then a queue stands that does not go away, or packets are lost. And how fast a train of
//! packets comes through.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use rtc_interceptor::convert_twcc;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;

use super::{
    departures::{Departure, Departures},
    history::{Base, Heard, History},
    stragglers::{Comes, Stragglers},
    train::{Passage, Train},
};

/// Believed of a path that nothing is known of: what most networks carry, so that the first keyframe is not held back.
const INITIAL: f64 = 10_000_000.0;

/// What is known of a viewer's path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Estimate {
    /// What it is believed to carry, in bits per second.
    pub(crate) bitrate: f64,
    /// What came through lately, in bits per second.
    pub(crate) received: Option<f64>,
    /// What it carries if a queue stands, in bits per second.
    pub(crate) carried: Option<f64>,
    /// The share of packets that were lost lately.
    pub(crate) loss: f64,
    /// How long even those packets waited that waited least.
    pub(crate) queue: Duration,
    /// The same of the last report alone.
    pub(crate) swell: Duration,
    /// How long what is on its way takes to come through.
    pub(crate) backlog: Duration,
    pub(crate) round_trip: Option<Duration>,
    /// The viewer reports on what comes.
    pub(crate) reported: bool,
}

pub(super) struct Estimator {
    pub(super) departures: Departures,
    /// Everything below was reported on.
    heard: u64,
    epoch: Option<Instant>,
    /// What left before says nothing of what leaves now.
    since: Option<Instant>,
    base: Base,
    history: History,
    stragglers: Stragglers,
    train: Option<Train>,
    /// The round trip before the last.
    former_trip: Option<Duration>,
    estimate: Estimate,
}

impl Estimator {
    pub(super) fn new() -> Self {
        Self {
            departures: Departures::default(),
            heard: 0,
            epoch: None,
            since: None,
            base: Base::default(),
            history: History::default(),
            stragglers: Stragglers::default(),
            train: None,
            former_trip: None,
            estimate: Estimate { bitrate: INITIAL, ..Estimate::default() },
        }
    }

    pub(super) fn estimate(&self) -> Estimate {
        self.estimate
    }

    /// The path has shown to carry this much.
    pub(super) fn believe(&mut self, bitrate: f64) {
        self.estimate.bitrate = bitrate;
    }

    /// What leaves from now on meets another queue. `base`: and perhaps another path, whose delay is to be learnt anew.
    pub(super) fn restart(&mut self, base: bool, now: Instant) {
        self.since = Some(now);
        self.history = History::default();
        self.stragglers.forget();
        let Estimate { bitrate, backlog, round_trip, reported, .. } = self.estimate;
        self.estimate = Estimate { bitrate, backlog, round_trip, reported, ..Estimate::default() };
        if base {
            self.base = Base::default();
            self.stragglers.begin_anew();
            self.former_trip = None;
        }
    }

    /// The packets of these transport-wide numbers left at once.
    pub(super) fn watch_train(&mut self, numbers: Range<u64>) {
        self.train = Some(Train::new(numbers));
    }

    /// How the train came through, as soon as all of it was reported on.
    pub(super) fn take_passage(&mut self) -> Option<Passage> {
        let passage = self.train.as_ref()?.passage()?;
        self.train = None;
        Some(passage)
    }

    pub(super) fn handle(&mut self, feedback: &TransportLayerCc, now: Instant) {
        let mut heard = Heard::new(now);
        let (mut former, mut left): (Option<Departure>, f64) = (None, 0.0);
        // The last chunk has symbols to spare, and the stack takes them for losses of what is still on its way.
        let count = usize::from(feedback.packet_status_count);
        for acknowledgement in convert_twcc(feedback).into_iter().take(count) {
            // A report names packets one after the other, and most left with the one before.
            let next = former.and_then(Departure::next);
            former = next.or_else(|| self.departures.find(acknowledgement.sequence_number));
            let Some(Departure { number, send }) = former else { continue };
            if next.is_none() {
                left = self.since_epoch(send.at);
            }
            self.heard = self.heard.max(number + 1);
            if let Some(train) = &mut self.train {
                train.hear(number, acknowledgement.arrival, send.size());
            }
            if self.since.is_some_and(|since| send.at < since) {
                continue;
            }
            match acknowledgement.arrival {
                Some(arrival) => {
                    match self.stragglers.comes(number, now) {
                        Comes::New | Comes::Late => {}
                        Comes::Lost => self.history.found(),
                        Comes::Again => continue,
                    }
                    heard.arrived(arrival, arrival.as_secs_f64() - left, send.size());
                }
                None if !acknowledgement.arrived => heard.lost(self.stragglers.misses(number, now)),
                None => {}
            }
        }
        heard.lost(self.stragglers.give_up(now));
        if let Some(delay) = heard.least_delay() {
            self.base.add(delay, now);
        }
        self.history.add(heard);
        self.estimate.received = self.history.rate().or(self.estimate.received);
        self.estimate.carried = match (self.estimate.received, self.history.last_rate()) {
            (Some(rate), Some(last)) => Some(rate.min(last)),
            (rate, last) => rate.or(last),
        };
        self.estimate.loss = self.history.loss();
        // Packets that others overtake have not waited behind those.
        let wandered = self.stragglers.patience();
        let waited = |delay| self.base.above(delay).saturating_sub(wandered);
        self.estimate.queue = self.history.least_delay().map_or(Duration::ZERO, waited);
        self.estimate.swell = self.history.last_delay().map_or(Duration::ZERO, waited);
        self.estimate.backlog = self.backlog();
        self.estimate.reported = true;
    }

    /// Seconds, which may be negative.
    fn since_epoch(&mut self, at: Instant) -> f64 {
        let epoch = *self.epoch.get_or_insert(at);
        at.saturating_duration_since(epoch).as_secs_f64() - epoch.saturating_duration_since(at).as_secs_f64()
    }

    fn backlog(&self) -> Duration {
        // A router that has no room has dropped as much of this as of what came before.
        let bits = self.departures.bytes_from(self.heard) as f64 * 8.0 * (1.0 - self.estimate.loss);
        let rate = self.estimate.carried.unwrap_or(self.estimate.bitrate).max(1.0);
        Duration::try_from_secs_f64(bits / rate).unwrap_or(Duration::MAX)
    }

    pub(super) fn round_trip(&mut self, time: Duration, now: Instant) {
        let former = self.former_trip.replace(time);
        self.estimate.round_trip = Some(time);
        if !self.estimate.reported {
            // A viewer that does not say when packets came shows a queue by its answers' delay.
            self.base.add(time.as_secs_f64(), now);
            let least = former.map_or(0.0, |former| former.min(time).as_secs_f64());
            self.estimate.queue = self.base.above(least);
            self.estimate.backlog = self.estimate.queue;
        }
    }

    /// A viewer that sends no such reports still says how much it lost.
    pub(super) fn lost(&mut self, share: f64) {
        if !self.estimate.reported {
            self.estimate.loss = 0.5 * self.estimate.loss + 0.5 * share;
        }
    }
}
