//! Pictures for those who ask over HTTP: fetched from robots, shared by all who ask at about the same time.
//!
//! Whoever may watch a robot may have its picture; who that is was asked at the door.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use protocol::{
    CameraId, MAX_SNAPSHOT, Notice, PeerId, RobotId, SnapshotFailure, SnapshotPiece, SnapshotRequest, ToRobot,
};

use super::{Dialect, Output, Role, Rooms, notices};

/// A robot that has sent nothing by then does not know the question, or is too far away. Each piece gives it as long again.
const PIECE_WITHIN: Duration = Duration::from_secs(3);

/// Longer is not waited for a picture, however steadily it comes.
const WHOLE_WITHIN: Duration = Duration::from_secs(10);

/// How long an answer is as good as a new one: a crowd costs a robot one picture a second.
const FRESH: Duration = Duration::from_secs(1);

/// Robots are asked for so many pictures a second, which bounds what is kept as well.
const ASKED: Limit = Limit { all: 32, each: 8 };
const ASKED_IN: Duration = Duration::from_secs(1);

/// Pictures on their way, of which a slow robot has more than a fast one.
const COMING: Limit = Limit { all: 64, each: 16 };

/// Those who wait each hold a connection.
const WAITING: Limit = Limit { all: 500, each: 200 };

/// How much there may be altogether, and of one robot, so that none takes what the others need.
struct Limit {
    all: usize,
    each: usize,
}

impl Limit {
    /// Whether there may be one more of this robot, where there is one of each of these.
    fn allows<'a>(&self, robot: &RobotId, of: impl Iterator<Item = &'a RobotId>) -> bool {
        let (all, its) = of.fold((0, 0), |(all, its), one| (all + 1, its + usize::from(one == robot)));
        all < self.all && its < self.each
    }
}

/// Somebody who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asker(pub(crate) u64);

pub(crate) type Answer = Result<Bytes, Notice>;

/// The pictures of the last second, and those that are on their way.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    shots: BTreeMap<(RobotId, CameraId), Shot>,
    /// When robots were asked lately.
    asked: VecDeque<(Instant, RobotId)>,
    requests: u32,
}

#[derive(Debug)]
enum Shot {
    Coming(Coming),
    Here { answer: Answer, until: Instant },
}

#[derive(Debug)]
struct Coming {
    request: u32,
    until: Instant,
    /// Whatever comes until then.
    latest: Instant,
    jpeg: Vec<u8>,
    waiting: Vec<Asker>,
}

impl Shot {
    fn until(&self) -> Instant {
        match self {
            Self::Coming(Coming { until, .. }) | Self::Here { until, .. } => *until,
        }
    }
}

impl Snapshots {
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.shots.values().map(Shot::until).min()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.shots.is_empty()
    }

    fn coming(&self) -> impl Iterator<Item = (&RobotId, &Coming)> {
        self.shots.iter().filter_map(|((robot, _), shot)| match shot {
            Shot::Coming(coming) => Some((robot, coming)),
            Shot::Here { .. } => None,
        })
    }

    /// Whether somebody else may wait for a picture of this robot.
    fn seats(&self, robot: &RobotId) -> bool {
        let waiting = self.coming().flat_map(|(robot, coming)| coming.waiting.iter().map(move |_| robot));
        WAITING.allows(robot, waiting)
    }

    /// Whether this robot may be asked once more.
    fn admit(&mut self, robot: &RobotId, now: Instant) -> bool {
        while self.asked.front().is_some_and(|(asked, _)| now.saturating_duration_since(*asked) >= ASKED_IN) {
            self.asked.pop_front();
        }
        let admitted = ASKED.allows(robot, self.asked.iter().map(|(_, robot)| robot))
            && COMING.allows(robot, self.coming().map(|(robot, _)| robot));
        if admitted {
            self.asked.push_back((now, robot.clone()));
        }
        admitted
    }
}

impl Rooms {
    /// Somebody wants a picture of this camera, or of the robot's first one.
    pub(super) fn snapshot(&mut self, asker: Asker, robot: &RobotId, camera: Option<CameraId>, now: Instant) {
        if let Err(notice) = self.ask_for_snapshot(asker, robot, camera, now) {
            self.out.push_back(Output::Snapshot { asker, answer: Err(notice) });
        }
    }

