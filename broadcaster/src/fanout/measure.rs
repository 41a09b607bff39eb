//! How much the robot's uplink carries, as its viewers show. Pure.
//!
//! One viewer whose path fills up has a bad path. Where most of them fill up within the same moment, what they share has: the
//! uplink, and what they got through it then is what it carries. When it has carried that for long, it may carry more.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use protocol::SessionId;

/// Paths that fill up one after the other within this time do so for one reason.
const MOMENT: Duration = Duration::from_secs(2);

/// So few may have bad paths at the same time.
const FEW: usize = 3;

/// So many of them share what is full.
const MOST: f64 = 0.6;

/// What is left of what was carried, so that what waits there drains.
const USABLE: f64 = 0.9;

/// What has filled up drains, and what is sent becomes less.
const DRAINS: Duration = Duration::from_secs(5);

/// When nothing has filled up for so long, more is tried, by as much, as often.
const QUIET: Duration = Duration::from_secs(10);
const GROWTH: f64 = 1.05;
const GROWS_EVERY: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
pub(super) struct Measure {
    /// Bits per second; none: nobody has seen the end of it.
    found: Option<f64>,
    /// When it was found, or last was more.
    since: Option<Instant>,
    /// Until when nothing new is to be learnt.
    held: Option<Instant>,
    /// Whose path filled up when, and what it carried then.
    squeezed: BTreeMap<SessionId, (Instant, f64)>,
}

impl Measure {
    pub(super) fn found(&self) -> Option<f64> {
        self.found
    }

    /// Somebody's path is full, and carries so much. `others` is what each of the others gets, in bits per second, and `beside`
    /// what goes elsewhere. Whether that shows how much the uplink carries.
    pub(super) fn squeezed<'a>(
        &mut self,
        session: &SessionId,
        carried: f64,
        others: impl IntoIterator<Item = (&'a SessionId, f64)>,
        beside: f64,
        now: Instant,
    ) -> bool {
        // What fills up now does so for the same reason still.
        if self.held.is_some_and(|until| now < until) {
            return false;
        }
        self.squeezed.retain(|_, (at, _)| now < *at + MOMENT);
        self.squeezed.insert(session.clone(), (now, carried));
        let (mut all, mut sum) = (1, beside + carried);
        for (other, gets) in others {
            all += 1;
            sum += self.squeezed.get(other).map_or(gets, |(_, carried)| *carried);
        }
        let shared = self.squeezed.len() >= FEW && self.squeezed.len() as f64 >= MOST * f64::from(all);
        if shared {
            self.found = Some(USABLE * self.found.map_or(sum, |found| sum.min(found)));
            self.since = Some(now + QUIET);
            self.held = Some(now + DRAINS);
            self.squeezed.clear();
        }
        shared
    }

    /// It is taken to carry this much, whatever was found.
    pub(super) fn carries(&mut self, least: f64) {
        self.found = self.found.map(|found| found.max(least));
    }

    pub(super) fn left(&mut self, session: &SessionId) {
        self.squeezed.remove(session);
    }

    /// Time passes, and all together could take so much. Whether there is more for them from now on.
    pub(super) fn pass(&mut self, wanted: f64, now: Instant) -> bool {
        let (Some(found), Some(since)) = (self.found, self.since) else { return false };
        if now < since + GROWS_EVERY {
            return false;
        }
        self.since = Some(now);
        self.found = Some(found * GROWTH).filter(|found| *found < wanted);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: f64 = 2e6;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn session(number: usize) -> SessionId {
        format!("s{number}").parse().expect("an id")
    }

    /// Says that one of so many fills up.
    fn squeeze(measure: &mut Measure, number: usize, carried: f64, all: usize, now: Instant) -> bool {
        let others: Vec<SessionId> = (0..all).filter(|other| *other != number).map(session).collect();
        measure.squeezed(&session(number), carried, others.iter().map(|other| (other, EACH)), 0.0, now)
    }

    /// So many of ten fill up, so long after each other. What is known of the uplink then.
    fn found(full: usize, apart: Duration) -> Option<f64> {
        let (mut measure, mut now) = (Measure::default(), start());
        for number in 0..full {
            squeeze(&mut measure, number, EACH / 2.0, 10, now);
            now += apart;
        }
        measure.found()
    }

    #[test]
    fn what_fills_up_for_most_at_once_is_the_uplink() {
        let soon = Duration::from_millis(100);
        let found_then = found(6, soon).expect("found");
        assert!((found_then - 0.9 * (6.0 * EACH / 2.0 + 4.0 * EACH)).abs() < 1.0, "{found_then}");
        assert_eq!(found(5, soon), None, "half of them may be in one train");
        assert_eq!(found(10, Duration::from_secs(1)), None, "one after the other");
    }

    #[test]
    fn two_bad_paths_are_two_bad_paths() {
        let (mut measure, now) = (Measure::default(), start());
        for number in 0..2 {
            assert!(!squeeze(&mut measure, number, EACH, 2, now));
        }
    }

    #[test]
    fn what_has_long_been_carried_may_be_more_until_nobody_needs_it() {
        let (mut measure, mut now) = (Measure::default(), start());
        for number in 0..3 {
            squeeze(&mut measure, number, EACH, 3, now);
        }
        // The same queue again.
        assert!((0..3).all(|number| !squeeze(&mut measure, number, EACH / 9.0, 3, now + DRAINS / 2)));
        let first = measure.found().expect("found");
        assert!(!measure.pass(1e7, now + QUIET), "not at once");
        let mut grew = 0;
        while measure.found().is_some() {
            now += Duration::from_secs(1);
            grew += u32::from(measure.pass(1e7, now));
        }
        let times = (1e7 / first).ln() / GROWTH.ln();
        assert!((f64::from(grew) - times).abs() <= 1.0, "{grew} times and not {times}");
        assert!(!measure.pass(1e7, now + QUIET));
    }
}
