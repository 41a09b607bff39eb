//! Which of a camera's qualities a viewer gets: the best that its path carries, of those that it has room for.
//!
//! Down at once when the path fills up, and then nothing is sent until what fills it has drained: it would only wait behind
//! pictures that are old already. Up only after the path has shown that it can: first a short train of packets says how fast
//! it is, then traffic grows to what the better quality would be, so slowly that a queue is seen before it is long. A climb
//! that fails makes the next try wait longer.
//!
//! Where the path does not carry even the lowest quality, the ladder says how much of it would fit: if nobody can take more,
//! it is encoded at that. The way back up is the same as to a better quality, a part of it or all at once.

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use super::{Bounds, Qualities, estimate::Estimate, train::Passage};

/// A queue that stands at this length does so because more goes in than comes out.
const FULL: Duration = Duration::from_millis(100);
/// What fills up so fast need not be waited for.
const FLOODED: Duration = Duration::from_millis(200);
/// A queue that was there for one report. Radios hold packets back for about as long.
const SWELLING: Duration = Duration::from_millis(90);
/// What a path that is as good as empty may show: radios hold packets back.
pub(super) const EMPTY: Duration = Duration::from_millis(50);
/// The queue of a router that has room for little else.
const SHORT: Duration = Duration::from_millis(30);

/// Radios lose some packets whatever is sent. More than this, they would not if less were sent.
const HEAVY_LOSS: f64 = 0.12;
const HEAVY_FOR: Duration = Duration::from_millis(300);
/// A router with a short queue loses what does not fit, and its queue stands.
const SOME_LOSS: f64 = 0.04;
const SQUEEZED_FOR: Duration = Duration::from_secs(1);
/// Few enough losses for a better quality.
const LIGHT_LOSS: f64 = 0.08;

/// A queue shorter than this needs no waiting for.
const DRAINED: Duration = Duration::from_millis(100);
/// Acknowledgements of the last packets may never come.
const DRAIN_MARGIN: Duration = Duration::from_millis(100);
const MAX_DRAIN: Duration = Duration::from_secs(10);

/// After a step up, a quality is kept that long before a better one is tried.
const SETTLED_AFTER: Duration = Duration::from_millis(500);
/// What goes wrong within this time of a step up is its fault.
const ON_TRIAL: Duration = Duration::from_secs(5);
/// The wait after a first and after many failures …
const PENALTIES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(4)];
/// … and where the only way to find out is to try: there the viewer pays for every failure.
const BLIND_PENALTIES: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(40)];
/// What a failed try has left in the path is gone by then …
const RECOVERY: Duration = Duration::from_millis(1500);
/// … unless it was too much to wait for.
const OVERFULL: Duration = Duration::from_millis(400);

/// The answer to a train is due in a round trip and the viewer's interval of reports.
const TRAIN_ANSWERED: Duration = Duration::from_millis(1500);
/// A train is as long as the path has to take for it. It must not be a queue itself.
const TRAIN_LASTS: f64 = 0.03;
/// A train must show more than the better quality needs, for a burst is not what a path carries for long.
const TRAIN_MARGIN: f64 = 1.3;
/// What is faster than this needs no pacing.
const MAX_SHOWN: f64 = 10_000_000.0;
/// Packets that stand close to each other are lost together.
const TRAIN_LOSS: f64 = 0.35;

/// Shapers let a burst pass before they hold back. While it lasts, traffic must not grow far beyond what they hold back to,
/// or the queue is long before anybody sees it.
const RAMP_LASTS: Duration = Duration::from_secs(3);
const PLATEAU_LASTS: Duration = Duration::from_millis(600);
/// Headers, and pictures that are larger than others.
const LOAD_MARGIN: f64 = 1.3;
/// What is left of a full path for a lower quality.
const USABLE: f64 = 0.8;

/// What fills up the path at so many bits per second may not at so much of it.
const LESS: f64 = 0.85;
/// So much more of the lowest quality is worth a climb.
const WORTH: f64 = 1.2;
/// More than a viewer said that it can take, and it takes it for so long: then it can.
const PROVEN_AFTER: Duration = Duration::from_secs(2);

