//! Who gets how much of the robot's uplink. Pure: no socket, no task, no clock.
//!
//! Everybody who watches gets at least the lowest quality of its camera, and then, operators first, whoever has least gets the
//! next better one, as long as that fits. A viewer's own path may carry less: what it cannot take is for others, but for
//! the next step up, which it may try. Only when not even the lowest quality is left for somebody is a viewer refused,
//! or sent away for an operator: the one that came last.

#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    time::{Duration, Instant},
};

use protocol::{SessionId, Want};

use super::measure::Measure;
use crate::config::MaxBitrate;

/// What goes with each packet of a picture: headers of RTP, UDP and IP, and the seal.
const HEADERS: f64 = 1.07;

/// Bits per second that sound takes, headers included.
const SOUND: f64 = 100_000.0;

/// What is free must be a little more than somebody's next step, or it would be taken back at once.
const SLACK: f64 = 0.95;

/// Those who come back from a media server are not to be sent there again at once.
const ROOM_TO_COME_BACK: f64 = 0.8;

/// More than this beside the pictures themselves was something else: paths that lose much get up to half of them again.
const MOST_BESIDE: f64 = 1.6;

/// Who has not taken what it might have had for so long has a path that does not carry it …
const TRIES: Duration = Duration::from_secs(20);
/// … and may have a better one so much later.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

/// What is sent follows what was said only after so long.
const FOLLOWS: Duration = Duration::from_secs(2);

/// What there is is not shared anew more often than this, but for somebody who comes.
const SHARED_EVERY: Duration = Duration::from_millis(100);

/// How much of what was measured last counts.
const WEIGHT: f64 = 0.2;

/// What becomes of a session because of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It may have this quality, or any lower one.
    Allow(usize),
    /// There is no room for it any more.
    Leave,
}

/// What somebody asks for who wants to watch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asks {
    pub(super) camera: usize,
    pub(super) operates: bool,
    /// What was begun before goes on.
    pub(super) resumes: bool,
    pub(super) want: Want,
}

#[derive(Debug)]
struct Guest {
    camera: usize,
    operates: bool,
    /// The how manieth it was.
    came: u64,
    /// How often it was begun and has not ended: who asks again under the same name ends what was there.
    begun: usize,
    /// What it asked for.
    want: Want,
    /// The quality that it is sent, once it is.
    gets: Option<usize>,
    allowed: usize,
    /// Since when it might have had a better one than it gets, and since when it has shown not to take that.
    chance: Option<Instant>,
    spurned: Option<Instant>,
}

impl Guest {
    /// The best that is of use to it. A better one than it is sent is tried step by step.
    fn asks(&self) -> usize {
        match self.want {
            Want { rung: Some(rung), .. } => rung.into(),
            Want { best, .. } => {
                let next = self.gets.map_or(0, |gets| gets.saturating_sub(1));
                next.max(best.map(usize::from).unwrap_or_default())
            }
        }
    }

    /// The best that it is known to take, where that is known.
    fn takes(&self) -> usize {
        self.gets.filter(|_| self.spurned.is_some()).map_or(self.asks(), |gets| gets.max(self.asks()))
    }

    /// Time passes. Whether it is known by now what it takes, or not any more.
    fn pass(&mut self, now: Instant) -> bool {
        let could = self.gets.is_some_and(|gets| gets > self.allowed);
        self.chance = could.then(|| self.chance.unwrap_or(now));
        let was = self.spurned.is_some();
        if self.chance.is_some_and(|since| now >= since + TRIES) {
            self.spurned = Some(now);
        }
        self.spurned = self.spurned.filter(|at| now < *at + FORGOTTEN_AFTER);
        was != self.spurned.is_some()
    }
}

#[derive(Debug)]
enum Bound {
    /// There is always room.
    None,
    /// Bits per second.
    Known(f64),
    Measured(Measure),
}

#[derive(Debug)]
pub(super) struct Uplink {
    bound: Bound,
    /// Bits per second of each camera's qualities, with all that goes with them, best first.
    cameras: Vec<Vec<f64>>,
    /// And of that what each camera's sound takes.
    sounds: Vec<f64>,
    guests: BTreeMap<SessionId, Guest>,
    came: u64,
    /// What is sent, as a part of what the qualities alone should be.
    beside: f64,
    changes: VecDeque<(SessionId, Change)>,
    /// What there is may have to be shared anew, as it was then.
    stale: bool,
    shared: Option<Instant>,
    /// Bits per second that a media server gets.
    published: f64,
    /// Viewers go there, or come from there: nobody is sent away meanwhile.
    moving: bool,
    /// When what is sent was counted last, and when something was said that changes it.
    counted: Option<Instant>,
    changed: Option<Instant>,
}

