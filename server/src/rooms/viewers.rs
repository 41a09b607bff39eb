//! Viewers choose a robot, are admitted to it, come back to their sessions, and leave.

use std::time::Instant;

use protocol::{
    Admission, CameraId, Media, Notice, PeerId, RobotId, SessionId, Ticket, ToRobot, ToViewer, Watch, WatchReply, Yes,
};

use super::{
    Dialect, Ending, Output, Reply, Role, Rooms, notices,
    session::{Owner, Session},
};

/// A connection that asked to watch.
#[derive(Debug)]
pub(super) struct Viewer {
    /// What it waits for or watches; kept when it is refused, so that it is told when the robot comes.
    pub(super) robot: RobotId,
    pub(super) dialect: Dialect,
    pub(super) session: Option<SessionId>,
}

impl Rooms {
    pub(super) fn watch(&mut self, from: &PeerId, watch: Option<Watch>, wants_reply: bool) {
        let dialect = Dialect::of(watch.as_ref());
        let outcome = self.admit(from, dialect, watch.unwrap_or_default());
        match &outcome {
            Ok(admission) => tracing::info!(
                robot = %admission.robot,
                viewer = %from,
                camera = %admission.camera,
                resumed = admission.resumed,
                "viewer joined"
            ),
            Err(notice) => tracing::warn!(viewer = %from, code = %notice.code, "viewer refused"),
        }
        match outcome {
            Ok(admission) if wants_reply => {
                self.out.push_back(Output::Reply(Reply::Watch(WatchReply::Admitted(admission))));
            }
            Ok(_) => {}
            Err(error) if wants_reply => {
                self.out.push_back(Output::Reply(Reply::Watch(WatchReply::Refused { error })));
            }
            Err(error) => self.notify(from, error),
        }
    }

