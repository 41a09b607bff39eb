//! Keyframes on demand: at most one per encoding and half second, however many viewers want one.

use std::time::{Duration, Instant};

/// A keyframe is many times as large as other pictures: everybody who waits shares one.
const INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct KeyframeGate {
    last: Option<Instant>,
    wanted: bool,
}

impl KeyframeGate {
    /// Somebody cannot go on without a keyframe.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    /// A keyframe has come: whoever asked before has what it wanted.
    pub(super) fn seen(&mut self, now: Instant) {
        self.last = Some(now);
        self.wanted = false;
    }

    /// Whether to ask the encoder now.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.poll_timeout(now).is_some_and(|at| at <= now);
        if due {
            self.last = Some(now);
            self.wanted = false;
        }
        due
    }

    /// When the encoder may be asked, if somebody wants it.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.wanted.then(|| self.last.map_or(now, |last| last + INTERVAL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn the_first_wish_is_granted_at_once_and_the_next_half_a_second_later() {
        let (mut gate, t0) = (KeyframeGate::default(), start());
        assert!(!gate.take_due(t0), "nobody asked");
        gate.want();
        assert!(gate.take_due(t0));
        gate.want();
        gate.want();
        let later = t0 + Duration::from_millis(499);
        assert!(!gate.take_due(later));
        assert_eq!(gate.poll_timeout(later), Some(t0 + INTERVAL));
        assert!(gate.take_due(t0 + INTERVAL));
        assert_eq!(gate.poll_timeout(t0 + INTERVAL), None, "one keyframe serves both wishes");
    }

    #[test]
    fn a_keyframe_that_came_by_itself_counts() {
        let (mut gate, t0) = (KeyframeGate::default(), start());
        gate.want();
        gate.seen(t0);
        assert!(!gate.take_due(t0));
    }
}