/// What is to be sent beside the picture, to find out whether the path carries more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Probe {
    /// So many bytes at once.
    Train(usize),
    /// So many bits per second.
    Load(f64),
}

/// What the viewer gets from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// A better quality.
    Up,
    /// A lower one, at once.
    Down,
    /// A lower one, if there is one, but nothing until the path has drained.
    Pause,
    /// The pause is over, be it that the path is empty or that it takes too long.
    Resume { drained: bool },
}

#[derive(Debug)]
pub(super) struct Ladder {
    qualities: Qualities,
    /// Bits per second of the lowest quality as it is encoded now …
    encoded: f64,
    /// … and how much of it the path carries, if not all.
    limit: Option<f64>,
    /// Since when the path has been free.
    free: Option<Instant>,
    current: usize,
    /// What the viewer asked for, or else has to do with.
    wanted: Option<usize>,
    /// There is no room for anything better at the viewer's, or in the robot's uplink.
    best: usize,
    /// Whether probes can be sent and are reported on.
    probing: bool,
    phase: Phase,
    since: Instant,
    /// Since when much was lost, and since when some was while a queue stood.
    heavy: Option<Instant>,
    squeezed: Option<Instant>,
    climbed: Option<Instant>,
    /// What was sent beside the picture may have left a queue.
    recovers: Option<Instant>,
    /// How fast the last train was that came through.
    shown: f64,
    penalty: Duration,
    not_before: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Settled,
    /// What fills the path drains.
    Pause {
        until: Instant,
    },
    /// The train is to be sent, or on its way.
    Train {
        until: Instant,
        sent: bool,
    },
    /// Traffic grows, up to that of so many bits per second.
    Ramp {
        from: Instant,
        to: f64,
    },
}

impl Ladder {
    /// `probing`: packets can be sent for the sake of it, and the viewer reports on them.
    pub(super) fn new(qualities: Qualities, bounds: Bounds, probing: bool, now: Instant) -> Self {
        let mut ladder = Self {
            encoded: qualities.rungs.last().copied().unwrap_or_default(),
            qualities,
            limit: None,
            free: None,
            current: 0,
            wanted: None,
            best: 0,
            probing,
            phase: Phase::Settled,
            since: now,
            heavy: None,
            squeezed: None,
            climbed: None,
            recovers: None,
            shown: 0.0,
            penalty: if probing { PENALTIES } else { BLIND_PENALTIES }[0],
            not_before: now,
        };
        ladder.bound(bounds, now);
        ladder
    }

    pub(super) fn bound(&mut self, Bounds { want, allowed }: Bounds, now: Instant) {
        let place = |rung: u8| usize::from(rung).max(allowed).min(self.lowest());
        (self.wanted, self.best) = (want.rung.map(place), place(want.best.unwrap_or_default()));
        let rung = self.wanted.unwrap_or(self.current.max(self.best));
        if self.wanted.is_some() || rung != self.current {
            let before = self.phase;
            self.go(rung, now);
            // What fills the path drains all the same.
            if self.wanted.is_none() && matches!(before, Phase::Pause { .. }) {
                self.phase = before;
            }
        } else if !self.is_paused() && self.better().is_none() {
            // A climb that is under way leads too far.
            self.phase = Phase::Settled;
        }
    }

    pub(super) fn current(&self) -> usize {
        self.current
    }

    pub(super) fn lowest(&self) -> usize {
        self.qualities.lowest()
    }

    /// The lowest quality is encoded at so many bits per second, or at what it should be.
    pub(super) fn lowest_is_encoded_at(&mut self, bitrate: Option<f64>) {
        self.encoded = bitrate.unwrap_or(self.whole());
    }

    /// Bits per second of the lowest quality that the path carries, if not all of it.
    pub(super) fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// Bits per second of the lowest quality, if it is not encoded at less.
    fn whole(&self) -> f64 {
        self.qualities.rungs.last().copied().unwrap_or_default()
    }

    /// Bits per second of the quality that the viewer gets.
    pub(super) fn bitrate(&self) -> f64 {
        if self.current == self.lowest() {
            return self.encoded;
        }
        self.qualities.rungs.get(self.current).copied().unwrap_or_default()
    }

    /// Bits per second that the path has shown to carry, if only for a moment.
    pub(super) fn shown(&self) -> f64 {
        self.shown
    }

