//! How much a connection may say.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// A robot says about ten things to each viewer, and hundreds may join at once.
const ROBOT: Rate = Rate { per_second: 2_000, burst: 10_000 };

/// So many dropped without a pause are no mistake.
const FLOOD: u32 = 1_000;

#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) per_second: u32,
    pub(super) burst: u32,
}

/// What a connection is held to. The desk knows whether it is a robot's, and the connection's own task looks.
#[derive(Debug)]
pub(super) struct Pace {
    viewer: Rate,
    is_robots: AtomicBool,
}

impl Pace {
    pub(super) fn new(viewer: Rate) -> Self {
        Self { viewer, is_robots: AtomicBool::new(false) }
    }

    pub(super) fn is_robots(&self, robot: bool) {
        self.is_robots.store(robot, Ordering::Relaxed);
    }

    fn rate(&self) -> Rate {
        if self.is_robots.load(Ordering::Relaxed) { ROBOT } else { self.viewer }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// To be dropped; the first of a row is worth a word.
    TooFast {
        first: bool,
    },
    Flood,
}

/// Counts what one connection says.
pub(super) struct Meter {
    pace: Arc<Pace>,
    /// One connection's read loop counts alone; the lock is what a shared handler needs.
    count: Mutex<Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// What was said and has not been worn off by time.
    said: f64,
    as_of: Option<Instant>,
    dropped: u32,
}

impl Meter {
    pub(super) fn new(pace: Arc<Pace>) -> Self {
        Self { pace, count: Mutex::default() }
    }

    pub(super) fn count(&self, now: Instant) -> Verdict {
        self.count.lock().unwrap_or_else(PoisonError::into_inner).say(self.pace.rate(), now)
    }
}

impl Count {
    fn say(&mut self, rate: Rate, now: Instant) -> Verdict {
        let passed = self.as_of.map_or(Duration::ZERO, |as_of| now.saturating_duration_since(as_of));
        self.as_of = Some(now);
        self.said = (self.said - passed.as_secs_f64() * f64::from(rate.per_second)).max(0.0);
        // Not as soon as one more may be said: who says it at once has not calmed down.
        if self.said * 2.0 < f64::from(rate.burst) {
            self.dropped = 0;
        }
        if self.said + 1.0 > f64::from(rate.burst) {
            self.dropped = self.dropped.saturating_add(1);
            return if self.dropped > FLOOD { Verdict::Flood } else { Verdict::TooFast { first: self.dropped == 1 } };
        }
        self.said += 1.0;
        Verdict::Fine
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    const VIEWER: Rate = Rate { per_second: 20, burst: 80 };

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant to count from")]
    fn a_burst_passes_and_what_comes_after_it_has_to_wait() {
        let (mut count, now) = (Count::default(), Instant::now());
        let said = |count: &mut Count, at| (0..100).filter(|_| count.say(VIEWER, at) == Verdict::Fine).count();
        assert_eq!(said(&mut count, now), 80);
        assert_eq!(said(&mut count, now + Duration::from_secs(1)), 20);
        assert_eq!(count.say(VIEWER, now + Duration::from_secs(1)), Verdict::TooFast { first: false });
        assert_eq!(said(&mut count, now + Duration::from_secs(60)), 80);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant to count from")]
    fn it_is_said_once_and_who_does_not_listen_goes() {
        let (mut count, now) = (Count::default(), Instant::now());
        let verdicts: Vec<Verdict> = (0..2_000).map(|_| count.say(VIEWER, now)).collect();
        let of = |verdict| verdicts.iter().filter(|other| **other == verdict).count();
        assert_eq!(of(Verdict::Fine), 80);
        assert_eq!((of(Verdict::TooFast { first: true }), of(Verdict::TooFast { first: false })), (1, 999));
        assert_eq!(of(Verdict::Flood), 920);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant to count from")]
    fn a_robot_may_say_more_once_it_is_known() {
        let (pace, now) = (Arc::new(Pace::new(VIEWER)), Instant::now());
        let meter = Meter::new(pace.clone());
        let said = || (0..20_000).filter(|_| meter.count(now) == Verdict::Fine).count();
        assert_eq!(said(), 80);
        pace.is_robots(true);
        assert_eq!(said(), 10_000 - 80);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant to count from")]
    fn within_any_time_no_more_passes_than_that_earns_and_who_keeps_to_it_loses_nothing() {
        for seed in 0..20 {
            let mut random = SmallRng::seed_from_u64(seed);
            let rate = Rate { per_second: random.random_range(1..500), burst: random.random_range(1..500) };
            let (mut count, mut now) = (Count::default(), Instant::now());
            let (mut passed, mut told) = (Vec::new(), false);
            for _ in 0..4000 {
                let pause = if random.random_bool(0.01) { 3_000_000 } else { 5_000 };
                now += Duration::from_micros(random.random_range(0..pause));
                match count.say(rate, now) {
                    Verdict::Fine => passed.push(now),
                    Verdict::TooFast { first } => {
                        assert!(first || told, "seed {seed}: the first of a row is told");
                        told = true;
                    }
                    Verdict::Flood => assert!(count.dropped > FLOOD && told),
                }
                let from = passed[random.random_range(0..passed.len())];
                let since = passed.iter().filter(|at| **at >= from).count() as f64;
                let most = f64::from(rate.burst) + f64::from(rate.per_second) * (now - from).as_secs_f64();
                assert!(since <= most + 1e-6, "seed {seed}: {since} of {most}");
            }
            let (mut patient, pace) = (Count::default(), Duration::from_secs(1) / rate.per_second);
            let pace = pace + Duration::from_nanos(1);
            assert!((0..4000).all(|n| patient.say(rate, now + pace * n) == Verdict::Fine), "seed {seed}");
        }
    }
}
