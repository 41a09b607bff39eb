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
/// A viewer still reports on what comes by then.
const KEPT: Duration = Duration::from_millis(600);
/// More are lost, whatever comes.
const MAX_KEPT: usize = 256;

/// Of the last so many packets it is known which were reported on: those of more than a second at the highest rate.
const WINDOW: u64 = 2048;

struct Straggler {
    number: u64,
    since: Instant,
    /// It was given up.
    lost: bool,
}

pub(super) struct Stragglers {
    /// A bit for each packet of the window that a report has named, whatever it said. Reports overtake each other, are lost, and
    /// name again what others have named.
    reported: [u64; (WINDOW / 64) as usize],
    /// All packets before this one are in the window, or too old for it.
    end: u64,
    /// In the order of their numbers.
    missing: VecDeque<Straggler>,
    patience: Duration,
    /// When something last came late, or was waited for less than before.
    late: Option<Instant>,
}

/// What a packet is that a report says has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comes {
    /// It was not known.
    New,
    /// It was missing.
    Late,
    /// It had been given up.
    Lost,
    /// It is known already.
    Again,
}

impl Default for Stragglers {
    fn default() -> Self {
        Self {
            reported: [0; (WINDOW / 64) as usize],
            end: 0,
            missing: VecDeque::new(),
            patience: Duration::ZERO,
            late: None,
        }
    }
}

impl Stragglers {
    /// What left before says nothing any more; the path is the same.
    pub(super) fn forget(&mut self) {
        self.missing.clear();
    }

    /// The path may be another one.
    pub(super) fn begin_anew(&mut self) {
        self.forget();
        (self.patience, self.late) = (Duration::ZERO, None);
    }

    /// How much later than others packets have come lately.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// A report says that this one has not come. Returns how many are lost for that alone.
    pub(super) fn misses(&mut self, number: u64, now: Instant) -> u32 {
        if !self.is_new(number) {
            return 0;
        }
        if self.missing.len() >= MAX_KEPT {
            return 1;
        }
        let place = self.place(number);
        self.missing.insert(place, Straggler { number, since: now, lost: false });
        0
    }

    /// A report says that this one has come.
    pub(super) fn comes(&mut self, number: u64, now: Instant) -> Comes {
        if self.is_new(number) {
            return Comes::New;
        }
        let place = self.place(number);
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
        self.missing.retain(|straggler| !straggler.lost || now < straggler.since + KEPT);
        let due = self.missing.iter_mut().filter(|straggler| !straggler.lost && now >= straggler.since + self.patience);
        due.fold(0, |count, straggler| {
            straggler.lost = true;
            count + 1
        })
    }

    fn place(&self, number: u64) -> usize {
        self.missing.partition_point(|straggler| straggler.number < number)
    }

    /// Whether no report has named it. From now on one has.
    fn is_new(&mut self, number: u64) -> bool {
        if number >= self.end {
            // What falls out of the window makes room.
            for next in self.end.max((number + 1).saturating_sub(WINDOW))..=number {
                *self.word(next) &= !bit(next);
            }
            self.end = number + 1;
        } else if self.end - number > WINDOW {
            return false;
        }
        let word = self.word(number);
        let is_new = *word & bit(number) == 0;
        *word |= bit(number);
        is_new
    }

    fn word(&mut self, number: u64) -> &mut u64 {
        &mut self.reported[(number % WINDOW / 64) as usize]
    }
}

fn bit(number: u64) -> u64 {
    1 << (number % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    const STEP: Duration = Duration::from_millis(50);

    /// Reports of a path that loses and reorders, which are lost, reordered, and named twice themselves.
    #[test]
    fn however_reports_come_each_packet_is_counted_once() {
        use rand::{RngExt, SeedableRng, rngs::StdRng};
        for seed in 0..50 {
            let mut random = StdRng::seed_from_u64(seed);
            let (mut stragglers, t0) = (Stragglers::default(), start());
            // When each packet comes, in steps after it has left; some never do.
            let comes: Vec<Option<u64>> =
                (0..600).map(|_| random.random_bool(0.9).then(|| random.random_range(0..4))).collect();
            let (mut arrived, mut lost, mut named) = (0_i64, 0_i64, vec![false; comes.len()]);
            for step in 0..120_u64 {
                let now = t0 + STEP * step as u32;
                for _ in 0..random.random_range(0..3) {
                    let end = (step * 6).min(600);
                    let begin = end.saturating_sub(random.random_range(1..40));
                    // Of an older step, as if it had been overtaken.
                    let end = end.saturating_sub(random.random_range(0..12)).max(begin);
                    for number in begin..end {
                        named[number as usize] = true;
                        let is_here = comes[number as usize].is_some_and(|after| number / 6 + after <= step);
                        match is_here.then(|| stragglers.comes(number, now)) {
                            Some(Comes::New | Comes::Late) => arrived += 1,
                            Some(Comes::Lost) => (arrived, lost) = (arrived + 1, lost - 1),
                            Some(Comes::Again) => {}
                            None => lost += i64::from(stragglers.misses(number, now)),
                        }
                    }
                }
                lost += i64::from(stragglers.give_up(now));
            }
            lost += i64::from(stragglers.give_up(t0 + STEP * 200));
            let reported = named.iter().filter(|named| **named).count() as i64;
            assert_eq!(arrived + lost, reported, "seed {seed}");
            let gone = comes.iter().zip(&named).filter(|(comes, named)| comes.is_none() && **named).count() as i64;
            assert!(lost >= gone && lost <= gone + reported / 10, "seed {seed}: {lost} of {gone}");
        }
    }

    #[test]
    fn a_path_that_stays_keeps_its_patience_and_another_one_has_none() {
        let (mut stragglers, t0) = (Stragglers::default(), start());
        stragglers.misses(1, t0);
        stragglers.comes(1, t0 + STEP);
        for (anew, lost) in [(false, 0), (true, 1)] {
            if anew {
                stragglers.begin_anew();
            } else {
                stragglers.forget();
            }
            stragglers.misses(2 + u64::from(anew), t0 + STEP);
            assert_eq!(stragglers.give_up(t0 + STEP), lost);
        }
    }

    #[test]
    fn where_nothing_comes_late_what_is_missing_is_lost_at_once() {
        let (mut stragglers, t0) = (Stragglers::default(), start());
        stragglers.misses(7, t0);
        stragglers.misses(9, t0);
        assert_eq!((stragglers.give_up(t0), stragglers.give_up(t0 + STEP)), (2, 0));
        assert_eq!(stragglers.comes(8, t0 + STEP), Comes::New, "the report that named it was overtaken");
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
        let lost: u32 = (0..10_000).map(|number| stragglers.misses(number, t0)).sum();
        assert_eq!((stragglers.missing.len(), lost + stragglers.give_up(t0)), (MAX_KEPT, 10_000));
        stragglers.give_up(t0 + KEPT);
        assert!(stragglers.missing.is_empty());
    }
}
