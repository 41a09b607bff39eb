//! How fast a viewer's packets may leave: at once what its path swallows, larger frames a piece at a time.

use std::time::{Duration, Instant};

/// Above what the path is believed to carry, which may be too little: what is held back here longer than there is late.
const HEADROOM: f64 = 1.5;

/// What may leave at once is what the path takes in this time …
const AT_ONCE: Duration = Duration::from_millis(40);
/// … within bounds: less would make timers of every frame, more would fill the queues of any router.
const MIN_BURST: f64 = 12_000.0;
const MAX_BURST: f64 = 128_000.0;

/// Seconds, for a rate that is next to nothing.
const MAX_WAIT: f64 = 60.0;

#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes per second.
    rate: f64,
    /// Bytes that might leave then.
    level: f64,
    at: Instant,
}

impl Pace {
    /// `bitrate` is what the path is believed to carry.
    pub(super) fn new(bitrate: f64, now: Instant) -> Self {
        let mut pace = Self { rate: rate(bitrate), level: 0.0, at: now };
        pace.level = pace.burst();
        pace
    }

    pub(super) fn set(&mut self, bitrate: f64, now: Instant) {
        self.spend(0, now);
        self.rate = rate(bitrate);
    }

    fn burst(&self) -> f64 {
        (self.rate * AT_ONCE.as_secs_f64()).clamp(MIN_BURST, MAX_BURST)
    }

    /// Bytes that may leave now: while any may, a whole packet may. What that overdraws is waited for.
    pub(super) fn room(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.level + passed * self.rate).min(self.burst())
    }

    /// What is repeated leaves without asking, and must not keep the picture waiting for long.
    pub(super) fn spend(&mut self, bytes: usize, now: Instant) {
        self.level = (self.room(now) - bytes as f64).max(-self.burst());
        self.at = self.at.max(now);
    }

    /// When the next piece may leave. It waits until it is worth a send.
    pub(super) fn reopens(&self) -> Instant {
        let missing = MIN_BURST / 4.0 - self.level;
        self.at + Duration::from_secs_f64((missing / self.rate).clamp(0.0, MAX_WAIT))
    }
}

/// Bytes per second.
fn rate(bitrate: f64) -> f64 {
    bitrate * HEADROOM / 8.0
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    /// Sends packets of 1200 bytes as fast as allowed, and says how long the given number takes.
    fn time_for(packets: usize, bitrate: f64) -> Duration {
        let t0 = start();
        let mut pace = Pace::new(bitrate, t0);
        let mut now = t0;
        for _ in 0..packets {
            while pace.room(now) <= 0.0 {
                now = pace.reopens().max(now + Duration::from_micros(1));
            }
            pace.spend(1200, now);
        }
        now - t0
    }

    #[test]
    fn a_keyframe_leaves_at_once_where_there_is_room_and_in_pieces_where_not() {
        assert_eq!(time_for(50, 20e6), Duration::ZERO);
        let slow = time_for(50, 1e6).as_secs_f64();
        // 60 kB less the first burst, at 1.5 Mbit/s.
        assert!((0.2..0.3).contains(&slow), "{slow}");
    }

    #[test]
    fn whatever_was_overdrawn_something_may_leave_when_it_is_said_to() {
        for bitrate in [100_000.0, 150_000.0, 1e6, 50e6] {
            let t0 = start();
            let mut pace = Pace::new(bitrate, t0);
            for _ in 0..5 {
                pace.spend(64_000, t0);
            }
            assert!(pace.reopens() > t0 && pace.reopens() < t0 + Duration::from_secs(1), "at {bitrate}");
            assert!(pace.room(pace.reopens()) > 0.0, "at {bitrate}");
        }
    }

    #[test]
    fn what_was_not_used_is_not_saved_up() {
        let t0 = start();
        let room = Pace::new(1e6, t0).room(t0 + Duration::from_secs(100));
        assert!(room > 1000.0 && room <= 12_500.0, "{room}");
    }

    #[test]
    fn what_leaves_is_what_the_path_is_believed_to_carry_and_a_burst() {
        for seed in 0..50 {
            let mut random = SmallRng::seed_from_u64(seed);
            let bitrate = random.random_range(5e4..5e7);
            let t0 = start();
            let (mut pace, mut now, mut left) = (Pace::new(bitrate, t0), t0, 0.0);
            for _ in 0..3000 {
                let size = random.random_range(1..1200);
                if pace.room(now) > 0.0 {
                    pace.spend(size, now);
                    left += size as f64;
                } else {
                    let due = pace.reopens();
                    assert!(due > now, "seed {seed}: it would be asked over and over");
                    now = if random.random() { due } else { now + (due - now).mul_f64(random.random()) };
                    assert!(now < due || pace.room(now) > 0.0, "seed {seed}: it was said to be open then");
                }
                // The last packet may overdraw what is left.
                let most = pace.burst() + rate(bitrate) * (now - t0).as_secs_f64() + 1200.0;
                assert!(left <= most + 1.0, "seed {seed}: {left} of {most}");
            }
        }
    }
}
