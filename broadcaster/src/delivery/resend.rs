//! Packets that a viewer missed and gets once more (RFC 4588): which, how often, and how many of them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Waiting to be sent again. A viewer that misses more than this needs a keyframe.
const MAX_WAITING: usize = 256;
const MAX_REMEMBERED: usize = 256;

/// A packet that was sent again is on its way for a round trip; asking again within it is asking twice.
const MIN_COOL_DOWN: Duration = Duration::from_millis(10);
const MAX_COOL_DOWN: Duration = Duration::from_millis(200);
const UNKNOWN_ROUND_TRIP: Duration = Duration::from_millis(30);

/// The share of the picture's own traffic that goes into repeating.
const SHARE: f64 = 0.5;
const MIN_RATE: f64 = 250_000.0;
const MAX_SAVED: f64 = 64_000.0;

#[derive(Debug)]
pub(super) struct Resend {
    /// Nobody needs what came before.
    first: u64,
    waiting: VecDeque<u64>,
    recent: VecDeque<(u64, Instant)>,
    /// Bytes that may be spent.
    budget: f64,
    at: Instant,
}

impl Resend {
    pub(super) fn new(now: Instant) -> Self {
        Self { first: 0, waiting: VecDeque::new(), recent: VecDeque::new(), budget: MAX_SAVED, at: now }
    }

    /// The viewer missed this packet.
    pub(super) fn ask(&mut self, number: u64, round_trip: Option<Duration>, now: Instant) {
        let cool_down = round_trip.unwrap_or(UNKNOWN_ROUND_TRIP).clamp(MIN_COOL_DOWN, MAX_COOL_DOWN);
        let just_sent = self.recent.iter().any(|(sent, at)| *sent == number && now < *at + cool_down);
        if number >= self.first && !just_sent && self.waiting.len() < MAX_WAITING && !self.waiting.contains(&number) {
            self.waiting.push_back(number);
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next packet to send again, while the budget lasts. `bitrate` is that of the picture.
    pub(super) fn next(&mut self, bitrate: f64, now: Instant) -> Option<u64> {
        if !self.is_waiting() {
            return None;
        }
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        let rate = (bitrate * SHARE).max(MIN_RATE) / 8.0;
        self.budget = (self.budget + passed * rate).min(MAX_SAVED);
        if self.budget <= 0.0 {
            // What waits now would come too late when there is budget again.
            self.waiting.clear();
        }
        self.waiting.front().copied()
    }

    /// Most of what may be spent has not been.
    pub(super) fn is_flush(&self) -> bool {
        self.budget > MAX_SAVED / 2.0
    }

    /// Packets before that number are of no use any more.
    pub(super) fn forget(&mut self, before: u64) {
        self.first = before;
        self.waiting.clear();
    }

    /// What [`Resend::next`] gave was sent, or cannot be.
    pub(super) fn done(&mut self, bytes: Option<usize>, now: Instant) {
        let Some(number) = self.waiting.pop_front() else { return };
        let Some(bytes) = bytes else { return };
        self.budget -= bytes as f64;
        if self.recent.len() == MAX_REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((number, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITRATE: f64 = 3_000_000.0;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn sent(resend: &mut Resend, now: Instant) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some(number) = resend.next(BITRATE, now) {
            resend.done(Some(1200), now);
            sent.push(number);
        }
        sent
    }

    #[test]
    fn a_packet_is_sent_again_once_per_round_trip_however_often_it_is_asked_for() {
        let (t0, round_trip) = (start(), Some(Duration::from_millis(50)));
        let mut resend = Resend::new(t0);
        for _ in 0..10 {
            resend.ask(7, round_trip, t0);
        }
        assert_eq!(sent(&mut resend, t0), [7]);
        resend.ask(7, round_trip, t0 + Duration::from_millis(49));
        assert!(sent(&mut resend, t0).is_empty());
        resend.ask(7, round_trip, t0 + Duration::from_millis(50));
        assert_eq!(sent(&mut resend, t0), [7]);
    }

    #[test]
    fn a_flood_of_requests_spends_its_senders_budget_and_no_more() {
        let t0 = start();
        let mut resend = Resend::new(t0);
        let mut count = 0;
        for number in 0..100_000_u64 {
            let now = t0 + Duration::from_micros(number * 100);
            resend.ask(number, None, now);
            count += sent(&mut resend, now).len();
        }
        // 10 s at half of 3 Mbit/s, and what was saved.
        let most = (1.9e6 + MAX_SAVED) / 1200.0;
        assert!((count as f64) < most && count > 100, "{count} of at most {most}");
        assert!(resend.recent.len() <= MAX_REMEMBERED && resend.waiting.len() <= MAX_WAITING);
    }
}
