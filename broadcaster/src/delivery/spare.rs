//! Spare copies of what is sent, for a path that loses packets whatever is sent.
//!
//! A packet that is asked for again comes a round trip later, if neither the request nor the answer is lost: where much is, a
//! picture waits for its second or third try, and everybody sees it stand. A copy that follows at once costs the path as much
//! again and leaves the product of two losses. So copies are for paths that lose and have room; where they make a queue, or
//! more losses than there were, they are what does not fit, and stop.

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use super::estimate::Estimate;

/// From such a share of losses on each packet gets a first and a second copy …
const STARTS: [f64; 2] = [0.04, 0.08];
/// … on paths that were too thin for the picture only from this one on …
const HEAVY: f64 = 0.12;
/// … and below these no longer.
const STOPS: [f64; 2] = [0.02, 0.05];
/// Seconds differ, those with few packets most: losses are averaged over so many, and believed sooner than doubted. Until there
/// are copies, everybody sees what is lost.
const AVERAGED_OVER: [f64; 2] = [0.2, 1.5];
const FALLS_AFTER: Duration = Duration::from_secs(5);

/// Copies grow from none to one of each packet in this time, so that a queue is seen before it is long.
const GROWS_IN: Duration = Duration::from_millis(500);
/// Losses that have just begun are known for what they are only after the time that they are counted over.
const LEARNT_IN: Duration = Duration::from_secs(1);

/// Radios lose what is sent together: a copy leaves that much later.
const APART: Duration = Duration::from_millis(12);

/// A path that carries the copies has no queue …
const MAX_QUEUE: Duration = Duration::from_millis(30);
const MAX_SWELL: Duration = Duration::from_millis(60);
/// … and loses about what it did without them, and never so much that most of the copies are lost as well.
const MORE: f64 = 1.5;
const MORE_BY: f64 = 0.1;
const MOST: f64 = 0.45;
const TOO_MUCH_AFTER: Duration = Duration::from_millis(200);
/// What a path that was full has for pictures and their copies.
const USABLE: f64 = 0.9;
/// It may have become a better one until the next try, and is tried with more while it takes what it gets: twice as much in
/// so many seconds.
const HOPE: f64 = 1.25;
const DOUBLES_IN: f64 = 20.0;
/// How long a path that did not carry them gets none, at first and at last. A radio that was gone for a moment lost as much.
const HOLD: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(120)];

/// Runs of packets that wait for their copies to leave. They are a few pictures.
const MAX_WAITING: usize = 64;

#[derive(Debug)]
pub(super) struct Spare {
    /// What each packet is to get …
    copies: usize,
    /// … and gets by now, growing since then.
    level: f64,
    grown: Instant,
    /// Since when there are any.
    begun: Instant,
    /// The share that is lost, and as of when.
    loss: (f64, Instant),
    /// Since when fewer of them would be right.
    falling: Option<Instant>,
    /// What the path lost without any.
    without: f64,
    /// Bits per second that it carried when it was full, if ever it was.
    carries: Option<f64>,
    too_much: Option<Instant>,
    hold: Duration,
    not_before: Instant,
    /// Copies of parts of packets that have added up.
    owed: f64,
    waiting: VecDeque<Waiting>,
}

/// A run of packets whose copies are to leave; the first of them get another one.
#[derive(Clone, Debug)]
struct Waiting {
    due: Instant,
    numbers: Range<u64>,
    /// Whose copy is the next.
    next: u64,
    again: u64,
}

/// Whether copies go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Verdict {
    GoesOn,
    /// They may have been too much: there is a queue.
    Queues,
    /// They were too much: what is lost now is their doing.
    Loses,
}

