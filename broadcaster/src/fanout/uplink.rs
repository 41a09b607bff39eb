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
    time::Instant,
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

/// More than this beside the pictures themselves was something else: paths that lose much get up to half of them again.
const MOST_BESIDE: f64 = 1.6;

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
    /// The quality that it is sent.
    gets: usize,
    allowed: usize,
}

impl Guest {
    /// The best that is of use to it.
    fn asks(&self) -> usize {
        match self.want {
            Want { rung: Some(rung), .. } => rung.into(),
            Want { best, .. } => self.gets.saturating_sub(1).max(best.map(usize::from).unwrap_or_default()),
        }
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
    guests: BTreeMap<SessionId, Guest>,
    came: u64,
    /// What is sent, as a part of what the qualities alone should be.
    beside: f64,
    changes: VecDeque<(SessionId, Change)>,
    /// What there is may have to be shared anew.
    stale: bool,
}

impl Uplink {
    /// `cameras`: bits per second of each one's qualities, best first, and whether there is sound with them.
    pub(super) fn new(max: Option<MaxBitrate>, cameras: impl IntoIterator<Item = (Vec<u32>, bool)>) -> Self {
        let with_all = |(rungs, sounds): (Vec<u32>, bool)| {
            let sound = if sounds { SOUND } else { 0.0 };
            rungs.into_iter().map(|rung| f64::from(rung) * HEADERS + sound).collect()
        };
        Self {
            bound: match max {
                None => Bound::None,
                Some(MaxBitrate::Known(max)) => Bound::Known(max.get().into()),
                Some(MaxBitrate::Measured) => Bound::Measured(Measure::default()),
            },
            cameras: cameras.into_iter().map(with_all).collect(),
            guests: BTreeMap::new(),
            came: 0,
            beside: 1.0,
            changes: VecDeque::new(),
            stale: false,
        }
    }

    pub(super) fn is_bounded(&self) -> bool {
        !matches!(self.bound, Bound::None)
    }

    /// Bits per second, as far as that is known.
    fn max(&self) -> Option<f64> {
        match &self.bound {
            Bound::None => None,
            Bound::Known(max) => Some(*max),
            Bound::Measured(measure) => measure.found(),
        }
    }

    /// Somebody wants to watch this camera. Whether there is room, if need be by what others get.
    pub(super) fn admit(&mut self, session: &SessionId, Asks { camera, operates, resumes, want }: Asks) -> bool {
        if !self.is_bounded() {
            return true;
        }
        self.stale = true;
        if let Some(guest) = self.guests.get_mut(session) {
            (guest.camera, guest.operates, guest.want) = (camera, operates, want);
            guest.begun += usize::from(!resumes);
            return true;
        }
        let others = self.guests.values().filter(|guest| !operates || guest.operates);
        let least: f64 = others.map(|guest| self.cost(guest.camera, self.lowest(guest.camera))).sum();
        let least = self.beside * (least + self.cost(camera, self.lowest(camera)));
        if !operates && self.max().is_some_and(|max| least > max) {
            return false;
        }
        self.came += 1;
        let allowed = self.lowest(camera);
        // It begins with the best that it may have.
        let guest = Guest { camera, operates, came: self.came, begun: 1, want, gets: 0, allowed };
        self.guests.insert(session.clone(), guest);
        true
    }

    /// What a session may have; none: whatever there is.
    pub(super) fn allowed(&mut self, session: &SessionId) -> Option<usize> {
        self.share();
        self.guests.get(session).map(|guest| guest.allowed)
    }

    /// It is sent this quality from now on, as its path carries no better one, or did not yet.
    pub(super) fn gets(&mut self, session: &SessionId, rung: usize) {
        if let Some(guest) = self.guests.get_mut(session).filter(|guest| guest.gets != rung) {
            guest.gets = rung;
            self.stale = true;
        }
    }

    pub(super) fn left(&mut self, session: &SessionId) {
        let Some(guest) = self.guests.get_mut(session) else { return };
        guest.begun -= 1;
        if guest.begun == 0 {
            self.guests.remove(session);
            self.stale = true;
        }
    }

