//! Which of a camera's qualities a viewer gets: the best that its path carries.
//!
//! Down at once when the path fills up, up only after it has shown that it can: first a short train of packets that says
//! how fast it is, then a moment of as much traffic as the better quality would be. A climb that fails makes the next try
//! wait longer.

use std::time::{Duration, Instant};

use super::estimate::{Estimate, Passage};

/// A queue this long means that more goes in than comes out …
const FULL: Duration = Duration::from_millis(150);
/// … and this long that it may.
const FILLING: Duration = Duration::from_millis(60);
/// The path is as good as empty.
const EMPTY: Duration = Duration::from_millis(40);

const HEAVY_LOSS: f64 = 0.15;
const SOME_LOSS: f64 = 0.05;

/// One report may be an accident.
const SURE_AFTER: Duration = Duration::from_millis(150);
/// After a step down the queue takes this long to drain; only then its length says anything of the new quality.
const DRAINED_AFTER: Duration = Duration::from_millis(1200);
/// A quality is kept that long before a better one is tried.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// What goes wrong within this time of a step up is its fault.
const ON_TRIAL: Duration = Duration::from_secs(5);
const FIRST_PENALTY: Duration = Duration::from_secs(2);
const MAX_PENALTY: Duration = Duration::from_secs(8);

/// A path that is not calm enough for a try is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The answer to a train is due in a round trip and the viewer's interval of reports.
const TRAIN_ANSWERED: Duration = Duration::from_millis(700);
const LOAD_LASTS: Duration = Duration::from_millis(400);

/// A train must show more than the better quality needs, for a burst is not what a path carries for long.
const TRAIN_MARGIN: f64 = 1.3;
const LOAD_MARGIN: f64 = 1.1;
/// What is left of a full path for the next lower quality.
const USABLE: f64 = 0.85;

/// What is to be sent beside the picture, to find out whether the path carries more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Probe {
    /// A dozen packets at once.
    Train,
    /// So many bits per second.
    Load(f64),
}

#[derive(Debug)]
pub(super) struct Ladder {
    /// Bits per second, best first.
    rungs: Vec<f64>,
    current: usize,
    /// What the viewer asked for.
    wanted: Option<usize>,
    /// Whether probes can be sent and are reported on.
    probing: bool,
    phase: Phase,
    since: Instant,
    troubled: Option<Instant>,
    climbed: Option<Instant>,
    penalty: Duration,
    not_before: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Settled,
    /// The train is to be sent, or on its way.
    Train {
        until: Instant,
        sent: bool,
    },
    Load {
        until: Instant,
    },
}

impl Ladder {
    /// `probing`: packets can be sent for the sake of it, and the viewer reports on them.
    pub(super) fn new(rungs: Vec<f64>, wanted: Option<usize>, probing: bool, now: Instant) -> Self {
        let mut ladder = Self {
            rungs,
            current: 0,
            wanted: None,
            probing,
            phase: Phase::Settled,
            since: now,
            troubled: None,
            climbed: None,
            penalty: FIRST_PENALTY,
            not_before: now,
        };
        ladder.want(wanted, now);
        ladder
    }

    pub(super) fn want(&mut self, rung: Option<usize>, now: Instant) {
        self.wanted = rung.map(|rung| rung.min(self.rungs.len().saturating_sub(1)));
        if let Some(rung) = self.wanted {
            self.go(rung, now);
        }
    }

    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// Bits per second of the quality that the viewer gets.
    pub(super) fn bitrate(&self) -> f64 {
        self.rungs.get(self.current).copied().unwrap_or_default()
    }

    pub(super) fn probe(&self) -> Option<Probe> {
        match self.phase {
            Phase::Train { sent: false, .. } => Some(Probe::Train),
            Phase::Load { .. } => Some(Probe::Load(self.better()? * LOAD_MARGIN - self.bitrate())),
            Phase::Train { sent: true, .. } | Phase::Settled => None,
        }
    }

    pub(super) fn train_sent(&mut self) {
        if let Phase::Train { sent, .. } = &mut self.phase {
            *sent = true;
        }
    }

