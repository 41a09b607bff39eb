//! When the server is told how it goes, and since when it has not been. Pure.

use std::time::Duration;

use protocol::{RobotReport, Sent};

use crate::report::{Report, told};

/// Somebody looks whether a report is due once a second: what is due within half of that is due.
const SOON: Duration = Duration::from_millis(500);

/// Whatever a server asks for, it is not told more rarely than this, nor does that overflow anything.
const LONGEST: u32 = 3600;

#[derive(Default)]
pub(super) struct Telling {
    /// None: the server does not want to know, or is not there.
    every: Option<Duration>,
    /// What it was told last, and before that whatever there was when it asked.
    before: Option<Report>,
}

impl Telling {
    /// The server wants a report every so many seconds, or none.
    pub(super) fn asked(&mut self, seconds: Option<u32>) {
        self.every = seconds.map(|seconds| Duration::from_secs(seconds.clamp(1, LONGEST).into()));
        self.before = None;
    }

    /// Whether it is time for one.
    pub(super) fn is_due(&mut self, now: &Report) -> bool {
        let Some(every) = self.every else { return false };
        let before = self.before.get_or_insert_with(|| now.clone());
        now.at.saturating_duration_since(before.at) + SOON >= every
    }

    /// What the server is to be told, if it wants to know.
    pub(super) fn tell(&mut self, now: Report, sent: Sent) -> Option<RobotReport> {
        self.every?;
        let before = self.before.replace(now.clone())?;
        Some(told(&before, &now, sent))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::report::LinkState;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn it_is_told_as_often_as_it_asks_and_never_unasked() {
        let start = Instant::now();
        // A clock that ticks a little late each time.
        let report = |tick: u64| {
            let at = start + Duration::from_millis(tick * 1003);
            Report { at, link: LinkState::Registered, viewers: 0, cameras: Vec::new(), stalled: false }
        };
        let told = |telling: &mut Telling, ticks: std::ops::Range<u64>| {
            let due = ticks.filter(|tick| {
                let due = telling.is_due(&report(*tick));
                if due {
                    assert!(telling.tell(report(*tick), Sent::default()).is_some());
                }
                due
            });
            due.collect::<Vec<u64>>()
        };
        let mut telling = Telling::default();
        assert_eq!(told(&mut telling, 0..10), [0_u64; 0]);
        assert_eq!(telling.tell(report(10), Sent::default()), None);
        telling.asked(Some(5));
        assert_eq!(told(&mut telling, 10..27), [15, 20, 25]);
        telling.asked(None);
        assert_eq!(told(&mut telling, 27..40), [0_u64; 0]);
        telling.asked(Some(0));
        assert_eq!(told(&mut telling, 40..43), [41, 42]);
        telling.asked(Some(u32::MAX));
        assert_eq!(told(&mut telling, 43..50), [0_u64; 0]);
    }
}