    /// Nothing may be sent now.
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.phase, Phase::Pause { .. })
    }

    pub(super) fn probe(&self, now: Instant) -> Option<Probe> {
        let better = self.better()?;
        match self.phase {
            Phase::Train { sent: false, .. } => {
                Some(Probe::Train((better * TRAIN_MARGIN * TRAIN_LASTS / 8.0) as usize))
            }
            Phase::Ramp { from, to } => {
                let share = now.saturating_duration_since(from).as_secs_f64() / RAMP_LASTS.as_secs_f64();
                let growth = (to * LOAD_MARGIN / self.bitrate()).powf(share.min(1.0));
                Some(Probe::Load(self.bitrate() * (growth - 1.0)))
            }
            Phase::Train { sent: true, .. } | Phase::Settled | Phase::Pause { .. } => None,
        }
    }

    pub(super) fn train_sent(&mut self) {
        if let Phase::Train { sent, .. } = &mut self.phase {
            *sent = true;
        }
    }

    /// Judges anew.
    pub(super) fn update(&mut self, estimate: &Estimate, passage: Option<Passage>, now: Instant) -> Option<Turn> {
        if self.wanted.is_some() {
            return None;
        }
        match self.phase {
            Phase::Pause { until } if now >= until || estimate.backlog < DRAINED => {
                self.phase = Phase::Settled;
                return Some(Turn::Resume { drained: estimate.backlog < DRAINED });
            }
            Phase::Pause { .. } => return None,
            Phase::Settled | Phase::Train { .. } | Phase::Ramp { .. } => {}
        }
        let ramps = matches!(self.phase, Phase::Ramp { .. });
        if self.is_in_trouble(estimate, now) && !ramps {
            self.step_down(estimate, now)
        } else {
            self.advance(estimate, passage, now)
        }
    }

    /// When to judge anew though nothing was reported.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Pause { until } | Phase::Train { until, .. } => Some(until),
            Phase::Ramp { from, .. } => Some(from + RAMP_LASTS + PLATEAU_LASTS),
            // A path that looks bad is looked at again when something is reported.
            Phase::Settled => None,
        }
    }

    /// Bits per second of what is one step better: all of the lowest quality, or the next.
    fn better(&self) -> Option<f64> {
        if self.gets_less() {
            return Some(self.whole());
        }
        let next = self.current.checked_sub(1).filter(|next| *next >= self.best)?;
        self.qualities.rungs.get(next).copied()
    }

    /// It is encoded at less because this viewer, or one like it, cannot take more.
    fn gets_less(&self) -> bool {
        self.limit.is_some() && self.encoded < self.whole()
    }

    /// How far up a path leads that let a train pass so fast.
    fn reach(&self, better: f64, rate: f64) -> Option<f64> {
        let to = (rate / TRAIN_MARGIN).min(better);
        (to >= better || self.gets_less() && to >= WORTH * self.encoded).then_some(to)
    }

    fn is_in_trouble(&mut self, estimate: &Estimate, now: Instant) -> bool {
        let lasts = |since: &mut Option<Instant>, is: bool, time: Duration| {
            *since = is.then(|| since.unwrap_or(now));
            since.is_some_and(|since| now >= since + time)
        };
        let heavy = lasts(&mut self.heavy, estimate.loss > HEAVY_LOSS, HEAVY_FOR);
        let stands = estimate.queue > SHORT && estimate.loss > SOME_LOSS;
        let squeezed = lasts(&mut self.squeezed, stands, SQUEEZED_FOR);
        let recovers = self.recovers.is_some_and(|until| now < until);
        if recovers {
            return estimate.queue > OVERFULL;
        }
        estimate.queue > FULL || estimate.swell > FLOODED || heavy || squeezed
    }

    fn step_down(&mut self, estimate: &Estimate, now: Instant) -> Option<Turn> {
        let failed = self.climbed.is_some_and(|at| now < at + ON_TRIAL);
        self.penalty = if failed { (self.penalty * 2).min(self.penalties()[1]) } else { self.penalties()[0] };
        self.not_before = now + self.penalty;
        let (lowest, former, came) = (self.lowest(), self.current, self.bitrate());
        let stands = estimate.queue.max(estimate.swell) > SHORT;
        let carried = if stands { estimate.carried } else { estimate.received };
        let carried = carried.unwrap_or(f64::INFINITY);
        let fits = (former + 1..lowest).find(|rung| self.qualities.rungs[*rung] <= USABLE * carried);
        self.go(fits.unwrap_or(lowest), now);
        if fits.is_none() && (former == lowest || carried < self.whole()) {
            let most = if former == lowest { LESS * came } else { f64::INFINITY };
            let limit = (USABLE * carried).min(most).max(self.qualities.floor);
            self.limit = Some(limit).filter(|limit| *limit < self.whole());
        }
        if stands && estimate.backlog > DRAINED {
            self.phase = Phase::Pause { until: now + estimate.backlog.saturating_add(DRAIN_MARGIN).min(MAX_DRAIN) };
            return Some(Turn::Pause);
        }
        (self.current != former).then_some(Turn::Down)
    }

    fn advance(&mut self, estimate: &Estimate, passage: Option<Passage>, now: Instant) -> Option<Turn> {
        if self.climbed.is_some_and(|at| now >= at + ON_TRIAL) {
            self.climbed = None;
            self.penalty = self.penalties()[0];
        }
        let is_free = estimate.queue < EMPTY && estimate.loss < LIGHT_LOSS;
        self.free = is_free.then(|| self.free.unwrap_or(now));
        self.take_what_comes(now);
        let better = self.better()?;
        match self.phase {
            Phase::Settled if is_free && now >= self.not_before.max(self.since + SETTLED_AFTER) => {
                if !self.probing {
                    // Nothing can be found out but by trying.
                    return self.climb(better, now);
                }
                self.phase = Phase::Train { until: now + TRAIN_ANSWERED, sent: false };
            }
            Phase::Train { until, .. } => match passage {
                Some(passage) => match self.reach(better, passage.rate).filter(|_| passage.loss < TRAIN_LOSS) {
                    Some(to) => {
                        self.shown = passage.rate.min(MAX_SHOWN);
                        self.phase = Phase::Ramp { from: now, to };
                    }
                    None => self.fail(now),
                },
                None if now >= until => self.fail(now),
                None => {}
            },
            Phase::Ramp { .. } if !is_free || estimate.swell > SWELLING => {
                self.recover(now);
                self.fail(now);
            }
            Phase::Ramp { from, to } if now >= from + RAMP_LASTS + PLATEAU_LASTS => return self.climb(to, now),
            Phase::Settled | Phase::Ramp { .. } | Phase::Pause { .. } => {}
        }
        None
    }

    /// What others need may be more than this viewer was thought to take.
    fn take_what_comes(&mut self, now: Instant) {
        let takes = self.free.is_some_and(|since| now >= since + PROVEN_AFTER);
        if takes && self.limit.is_some_and(|limit| limit < self.encoded) {
            self.limit = Some(self.encoded).filter(|encoded| *encoded < self.whole());
        }
    }

    /// To so many bits per second.
    fn climb(&mut self, to: f64, now: Instant) -> Option<Turn> {
        if self.gets_less() {
            self.go(self.current, now);
            self.limit = Some(to).filter(|to| *to < self.whole());
        } else {
            self.go(self.current.checked_sub(1)?, now);
        }
        self.climbed = Some(now);
        Some(Turn::Up)
    }

    /// What was sent beside the picture was too much, and may have left a queue.
    pub(super) fn recover(&mut self, now: Instant) {
        self.recovers = Some(now + RECOVERY);
    }

    fn fail(&mut self, now: Instant) {
        self.phase = Phase::Settled;
        self.not_before = now + self.penalty;
        self.penalty = (self.penalty * 2).min(self.penalties()[1]);
    }

    fn penalties(&self) -> [Duration; 2] {
        if self.probing { PENALTIES } else { BLIND_PENALTIES }
    }

    fn go(&mut self, rung: usize, now: Instant) {
        (self.current, self.phase, self.since, self.climbed) = (rung, Phase::Settled, now, None);
        (self.heavy, self.squeezed, self.recovers) = (None, None, None);
        (self.limit, self.free) = (None, None);
    }
}
