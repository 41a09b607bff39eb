//! One direction of a network that is not perfect: it loses, it delays, and it carries so much and no more.
//!
//! Pure and seeded: whoever owns a link gives it the time, and what it does it does again with the same seed. Conditions may
//! change at any time; what waits then leaves at the new rate.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};

/// A radio's delay stays as it is for about so long.
const JITTER_INTERVAL: Duration = Duration::from_millis(30);

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Bits per second; none: as many as there are.
    pub rate: Option<f64>,
    /// Bytes that pass at once after a pause, as a shaper's token bucket lets them.
    pub burst: f64,
    /// What waits longer than this is dropped.
    pub room: Duration,
    pub delay: Duration,
    /// The delay grows by up to this much. Nothing overtakes.
    pub jitter: Duration,
    /// The share of packets that vanish.
    pub loss: f64,
}

impl Conditions {
    pub const PERFECT: Self = Self {
        rate: None,
        burst: 0.0,
        room: Duration::from_secs(60),
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: 0.0,
    };
}

pub struct Link<T> {
    conditions: Conditions,
    random: StdRng,
    waiting: VecDeque<(usize, T)>,
    waiting_bytes: usize,
    /// Bytes that may leave, as of an instant.
    tokens: (f64, Option<Instant>),
    travelling: VecDeque<(Instant, T)>,
    extra_delay: (Duration, Option<Instant>),
    lost: u64,
}

impl<T> Link<T> {
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            random: StdRng::seed_from_u64(seed),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            tokens: (conditions.burst, None),
            travelling: VecDeque::new(),
            extra_delay: (Duration::ZERO, None),
            lost: 0,
        }
    }

    pub fn conditions(&self) -> Conditions {
        self.conditions
    }

    pub fn change(&mut self, conditions: Conditions, now: Instant) {
        self.serve(now);
        self.conditions = conditions;
    }

    /// How long a packet would wait that came now.
    pub fn queue(&mut self, now: Instant) -> Duration {
        self.serve(now);
        match self.conditions.rate {
            Some(rate) => Duration::from_secs_f64(self.waiting_bytes as f64 * 8.0 / rate),
            None => Duration::ZERO,
        }
    }

    /// Packets that did not and will not come.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// `bytes`: what the packet takes up on the wire.
    pub fn send(&mut self, packet: T, bytes: usize, now: Instant) {
        let full = self.queue(now) > self.conditions.room;
        if full || self.random.random_bool(self.conditions.loss) {
            self.lost += 1;
            return;
        }
        self.waiting.push_back((bytes, packet));
        self.waiting_bytes += bytes;
        self.serve(now);
    }

    /// The next packet that has come by now.
    pub fn take(&mut self, now: Instant) -> Option<T> {
        self.serve(now);
        let (at, _) = self.travelling.front()?;
        if *at > now {
            return None;
        }
        self.travelling.pop_front().map(|(_, packet)| packet)
    }

    /// When something happens next.
    pub fn due(&self) -> Option<Instant> {
        let leaves = match (self.waiting.front(), self.tokens) {
            (Some((bytes, _)), (tokens, Some(at))) => Some(at + self.time_for(*bytes as f64 - tokens)),
            _ => None,
        };
        let comes = self.travelling.front().map(|(at, _)| *at);
        [leaves, comes].into_iter().flatten().min()
    }

    fn time_for(&self, bytes: f64) -> Duration {
        let seconds = self.conditions.rate.map_or(0.0, |rate| bytes.max(0.0) * 8.0 / rate);
        // An instant counts in nanoseconds: rounded down, the packet would never quite be through.
        Duration::from_secs_f64(seconds) + Duration::from_nanos(u64::from(seconds > 0.0))
    }

    fn serve(&mut self, now: Instant) {
        let (mut tokens, at) = self.tokens;
        let mut at = at.unwrap_or(now);
        while let Some((bytes, _)) = self.waiting.front() {
            let bytes = *bytes;
            let missing = bytes as f64 - tokens;
            let leaves = at + self.time_for(missing);
            if leaves > now {
                self.tokens = (tokens, Some(at));
                return;
            }
            tokens = (-missing).max(0.0);
            at = leaves;
            self.waiting_bytes -= bytes;
            if let Some((_, packet)) = self.waiting.pop_front() {
                self.travel(packet, leaves);
            }
        }
        let earned = self
            .conditions
            .rate
            .map_or(f64::INFINITY, |rate| now.saturating_duration_since(at).as_secs_f64() * rate / 8.0);
        self.tokens = ((tokens + earned).min(self.conditions.burst), Some(now.max(at)));
    }

    fn travel(&mut self, packet: T, leaves: Instant) {
        if self.extra_delay.1.is_none_or(|since| leaves >= since + JITTER_INTERVAL) {
            let share = self.random.random::<f64>();
            self.extra_delay = (self.conditions.jitter.mul_f64(share), Some(leaves));
        }
        let comes = leaves + self.conditions.delay + self.extra_delay.0;
        let comes = self.travelling.back().map_or(comes, |(before, _)| comes.max(*before));
        self.travelling.push_back((comes, packet));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    /// Sends packets of 1000 bytes at the given milliseconds, and says after how many each came.
    fn arrivals(conditions: Conditions, sent: &[u64]) -> Vec<u128> {
        let t0 = start();
        let mut link = Link::new(conditions, 7);
        let mut came = Vec::new();
        let mut sent = sent.iter().map(|at| t0 + Duration::from_millis(*at)).peekable();
        loop {
            let next = [sent.peek().copied(), link.due()].into_iter().flatten().min();
            let Some(now) = next else { return came };
            if sent.next_if_eq(&now).is_some() {
                link.send((), 1000, now);
            }
            while link.take(now).is_some() {
                came.push((now - t0).as_millis());
            }
        }
    }

    #[test]
    fn a_serial_link_delays_by_its_backlog() {
        let slow = Conditions { rate: Some(1e6), delay: Duration::from_millis(5), ..Conditions::PERFECT };
        assert_eq!(arrivals(slow, &[0, 0, 0, 100]), [13, 21, 29, 113]);
        assert_eq!(arrivals(Conditions { burst: 2000.0, ..slow }, &[0, 0, 0, 0, 100]), [5, 5, 13, 21, 105]);
        assert_eq!(arrivals(Conditions { room: Duration::from_millis(10), ..slow }, &[0; 9]), [13, 21]);
        assert_eq!(arrivals(Conditions::PERFECT, &[0, 3]), [0, 3]);
    }

    #[test]
    fn what_waits_leaves_at_the_new_rate() {
        let t0 = start();
        let mut link = Link::new(Conditions { rate: Some(1e5), ..Conditions::PERFECT }, 1);
        for _ in 0..10 {
            link.send((), 1000, t0);
        }
        assert_eq!(link.queue(t0), Duration::from_millis(800));
        link.change(Conditions::PERFECT, t0);
        assert_eq!(std::iter::from_fn(|| link.take(t0)).count(), 10);
    }

    #[test]
    fn loss_and_jitter_are_as_large_as_asked_for_and_order_is_kept() {
        let conditions = Conditions { loss: 0.3, jitter: Duration::from_millis(60), ..Conditions::PERFECT };
        let sent: Vec<u64> = (0..1000).map(|packet| packet * 20).collect();
        let came = arrivals(conditions, &sent);
        assert!((650..750).contains(&came.len()), "{}", came.len());
        assert!(came.is_sorted());
        assert_eq!(came, arrivals(conditions, &sent), "the same seed does the same");
    }
}