    /// So many bits per second left in the last while.
    pub(super) fn sent(&mut self, sent: f64, now: Instant) {
        let asks = |guest: &Guest| self.cost(guest.camera, guest.asks());
        let wanted: f64 = self.guests.values().map(asks).sum();
        if let Bound::Measured(measure) = &mut self.bound {
            self.stale |= measure.pass(wanted, now);
        }
        let gets = |guest: &Guest| self.cost(guest.camera, guest.gets.max(guest.allowed));
        let expected: f64 = self.guests.values().map(gets).sum();
        if expected > 0.0 {
            let beside = (sent / expected).clamp(1.0, MOST_BESIDE);
            self.beside += WEIGHT * (beside - self.beside);
            self.stale = true;
        }
    }

    /// Somebody's path is full at so many bits per second.
    pub(super) fn squeezed(&mut self, session: &SessionId, carried: f64, now: Instant) {
        let Self { bound: Bound::Measured(measure), cameras, guests, stale, .. } = self else { return };
        let others = guests.iter().filter(|(other, _)| *other != session);
        let others = others.map(|(other, guest)| (other.clone(), cost(cameras, guest.camera, guest.gets)));
        if guests.contains_key(session) && measure.squeezed(session, carried, others, now) {
            tracing::info!(bitrate = measure.found(), viewers = guests.len(), "the uplink is full");
            *stale = true;
        }
    }

    /// What is to be said to sessions because others came, left, or can take more or less.
    pub(super) fn poll_change(&mut self) -> Option<(SessionId, Change)> {
        self.share();
        self.changes.pop_front()
    }

    fn lowest(&self, camera: usize) -> usize {
        self.cameras.get(camera).map_or(0, |rungs| rungs.len().saturating_sub(1))
    }

    /// Bits per second of a camera's quality, or of its lowest.
    fn cost(&self, camera: usize, rung: usize) -> f64 {
        cost(&self.cameras, camera, rung)
    }

    fn share(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        let max = self.max().unwrap_or(f64::INFINITY) / self.beside;
        self.make_room();
        let mut allowed: BTreeMap<&SessionId, usize> = BTreeMap::new();
        let mut taken = 0.0;
        for (session, guest) in &self.guests {
            let lowest = self.lowest(guest.camera);
            allowed.insert(session, lowest);
            taken += self.cost(guest.camera, lowest);
        }
        for operate in [true, false] {
            let mut poor: BinaryHeap<_> = BinaryHeap::new();
            for (session, guest) in self.guests.iter().filter(|(_, guest)| guest.operates == operate) {
                poor.push((
                    Reverse(cents(self.cost(guest.camera, self.lowest(guest.camera)))),
                    Reverse(guest.came),
                    session,
                ));
            }
            while let Some((_, came, session)) = poor.pop() {
                let (guest, now) = (&self.guests[session], allowed[session]);
                let Some(next) = now.checked_sub(1).filter(|next| *next >= guest.asks()) else { continue };
                let more = self.cost(guest.camera, next) - self.cost(guest.camera, now);
                // What somebody has is not taken for a rounding.
                let room = if next >= guest.allowed { max } else { SLACK * max };
                if taken + more <= room {
                    taken += more;
                    allowed.insert(session, next);
                    poor.push((Reverse(cents(self.cost(guest.camera, next))), came, session));
                }
            }
        }
        let changed = allowed.into_iter().filter(|(session, allowed)| self.guests[*session].allowed != *allowed);
        let changed: Vec<(SessionId, usize)> = changed.map(|(session, allowed)| (session.clone(), allowed)).collect();
        for (session, allowed) in changed {
            if let Some(guest) = self.guests.get_mut(&session) {
                guest.allowed = allowed;
            }
            self.changes.push_back((session, Change::Allow(allowed)));
        }
    }

    /// An operator may have come where there was no room left.
    fn make_room(&mut self) {
        // What was measured is no reason to send anybody away.
        while let Bound::Known(max) = self.bound {
            let least: f64 = self.guests.values().map(|guest| self.cost(guest.camera, self.lowest(guest.camera))).sum();
            let viewers = self.guests.iter().filter(|(_, guest)| !guest.operates);
            let last = viewers.max_by_key(|(_, guest)| guest.came).map(|(session, _)| session.clone());
            let Some(last) = last.filter(|_| least > max) else { return };
            self.guests.remove(&last);
            self.changes.push_back((last, Change::Leave));
        }
    }
}

fn cost(cameras: &[Vec<f64>], camera: usize, rung: usize) -> f64 {
    let rungs = cameras.get(camera);
    rungs.and_then(|rungs| rungs.get(rung).or(rungs.last())).copied().unwrap_or_default()
}

/// Costs, so that they can be compared.
fn cents(cost: f64) -> u64 {
    cost as u64
}
