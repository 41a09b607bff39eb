//! Which readings viewers are told: as few as it takes to know how the robot leaned at any time. Pure.

use std::time::{Duration, Instant};

use protocol::Reading;

/// Nobody sees a horizon that is this much askew, in degrees.
const UNSEEN: f64 = 0.05;

/// An IMU gives hundreds a second. Between two of these the page knows the way: robots do not shake faster than pictures come.
const INTERVAL: Duration = Duration::from_millis(33);

/// A robot that stands still says so, or nobody would know that it does; often enough that pages bear the loss of some.
const STILL: Duration = Duration::from_millis(250);

#[derive(Default)]
pub(super) struct Pace {
    told: Option<(Instant, Reading)>,
    /// What came after that and was not told.
    untold: Option<Reading>,
}

impl Pace {
    /// Takes a reading. Returns what is to be told now, oldest first.
    pub(super) fn take(&mut self, reading: Reading, now: Instant) -> Option<Vec<Reading>> {
        if let Some((at, told)) = self.told {
            let since = now.saturating_duration_since(at);
            let news = told.up.angle(reading.up) > UNSEEN;
            if !(news && since >= INTERVAL || since >= STILL) {
                self.untold = Some(reading);
                return None;
            }
        }
        self.told = Some((now, reading));
        // Until when it had stood still: otherwise it would seem to have leaned ever more all the while.
        Some(self.untold.take().into_iter().chain([reading]).collect())
    }
}

#[cfg(test)]
mod tests {
    use protocol::Up;

    use super::*;

    fn reading(millis: u64, degrees: f64) -> Reading {
        let up = Up::of([degrees.to_radians().sin(), degrees.to_radians().cos(), 0.0]).expect("a direction");
        Reading { at: millis, up }
    }

    /// What is told of a robot that leans so, a hundred times a second.
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn told(seconds: u64, leaning: impl Fn(u64) -> f64) -> Vec<(u64, Vec<u64>)> {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let times = (0..seconds * 1000).step_by(10);
        let told = times.filter_map(|millis| {
            let readings = pace.take(reading(millis, leaning(millis)), start + Duration::from_millis(millis))?;
            Some((millis, readings.iter().map(|reading| reading.at).collect()))
        });
        told.collect()
    }

    #[test]
    fn a_robot_that_stands_still_says_so_four_times_a_second() {
        let told = told(5, |millis| if millis % 20 == 0 { 3.0 } else { 3.02 });
        assert_eq!(
            told.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            (0..20).map(|quarter| quarter * 250).collect::<Vec<_>>()
        );
    }

    #[test]
    fn one_that_sways_says_so_thirty_times_a_second() {
        let told = told(10, |millis| 10.0 * (millis as f64 / 500.0).sin());
        assert!((230..=300).contains(&told.len()), "{} in ten seconds", told.len());
        assert!(told.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 33));
    }

    #[test]
    fn who_begins_to_lean_had_stood_until_then() {
        let told = told(2, |millis| if millis < 1500 { 0.0 } else { 5.0 });
        let last = &told[told.len() - 3..];
        assert_eq!(last, [(1250, vec![1240, 1250]), (1500, vec![1490, 1500]), (1750, vec![1740, 1750])]);
    }
}
