//! Robots come, announce themselves again, are replaced, and leave.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use protocol::{
    CameraId, CameraInfo, Notice, PeerId, Register, RegisterReply, Registration, RobotId, RobotRef, SessionId, ToRobot,
    ToViewer, Video, Yes,
};

use super::{Dialect, Ending, News, Output, Reply, Role, Rooms, Since, notices, session::By};
use crate::{audit, auth::Proof, turn::credentials::Holder};

/// More cameras than any robot has; each is shown to every visitor of the front page.
const MAX_CAMERAS: usize = 32;

/// How many names of robots are remembered to tell `robot_offline` from `unknown_robot`.
const MAX_SEEN: usize = 10_000;

/// A live robot.
#[derive(Debug)]
pub(super) struct Robot {
    pub(super) peer: PeerId,
    pub(super) since: Since,
    pub(super) dialect: Dialect,
    /// How it was known.
    pub(super) proof: Proof,
    /// At least one.
    pub(super) cameras: Vec<CameraInfo>,
    /// The viewers that this connection has been told of, and the latest session of each.
    pub(super) introduced: BTreeMap<PeerId, SessionId>,
    /// Sessions that the robot says are alive and that this server does not know: it has restarted meanwhile.
    pub(super) named: BTreeSet<SessionId>,
}

/// Robots that have been here since the server started.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeSet<RobotId>);

impl Seen {
    pub(super) fn contains(&self, robot: &RobotId) -> bool {
        self.0.contains(robot)
    }

    /// Beyond the limit names are not remembered: an open server takes any.
    pub(super) fn remember(&mut self, robot: &RobotId) {
        if self.0.len() < MAX_SEEN {
            self.0.insert(robot.clone());
        }
    }
}

impl Rooms {
    pub(super) fn register(&mut self, from: &PeerId, register: Option<Register>, wants_reply: bool, now: Instant) {
        let robot = register.as_ref().and_then(|register| register.robot.clone());
        let outcome = self.enlist(from, register, now);
        if let Err(notice) = &outcome {
            audit::robot_refused(self.known(robot.as_ref()), from, notice.code);
            self.news.push_back(News::RobotRefused { robot, code: notice.code });
        }
        match outcome {
            Ok(registration) if wants_reply => {
                self.out.push_back(Output::Reply(Reply::Register(RegisterReply::Registered(registration))));
            }
            Ok(_) => {}
            Err(error) if wants_reply => {
                self.out.push_back(Output::Reply(Reply::Register(RegisterReply::Refused { error })));
            }
            Err(error) => self.notify(from, error),
        }
    }

    /// The robot's connection is gone, or has become something else. What its viewers receive may well go on.
    pub(super) fn robot_left(&mut self, id: &RobotId) {
        let Some(robot) = self.robots.remove(id) else { return };
        audit::robot_left(id, &robot.peer);
        self.news.push_back(News::RobotDown { robot: id.clone() });
        self.no_more_snapshots(id);
        self.publisher_left(id);
        let about = Some(RobotRef { robot: id.clone() });
        for viewer in self.audience(id) {
            self.tell(&viewer, ToViewer::BroadcasterLeft { about: about.clone() });
        }
    }

    fn enlist(&mut self, from: &PeerId, register: Option<Register>, now: Instant) -> Result<Registration, Notice> {
        let dialect = Dialect::of(register.as_ref());
        let register = register.unwrap_or_default();
        notices::check_version(register.version)?;
        let id = register.robot.unwrap_or_else(|| self.settings.default_robot.clone());
        let proof = self.door.claim(&id, register.key.as_ref()).map_err(|_| notices::key_refused(&id))?;
        let cameras = check_cameras(register.cameras)?;
        self.check_room_for(from, &id)?;

        match self.peers.insert(from.clone(), Role::Robot(id.clone())) {
            Some(Role::Robot(former)) if former != id => self.robot_left(&former),
            Some(Role::Viewer(viewer)) => {
                for session in viewer.sessions() {
                    self.end_session(session);
                }
            }
            Some(Role::Away(away)) => self.leaves_for_good(from, &away, Ending::Goodbye),
            None | Some(Role::Robot(_) | Role::Undecided | Role::Displaced) => {}
        }
        let since = self.others.comes_here(&id, self.wall_clock(now));
        let introduced = match self.robots.remove(&id) {
            Some(robot) if robot.peer == *from => robot.introduced,
            Some(robot) => {
                self.displace(robot.peer, &id);
                BTreeMap::new()
            }
            None => BTreeMap::new(),
        };
        let alive = register.sessions.into_iter().collect();
        let named = self.reconcile(&id, &introduced, alive);

        audit::robot_admitted(&id, from, cameras.len(), proof != Proof::None);
        self.news.push_back(News::RobotUp { robot: id.clone(), cameras: cameras.clone() });
        self.seen.remember(&id);
        let robot = Robot { peer: from.clone(), since, dialect, proof, cameras, introduced, named };
        self.robots.insert(id.clone(), robot);
        self.reconcile_publications(&id, register.published);
        self.expect_claims(&id, &register.links, now);
        self.announce(&id, from, now);
        // One time for all of them: none waits longer than it should.
        self.renew_ice = self.renew_ice.or(self.settings.renew_ice_after.map(|after| now + after));
        let ice_servers = (self.list_ice)(&Holder::Robot(id.clone()), None);
        let (report_every, sfu) = (self.settings.report_every, self.publications.offered());
        Ok(Registration { ok: Yes, robot: id, ice_servers, report_every, sfu })
    }

