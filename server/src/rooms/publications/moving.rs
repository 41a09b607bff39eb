//! Who is asked to go to the media server, or to come back, and when. Pure.
//!
//! Whoever moves has two connections for a moment, and many of them may sit in one room, behind one line, or in front of one
//! media server that has just begun. So they go one after the other, and then more and more at a time.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use protocol::SessionId;

/// Most of a move is over by then.
const EVERY: Duration = Duration::from_millis(300);

/// So many go one by one.
const ONE_BY_ONE: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Moving {
    waiting: VecDeque<SessionId>,
    /// The same, to know who does.
    waits: BTreeSet<SessionId>,
    asked: usize,
    /// How many go now, and until when.
    wave: Option<(usize, Instant)>,
}

impl Moving {
    pub(super) fn of(sessions: impl IntoIterator<Item = SessionId>) -> Self {
        let mut moving = Self::default();
        sessions.into_iter().for_each(|session| moving.add(session));
        moving
    }

    pub(super) fn add(&mut self, session: SessionId) {
        if self.waits.insert(session.clone()) {
            self.waiting.push_back(session);
        }
    }

    /// The next to be asked, if it is time. `moves`: whether there is still a reason to.
    pub(super) fn next(&mut self, now: Instant, moves: impl Fn(&SessionId) -> bool) -> Option<SessionId> {
        if self.waiting.is_empty() {
            return None;
        }
        let (left, until) = self.wave.filter(|(_, until)| now < *until).unwrap_or_else(|| {
            let wave = if self.asked < ONE_BY_ONE { 1 } else { self.asked };
            (wave, now + EVERY)
        });
        let mut next = None;
        while left > 0
            && next.is_none()
            && let Some(session) = self.waiting.pop_front()
        {
            self.waits.remove(&session);
            next = Some(session).filter(&moves);
        }
        let asked = usize::from(next.is_some());
        self.asked += asked;
        self.wave = Some((left - asked, until));
        next
    }

    /// Nobody waits, and whoever comes now need not.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.waiting.is_empty() && self.wave.is_none_or(|(_, until)| until <= now)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.wave.map(|(_, until)| until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: usize) -> SessionId {
        format!("s{number}").parse().expect("an id")
    }

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn asks(moving: &mut Moving, now: Instant) -> Vec<SessionId> {
        std::iter::from_fn(|| moving.next(now, |_| true)).collect()
    }

    #[test]
    fn eight_go_one_by_one_and_then_more_and_more() {
        let (mut moving, mut now) = (Moving::of((0..200).map(session)), start());
        let mut waves = Vec::new();
        while !moving.is_over(now) {
            waves.push(asks(&mut moving, now).len());
            assert_eq!(asks(&mut moving, now + EVERY / 2), []);
            now = moving.poll_timeout().expect("more wait");
        }
        assert_eq!(waves, [1, 1, 1, 1, 1, 1, 1, 1, 8, 16, 32, 64, 72]);
    }

    #[test]
    fn nobody_is_asked_twice_or_without_a_reason() {
        let (mut moving, now) = (Moving::of((0..3).map(session)), start());
        moving.add(session(2));
        assert_eq!(moving.next(now, |who| *who == session(1)), Some(session(1)), "nobody waits for who need not");
        assert_eq!(asks(&mut moving, now + EVERY), [session(2)]);
        assert!(!moving.is_over(now + EVERY), "whoever comes now goes after that one");
        assert_eq!(asks(&mut moving, now + 2 * EVERY), []);
        assert!(moving.is_over(now + 2 * EVERY));
    }
}
