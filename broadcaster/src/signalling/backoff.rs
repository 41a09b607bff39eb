//! How long to wait before the next try.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
/// Short enough that a restarted server has its robots back before its viewers lose patience.
const LONGEST: Duration = Duration::from_secs(4);

/// Doubles with every failure, with jitter, so that many robots do not come back in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::between(FIRST, LONGEST)
    }
}

impl Backoff {
    pub(crate) fn between(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The next wait; `jitter` from 0 to 1 says where in its upper half it lies.
    pub(crate) fn next(&mut self, jitter: f64) -> Duration {
        let full = self.first.saturating_mul(1 << self.failures.min(16)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }

    /// Whether nothing has failed since the last success.
    pub(crate) fn is_fresh(&self) -> bool {
        self.failures == 0
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn waits_double_to_a_limit_and_start_again_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..7).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 4000, 4000]);
        assert!(!backoff.is_fresh());
        backoff.reset();
        assert!(backoff.is_fresh());
        assert_eq!(backoff.next(0.0).as_millis(), 125);
    }

    #[test]
    fn no_wait_is_shorter_than_half_of_the_first_or_longer_than_the_longest() {
        let mut random = SmallRng::seed_from_u64(0);
        for _ in 0..2000 {
            let first = Duration::from_millis(random.random_range(1..2000));
            let longest = first + Duration::from_millis(random.random_range(0..100_000));
            let mut backoff = Backoff::between(first, longest);
            let mut before = Duration::ZERO;
            for _ in 0..random.random_range(1..60) {
                if random.random_bool(0.03) {
                    backoff.reset();
                    before = Duration::ZERO;
                }
                // Anything may come out of a computation.
                let wait = backoff.next(random.random_range(-1.0..2.0));
                assert!(wait >= first / 2 && wait <= longest, "{wait:?} of {first:?} to {longest:?}");
                assert!(wait >= before / 2, "{wait:?} after {before:?}: it never comes down but by its jitter");
                before = wait;
            }
        }
        // As often as a robot can fail in all its life.
        let mut endless = Backoff { failures: u32::MAX, ..Backoff::default() };
        assert_eq!(endless.next(1.0), LONGEST);
    }
}