    /// Judges anew. True: the viewer is to get another quality.
    pub(super) fn update(&mut self, estimate: &Estimate, passage: Option<Passage>, now: Instant) -> bool {
        if self.wanted.is_some() || self.rungs.len() < 2 {
            return false;
        }
        let before = self.current;
        if self.is_in_trouble(estimate, now) {
            self.step_down(estimate, now);
        } else {
            self.advance(estimate, passage, now);
        }
        self.current != before
    }

    /// When to judge anew though nothing was reported.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.wanted.is_some() || self.current == 0 {
            return None;
        }
        match self.phase {
            Phase::Settled => Some(self.climbs_at()),
            Phase::Train { until, .. } | Phase::Load { until } => Some(until),
        }
    }

    fn climbs_at(&self) -> Instant {
        self.not_before.max(self.since + SETTLED_AFTER)
    }

    fn better(&self) -> Option<f64> {
        self.rungs.get(self.current.checked_sub(1)?).copied()
    }

    fn is_in_trouble(&mut self, estimate: &Estimate, now: Instant) -> bool {
        let short = estimate.bitrate < 0.9 * self.bitrate();
        let strained = estimate.queue > FILLING || estimate.loss > SOME_LOSS;
        let full = estimate.queue > FULL || estimate.loss > HEAVY_LOSS || (short && strained);
        if !full {
            self.troubled = None;
            return false;
        }
        let since = *self.troubled.get_or_insert(now);
        now >= since + SURE_AFTER && now >= self.since + if self.climbed.is_some() { SURE_AFTER } else { DRAINED_AFTER }
    }

    fn step_down(&mut self, estimate: &Estimate, now: Instant) {
        self.phase = Phase::Settled;
        self.troubled = None;
        let failed = self.climbed.take().is_some_and(|at| now < at + ON_TRIAL);
        self.penalty = if failed { (self.penalty * 2).min(MAX_PENALTY) } else { FIRST_PENALTY };
        self.not_before = now + self.penalty;
        let carried = USABLE * estimate.received.map_or(estimate.bitrate, |received| received.min(estimate.bitrate));
        let lowest = self.rungs.len() - 1;
        let fits = (self.current + 1..lowest).find(|rung| self.rungs[*rung] <= carried);
        if self.current < lowest {
            self.go(fits.unwrap_or(lowest), now);
        }
    }

    fn advance(&mut self, estimate: &Estimate, passage: Option<Passage>, now: Instant) {
        if self.climbed.is_some_and(|at| now >= at + ON_TRIAL) {
            self.climbed = None;
            self.penalty = FIRST_PENALTY;
        }
        let Some(better) = self.better() else { return };
        match self.phase {
            Phase::Settled if now < self.climbs_at() => {}
            Phase::Settled if estimate.queue < EMPTY && estimate.loss < SOME_LOSS => {
                self.phase = if self.probing {
                    Phase::Train { until: now + TRAIN_ANSWERED, sent: false }
                } else {
                    // Nothing can be found out but by trying.
                    Phase::Load { until: now }
                };
            }
            // It is not calm enough to try.
            Phase::Settled => self.not_before = now + LOOK_AGAIN,
            Phase::Train { until, .. } => match passage {
                Some(passage) if passage.rate >= better * TRAIN_MARGIN && passage.loss < HEAVY_LOSS => {
                    self.phase = Phase::Load { until: now + LOAD_LASTS };
                }
                Some(_) => self.fail(now),
                None if now >= until => self.fail(now),
                None => {}
            },
            Phase::Load { .. } if estimate.queue > FILLING || estimate.loss > HEAVY_LOSS => self.fail(now),
            Phase::Load { until } if now >= until => {
                self.go(self.current - 1, now);
                self.climbed = Some(now);
            }
            Phase::Load { .. } => {}
        }
    }

    fn fail(&mut self, now: Instant) {
        self.phase = Phase::Settled;
        self.not_before = now + self.penalty;
        self.penalty = (self.penalty * 2).min(MAX_PENALTY);
    }

    fn go(&mut self, rung: usize, now: Instant) {
        (self.current, self.phase, self.since, self.climbed) = (rung, Phase::Settled, now, None);
    }
}
