//! How often strangers may ask, and how much an allocation may send.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Requests of one source: a hundred viewers behind one address, who join at once, ask about a thousand times.
const BURST: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(10);

/// Sources share a place rather than have memory of their own.
const PLACES: usize = 16_384;

/// Whom an address belongs to: a household has a whole IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self(ip.into()),
            IpAddr::V6(ip) => Self(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into()),
        }
    }
}

/// Lets each source ask as often as there is use for.
pub(super) struct Strangers {
    seed: u64,
    start: Instant,
    /// For each place, when all that was asked would have been asked at the allowed pace.
    done: Box<[Duration]>,
}

impl Strangers {
    /// `seed` is not known to those who would like to share a place with somebody.
    pub(super) fn new(seed: u64, start: Instant) -> Self {
        Self { seed, start, done: vec![Duration::ZERO; PLACES].into_boxed_slice() }
    }

    pub(super) fn may_ask(&mut self, source: Source, now: Instant) -> bool {
        let mut hasher = DefaultHasher::new();
        (self.seed, source).hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % PLACES as u64).unwrap_or_default();
        let elapsed = now.saturating_duration_since(self.start);
        let done = self.done[place].max(elapsed);
        if done - elapsed > BURST {
            return false;
        }
        self.done[place] = done + INTERVAL;
        true
    }
}

/// So many bytes in a second, and at most that many at once.
#[derive(Debug)]
pub(super) struct Allowance {
    bytes: u64,
    left: u64,
    at: Instant,
}

impl Allowance {
    pub(super) fn new(bytes_per_second: u64, now: Instant) -> Self {
        Self { bytes: bytes_per_second, left: bytes_per_second, at: now }
    }

    pub(super) fn take(&mut self, length: usize, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.at).min(Duration::from_secs(1));
        let earned = u128::from(self.bytes) * elapsed.as_nanos() / 1_000_000_000;
        // What is too little to count yet goes on adding up.
        if earned > 0 {
            self.at = now;
            self.left = self.bytes.min(self.left.saturating_add(u64::try_from(earned).unwrap_or(u64::MAX)));
        }
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        let enough = self.left >= length;
        if enough {
            self.left -= length;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an instant to count from; std has no other way to make one")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_source_asks_at_its_pace_whatever_others_do() {
        let start = start();
        let mut strangers = Strangers::new(7, start);
        let source = |text: &str| Source::from(text.parse::<IpAddr>().expect("an address"));
        let mut asked = |text: &str, now| (0..5000).filter(|_| strangers.may_ask(source(text), now)).count();
        assert_eq!(asked("192.0.2.1", start), 1001);
        assert_eq!(asked("192.0.2.2", start), 1001, "another one");
        assert_eq!(asked("192.0.2.1", start + Duration::from_secs(1)), 100);
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::2"), "one household");
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }

    #[test]
    fn an_allowance_fills_with_time_and_never_over_its_brim() {
        let start = start();
        let mut allowance = Allowance::new(1000, start);
        assert!(allowance.take(600, start) && !allowance.take(600, start) && allowance.take(400, start));
        let mut taken = 0;
        for millisecond in 1..=5000 {
            while allowance.take(1, start + Duration::from_millis(millisecond)) {
                taken += 1;
            }
        }
        assert_eq!(taken, 5000);
        let later = start + Duration::from_secs(100);
        assert!(!allowance.take(1001, later) && allowance.take(1000, later) && !allowance.take(1, later));
    }

    #[test]
    fn within_any_time_no_more_is_sent_than_that_earns_and_who_keeps_to_it_loses_nothing() {
        for seed in 0..20 {
            let mut random = SmallRng::seed_from_u64(seed);
            let rate: u64 = random.random_range(1_000..5_000_000);
            let mut now = start();
            let mut allowance = Allowance::new(rate, now);
            let mut sent: Vec<(Instant, u64)> = Vec::new();
            for _ in 0..4000 {
                let pause = if random.random_bool(0.01) { 3_000_000 } else { 3_000 };
                now += Duration::from_micros(random.random_range(0..pause));
                let length = random.random_range(0..1500);
                if allowance.take(length, now) {
                    sent.push((now, length as u64));
                }
                let Some((from, _)) = sent.get(random.random_range(0..sent.len().max(1))).copied() else { continue };
                let since: u64 = sent.iter().filter(|(at, _)| *at >= from).map(|(_, length)| length).sum();
                let most = rate as f64 * (1.0 + (now - from).as_secs_f64());
                assert!(since as f64 <= most + 1.0, "seed {seed}: {since} of {most}");
            }
            let mut patient = Allowance::new(rate, now);
            let pace = Duration::from_secs_f64(1000.0 / rate as f64) + Duration::from_micros(1);
            assert!((0..4000).all(|n| patient.take(1000, now + pace * n)), "seed {seed}");
        }
    }

    #[test]
    fn strangers_are_answered_at_their_pace_over_any_time() {
        for seed in 0..20 {
            let mut random = SmallRng::seed_from_u64(seed);
            let mut now = start();
            let mut strangers = Strangers::new(seed, now);
            let mut answered: Vec<(Source, Instant)> = Vec::new();
            for _ in 0..4000 {
                now += Duration::from_micros(random.random_range(0..8000));
                let source = Source::from(IpAddr::from([192, 0, 2, random.random_range(0..2)]));
                for _ in 0..random.random_range(0..4) {
                    if strangers.may_ask(source, now) {
                        answered.push((source, now));
                    }
                }
                let Some((_, from)) = answered.get(random.random_range(0..answered.len().max(1))).copied() else {
                    continue;
                };
                let since = answered.iter().filter(|(other, at)| *other == source && *at >= from).count() as f64;
                let most = (BURST + (now - from)).as_secs_f64() / INTERVAL.as_secs_f64();
                assert!(since <= most + 2.0, "seed {seed}: {since} of {most}");
            }
            let (patient, later) = (Source::from(IpAddr::from([192, 0, 2, 9])), now);
            assert!((0..4000).all(|n| strangers.may_ask(patient, later + INTERVAL * n)), "seed {seed}");
        }
    }
}
