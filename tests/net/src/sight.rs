//! What a viewer saw, and what that comes to: pure figures over notes with times.

use serde::{Deserialize, Serialize};

/// Two pictures of a camera with 30 a second are so far apart, in milliseconds.
const INTERVAL: f64 = 1000.0 / 30.0;
/// As browsers count freezes: a pause that is three times as long as usual, and at least so much longer.
const FREEZE: f64 = INTERVAL + 150.0;
/// What is called live may be so old, and what notices that it is not takes a moment.
const LIVE_WITHIN: f64 = 3000.0;

/// Milliseconds since 1970, by the clock of the machine that all of this runs on.
pub type Millis = f64;

/// What the eye in a page notes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Sight {
    /// When pictures came onto the screen.
    pub frames: Vec<Millis>,
    pub samples: Vec<Sample>,
    /// The page's words, whenever they change.
    pub words: Vec<Words>,
}

/// What the receiver says, some times a second; sums are over all of the page's connections.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Sample {
    pub at: Millis,
    pub state: String,
    pub session: String,
    pub connections: u32,
    pub decoded: u64,
    pub bytes: u64,
    pub lost: i64,
    pub width: u32,
    pub path: String,
    pub remote: String,
    /// How old the last picture was.
    pub delay: Option<f64>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Words {
    pub at: Millis,
    pub badge: String,
    pub problem: String,
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Span {
    pub from: Millis,
    pub to: Millis,
}

impl Span {
    pub fn new(from: Millis, to: Millis) -> Self {
        Self { from, to }
    }

    fn length(self) -> f64 {
        self.to - self.from
    }

    fn has(self, at: Millis) -> bool {
        (self.from..self.to).contains(&at)
    }
}

impl Sight {
    /// The share of the camera's pictures that were decoded.
    pub fn decoded(&self, span: Span) -> f64 {
        let decoded = self.sum(span, |sample| sample.decoded as f64);
        decoded * INTERVAL / span.length()
    }

    /// Bits per second that were received.
    pub fn bitrate(&self, span: Span) -> f64 {
        self.sum(span, |sample| sample.bytes as f64) * 8000.0 / span.length()
    }

    /// How much a sum has grown, by the straight line between the samples around either end.
    fn sum(&self, span: Span, of: impl Fn(&Sample) -> f64) -> f64 {
        let at = |time: Millis| {
            let after = self.samples.partition_point(|sample| sample.at < time);
            match (self.samples[..after].last(), self.samples.get(after)) {
                (Some(before), Some(after)) => {
                    let share = (time - before.at) / (after.at - before.at);
                    of(before) + share * (of(after) - of(before))
                }
                (Some(only), None) | (None, Some(only)) => of(only),
                (None, None) => 0.0,
            }
        };
        at(span.to) - at(span.from)
    }

    /// The times without a new picture that are longer than none should be, the span's ends included.
    pub fn pauses(&self, span: Span) -> Vec<Span> {
        let inside = self.frames.iter().copied().filter(|at| span.has(*at));
        let mut edges = vec![span.from];
        edges.extend(inside);
        edges.push(span.to);
        let pauses = edges.windows(2).map(|pair| Span::new(pair[0], pair[1]));
        pauses.filter(|pause| pause.length() > FREEZE.max(3.0 * INTERVAL)).collect()
    }

    /// The share of the time that the picture stood still.
    pub fn frozen(&self, span: Span) -> f64 {
        self.pauses(span).into_iter().map(Span::length).sum::<f64>() / span.length()
    }

    /// The longest time without a new picture, in milliseconds; anything below a freeze is none.
    pub fn longest(&self, span: Span) -> f64 {
        self.pauses(span).into_iter().map(Span::length).fold(0.0, f64::max)
    }

    /// How long after an instant pictures flowed again: the first of so many within a second. None: not until the end.
    pub fn flows_after(&self, at: Millis, count: usize) -> Option<f64> {
        let after = &self.frames[self.frames.partition_point(|frame| *frame < at)..];
        let flows = after.windows(count).find(|flow| flow[count - 1] - flow[0] < 1000.0)?;
        Some(flows[0] - at)
    }

    /// How old pictures were, at this quantile of the samples.
    pub fn delay(&self, span: Span, quantile: f64) -> Option<f64> {
        let mut delays = self.delays(span);
        delays.sort_by(f64::total_cmp);
        let index = (quantile * delays.len() as f64).ceil() as usize;
        delays.get(index.saturating_sub(1)).copied()
    }

    /// How old pictures were, sample by sample.
    pub fn delays(&self, span: Span) -> Vec<f64> {
        self.samples.iter().filter(|sample| span.has(sample.at)).filter_map(|sample| sample.delay).collect()
    }

    /// The longest time for which the page said LIVE of a picture that stood still, beyond what nobody notices.
    pub fn lied(&self, span: Span) -> f64 {
        let mut worst = 0.0_f64;
        for pause in self.pauses(span) {
            let stale = Span::new(pause.from + LIVE_WITHIN, pause.to);
            let before = self.words.partition_point(|words| words.at < stale.from).saturating_sub(1);
            for (index, words) in self.words.iter().enumerate().skip(before) {
                let until = self.words.get(index + 1).map_or(stale.to, |next| next.at);
                if words.badge == "LIVE" {
                    worst = worst.max(until.min(stale.to) - words.at.max(stale.from));
                }
            }
        }
        worst
    }

    /// The last sample within a span.
    pub fn last(&self, span: Span) -> Sample {
        self.samples.iter().rfind(|sample| span.has(sample.at)).cloned().unwrap_or_default()
    }

    /// Packets of the picture that never came.
    pub fn lost(&self, span: Span) -> f64 {
        self.sum(span, |sample| sample.lost as f64).round().max(0.0)
    }

    /// Every name of a session that the page was in.
    pub fn sessions(&self, span: Span) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for sample in self.samples.iter().filter(|sample| span.has(sample.at) && !sample.session.is_empty()) {
            if names.last() != Some(&sample.session.as_str()) {
                names.push(&sample.session);
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures as they should come, but for a hole.
    fn sight(hole: Span) -> Sight {
        let frames = (0..300).map(|number| f64::from(number) * INTERVAL);
        let samples = (0..=50).map(|number| {
            let at = f64::from(number) * 200.0;
            Sample {
                at,
                decoded: (at / INTERVAL) as u64,
                bytes: (at * 100.0) as u64,
                delay: Some(at),
                ..Sample::default()
            }
        });
        let words = vec![Words { at: 0.0, badge: "LIVE".to_owned(), ..Words::default() }];
        Sight { frames: frames.filter(|at| !hole.has(*at)).collect(), samples: samples.collect(), words }
    }

    #[test]
    fn a_pause_counts_whole_and_a_hiccup_not_at_all() {
        let second = Span::new(0.0, 9_900.0);
        assert_eq!(sight(Span::new(0.0, 0.0)).frozen(second), 0.0);
        assert_eq!(sight(Span::new(1000.0, 1100.0)).longest(second), 0.0);
        let held = sight(Span::new(1000.0, 2000.0));
        assert!((held.longest(second) - 1033.0).abs() < 40.0, "{}", held.longest(second));
        assert!((held.frozen(second) - 0.104).abs() < 0.005, "{}", held.frozen(second));
        assert!((held.flows_after(1500.0, 10).expect("they come again") - 500.0).abs() < 40.0);
        // Nothing at all is one pause.
        assert_eq!(Sight::default().frozen(second), 1.0);
    }

    #[test]
    fn shares_and_rates_are_of_the_span() {
        let sight = sight(Span::new(0.0, 0.0));
        assert!((sight.decoded(Span::new(2100.0, 7300.0)) - 1.0).abs() < 0.01);
        assert!((sight.bitrate(Span::new(1000.0, 2000.0)) - 800_000.0).abs() < 1000.0);
        assert_eq!(sight.delay(Span::new(0.0, 10_001.0), 0.5), Some(5000.0));
    }

    #[test]
    fn who_calls_a_still_picture_live_lies() {
        let span = Span::new(0.0, 9_900.0);
        assert_eq!(sight(Span::new(1000.0, 3000.0)).lied(span), 0.0);
        let mut sight = sight(Span::new(1000.0, 8000.0));
        assert!((sight.lied(span) - 4000.0).abs() < 100.0, "{}", sight.lied(span));
        sight.words.push(Words { at: 2500.0, badge: "Stalled".to_owned(), ..Words::default() });
        assert_eq!(sight.lied(span), 0.0);
    }
}
