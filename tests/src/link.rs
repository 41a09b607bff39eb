//! One direction of a network that is not perfect: it loses, it delays, and it carries so much and no more.
//!
//! Pure and seeded: whoever owns a link gives it the time, and what it does it does again with the same seed. Conditions may
//! change at any time; what waits then leaves at the new rate.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

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
    /// The delay grows by up to this much.
    pub jitter: Duration,
    /// The share of packets that vanish.
    pub loss: f64,
    /// How many vanish in a row, on average; at most one: each by itself.
    pub run: f64,
    /// The share of packets that go a way of their own, as long as any that the jitter makes: they overtake, and are
    /// overtaken. Nothing else is.
    pub reorder: f64,
    /// The share of packets that come twice.
    pub duplicate: f64,
}

impl Conditions {
    pub const PERFECT: Self = Self {
        rate: None,
        burst: 0.0,
        room: Duration::from_secs(60),
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: 0.0,
        run: 0.0,
        reorder: 0.0,
        duplicate: 0.0,
    };

    /// Nothing comes through.
    pub const CUT: Self = Self { loss: 1.0, ..Self::PERFECT };
}

pub struct Link<T> {
    conditions: Conditions,
    random: StdRng,
    waiting: VecDeque<(usize, T)>,
    waiting_bytes: usize,
    /// Bytes that may leave, as of an instant.
    tokens: (f64, Option<Instant>),
    /// By when it comes; what comes at the same time keeps its order.
    travelling: BTreeMap<(Instant, u64), T>,
    /// Packets that have begun to travel, and when the last of those that keep their order comes.
    begun: (u64, Option<Instant>),
    extra_delay: (Duration, Option<Instant>),
    /// Whether the last packet vanished.
    losing: bool,
    lost: u64,
}

impl<T: Clone> Link<T> {
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            random: StdRng::seed_from_u64(seed),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            tokens: (conditions.burst, None),
            travelling: BTreeMap::new(),
            begun: (0, None),
            extra_delay: (Duration::ZERO, None),
            losing: false,
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
        if full || self.vanishes() {
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
        let first = self.travelling.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }

    /// When something happens next.
    pub fn due(&self) -> Option<Instant> {
        let leaves = match (self.waiting.front(), self.tokens) {
            (Some((bytes, _)), (tokens, Some(at))) => Some(at + self.time_for(*bytes as f64 - tokens)),
            _ => None,
        };
        let comes = self.travelling.keys().next().map(|(at, _)| *at);
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

    /// Runs of losses are geometric (Gilbert): one ends with each packet as likely as its length makes it, and begins as often
    /// as makes up the share.
    fn vanishes(&mut self) -> bool {
        let Conditions { loss, run, .. } = self.conditions;
        let likely = match self.losing {
            _ if run <= 1.0 || loss >= 1.0 => loss,
            true => 1.0 - 1.0 / run,
            false => (loss / (1.0 - loss) / run).min(1.0),
        };
        self.losing = self.random.random_bool(likely);
        self.losing
    }

    fn travel(&mut self, packet: T, leaves: Instant) {
        let Conditions { delay, jitter, reorder, duplicate, .. } = self.conditions;
        if self.extra_delay.1.is_none_or(|since| leaves >= since + JITTER_INTERVAL) {
            let share = self.random.random::<f64>();
            self.extra_delay = (jitter.mul_f64(share), Some(leaves));
        }
        // Who asks for neither gets what the same seed has always given.
        let alone = reorder > 0.0 && self.random.random_bool(reorder);
        let comes = if alone {
            leaves + delay + jitter.mul_f64(self.random.random::<f64>())
        } else {
            let comes = leaves + delay + self.extra_delay.0;
            let comes = self.begun.1.map_or(comes, |before| comes.max(before));
            self.begun.1 = Some(comes);
            comes
        };
        if duplicate > 0.0 && self.random.random_bool(duplicate) {
            self.begin(comes, packet.clone());
        }
        self.begin(comes, packet);
    }

    fn begin(&mut self, comes: Instant, packet: T) {
        self.travelling.insert((comes, self.begun.0), packet);
        self.begun.0 += 1;
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
    fn losses_come_in_runs_where_asked_for() {
        let lossy = Conditions { loss: 0.1, run: 5.0, ..Conditions::PERFECT };
        let sent: Vec<u64> = (0..20_000).collect();
        let came = arrivals(lossy, &sent);
        assert!((0.08..0.12).contains(&(1.0 - came.len() as f64 / sent.len() as f64)), "{}", came.len());
        let runs = came.windows(2).filter(|pair| pair[1] > pair[0] + 1).count();
        let length = (sent.len() - came.len()) as f64 / runs as f64;
        assert!((4.0..6.0).contains(&length), "{length}");
        assert!(arrivals(Conditions::CUT, &sent).is_empty());
    }

    #[test]
    fn some_overtake_and_some_come_twice_where_asked_for() {
        let t0 = start();
        let wild = Conditions {
            delay: Duration::from_millis(50),
            jitter: Duration::from_millis(150),
            reorder: 0.25,
            duplicate: 0.1,
            ..Conditions::PERFECT
        };
        let mut link = Link::new(wild, 3);
        for number in 0..2000_u32 {
            link.send(number, 1000, t0 + Duration::from_millis(10) * number);
        }
        let end = t0 + Duration::from_secs(60);
        let came: Vec<u32> = std::iter::from_fn(|| link.take(end)).collect();
        assert!((2150..2250).contains(&came.len()), "{}", came.len());
        let late = came.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!((200..500).contains(&late), "{late}");
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