    /// Credentials of relays end, and robots stay.
    pub(super) fn renew_ice_servers(&mut self, now: Instant) {
        if self.renew_ice.is_none_or(|at| now < at) {
            return;
        }
        let told = self.robots.iter().filter(|(_, robot)| robot.dialect == Dialect::Panocast).map(|(id, robot)| {
            let servers = (self.list_ice)(&Holder::Robot(id.clone()), None);
            (robot.peer.clone(), ToRobot::IceServers { servers })
        });
        let told: Vec<(PeerId, ToRobot)> = told.collect();
        // Without robots nobody waits for it.
        self.renew_ice = self.settings.renew_ice_after.filter(|_| !self.robots.is_empty()).map(|after| now + after);
        for (robot, message) in told {
            self.tell_robot(&robot, message);
        }
    }

    fn check_room_for(&self, from: &PeerId, id: &RobotId) -> Result<(), Notice> {
        // A connection that changes its name gives the former one up.
        let others = self.robots.values().filter(|robot| robot.peer != *from).count() + self.others.robots();
        let known = self.robots.contains_key(id) || self.others.has(id);
        if !known && others >= self.settings.max_robots {
            return Err(notices::too_many_robots());
        }
        Ok(())
    }

    /// The newcomer wins: the link that it lost may look alive from here for another ping.
    pub(super) fn displace(&mut self, old: PeerId, id: &RobotId) {
        tracing::warn!(robot = %id, former = %old, "robot replaced by another connection");
        self.no_more_snapshots(id);
        self.tell_robot(&old, ToRobot::Notice { notice: notices::robot_replaced(id) });
        self.peers.insert(old, Role::Displaced);
    }

    /// Compares the sessions of a robot that registers (again) with those that it says are `alive`. Returns those of
    /// them that nobody has heard of here.
    fn reconcile(
        &mut self,
        id: &RobotId,
        introduced: &BTreeMap<PeerId, SessionId>,
        mut alive: BTreeSet<SessionId>,
    ) -> BTreeSet<SessionId> {
        let known: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.robot == *id && session.by == By::Robot)
            .map(|(session, _)| session.clone())
            .collect();
        for session in known {
            let resumable = alive.remove(&session);
            let viewer_is_known = introduced.values().any(|other| *other == session);
            if !resumable && !viewer_is_known {
                self.forget_session(&session);
            } else if let Some(session) = self.sessions.get_mut(&session) {
                session.resumable = resumable;
            }
        }
        // What is left may name another robot's session, which is not this one's to give.
        alive.retain(|session| !self.sessions.contains_key(session));
        alive
    }

    /// Everyone who waits for or watches the robot is to ask (again). Pages of the family connect and wait.
    fn announce(&mut self, id: &RobotId, robot: &PeerId, now: Instant) {
        let mut audience = if *id == self.settings.default_robot { self.waiting(now) } else { Vec::new() };
        audience.extend(self.audience(id));
        let about = Some(RobotRef { robot: id.clone() });
        for peer in audience.into_iter().filter(|peer| peer != robot) {
            self.tell(&peer, ToViewer::Broadcaster { about: about.clone() });
        }
    }

    /// The viewers that chose this robot, admitted or not.
    fn audience(&self, id: &RobotId) -> Vec<PeerId> {
        let chose = |role: &Role| match role {
            Role::Viewer(viewer) => viewer.robot == *id,
            Role::Away(away) => away.robot == *id,
            Role::Undecided | Role::Robot(_) | Role::Displaced => false,
        };
        self.peers.iter().filter(|(_, role)| chose(role)).map(|(peer, _)| peer.clone()).collect()
    }
}

fn check_cameras(cameras: Vec<CameraInfo>) -> Result<Vec<CameraInfo>, Notice> {
    if cameras.is_empty() {
        let main = CameraId::try_from("main".to_owned()).expect("a valid id");
        return Ok(vec![CameraInfo { id: main, title: None, video: Video::default() }]);
    }
    let names: BTreeSet<&CameraId> = cameras.iter().map(|camera| &camera.id).collect();
    if names.len() < cameras.len() {
        return Err(notices::malformed("broadcaster, argument register: two cameras have the same id"));
    }
    if cameras.len() > MAX_CAMERAS {
        return Err(notices::malformed("broadcaster, argument register: a robot has at most 32 cameras"));
    }
    Ok(cameras)
}