    pub(super) fn viewer_left(&mut self, peer: &PeerId, viewer: Viewer, ending: Ending, now: Instant) {
        let Some(id) = viewer.session else { return };
        match (ending, viewer.dialect) {
            // Media does not need the server: whoever comes back soon finds its picture still running.
            (Ending::Lost, Dialect::Panocast) => {
                let until = now + self.settings.session_grace;
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.owner = Owner::Detached { was: peer.clone(), until };
                    self.deadlines.insert((until, id));
                }
            }
            (Ending::Goodbye, _) | (Ending::Lost, Dialect::Family) => self.end_session(&id),
        }
    }

    fn admit(&mut self, from: &PeerId, dialect: Dialect, watch: Watch) -> Result<Admission, Notice> {
        notices::check_version(watch.version)?;
        let id = watch.robot.unwrap_or_else(|| self.settings.default_robot.clone());
        self.choose(from, &id, dialect);
        let Some(robot) = self.robots.get(&id) else {
            return Err(self.absent(&id));
        };
        let cameras = &robot.cameras;
        let info = match &watch.camera {
            None => cameras.first(),
            Some(wanted) => cameras.iter().find(|camera| camera.id == *wanted),
        };
        let first = info.ok_or_else(|| notices::unknown_camera(&id, cameras))?.id.clone();

        let resumed = watch.resume.filter(|session| self.claim(session, &id, watch.camera.as_ref(), from));
        let (session, resumed) = match resumed {
            Some(session) => (session, true),
            None => (self.open(from, &id, first.clone())?, false),
        };
        let camera = self.sessions.get(&session).map_or(first, |session| session.camera.clone());
        let robot = self.robots.get(&id).expect("claiming and opening a session remove no robot");
        let (peer, cameras) = (robot.peer.clone(), &robot.cameras);
        let video = cameras.iter().find(|info| info.id == camera).map(|info| info.video.clone()).unwrap_or_default();
        let ticket = Ticket { session: session.clone(), camera: camera.clone(), resumed, wishes: watch.wishes };
        self.tell_robot(&peer, ToRobot::Watcher { viewer: from.clone(), ticket: Some(ticket) });
        Ok(Admission {
            ok: Yes,
            session,
            robot: id,
            camera,
            peer,
            resumed,
            ice_servers: self.settings.ice_servers.clone(),
            video,
            media: Media::P2p,
        })
    }

    /// What is said of a robot that is not here.
    pub(super) fn absent(&self, id: &RobotId) -> Notice {
        let expected = *id == self.settings.default_robot || self.seen.contains(id);
        if expected { notices::offline(id) } else { notices::unknown_robot(id) }
    }

    /// Notes which robot the connection wants, and parts it from whatever else it was or watched.
    fn choose(&mut self, from: &PeerId, id: &RobotId, dialect: Dialect) {
        let mut viewer = Viewer { robot: id.clone(), dialect, session: None };
        match self.peers.remove(from) {
            None | Some(Role::Undecided | Role::Displaced) => {}
            Some(Role::Robot(robot)) => self.robot_left(&robot),
            Some(Role::Viewer(former)) if former.robot == *id => viewer.session = former.session,
            Some(Role::Viewer(former)) => {
                if let Some(session) = former.session {
                    self.end_session(&session);
                }
            }
        }
        self.peers.insert(from.clone(), Role::Viewer(viewer));
    }

    /// Binds a session that still lives to this connection, and says whether that was possible.
    ///
    /// Its id is the proof: a viewer whose old link is half open comes back while that link still looks alive.
    fn claim(&mut self, id: &SessionId, robot_id: &RobotId, camera: Option<&CameraId>, from: &PeerId) -> bool {
        let Some(robot) = self.robots.get_mut(robot_id) else { return false };
        match self.sessions.get(id) {
            Some(session) if session.robot != *robot_id => return false,
            Some(session) => {
                let same_camera = camera.is_none_or(|camera| *camera == session.camera);
                if !session.resumable || !same_camera || robot.dialect == Dialect::Family {
                    // Its owner has come for something new, so the old one ends now rather than after its grace.
                    if matches!(session.owner, Owner::Detached { .. }) {
                        self.end_session(id);
                    }
                    return false;
                }
            }
            None if robot.named.remove(id) => {
                let first = robot.cameras.first().map(|camera| &camera.id);
                let Some(camera) = camera.or(first) else { return false };
                self.sessions.insert(id.clone(), Session::new(robot_id.clone(), camera.clone(), from.clone()));
            }
            None => return false,
        }
        self.rebind(id, from);
        true
    }

    fn rebind(&mut self, id: &SessionId, to: &PeerId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let robot_id = session.robot.clone();
        let former = std::mem::replace(&mut session.owner, Owner::Attached(to.clone()));
        if let Owner::Detached { until, .. } = former {
            self.deadlines.remove(&(until, id.clone()));
        }
        if let Some(robot) = self.robots.get_mut(&robot_id) {
            // The robot renames the viewer when it is told of the resumed session; it hears no more of the old name.
            if robot.introduced.get(former.peer()) == Some(id) {
                robot.introduced.remove(former.peer());
            }
        }
        if let Owner::Attached(other) = former
            && other != *to
        {
            self.tell(&other, ToViewer::Notice { notice: notices::viewer_replaced(), about: None });
            self.peers.insert(other, Role::Displaced);
        }
        self.introduce(to, &robot_id, id);
    }

    /// A fresh session. The viewer's former one with this robot is replaced, at the robot by the same viewer's name.
    fn open(&mut self, from: &PeerId, robot_id: &RobotId, camera: CameraId) -> Result<SessionId, Notice> {
        let viewers = self.robots.get(robot_id).map(|robot| &robot.introduced);
        let others = viewers.map_or(0, |viewers| viewers.len() - usize::from(viewers.contains_key(from)));
        if others >= self.settings.max_viewers {
            return Err(notices::too_many_viewers(robot_id));
        }
        let id = (self.mint)();
        self.sessions.insert(id.clone(), Session::new(robot_id.clone(), camera, from.clone()));
        self.introduce(from, robot_id, &id);
        Ok(id)
    }

    fn introduce(&mut self, viewer: &PeerId, robot: &RobotId, session: &SessionId) {
        if let Some(Role::Viewer(role)) = self.peers.get_mut(viewer) {
            let former = role.session.replace(session.clone()).filter(|former| former != session);
            if let Some(former) = former {
                self.forget_session(&former);
            }
        }
        if let Some(robot) = self.robots.get_mut(robot) {
            robot.introduced.insert(viewer.clone(), session.clone());
        }
    }
}
