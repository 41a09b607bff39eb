//! Who may stay: passes end, are taken back, and robots lose their keys.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use protocol::{Code, LinkId, Notice, PeerId, RobotId, SessionId, SessionRef, ToRobot, ToViewer};

use super::{Ending, News, Output, Role, Rooms, notices, session::Session, viewers::holder_of};
use crate::{
    audit,
    auth::{Denied, Door, Pass},
    turn::credentials::Holder,
};

/// A viewer whose session the server does not know, because it has restarted, has until then to come and show that it may
/// watch. Its page tries every few seconds.
pub(super) const CLAIMED_WITHIN: Duration = Duration::from_secs(30);

/// How many sessions are remembered that ended while their robot was not there to be told.
const MAX_UNTOLD: usize = 10_000;

/// Sessions that ended while their robot's link was down: its media may go on until it is told.
#[derive(Debug, Default)]
pub(super) struct Untold {
    sessions: BTreeSet<(RobotId, SessionId)>,
    /// The same, oldest first.
    order: VecDeque<(RobotId, SessionId)>,
}

impl Untold {
    pub(super) fn remember(&mut self, robot: &RobotId, session: &SessionId) {
        let entry = (robot.clone(), session.clone());
        if self.sessions.insert(entry.clone()) {
            self.order.push_back(entry);
        }
        if self.order.len() > MAX_UNTOLD
            && let Some(oldest) = self.order.pop_front()
        {
            self.sessions.remove(&oldest);
        }
    }

    fn take(&mut self, robot: &RobotId, session: &SessionId) -> bool {
        let entry = (robot.clone(), session.clone());
        let found = self.sessions.remove(&entry);
        if found {
            self.order.retain(|other| *other != entry);
        }
        found
    }
}

impl Rooms {
    /// Whether this connection may watch this robot.
    pub(super) fn check_pass(&self, peer: &PeerId, robot: &RobotId, now: Instant) -> Result<(), Notice> {
        self.door.watch(robot, self.passes.get(peer), now).map_err(|denied| notices::denied(denied, Some(robot)))
    }

    /// What this connection's link allows, if it is one to this robot.
    pub(super) fn pass_for(&self, peer: &PeerId, robot: &RobotId) -> Option<&Pass> {
        self.passes.get(peer).filter(|pass| pass.robot == *robot)
    }

    /// A link is good for so many at a time.
    pub(super) fn check_share(&self, peer: &PeerId, robot: &RobotId) -> Result<(), Notice> {
        let Some(pass) = self.pass_for(peer, robot) else { return Ok(()) };
        let Some(max) = pass.max_viewers else { return Ok(()) };
        let by_same_link = self.sessions.values().filter(|session| {
            session.pass.as_ref().is_some_and(|other| other.link == pass.link) && session.owner.peer() != peer
        });
        let max = usize::try_from(max.get()).unwrap_or(usize::MAX);
        if by_same_link.count() < max { Ok(()) } else { Err(notices::link_is_full()) }
    }

    /// The robot that somebody asked for, or the one that is meant where none was named, if there is such a robot.
    pub(super) fn known<'a>(&'a self, asked: Option<&'a RobotId>) -> Option<&'a RobotId> {
        let robot = asked.unwrap_or(&self.settings.default_robot);
        (self.robots.contains_key(robot) || self.others.has(robot) || self.door.knows(robot)).then_some(robot)
    }

    pub(super) fn comes_by_the_same_link(&self, session: &SessionId, viewer: &PeerId, robot: &RobotId) -> bool {
        let link = |pass: &Pass| pass.link.clone();
        let before = self.sessions.get(session).and_then(|session| session.pass.as_ref()).map(link);
        before.is_some() && before == self.pass_for(viewer, robot).map(link)
    }