    fn ask_for_snapshot(
        &mut self,
        asker: Asker,
        id: &RobotId,
        camera: Option<CameraId>,
        now: Instant,
    ) -> Result<(), Notice> {
        let robot = self.robots.get(id).ok_or_else(|| self.absent(id))?;
        let info = match &camera {
            None => robot.cameras.first(),
            Some(wanted) => robot.cameras.iter().find(|info| info.id == *wanted),
        };
        let camera = info.ok_or_else(|| notices::unknown_camera(id, &robot.cameras))?.id.clone();
        // Pages of the family would take it for an event of their own making, or for nothing.
        if robot.dialect == Dialect::Family {
            return Err(notices::no_snapshots(id));
        }
        let (to, key) = (robot.peer.clone(), (id.clone(), camera.clone()));
        let crowded = !self.snapshots.seats(id);
        match self.snapshots.shots.get_mut(&key) {
            Some(Shot::Here { answer, until }) if *until > now => {
                let answer = answer.clone();
                self.out.push_back(Output::Snapshot { asker, answer });
                return Ok(());
            }
            Some(Shot::Coming(Coming { waiting, .. })) if !crowded => {
                waiting.push(asker);
                return Ok(());
            }
            Some(Shot::Coming(_)) => return Err(notices::too_many_snapshots()),
            Some(Shot::Here { .. }) | None => {}
        }
        if crowded || !self.snapshots.admit(id, now) {
            return Err(notices::too_many_snapshots());
        }
        self.snapshots.requests = self.snapshots.requests.wrapping_add(1);
        let request = self.snapshots.requests;
        let (until, latest) = (now + PIECE_WITHIN, now + WHOLE_WITHIN);
        let coming = Coming { request, until, latest, jpeg: Vec::new(), waiting: vec![asker] };
        self.snapshots.shots.insert(key, Shot::Coming(coming));
        self.tell_robot(&to, ToRobot::Snapshot { request: SnapshotRequest { request, camera } });
        Ok(())
    }

    /// Whoever asked has gone without an answer. The picture comes all the same, for those who ask next.
    pub(super) fn snapshot_unasked(&mut self, asker: Asker) {
        self.forget_asker(asker);
        for shot in self.snapshots.shots.values_mut() {
            if let Shot::Coming(coming) = shot {
                coming.waiting.retain(|waiting| *waiting != asker);
            }
        }
    }

    /// Pieces that nobody waits for are nobody's fault: they come too late.
    pub(super) fn snapshot_piece(&mut self, from: &PeerId, piece: SnapshotPiece, bytes: &[u8], now: Instant) {
        let Some((key, coming)) = self.coming(from, piece.request) else { return };
        if coming.jpeg.len() + bytes.len() > MAX_SNAPSHOT {
            let notice = notices::snapshot_too_large(&key.0);
            self.answer(&key, Err(notice), now);
            return;
        }
        coming.jpeg.extend_from_slice(bytes);
        if !piece.last {
            coming.until = coming.latest.min(now + PIECE_WITHIN);
            return;
        }
        // Boxed, it takes no more room than it needs.
        let jpeg = Bytes::from(std::mem::take(&mut coming.jpeg).into_boxed_slice());
        let answer = if jpeg.is_empty() { Err(notices::snapshot_empty(&key.0)) } else { Ok(jpeg) };
        self.answer(&key, answer, now);
    }

    pub(super) fn snapshot_failed(&mut self, from: &PeerId, failure: SnapshotFailure, now: Instant) {
        if let Some((key, _)) = self.coming(from, failure.request) {
            self.answer(&key, Err(failure.notice), now);
        }
    }

    pub(super) fn snapshots_due(&mut self, now: Instant) {
        let due = self.snapshots.shots.iter().filter(|(_, shot)| shot.until() <= now);
        let due: Vec<_> = due.map(|(key, _)| key.clone()).collect();
        for key in due {
            match self.snapshots.shots.get(&key) {
                Some(Shot::Coming(coming)) => {
                    let notice = if coming.jpeg.is_empty() {
                        notices::snapshot_unanswered(&key.0)
                    } else {
                        notices::snapshot_too_slow(&key.0)
                    };
                    self.answer(&key, Err(notice), now);
                }
                Some(Shot::Here { .. }) | None => drop(self.snapshots.shots.remove(&key)),
            }
        }
    }

    /// The robot's connection is gone, and its answers with it.
    pub(super) fn no_more_snapshots(&mut self, robot: &RobotId) {
        let others = std::mem::take(&mut self.snapshots.shots);
        let (gone, others) = others.into_iter().partition(|((id, _), _)| id == robot);
        self.snapshots.shots = others;
        let gone: BTreeMap<_, Shot> = gone;
        for shot in gone.into_values() {
            if let Shot::Coming(Coming { waiting, .. }) = shot {
                let answer = |asker| Output::Snapshot { asker, answer: Err(notices::offline(robot)) };
                self.out.extend(waiting.into_iter().map(answer));
            }
        }
    }

    /// The picture that this robot was asked for, as far as it has come.
    fn coming(&mut self, from: &PeerId, asked: u32) -> Option<((RobotId, CameraId), &mut Coming)> {
        let Some(Role::Robot(id)) = self.peers.get(from) else { return None };
        let shots = self.snapshots.shots.iter_mut();
        shots.filter(|((robot, _), _)| robot == id).find_map(|(key, shot)| match shot {
            Shot::Coming(coming) if coming.request == asked => Some((key.clone(), coming)),
            Shot::Coming(_) | Shot::Here { .. } => None,
        })
    }

    fn answer(&mut self, key: &(RobotId, CameraId), answer: Answer, now: Instant) {
        let here = Shot::Here { answer: answer.clone(), until: now + FRESH };
        if let Some(Shot::Coming(Coming { waiting, .. })) = self.snapshots.shots.insert(key.clone(), here) {
            let answered = waiting.into_iter().map(|asker| Output::Snapshot { asker, answer: answer.clone() });
            self.out.extend(answered);
        }
    }
}
