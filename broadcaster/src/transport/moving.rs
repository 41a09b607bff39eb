//! A viewer that has moved to another network goes on asking, from there: its checks say where it is, long before it can say
//! so by way of the server, to which it has lost its line as well. Pure.

use std::time::{Duration, Instant};

/// A viewer says something about what it gets soon after. Who has got something and is silent for so long, and is heard from
/// elsewhere, has moved; who has two networks asks by the other one as well, and stays.
const SILENT: Duration = Duration::from_millis(800);
/// Who is silent for longer is looked for from all addresses that there are: it may be the robot that has moved.
const LOST: Duration = Duration::from_secs(3);
/// What is found is not looked for again at once, nor what is not.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Whoever is there has answered by then.
const FOUND_WITHIN: Duration = Duration::from_millis(1500);

pub(super) struct Moving {
    /// When something last came by the path in use.
    heard: Instant,
    /// What was sent first after that, if anything was.
    unanswered: Option<Instant>,
    /// When the viewer was last looked for.
    looked: Option<Instant>,
    /// It was, and has not been found.
    missing: bool,
    /// Until when it has to be found.
    looks_until: Option<Instant>,
    /// It is the viewer that chooses the path: whoever looks for another one loses this.
    rests: bool,
}

impl Moving {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: now, unanswered: None, looked: None, missing: false, looks_until: None, rests: false }
    }

    /// Never looks for it: a viewer that has made the offer is the one to do so.
    pub(super) fn resting(now: Instant) -> Self {
        Self { rests: true, ..Self::new(now) }
    }

    /// Something that only the viewer can have said has come by the path in use. Returns whether it may be lost from now on.
    pub(super) fn hears(&mut self, now: Instant) -> bool {
        let was_looked_for = self.lost_at().is_none();
        (self.heard, self.unanswered) = (now, None);
        was_looked_for
    }

    /// Something is sent that the viewer has something to say about.
    pub(super) fn sends(&mut self, now: Instant) {
        self.unanswered.get_or_insert(now);
    }

    pub(super) fn rests(&self) -> bool {
        self.rests
    }

    /// It has been looked for, and is not found yet.
    pub(super) fn is_missing(&self) -> bool {
        self.missing
    }

    /// Whether a check is reason enough to look where it comes from, which may be where the viewer was all the time.
    pub(super) fn has_moved(&self, elsewhere: bool, now: Instant) -> bool {
        if self.rests {
            return false;
        }
        let silent = elsewhere && self.unanswered.is_some_and(|since| now >= since + SILENT);
        (silent || self.missing) && self.looked.is_none_or(|looked| now >= looked + AGAIN_AFTER)
    }

    /// Whether to look for it without having heard from it, once.
    pub(super) fn is_lost(&mut self, now: Instant) -> bool {
        if self.lost_at().is_none_or(|at| now < at) {
            return false;
        }
        if self.unanswered.is_none() {
            // Whom nobody says anything to need not answer.
            self.heard = now;
        }
        self.unanswered.is_some()
    }

    fn lost_at(&self) -> Option<Instant> {
        (!self.rests && self.looked.is_none_or(|looked| looked < self.heard)).then_some(self.heard + LOST)
    }

    pub(super) fn looks(&mut self, now: Instant) {
        // However often it is looked for, it is missing since the first time.
        if !std::mem::replace(&mut self.missing, true) {
            self.looks_until = Some(now + FOUND_WITHIN);
        }
        self.looked = Some(now);
    }

    /// Both ends have agreed to look for each other under other names.
    pub(super) fn looks_otherwise(&mut self, now: Instant) {
        (self.looked, self.looks_until) = (Some(now), None);
    }

    /// There is a path to it. True: there was none, and what was sent meanwhile is lost.
    pub(super) fn finds(&mut self, now: Instant) -> bool {
        (self.heard, self.unanswered, self.looks_until) = (now, None, None);
        std::mem::take(&mut self.missing)
    }

    /// Whether it is time to find it in another way. Says so once.
    pub(super) fn gives_up(&mut self, now: Instant) -> bool {
        let over = self.looks_until.is_some_and(|until| now >= until);
        if over {
            self.looks_until = None;
        }
        over
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        [self.looks_until, self.lost_at()].into_iter().flatten().min()
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
    fn only_who_is_silent_where_it_was_has_moved_and_is_not_looked_for_all_the_time() {
        let t0 = start();
        let mut moving = Moving::new(t0);
        moving.sends(t0);
        assert!(!moving.has_moved(true, t0 + SILENT / 2) && moving.has_moved(true, t0 + SILENT));
        assert!(!moving.has_moved(false, t0 + SILENT), "it is where it was");
        moving.hears(t0 + SILENT);
        assert!(!moving.has_moved(true, t0 + SILENT));
        let looked = t0 + 2 * SILENT;
        moving.looks(looked);
        assert!(!moving.has_moved(true, looked + SILENT) && moving.has_moved(false, looked + AGAIN_AFTER));
        assert!(moving.finds(looked + SILENT) && !moving.finds(looked + SILENT));
        assert!(!moving.has_moved(false, looked + AGAIN_AFTER));
    }

    #[test]
    fn who_makes_the_offer_is_not_looked_for() {
        let t0 = start();
        let mut moving = Moving::resting(t0);
        moving.sends(t0);
        assert!(!moving.has_moved(true, t0 + LOST) && !moving.is_lost(t0 + LOST) && !moving.gives_up(t0 + LOST));
        assert_eq!(moving.poll_timeout(), None);
        assert!(!moving.finds(t0 + LOST));
    }

    #[test]
    fn who_gets_nothing_need_not_say_anything() {
        let t0 = start();
        let mut moving = Moving::new(t0);
        assert!(!moving.has_moved(true, t0 + LOST) && !moving.is_lost(t0 + LOST));
        assert_eq!(moving.poll_timeout(), Some(t0 + 2 * LOST), "it is asked again later, and not at once");
        // A picture a second, and each is answered.
        for second in 3..20 {
            let now = t0 + Duration::from_secs(second);
            assert!(!moving.has_moved(true, now) && !moving.is_lost(now));
            moving.sends(now);
            moving.hears(now + Duration::from_millis(100));
        }
    }

    #[test]
    fn who_is_not_found_is_looked_for_once_and_then_in_another_way() {
        let t0 = start();
        let mut moving = Moving::new(t0);
        assert_eq!(moving.poll_timeout(), Some(t0 + LOST));
        moving.sends(t0);
        assert!(!moving.is_lost(t0 + LOST / 2) && moving.is_lost(t0 + LOST));
        moving.looks(t0 + LOST);
        assert!(!moving.is_lost(t0 + 2 * LOST));
        let end = t0 + LOST + FOUND_WITHIN;
        assert_eq!(moving.poll_timeout(), Some(end));
        moving.looks(end - FOUND_WITHIN / 2);
        assert!(!moving.gives_up(t0 + LOST) && moving.gives_up(end) && !moving.gives_up(end));
        moving.looks(end);
        assert_eq!(moving.poll_timeout(), None);
        // It is heard again, and lost again.
        moving.looks_otherwise(end);
        assert!(moving.finds(end + LOST), "what was sent meanwhile is lost all the same");
        assert_eq!(moving.poll_timeout(), Some(end + 2 * LOST));
    }
}