impl Spare {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            copies: 0,
            level: 0.0,
            grown: now,
            begun: now,
            loss: (0.0, now),
            falling: None,
            without: 0.0,
            carries: None,
            too_much: None,
            hold: HOLD[0],
            not_before: now,
            owed: 0.0,
            waiting: VecDeque::new(),
        }
    }

    /// Whether the path is one that copies are for.
    pub(super) fn is_needed(&self) -> bool {
        self.copies > 0
    }

    /// `bitrate` is that of the picture. `thin`: the path was too thin for the lowest quality, where losses are of what did not
    /// fit, unless they are many.
    pub(super) fn judge(&mut self, estimate: &Estimate, bitrate: f64, thin: bool, now: Instant) -> Verdict {
        let lasts = |since: &mut Option<Instant>, is: bool, time: Duration| {
            *since = is.then(|| since.unwrap_or(now));
            since.is_some_and(|since| now >= since + time)
        };
        let (former, at) = self.loss;
        let over = AVERAGED_OVER[usize::from(estimate.loss < former)];
        let share = 1.0 - (-now.saturating_duration_since(at).as_secs_f64() / over).exp();
        let loss = former + share * (estimate.loss - former);
        self.loss = (loss, now);
        let stands = estimate.queue > MAX_QUEUE || estimate.swell > MAX_SWELL;
        if self.is_needed() {
            if now < self.begun + LEARNT_IN {
                self.without = self.without.max(loss);
            }
            let most = (self.without * MORE + MORE_BY).min(MOST);
            let loses = lasts(&mut self.too_much, loss > most, TOO_MUCH_AFTER);
            if stands || loses {
                self.is_full(estimate, bitrate, now);
                return if stands { Verdict::Queues } else { Verdict::Loses };
            }
            let passed = now.saturating_duration_since(self.grown).as_secs_f64();
            let fits = self.carries.map_or(f64::INFINITY, |carries| USABLE * carries / bitrate.max(1.0) - 1.0);
            self.level = (self.level + passed / GROWS_IN.as_secs_f64()).min(self.copies as f64).min(fits.max(0.0));
            self.grown = now;
            self.carries = self.carries.map(|carries| carries * (passed / DOUBLES_IN).exp2());
        } else {
            self.without = loss.max(estimate.loss);
        }
        let count = |limits: [f64; 2]| limits.into_iter().filter(|limit| loss >= *limit).count();
        let starts = if thin && loss < HEAVY { 0 } else { count(STARTS) };
        if starts > self.copies && !stands && now >= self.not_before {
            self.carries = self.carries.map(|carries| carries * HOPE);
            if !self.is_needed() {
                self.begun = now;
            }
            (self.copies, self.grown) = (starts, now);
        }
        let keeps = count(STOPS);
        if lasts(&mut self.falling, keeps < self.copies, FALLS_AFTER) {
            (self.copies, self.falling) = (keeps, None);
            self.level = self.level.min(keeps as f64);
            if keeps == 0 {
                self.stop();
                self.hold = HOLD[0];
            }
        }
        Verdict::GoesOn
    }

    /// The path has shown to carry so much, and there is more to copy from now on: whether it takes that is to be seen.
    pub(super) fn begin_anew(&mut self, shown: f64, now: Instant) {
        self.carries = self.carries.map(|carries| carries.max(shown));
        (self.level, self.grown) = (0.0, now);
    }

    /// The path carries no more than it does; `bitrate` is that of the picture, which goes on.
    pub(super) fn is_full(&mut self, estimate: &Estimate, bitrate: f64, now: Instant) {
        let stands = estimate.queue.max(estimate.swell) > MAX_QUEUE;
        let carried = if stands { estimate.carried.or(estimate.received) } else { estimate.received };
        // Losses alone may be a radio's that was gone for a moment. Once more, and they are of what does not fit.
        if stands || self.hold > HOLD[0] {
            self.carries = carried.map(|carried| carried.max(bitrate)).or(self.carries);
        }
        self.not_before = now + self.hold;
        if self.is_needed() {
            self.hold = (self.hold * 2).min(HOLD[1]);
        }
        self.stop();
    }

    fn stop(&mut self) {
        (self.copies, self.level, self.owed) = (0, 0.0, 0.0);
        (self.falling, self.too_much) = (None, None);
        self.waiting.clear();
    }

    /// These packets have just left.
    pub(super) fn follow(&mut self, numbers: Range<u64>, now: Instant) {
        if !self.is_needed() || self.waiting.len() >= MAX_WAITING {
            return;
        }
        let count = numbers.end - numbers.start;
        self.owed = (self.owed + self.level * count as f64).min((2 * count) as f64);
        let copies = self.owed as u64;
        self.owed -= copies as f64;
        if copies > 0 {
            let first = copies.min(count);
            let numbers = numbers.start..numbers.start + first;
            self.waiting.push_back(Waiting { due: now + APART, next: numbers.start, numbers, again: copies - first });
        }
    }

    /// When the next copies leave.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|waiting| waiting.due)
    }

    /// The packet whose copy leaves now.
    pub(super) fn next(&self, now: Instant) -> Option<u64> {
        self.waiting.front().filter(|waiting| waiting.due <= now).map(|waiting| waiting.next)
    }

    /// What [`Spare::next`] gave was sent, or cannot be.
    pub(super) fn done(&mut self, now: Instant) {
        let Some(waiting) = self.waiting.front_mut() else { return };
        waiting.next += 1;
        if waiting.next < waiting.numbers.end {
            return;
        }
        let Some(Waiting { numbers, again, .. }) = self.waiting.pop_front().filter(|run| run.again > 0) else { return };
        // Behind all that left before now, so that the queue stays in the order of what is due.
        let numbers = numbers.start..numbers.start + again;
        self.waiting.push_back(Waiting { due: now + APART, next: numbers.start, numbers, again: 0 });
    }

    /// Nobody needs what has not left yet.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    /// Judges ten times a second, and returns the time at the end.
    fn lasts(spare: &mut Spare, loss: f64, queue: u64, from: Instant, seconds: f64) -> Instant {
        let estimate = Estimate { loss, queue: Duration::from_millis(queue), ..Estimate::default() };
        let steps = (seconds * 10.0) as u32;
        for step in 0..steps {
            let _ = spare.judge(&estimate, 1e6, false, from + Duration::from_millis(100) * step);
        }
        from + Duration::from_millis(100) * steps
    }

    /// All copies that leave, each with its delay in milliseconds.
    fn copies(spare: &mut Spare, sent: Instant) -> Vec<(u64, u128)> {
        let mut left = Vec::new();
        while let Some(due) = spare.due() {
            while let Some(number) = spare.next(due) {
                left.push((number, (due - sent).as_millis()));
                spare.done(due);
            }
        }
        left
    }

    #[test]
    fn each_packet_has_one_copy_where_some_are_lost_and_two_where_many_are() {
        let mut spare = Spare::new(start());
        let mut now = lasts(&mut spare, 0.03, 0, start(), 5.0);
        spare.follow(0..4, now);
        assert!(copies(&mut spare, now).is_empty());
        now = lasts(&mut spare, 0.06, 0, now, 0.4);
        spare.follow(2..6, now);
        let grown = copies(&mut spare, now).len();
        assert!((1..4).contains(&grown), "they grow, and are {grown} of 4");
        now = lasts(&mut spare, 0.06, 0, now, 2.0);
        spare.follow(2..4, now);
        assert_eq!(copies(&mut spare, now), [(2, 12), (3, 12)]);
        now = lasts(&mut spare, 0.15, 0, now, 8.0);
        spare.follow(4..6, now);
        assert_eq!(copies(&mut spare, now), [(4, 12), (5, 12), (4, 24), (5, 24)]);
        now = lasts(&mut spare, 0.0, 0, now, 20.0);
        spare.follow(6..8, now);
        assert!(copies(&mut spare, now).is_empty());
    }

    #[test]
    fn losses_that_have_just_begun_are_not_taken_for_all_that_there_are() {
        let mut spare = Spare::new(start());
        let mut now = start();
        // They are counted over a second.
        for tenth in 1..=10 {
            now = lasts(&mut spare, 0.02 * f64::from(tenth), 0, now, 0.1);
        }
        for loss in [0.29, 0.2, 0.31, 0.15, 0.27] {
            now = lasts(&mut spare, loss, 0, now, 0.4);
            assert!(spare.is_needed(), "{loss} is what a fifth may look like");
        }
    }

    #[test]
    fn a_path_that_copies_fill_gets_none_for_longer_each_time() {
        let mut spare = Spare::new(start());
        let mut now = start();
        for hold in [5.0, 10.0, 20.0, 40.0, 80.0, 120.0, 120.0] {
            now = lasts(&mut spare, 0.06, 0, now, 4.0);
            assert!(spare.is_needed());
            // They are what does not fit: it is lost, or makes a queue.
            let (loss, queue) = if hold < 30.0 { (0.3, 0) } else { (0.06, 40) };
            now = lasts(&mut spare, loss, queue, now, 0.5);
            assert!(!spare.is_needed());
            now = lasts(&mut spare, 0.06, 0, now, hold - 1.0);
            assert!(!spare.is_needed(), "not within {hold} s");
            now = lasts(&mut spare, 0.0, 0, now, 3.0);
        }
    }

    #[test]
    fn a_radio_that_was_gone_for_a_moment_gets_its_copies_back_soon() {
        let mut spare = Spare::new(start());
        let now = lasts(&mut spare, 0.06, 0, start(), 5.0);
        let gone = Estimate { loss: 0.6, received: Some(2e5), carried: Some(5e4), ..Estimate::default() };
        let _ = spare.judge(&gone, 1e6, false, now);
        assert_eq!(spare.judge(&gone, 1e6, false, now + TOO_MUCH_AFTER), Verdict::Loses);
        let now = lasts(&mut spare, 0.06, 0, now, 8.5);
        spare.follow(0..10, now);
        assert_eq!(copies(&mut spare, now).len(), 10);
    }

    #[test]
    fn losses_that_a_queue_comes_with_are_not_answered_with_more() {
        let mut spare = Spare::new(start());
        lasts(&mut spare, 0.1, 60, start(), 10.0);
        assert!(!spare.is_needed());
    }

    #[test]
    fn a_path_that_was_full_gets_no_more_than_it_carried() {
        let mut spare = Spare::new(start());
        let queue = Duration::from_millis(60);
        let full = Estimate { carried: Some(1.5e6 / USABLE / HOPE), queue, ..Estimate::default() };
        spare.is_full(&full, 1e6, start());
        let now = lasts(&mut spare, 0.06, 0, start(), 9.0);
        spare.follow(0..10, now);
        let few = copies(&mut spare, now).len();
        assert!((5..8).contains(&few), "of 1 Mbit/s, half and a little fits once more: {few}");
        spare.begin_anew(4e6, now);
        let now = lasts(&mut spare, 0.05, 0, now, 3.0);
        spare.follow(0..10, now);
        assert_eq!(copies(&mut spare, now).len(), 10);
    }

    #[test]
    fn where_too_little_fits_only_many_losses_are_the_paths_own() {
        for (loss, copied) in [(0.1, false), (0.2, true)] {
            let mut spare = Spare::new(start());
            let estimate = Estimate { loss, ..Estimate::default() };
            for step in 0..50 {
                let _ = spare.judge(&estimate, 1e5, true, start() + Duration::from_millis(100) * step);
            }
            assert_eq!(spare.is_needed(), copied, "{loss}");
        }
    }

    #[test]
    fn what_waits_is_bounded_and_can_be_forgotten() {
        let mut spare = Spare::new(start());
        let now = lasts(&mut spare, 0.1, 0, start(), 3.0);
        for run in 0..1000 {
            spare.follow(run..run + 1, now);
        }
        assert_eq!(spare.waiting.len(), MAX_WAITING);
        spare.forget();
        assert_eq!(spare.due(), None);
    }
}
