//! How many datagrams of one viewer's are looked at.

use std::time::{Duration, Instant};

/// Browsers send some fifty a second, and a handshake comes in a rush.
const PER_SECOND: f64 = 500.0;
const AT_ONCE: f64 = 200.0;

#[derive(Debug)]
pub(super) struct Allowance {
    level: f64,
    at: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self { level: AT_ONCE, at: now }
    }

    /// Whether one more is.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed: Duration = now.saturating_duration_since(self.at);
        self.at = self.at.max(now);
        self.level = (self.level + passed.as_secs_f64() * PER_SECOND).min(AT_ONCE);
        let affordable = self.level >= 1.0;
        if affordable {
            self.level -= 1.0;
        }
        affordable
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn a_flood_is_cut_to_what_a_viewer_may_send() {
        let t0 = Instant::now();
        let mut allowance = Allowance::new(t0);
        let taken = (0..100_000_u32).filter(|n| allowance.take(t0 + Duration::from_micros(100) * *n)).count();
        assert!((5000..5300).contains(&taken), "{taken} in ten seconds");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn within_any_time_no_more_is_taken_than_that_earns_and_who_keeps_to_it_loses_nothing() {
        for seed in 0..20 {
            let mut random = SmallRng::seed_from_u64(seed);
            let mut now = Instant::now();
            let mut allowance = Allowance::new(now);
            // When each was taken.
            let mut taken = Vec::new();
            for _ in 0..5000 {
                let pause = if random.random_bool(0.01) { 500_000 } else { 2000 };
                now += Duration::from_micros(random.random_range(0..pause));
                if allowance.take(now) {
                    taken.push(now);
                }
                let from = taken[random.random_range(0..taken.len())];
                let since = taken.iter().filter(|at| **at >= from).count() as f64;
                assert!(since <= AT_ONCE + PER_SECOND * (now - from).as_secs_f64() + 1e-6, "seed {seed}: {since}");
            }
            let mut patient = Allowance::new(now);
            let pace = Duration::from_secs_f64(1.0 / PER_SECOND) + Duration::from_nanos(1);
            assert!((1..5000).all(|n| patient.take(now + pace * n)));
        }
    }
}