    /// Everybody whom the door would not let in any more has to leave.
    pub(super) fn door_changed(&mut self, door: Door, now: Instant) {
        for change in door.changes_since(&self.door) {
            audit::changed(&change);
        }
        self.door = door;
        let robots: Vec<RobotId> = self
            .robots
            .iter()
            .filter(|(id, robot)| !self.door.still_holds(id, robot.proof))
            .map(|(id, _)| id.clone())
            .collect();
        for robot in robots {
            self.expel_robot(&robot);
        }
        let viewers: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, role)| matches!(role, Role::Viewer(_) | Role::Away(_)))
            .map(|(peer, _)| peer.clone())
            .collect();
        for peer in viewers {
            self.check_viewer(&peer, now);
        }
        let detached = self.sessions.iter().filter(|(_, session)| session.is_detached());
        let denied = |session: &Session| self.door.watch(&session.robot, session.pass.as_ref(), now).err();
        let ended: Vec<(SessionId, Denied)> =
            detached.filter_map(|(id, session)| Some((id.clone(), denied(session)?))).collect();
        for (session, denied) in ended {
            self.expel_absent(&session, denied.code());
        }
    }

    /// When somebody's pass ends, or a session's time to be claimed.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        let pass = self.expiries.first().map(|(at, _)| *at);
        let claim = self.claims.first().map(|(at, _)| *at);
        pass.into_iter().chain(claim).min()
    }

    pub(super) fn expiries_due(&mut self, now: Instant) {
        while self.expiries.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, peer)) = self.expiries.pop_first() else { return };
            self.check_viewer(&peer, now);
        }
        while self.claims.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, robot)) = self.claims.pop_first() else { return };
            self.end_unclaimed(&robot);
        }
    }

    /// A robot that comes back names sessions that nobody here knows: those that are known to be over end at once, as do those
    /// of links that were taken back and more than there may be, and where not everybody may watch, the others have to be
    /// claimed.
    pub(super) fn expect_claims(&mut self, robot_id: &RobotId, links: &BTreeMap<SessionId, LinkId>, now: Instant) {
        let known = self.sessions.values().filter(|session| session.robot == *robot_id).count();
        let room = self.settings.max_viewers.saturating_sub(known);
        let Some(robot) = self.robots.get_mut(robot_id) else { return };
        let revoked = |session: &SessionId| links.get(session).is_some_and(|link| self.door.is_revoked(link));
        let over = robot.named.extract_if(.., |session| self.untold.take(robot_id, session) || revoked(session));
        let mut over: Vec<SessionId> = over.collect();
        while robot.named.len() > room {
            over.extend(robot.named.pop_last());
        }
        let (peer, waits) = (robot.peer.clone(), !robot.named.is_empty() && !self.door.shows(robot_id));
        for session in over {
            self.tell_robot(&peer, ToRobot::SessionEnded { about: SessionRef { session } });
        }
        // A robot that comes again and again gives nobody more time.
        let since = self.claims.iter().find(|(_, other)| other == robot_id).map(|(at, _)| *at);
        self.claims.retain(|(_, other)| other != robot_id);
        if waits {
            self.claims.insert((since.unwrap_or(now + CLAIMED_WITHIN), robot_id.clone()));
        }
    }

    fn end_unclaimed(&mut self, id: &RobotId) {
        let Some(robot) = self.robots.get_mut(id) else { return };
        let (peer, unclaimed) = (robot.peer.clone(), std::mem::take(&mut robot.named));
        for session in unclaimed {
            tracing::debug!(robot = %id, "nobody claimed a session from before");
            self.tell_robot(&peer, ToRobot::SessionEnded { about: SessionRef { session } });
        }
    }

    /// An operator sends the viewers away whose sessions' ids begin like this. Says whether there was one.
    pub(crate) fn send_away(&mut self, robot: &RobotId, beginning: &str) -> bool {
        let sessions = self.sessions.iter();
        let meant = sessions.filter(|(id, session)| session.robot == *robot && id.as_str().starts_with(beginning));
        let meant: Vec<(SessionId, PeerId)> =
            meant.map(|(id, session)| (id.clone(), session.owner.peer().clone())).collect();
        for (session, viewer) in &meant {
            if self.watches(viewer, session) {
                self.expel_viewer(viewer, notices::sent_away());
            } else {
                self.expel_absent(session, Code::SentAway);
            }
        }
        !meant.is_empty()
    }

    /// Whoever comes back to it is not let in.
    fn expel_absent(&mut self, id: &SessionId, code: Code) {
        if let Some(session) = self.sessions.get(id) {
            audit::viewer_expelled(&session.robot, session.owner.peer(), session.pass.as_ref(), code);
        }
        self.bar_session(id);
    }

    /// Ends a session whose viewer may not have it any more, wherever its picture goes.
    fn bar_session(&mut self, id: &SessionId) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.barred = true;
            self.news.push_back(News::Barred { holder: holder_of(&session.robot, id) });
        }
        self.end_session(id);
    }

    pub(super) fn watches(&self, viewer: &PeerId, session: &SessionId) -> bool {
        matches!(self.peers.get(viewer), Some(Role::Viewer(role)) if role.sessions().any(|own| own == session))
    }

    /// Who may not watch any more what it chose has to leave. Who has chosen nothing is told when it does.
    fn check_viewer(&mut self, peer: &PeerId, now: Instant) {
        let robot = match self.peers.get(peer) {
            Some(Role::Viewer(viewer)) => &viewer.robot,
            Some(Role::Away(away)) => &away.robot,
            None | Some(Role::Undecided | Role::Robot(_) | Role::Displaced) => return,
        };
        if let Err(denied) = self.door.watch(robot, self.passes.get(peer), now) {
            let notice = notices::denied(denied, Some(robot));
            self.expel_viewer(peer, notice);
        }
    }

    fn expel_viewer(&mut self, peer: &PeerId, notice: Notice) {
        let (robot, sessions) = match self.peers.insert(peer.clone(), Role::Displaced) {
            Some(Role::Viewer(viewer)) => (viewer.robot.clone(), viewer.sessions().cloned().collect()),
            Some(Role::Away(away)) => {
                self.leaves_for_good(peer, &away, Ending::Goodbye);
                (away.robot, Vec::new())
            }
            None | Some(Role::Undecided | Role::Robot(_) | Role::Displaced) => return,
        };
        audit::viewer_expelled(&robot, peer, self.passes.get(peer), notice.code);
        self.tell(peer, ToViewer::Notice { notice, about: None });
        for session in sessions {
            self.bar_session(&session);
        }
        self.out.push_back(Output::Close { peer: peer.clone() });
    }

    fn expel_robot(&mut self, id: &RobotId) {
        let Some(robot) = self.robots.get(id) else { return };
        let peer = robot.peer.clone();
        let notice = notices::key_refused(id);
        audit::robot_expelled(id, &peer, notice.code);
        let sessions = self.sessions.iter().filter(|(_, session)| session.robot == *id);
        for session in sessions.map(|(session, _)| session.clone()).collect::<Vec<SessionId>>() {
            self.bar_session(&session);
        }
        self.news.push_back(News::Barred { holder: Holder::Robot(id.clone()) });
        self.end_publications(id);
        self.robot_left(id);
        self.peers.insert(peer.clone(), Role::Displaced);
        self.tell_robot(&peer, ToRobot::Notice { notice });
        self.out.push_back(Output::Close { peer });
    }
}
