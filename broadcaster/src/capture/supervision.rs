//! When a camera that failed is tried again, and when one that is silent has failed. Pure.

use std::time::{Duration, Instant};

const FIRST_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// A camera that has given so many pictures was well: its next failure is a first one. One that only just begins each time is
/// not.
const WELL_AFTER: u64 = 10;

/// What only just begins may take so long: cameras focus first, networks bring pictures from the next keyframe on, sound
/// systems finish what they do for nobody before they serve somebody.
pub(super) const BEGINS_WITHIN: Duration = Duration::from_secs(10);

/// Some cameras give one picture a second; those that gave some and give none for this long give none any more.
const SILENT_AFTER: Duration = Duration::from_secs(3);

/// A camera whose stream brings no keyframe for this long, though it is asked for one, would let those who join wait as long.
pub(super) const ENTERED_WITHIN: Duration = Duration::from_secs(10);

/// How often a camera has failed lately.
#[derive(Debug, Default)]
pub(super) struct Supervision {
    failures: u32,
}

impl Supervision {
    /// The camera has failed after it gave so many pictures. Returns how long to wait; `share`, from 0 to 1, tells apart the
    /// many that fail together.
    pub(super) fn failed(&mut self, pictures: u64, share: f64) -> Duration {
        if pictures >= WELL_AFTER {
            self.failures = 0;
        }
        let delay = FIRST_DELAY.saturating_mul(1 << self.failures.min(16)).min(MAX_DELAY);
        self.failures += 1;
        // From three quarters to all of it.
        delay.mul_f64(0.75 + 0.25 * share)
    }
}

/// Watches the count of a camera's pictures, or of pieces of its sound.
#[derive(Debug)]
pub(super) struct Watchdog {
    pictures: u64,
    since: Instant,
}

impl Watchdog {
    pub(super) fn new(now: Instant) -> Self {
        Self { pictures: 0, since: now }
    }

    /// Whether there have been no new pictures for too long.
    pub(super) fn is_silent(&mut self, pictures: u64, now: Instant) -> bool {
        if pictures != self.pictures {
            *self = Self { pictures, since: now };
        }
        let most = if pictures == 0 { BEGINS_WITHIN } else { SILENT_AFTER };
        now.saturating_duration_since(self.since) >= most
    }
}

/// Watches whether a stream that comes encoded can be begun with.
#[derive(Debug, Default)]
pub(super) struct Entrance {
    /// When the first picture was seen.
    pictures_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    There,
    /// To be asked for.
    Awaited,
    /// There will be none.
    Missing,
}

impl Entrance {
    /// So many pictures have come so far, and a decoder can begin with so many of them.
    pub(super) fn look(&mut self, pictures: u64, entries: u64, now: Instant) -> Entry {
        if pictures > 0 {
            self.pictures_since.get_or_insert(now);
        }
        let waited = self.pictures_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        match entries {
            0 if waited >= ENTERED_WITHIN => Entry::Missing,
            0 => Entry::Awaited,
            _ => Entry::There,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn who_fails_again_and_again_waits_ever_longer() {
        let mut supervision = Supervision::default();
        let mut delays = |share| (0..9).map(|_| supervision.failed(0, share)).collect::<Vec<_>>();
        let longest = delays(1.0);
        assert_eq!(longest[..4], [500, 1000, 2000, 4000].map(Duration::from_millis));
        assert_eq!(longest[8], MAX_DELAY);
        assert_eq!(delays(0.0)[0], MAX_DELAY.mul_f64(0.75));
        for _ in 0..100 {
            assert!(supervision.failed(1, 0.5) <= MAX_DELAY);
        }
        assert_eq!(supervision.failed(WELL_AFTER, 1.0), FIRST_DELAY, "it was well meanwhile");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn only_who_gives_nothing_new_is_silent() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut watchdog = Watchdog::new(start);
        assert!(!watchdog.is_silent(1, at(2950)));
        assert!(!watchdog.is_silent(1, at(5900)));
        assert!(watchdog.is_silent(1, at(5950)));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn the_first_may_take_longer_than_those_after_it() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut watchdog = Watchdog::new(start);
        assert!(!watchdog.is_silent(0, at(9900)));
        assert!(!watchdog.is_silent(1, at(9950)), "it comes");
        assert!(!watchdog.is_silent(1, at(12_900)));
        assert!(watchdog.is_silent(1, at(12_950)), "but it is not followed by another");
        assert!(Watchdog::new(start).is_silent(0, at(10_000)), "it does not come");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn a_stream_that_nobody_can_begin_with_is_given_up_once_it_had_time() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut entrance = Entrance::default();
        assert_eq!(entrance.look(0, 0, at(60_000)), Entry::Awaited, "there are no pictures at all");
        assert_eq!(entrance.look(1, 0, at(70_000)), Entry::Awaited);
        assert_eq!(entrance.look(290, 0, at(79_900)), Entry::Awaited);
        assert_eq!(entrance.look(300, 0, at(80_000)), Entry::Missing);
        assert_eq!(entrance.look(300, 1, at(80_000)), Entry::There);
        assert_eq!(entrance.look(9000, 1, at(900_000)), Entry::There, "who has once begun can begin again");
    }

    #[test]
    fn whatever_becomes_of_it_a_camera_is_tried_again_and_not_at_once() {
        let mut random = SmallRng::seed_from_u64(0);
        let mut supervision = Supervision::default();
        let mut before = Duration::ZERO;
        for _ in 0..20_000 {
            let pictures = if random.random_bool(0.1) { random.random_range(0..1000) } else { 0 };
            let delay = supervision.failed(pictures, random.random());
            assert!(delay >= FIRST_DELAY.mul_f64(0.75) && delay <= MAX_DELAY, "{delay:?}");
            match pictures {
                WELL_AFTER.. => assert!(delay <= FIRST_DELAY, "it was well: {delay:?}"),
                _ => assert!(delay >= before.mul_f64(0.75), "{delay:?} after {before:?}"),
            }
            before = delay;
        }
    }
}
