//! Whether the viewer still agrees to be sent to (RFC 7675): only its answers to our own checks count, for what it asks of us
//! can be forged, and may come from where nothing gets back to.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long an answer counts (section 5.1).
const LASTS: Duration = Duration::from_secs(30);

/// Checks that may be answered yet: one every two seconds, and those that looked for the path.
const MAX_OPEN: usize = 32;

const REQUEST: [u8; 2] = [0, 1];
const SUCCESS: [u8; 2] = [1, 1];
const ID: std::ops::Range<usize> = 8..20;

#[derive(Default)]
pub(super) struct Consent {
    open: VecDeque<[u8; 12]>,
    given: Option<Instant>,
}

impl Consent {
    /// There is a path, for an answer has come by it.
    pub(super) fn begin(&mut self, now: Instant) {
        self.given = Some(now);
    }

    /// A message of ICE's leaves.
    pub(super) fn sent(&mut self, message: &[u8]) {
        if message.starts_with(&REQUEST)
            && let Some(id) = id(message)
        {
            if self.open.len() == MAX_OPEN {
                self.open.pop_front();
            }
            self.open.push_back(id);
        }
    }

    /// An authentic message has come.
    pub(super) fn received(&mut self, message: &[u8], now: Instant) {
        let Some(id) = id(message).filter(|_| message.starts_with(&SUCCESS)) else { return };
        if let Some(place) = self.open.iter().position(|open| *open == id) {
            self.open.remove(place);
            self.given = self.given.map(|_| now);
        }
    }

    /// When it ends, unless it is given again.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.given.map(|given| given + LASTS)
    }

    pub(super) fn withdraw(&mut self) {
        self.given = None;
    }
}

fn id(message: &[u8]) -> Option<[u8; 12]> {
    message.get(ID)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: [u8; 2], id: u8) -> Vec<u8> {
        let mut message = kind.to_vec();
        message.resize(8, 0);
        message.extend([id; 12]);
        message
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn only_answers_to_our_own_checks_keep_it_alive() {
        let t0 = Instant::now();
        let later = t0 + Duration::from_secs(20);
        let mut consent = Consent::default();
        assert_eq!(consent.ends(), None);
        consent.begin(t0);
        consent.sent(&message(REQUEST, 1));
        consent.received(&message(REQUEST, 1), later);
        consent.received(&message(SUCCESS, 2), later);
        assert_eq!(consent.ends(), Some(t0 + LASTS));
        consent.received(&message(SUCCESS, 1), later);
        assert_eq!(consent.ends(), Some(later + LASTS));
        consent.received(&message(SUCCESS, 1), later + Duration::from_secs(1));
        assert_eq!(consent.ends(), Some(later + LASTS), "once for each check");
    }
}