impl Uplink {
    /// `cameras`: bits per second of each one's qualities, best first, and whether there is sound with them.
    pub(super) fn new(max: Option<MaxBitrate>, cameras: impl IntoIterator<Item = (Vec<u32>, bool)>) -> Self {
        let with_all = |(rungs, sounds): (Vec<u32>, bool)| {
            let sound = if sounds { SOUND } else { 0.0 };
            (rungs.into_iter().map(|rung| f64::from(rung) * HEADERS + sound).collect(), sound)
        };
        let (cameras, sounds) = cameras.into_iter().map(with_all).unzip();
        Self {
            bound: match max {
                None => Bound::None,
                Some(MaxBitrate::Known(max)) => Bound::Known(max.get().into()),
                Some(MaxBitrate::Measured) => Bound::Measured(Measure::default()),
            },
            cameras,
            sounds,
            guests: BTreeMap::new(),
            came: 0,
            beside: 1.0,
            changes: VecDeque::new(),
            stale: false,
            shared: None,
            published: 0.0,
            moving: false,
            counted: None,
            changed: None,
        }
    }

    pub(super) fn is_bounded(&self) -> bool {
        !matches!(self.bound, Bound::None)
    }

    /// Bits per second, as far as that is known.
    fn whole(&self) -> Option<f64> {
        match &self.bound {
            Bound::None => None,
            Bound::Known(max) => Some(*max),
            Bound::Measured(measure) => measure.found(),
        }
    }

    /// And of that for viewers.
    fn max(&self) -> Option<f64> {
        self.whole().map(|max| (max - self.published).max(0.0))
    }

    /// What those who watch take, if they get it.
    fn taken(&self) -> f64 {
        self.beside * self.guests.values().map(|guest| self.cost(guest.camera, guest.takes())).sum::<f64>()
    }

