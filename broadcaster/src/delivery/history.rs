//! A viewer's last reports on when packets came, and what they show together.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A burst of losses is an accident when nothing was lost around it.
const LOSS_WINDOW: Duration = Duration::from_secs(1);
/// So few packets show no share.
const FEW: u32 = 20;

/// A keyframe fills a queue for a moment, and a radio holds back what comes for a moment. What is there after it stays.
const STANDING_WINDOW: Duration = Duration::from_millis(300);
/// The window may be as much shorter as reports are apart.
const STANDING_AT_LEAST: Duration = Duration::from_millis(200);

/// One report, or two of those that come every 50 ms.
const LAST_WINDOW: Duration = Duration::from_millis(70);

const RATE_WINDOW: Duration = Duration::from_millis(400);
const RATE_AT_LEAST: Duration = Duration::from_millis(50);

/// The shortest delay seen within one to two of these is that of the empty path: clocks drift.
const BASE_WINDOW: Duration = Duration::from_secs(30);

/// One report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    at: Instant,
    /// The first arrival and the last, on the viewer's clock.
    arrivals: Option<(Duration, Duration)>,
    first_bytes: usize,
    bytes: usize,
    least_delay: f64,
    arrived: u32,
    lost: u32,
}

impl Heard {
    pub(super) fn new(at: Instant) -> Self {
        Self { at, arrivals: None, first_bytes: 0, bytes: 0, least_delay: f64::INFINITY, arrived: 0, lost: 0 }
    }

    pub(super) fn arrived(&mut self, arrival: Duration, delay: f64, bytes: usize) {
        let (first, last) = self.arrivals.unwrap_or_else(|| {
            self.first_bytes = bytes;
            (arrival, arrival)
        });
        self.arrivals = Some((first.min(arrival), last.max(arrival)));
        self.bytes += bytes;
        self.least_delay = self.least_delay.min(delay);
        self.arrived += 1;
    }

    pub(super) fn least_delay(&self) -> Option<f64> {
        (self.arrived > 0).then_some(self.least_delay)
    }

    pub(super) fn lost(&mut self, count: u32) {
        self.lost += count;
    }
}

#[derive(Debug, Default)]
pub(super) struct History {
    reports: VecDeque<Heard>,
    /// The first arrival of all.
    began: Option<Duration>,
}

impl History {
    pub(super) fn add(&mut self, heard: Heard) {
        if heard.arrived + heard.lost == 0 {
            return;
        }
        self.began = self.began.or(heard.arrivals.map(|(first, _)| first));
        while self.reports.front().is_some_and(|first| heard.at.saturating_duration_since(first.at) > LOSS_WINDOW) {
            self.reports.pop_front();
        }
        self.reports.push_back(heard);
    }

    /// A packet that was lost has come after all.
    pub(super) fn found(&mut self) {
        if let Some(heard) = self.reports.iter_mut().find(|heard| heard.lost > 0) {
            heard.lost -= 1;
        }
    }

    /// The share of packets that did not come.
    pub(super) fn loss(&self) -> f64 {
        let lost: u32 = self.reports.iter().map(|heard| heard.lost).sum();
        let all = lost + self.reports.iter().map(|heard| heard.arrived).sum::<u32>();
        if all < FEW { 0.0 } else { f64::from(lost) / f64::from(all) }
    }

    /// Reports on what came, the last first, each with its last arrival.
    fn backwards(&self) -> impl Iterator<Item = (Duration, &Heard)> {
        self.reports.iter().rev().filter_map(|heard| heard.arrivals.map(|(_, last)| (last, heard)))
    }

    /// The delay of the packet that came through fastest within the last moments.
    pub(super) fn least_delay(&self) -> Option<f64> {
        let (last, _) = self.backwards().next()?;
        if last.saturating_sub(self.began?) < STANDING_AT_LEAST {
            return None;
        }
        self.least_within(STANDING_WINDOW)
    }

    /// The same for what came just now.
    pub(super) fn last_delay(&self) -> Option<f64> {
        self.least_within(LAST_WINDOW)
    }

    fn least_within(&self, window: Duration) -> Option<f64> {
        let (last, _) = self.backwards().next()?;
        let within = |at: Duration| last.saturating_sub(at) <= window;
        let delays = self.backwards().take_while(|(at, _)| within(*at)).map(|(_, heard)| heard.least_delay);
        delays.min_by(f64::total_cmp)
    }

    /// Bits per second that came.
    pub(super) fn rate(&self) -> Option<f64> {
        self.rate_within(RATE_WINDOW)
    }

    /// The same for what came just now. Where a queue stands, that is all that the path carries.
    pub(super) fn last_rate(&self) -> Option<f64> {
        self.rate_within(LAST_WINDOW)
    }

