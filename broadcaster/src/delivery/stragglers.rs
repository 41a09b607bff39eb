//! Packets that a viewer does not have while it has later ones: lost, or on a longer way. Pure.
//!
//! Where nothing has ever come late, what is missing is lost at once. Where something has, it is waited for as long as that
//! took: radios and paths that split reorder packets by many milliseconds, and whoever took that for loss would send less
//! where nothing is too much.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What comes later than this is of no use to a picture.
const LONGEST: Duration = Duration::from_millis(300);
/// A path that has brought nothing late for so long is another one than it was, and is trusted half as long.
const CALM: Duration = Duration::from_secs(10);
/// A viewer still reports on what comes by then; more of them than there are in a second at the highest rate are not kept.
const KEPT: Duration = Duration::from_millis(600);
const MAX_KEPT: usize = 2048;

struct Straggler {
    number: u64,
    since: Instant,
    /// It was given up.
    lost: bool,
}

#[derive(Default)]
pub(super) struct Stragglers {
    /// In the order of their numbers, which is that in which they were missed.
    missing: VecDeque<Straggler>,
    patience: Duration,
    /// When something last came late, or was waited for less than before.
    late: Option<Instant>,
}

/// What a packet was that is here now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    /// It was missing.
    Late,
    /// It had been given up.
    Lost,
    /// It is known already.
    Again,
}

impl Stragglers {
    pub(super) fn misses(&mut self, number: u64, now: Instant) {
        if self.missing.len() < MAX_KEPT {
            self.missing.push_back(Straggler { number, since: now, lost: false });
        }
    }

    /// One of those that were passed over has come.
    pub(super) fn comes(&mut self, number: u64, now: Instant) -> Comes {
        let place = self.missing.partition_point(|straggler| straggler.number < number);
        if self.missing.get(place).is_none_or(|straggler| straggler.number != number) {
            return Comes::Again;
        }
        let Some(Straggler { since, lost, .. }) = self.missing.remove(place) else { return Comes::Again };
        self.patience = self.patience.max(now.saturating_duration_since(since)).min(LONGEST);
        self.late = Some(now);
        if lost { Comes::Lost } else { Comes::Late }
    }

    /// How many are given up now.
    pub(super) fn give_up(&mut self, now: Instant) -> u32 {
        if self.late.is_some_and(|late| now >= late + CALM) {
            (self.patience, self.late) = (self.patience / 2, Some(now));
        }
        while self.missing.front().is_some_and(|first| first.lost && now >= first.since + KEPT) {
            self.missing.pop_front();
        }
        let due = self.missing.iter_mut().filter(|straggler| !straggler.lost && now >= straggler.since + self.patience);
        due.fold(0, |count, straggler| {
            straggler.lost = true;
            count + 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    const STEP: Duration = Duration::from_millis(50);

    #[test]
    fn where_nothing_comes_late_what_is_missing_is_lost_at_once() {
        let (mut stragglers, t0) = (Stragglers::default(), start());
        stragglers.misses(7, t0);
        stragglers.misses(9, t0);
        assert_eq!((stragglers.give_up(t0), stragglers.give_up(t0 + STEP)), (2, 0));
        assert_eq!(stragglers.comes(8, t0 + STEP), Comes::Again);
    }

    #[test]
    fn where_something_has_come_late_it_is_waited_for_as_long_and_less_when_it_stops() {
        let (mut stragglers, t0) = (Stragglers::default(), start());
        stragglers.misses(7, t0);
        assert_eq!(stragglers.give_up(t0), 1);
        assert_eq!(stragglers.comes(7, t0 + 2 * STEP), Comes::Lost, "it is not lost after all");
        assert_eq!(stragglers.comes(7, t0 + 2 * STEP), Comes::Again);
        stragglers.misses(8, t0 + 2 * STEP);
        assert_eq!(stragglers.give_up(t0 + 3 * STEP), 0);
        assert_eq!(stragglers.comes(8, t0 + 3 * STEP), Comes::Late);
        stragglers.misses(9, t0 + 3 * STEP);
        assert_eq!((stragglers.give_up(t0 + 4 * STEP), stragglers.give_up(t0 + 5 * STEP)), (0, 1));
        // It never comes, and is forgotten.
        let calm = t0 + 3 * STEP + CALM;
        assert_eq!((stragglers.give_up(calm), stragglers.missing.len()), (0, 0));
        stragglers.misses(10, calm);
        assert_eq!((stragglers.give_up(calm), stragglers.give_up(calm + STEP)), (0, 1));
    }

    #[test]
    fn however_much_is_missing_little_is_kept() {
        let (mut stragglers, t0) = (Stragglers::default(), start());
        for number in 0..10_000 {
            stragglers.misses(number, t0);
        }
        assert_eq!((stragglers.missing.len(), stragglers.give_up(t0)), (MAX_KEPT, MAX_KEPT as u32));
        stragglers.give_up(t0 + KEPT);
        assert!(stragglers.missing.is_empty());
    }
}