    /// A media server gets these qualities of cameras.
    pub(super) fn publishes<'a>(&mut self, what: impl IntoIterator<Item = (usize, &'a [usize])>, moving: bool) {
        let published = what.into_iter().map(|(camera, rungs)| self.once(camera, rungs)).sum();
        if self.is_bounded() {
            self.stale |= (self.published, self.moving) != (published, moving);
        }
        (self.published, self.moving) = (published, moving);
    }

    /// Whether there is room for these qualities of a camera to be sent once, beside what is already, if no viewer gets anything.
    pub(super) fn has_room_for(&self, camera: usize, rungs: &[usize]) -> bool {
        self.whole().is_none_or(|max| self.once(camera, rungs) <= SLACK * max - self.published)
    }

    /// Bits per second of these qualities, with sound once.
    fn once(&self, camera: usize, rungs: &[usize]) -> f64 {
        let sound = self.sounds.get(camera).copied().unwrap_or_default();
        let pictures: f64 = rungs.iter().map(|rung| self.cost(camera, *rung) - sound).sum();
        if rungs.is_empty() { 0.0 } else { pictures + sound }
    }

    /// How many watch a camera who do not operate the robot.
    pub(super) fn viewers(&self, camera: usize) -> usize {
        self.guests.values().filter(|guest| guest.camera == camera && !guest.operates).count()
    }

    /// Whether more is asked for than there is.
    pub(super) fn is_full(&self) -> bool {
        self.max().is_some_and(|max| self.taken() > max)
    }

    /// Whether so many more could watch a camera at its best, if nothing were published.
    pub(super) fn fits(&self, camera: usize, more: usize) -> bool {
        let theirs = self.beside * more as f64 * self.cost(camera, 0);
        self.whole().is_none_or(|max| self.taken() + theirs <= ROOM_TO_COME_BACK * max)
    }

    /// Somebody wants to watch this camera, instead of what it had before. Whether there is room, if need be by what others get.
    pub(super) fn admit(
        &mut self,
        session: &SessionId,
        former: Option<&SessionId>,
        Asks { camera, operates, resumes, want }: Asks,
    ) -> bool {
        if let Some(guest) = self.guests.get_mut(session) {
            let before = (guest.camera, guest.operates, guest.want);
            self.stale |= before != (camera, operates, want);
            (guest.camera, guest.operates, guest.want) = (camera, operates, want);
            guest.begun += usize::from(!resumes);
            return true;
        }
        let others = self.guests.iter().filter(|(other, _)| Some(*other) != former).map(|(_, guest)| guest);
        let least: f64 = others.map(|guest| self.cost(guest.camera, self.lowest(guest.camera))).sum();
        let least = self.beside * (least + self.cost(camera, self.lowest(camera)));
        if !operates && self.max().is_some_and(|max| least > max) {
            return false;
        }
        if let Some(former) = former {
            self.guests.remove(former);
        }
        self.came += 1;
        let (came, allowed) = (self.came, if self.is_bounded() { self.lowest(camera) } else { 0 });
        let (gets, chance, spurned) = (None, None, None);
        let guest = Guest { camera, operates, came, begun: 1, want, gets, allowed, chance, spurned };
        self.guests.insert(session.clone(), guest);
        self.stale = true;
        true
    }

    /// What a session may have; none: whatever there is.
    pub(super) fn allowed(&mut self, session: &SessionId, now: Instant) -> Option<usize> {
        if !self.is_bounded() {
            return None;
        }
        self.share(now);
        self.guests.get(session).map(|guest| guest.allowed)
    }

    /// It is sent this quality from now on, as its path carries no better one, or did not yet.
    pub(super) fn gets(&mut self, session: &SessionId, rung: usize) {
        if let Some(guest) = self.guests.get_mut(session).filter(|guest| guest.gets != Some(rung)) {
            if guest.gets.is_some_and(|before| rung < before) {
                // Its path is better than it was.
                guest.spurned = None;
            }
            guest.gets = Some(rung);
            self.stale = true;
        }
    }

    pub(super) fn left(&mut self, session: &SessionId) {
        let Some(guest) = self.guests.get_mut(session) else { return };
        guest.begun -= 1;
        if guest.begun == 0 {
            self.guests.remove(session);
            if let Bound::Measured(measure) = &mut self.bound {
                measure.left(session);
            }
            self.stale = true;
        }
    }

    /// So many bits have left since this was said last.
    pub(super) fn sent(&mut self, bits: f64, now: Instant) {
        if !self.is_bounded() {
            return;
        }
        let since = self.counted.replace(now).map(|before| now.saturating_duration_since(before).as_secs_f64());
        for guest in self.guests.values_mut() {
            self.stale |= guest.pass(now);
        }
        let asks = |guest: &Guest| self.cost(guest.camera, guest.asks());
        let wanted: f64 = self.guests.values().map(asks).sum();
        // Those who watch at a media server would fill it again: as long as there are any, what is known of it is kept.
        if let Bound::Measured(measure) = &mut self.bound
            && self.published == 0.0
        {
            self.stale |= measure.pass(wanted, now);
        }
        // Who tries a better quality is sent as much as that.
        let tried = |guest: &Guest| guest.gets.map_or(0.0, |gets| self.cost(guest.camera, gets.min(guest.allowed)));
        let expected = self.published + self.guests.values().map(tried).sum::<f64>();
        let settled = self.changed.is_none_or(|at| now >= at + FOLLOWS);
        if let Some(since) = since.filter(|since| *since > 0.0 && expected > 0.0 && settled) {
            let beside = (bits / since / expected).clamp(1.0, MOST_BESIDE);
            let before = self.beside;
            self.beside += WEIGHT * (beside - self.beside);
            self.stale |= (self.beside - before).abs() > 0.01 * before;
        }
    }

    /// Somebody's path is full at so many bits per second.
    pub(super) fn squeezed(&mut self, session: &SessionId, carried: f64, now: Instant) {
        let Self { bound: Bound::Measured(measure), cameras, guests, published, stale, .. } = self else { return };
        let others = guests.iter().filter(|(other, _)| *other != session);
        let others = others.filter_map(|(other, guest)| Some((other, cost(cameras, guest.camera, guest.gets?))));
        if guests.contains_key(session) && measure.squeezed(session, carried, others, *published, now) {
            // What was measured takes nobody's picture away.
            let lowest = |guest: &Guest| cost(cameras, guest.camera, usize::MAX);
            measure.carries(*published + guests.values().map(lowest).sum::<f64>());
            tracing::info!(bitrate = measure.found(), viewers = guests.len(), "the uplink is full");
            *stale = true;
        }
    }

    /// What is to be said to sessions because others came, left, or can take more or less.
    pub(super) fn poll_change(&mut self, now: Instant) -> Option<(SessionId, Change)> {
        if self.shared.is_none_or(|at| now >= at + SHARED_EVERY) {
            self.share(now);
        }
        self.changes.pop_front()
    }

    fn lowest(&self, camera: usize) -> usize {
        self.cameras.get(camera).map_or(0, |rungs| rungs.len().saturating_sub(1))
    }

    /// Bits per second of a camera's quality, or of its lowest.
    fn cost(&self, camera: usize, rung: usize) -> f64 {
        cost(&self.cameras, camera, rung)
    }

    fn share(&mut self, now: Instant) {
        if !std::mem::take(&mut self.stale) || !self.is_bounded() {
            return;
        }
        self.shared = Some(now);
        self.make_room();
        let allowed = match self.max() {
            Some(max) => self.divide(max / self.beside),
            None => self.guests.keys().map(|session| (session.clone(), 0)).collect(),
        };
        for (session, allowed) in allowed {
            if let Some(guest) = self.guests.get_mut(&session).filter(|guest| guest.allowed != allowed) {
                guest.allowed = allowed;
                self.changed = Some(now);
                self.changes.push_back((session, Change::Allow(allowed)));
            }
        }
    }

    /// The best quality for everybody that so many bits per second are enough for.
    fn divide(&self, max: f64) -> BTreeMap<SessionId, usize> {
        let lowest = |guest: &Guest| self.lowest(guest.camera);
        let mut allowed: BTreeMap<SessionId, usize> =
            self.guests.iter().map(|(session, guest)| (session.clone(), lowest(guest))).collect();
        let mut taken: f64 = self.guests.values().map(|guest| self.cost(guest.camera, lowest(guest))).sum();
        // What a path is not known to carry is tried with what is left over.
        for (operates, tries) in [(true, false), (true, true), (false, false), (false, true)] {
            let wanted = if tries { Guest::asks } else { Guest::takes };
            let mut poor: BinaryHeap<_> = BinaryHeap::new();
            for (session, guest) in self.guests.iter().filter(|(_, guest)| guest.operates == operates) {
                let cost = self.cost(guest.camera, allowed[session]);
                poor.push((Reverse(comparable(cost)), Reverse(guest.came), session));
            }
            while let Some((_, came, session)) = poor.pop() {
                let (guest, now) = (&self.guests[session], allowed[session]);
                let Some(next) = now.checked_sub(1).filter(|next| *next >= wanted(guest)) else { continue };
                let more = self.cost(guest.camera, next) - self.cost(guest.camera, now);
                // What somebody has is not taken for a rounding.
                let room = if next >= guest.allowed { max } else { SLACK * max };
                if taken + more <= room {
                    taken += more;
                    allowed.insert(session.clone(), next);
                    poor.push((Reverse(comparable(self.cost(guest.camera, next))), came, session));
                }
            }
        }
        allowed
    }

    /// An operator may have come where there was no room left.
    fn make_room(&mut self) {
        // What was measured is no reason to send anybody away.
        while let Some(max) = self.max().filter(|_| !self.moving && matches!(self.bound, Bound::Known(_))) {
            let least: f64 = self.guests.values().map(|guest| self.cost(guest.camera, self.lowest(guest.camera))).sum();
            let viewers = self.guests.iter().filter(|(_, guest)| !guest.operates);
            let last = viewers.max_by_key(|(_, guest)| guest.came).map(|(session, _)| session.clone());
            let Some(last) = last.filter(|_| self.beside * least > max) else { return };
            self.guests.remove(&last);
            self.changes.push_back((last, Change::Leave));
        }
    }
}

fn cost(cameras: &[Vec<f64>], camera: usize, rung: usize) -> f64 {
    let rungs = cameras.get(camera);
    rungs.and_then(|rungs| rungs.get(rung).or(rungs.last())).copied().unwrap_or_default()
}

/// A cost by which they can be ordered.
fn comparable(cost: f64) -> u64 {
    cost as u64
}