    /// On the viewer's clock: how late reports are has no say.
    fn rate_within(&self, window: Duration) -> Option<f64> {
        let (last, _) = self.backwards().next()?;
        let (mut bytes, mut began) = (0, last);
        for (at, heard) in self.backwards() {
            if last.saturating_sub(at) >= window.max(RATE_AT_LEAST) {
                // The window begins with the last packet before it.
                return Some(rate(bytes, last.saturating_sub(at)));
            }
            began = heard.arrivals.map_or(at, |(first, _)| first);
            bytes += heard.bytes;
        }
        // The first packet's own bytes came before the clock started.
        bytes -= self.backwards().last().map_or(0, |(_, heard)| heard.first_bytes);
        let span = last.saturating_sub(began);
        (span >= RATE_AT_LEAST).then(|| rate(bytes, span))
    }
}

fn rate(bytes: usize, span: Duration) -> f64 {
    bytes as f64 * 8.0 / span.as_secs_f64()
}

/// The delay of the empty path. The two ends' clocks have nothing in common, so only differences count.
#[derive(Debug, Default)]
pub(super) struct Base {
    /// The least of this window and of the one before, in seconds.
    least: [Option<f64>; 2],
    window: Option<Instant>,
}

impl Base {
    pub(super) fn add(&mut self, delay: f64, now: Instant) {
        if now.saturating_duration_since(*self.window.get_or_insert(now)) > BASE_WINDOW {
            self.window = Some(now);
            self.least = [None, self.least[0]];
        }
        self.least[0] = Some(self.least[0].map_or(delay, |least| least.min(delay)));
    }

    /// By how much a delay is longer.
    pub(super) fn above(&self, delay: f64) -> Duration {
        let least = self.least.iter().flatten().copied().fold(f64::INFINITY, f64::min);
        Duration::try_from_secs_f64(delay - least).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    /// Reports every 100 ms on packets of 1250 bytes every 10 ms, which waited for so many milliseconds.
    fn history(waits: impl Fn(u64) -> u64, loses: impl Fn(u64) -> bool, packets: u64) -> History {
        let t0 = start();
        let mut history = History::default();
        for first in (0..packets).step_by(10) {
            let mut heard = Heard::new(t0 + Duration::from_millis(first * 10 + 100));
            for packet in first..first + 10 {
                if loses(packet) {
                    heard.lost(1);
                } else {
                    let wait = Duration::from_millis(waits(packet));
                    heard.arrived(Duration::from_millis(packet * 10) + wait, wait.as_secs_f64(), 1250);
                }
            }
            history.add(heard);
        }
        history
    }

    #[test]
    fn only_a_delay_that_stays_is_a_queue() {
        let standing = |waits: &dyn Fn(u64) -> u64| history(waits, |_| false, 200).least_delay();
        assert_eq!(standing(&|packet| if packet % 30 < 25 { 80 } else { 3 }), Some(0.003), "a burst that drains");
        assert_eq!(standing(&|packet| 20 + packet % 7), Some(0.02));
        assert_eq!(history(|_| 50, |_| false, 10).least_delay(), None, "too early to say");
        assert_eq!(history(|packet| packet, |_| false, 100).last_delay(), Some(0.09), "a queue that grows");
    }

    #[test]
    fn the_rate_is_that_of_the_viewers_clock() {
        let rate = |waits: &dyn Fn(u64) -> u64| history(waits, |_| false, 100).rate().map(f64::round);
        assert_eq!(rate(&|_| 70), Some(1e6));
        assert_eq!(rate(&|packet| 10 * packet), Some(5e5), "they came half as fast as they left");
        assert_eq!(history(|_| 0, |packet| packet > 0, 100).rate(), None);
    }

    #[test]
    fn loss_is_the_share_of_the_last_second() {
        assert_eq!(history(|_| 0, |packet| packet < 200, 400).loss(), 0.0);
        assert_eq!(history(|_| 0, |packet| packet % 5 == 0, 400).loss(), 0.2);
        assert_eq!(history(|_| 0, |_| true, 10).loss(), 0.0, "ten packets show nothing");
    }

    #[test]
    fn the_empty_paths_delay_is_the_least_of_the_last_minute() {
        let (mut base, t0) = (Base::default(), start());
        base.add(5.0, t0);
        assert_eq!(base.above(5.25), Duration::from_millis(250));
        base.add(5.5, t0 + Duration::from_secs(31));
        assert_eq!(base.above(5.25), Duration::from_millis(250), "remembered");
        base.add(5.5, t0 + Duration::from_secs(62));
        assert_eq!(base.above(5.75), Duration::from_millis(250), "forgotten");
        assert_eq!(base.above(1.0), Duration::ZERO);
    }
}
