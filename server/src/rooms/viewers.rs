//! Viewers choose a robot, are admitted to it, come back to their sessions, and leave.

use std::time::{Duration, Instant};

use protocol::{
    Admission, CameraId, Media, Notice, PeerId, RobotId, SessionId, Ticket, ToRobot, ToViewer, Watch, WatchReply, Yes,
};

use sha1::{Digest, Sha1};

use super::{
    Dialect, Ending, News, Output, Place, Reply, Role, Rooms, notices,
    session::{By, Owner, Session},
};
use crate::{audit, auth, turn::credentials::Holder};

/// A connection that asked to watch.
#[derive(Debug)]
pub(super) struct Viewer {
    /// What it waits for or watches; kept when it is refused, so that it is told when the robot comes.
    pub(super) robot: RobotId,
    pub(super) dialect: Dialect,
    pub(super) session: Option<SessionId>,
    /// What it watches until it has the picture by the other one.
    pub(super) former: Option<SessionId>,
}

impl Viewer {
    pub(super) fn sessions(&self) -> impl Iterator<Item = &SessionId> {
        self.session.iter().chain(&self.former)
    }
}

impl Rooms {
    pub(super) fn watch(&mut self, from: &PeerId, watch: Option<Watch>, wants_reply: bool, now: Instant) {
        if self.send_on(from, watch.as_ref(), wants_reply, now) {
            return;
        }
        let dialect = Dialect::of(watch.as_ref());
        let watch = watch.unwrap_or_default();
        let wanted = watch.robot.clone();
        let outcome = self.admit(from, dialect, watch, now);
        match &outcome {
            Ok(admission) => {
                audit::viewer_admitted(admission, from, self.pass_for(from, &admission.robot));
                self.news.push_back(News::Joined {
                    session: admission.session.clone(),
                    robot: admission.robot.clone(),
                    camera: admission.camera.clone(),
                    resumed: admission.resumed,
                });
            }
            Err(notice) => {
                audit::viewer_refused(self.known(wanted.as_ref()), from, self.passes.get(from), notice.code);
                self.news.push_back(News::Refused { robot: wanted, code: notice.code });
            }
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
        for id in viewer.sessions().cloned().collect::<Vec<_>>() {
            match (ending, viewer.dialect) {
                // Media does not need the server: whoever comes back soon finds its picture still running.
                (Ending::Lost, Dialect::Panocast) => {
                    if let Some(session) = self.sessions.get_mut(&id) {
                        let grace = now + self.settings.session_grace;
                        let until = session.pass.as_ref().map_or(grace, |pass| pass.until.min(grace));
                        session.owner = Owner::Detached { was: peer.clone(), until };
                        self.deadlines.insert((until, id));
                    }
                }
                (Ending::Goodbye, _) | (Ending::Lost, Dialect::Family) => self.end_session(&id),
            }
        }
    }

    /// The viewer has the picture by this session: what it watched before ends.
    pub(super) fn arrived(&mut self, from: &PeerId, id: &SessionId) {
        let Some(Role::Viewer(viewer)) = self.peers.get_mut(from) else { return };
        let former = viewer.former.take_if(|_| viewer.session.as_ref() == Some(id));
        if let Some(former) = former {
            self.end_session(&former);
        }
    }

    fn admit(&mut self, from: &PeerId, dialect: Dialect, watch: Watch, now: Instant) -> Result<Admission, Notice> {
        notices::check_version(watch.version)?;
        let id = watch.robot.unwrap_or_else(|| self.settings.default_robot.clone());
        // Before anything else: whoever may not watch it does not learn whether it is here.
        self.check_pass(from, &id, now)?;
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

        let resumed = watch.resume.filter(|session| {
            // Who comes by another link than before takes one of that link's places.
            self.comes_by_the_same_link(session, from, &id) || self.check_share(from, &id).is_ok()
        });
        let resumed = resumed.filter(|session| self.claim(session, &id, watch.camera.as_ref(), from));
        let place = Place { robot: id.clone(), camera: first.clone() };
        // Pages of the family know nothing but robots.
        let takes = if dialect == Dialect::Family { Some(Vec::new()) } else { watch.takes };
        let by = if self.is_elsewhere(from, &place, takes.as_deref()) { By::Engine } else { By::Robot };
        let (session, resumed) = match resumed {
            Some(session) => (session, true),
            None => (self.open(from, place, by, watch.beside)?, false),
        };
        let left = self.bind_pass(&session, &id, from, now);
        if let Some(session) = self.sessions.get_mut(&session) {
            session.offers = watch.wishes.offers;
            session.takes = takes;
        }
        if resumed && self.is_to_move(&session) {
            self.moves_too(&session);
        }
        // Whatever is longer is cut off at a century.
        let expires_in = left.map(|left| left.as_secs() as u32);
        let camera = self.sessions.get(&session).map_or(first, |session| session.camera.clone());
        let robot = self.robots.get(&id).expect("claiming and opening a session remove no robot");
        let (peer, cameras) = (robot.peer.clone(), &robot.cameras);
        let video = cameras.iter().find(|info| info.id == camera).map(|info| info.video.clone()).unwrap_or_default();
        let media = self.media(&session, &Place { robot: id.clone(), camera: camera.clone() }, left);
        let by_robot = media == Media::P2p;
        if by_robot {
            let pass = self.pass_for(from, &id);
            let ticket = Ticket {
                session: session.clone(),
                camera: camera.clone(),
                resumed,
                expires_in,
                link: pass.map(|pass| pass.link.clone()),
                operates: pass.is_some_and(|pass| pass.role == auth::Role::Operate),
                wishes: watch.wishes,
            };
            self.tell_robot(&peer, ToRobot::Watcher { viewer: from.clone(), ticket: Some(ticket) });
        }
        // The media server is where everybody reaches it.
        let ice_servers = if by_robot { (self.list_ice)(&holder_of(&id, &session), left) } else { Vec::new() };
        Ok(Admission {
            ok: Yes,
            session,
            robot: id,
            camera,
            peer,
            resumed,
            ice_servers,
            video,
            media,
            report_every: self.settings.report_every,
        })
    }

    /// What is said of a robot that is not here.
    pub(super) fn absent(&self, id: &RobotId) -> Notice {
        if let Some(notice) = self.out_of_reach(id) {
            return notice;
        }
        // Behind a guarded door only those ask who may know.
        let expected = !self.door.is_open() || *id == self.settings.default_robot || self.seen.contains(id);
        if expected { notices::offline(id) } else { notices::unknown_robot(id) }
    }

    /// Notes which robot the connection wants, and parts it from whatever else it was or watched.
    fn choose(&mut self, from: &PeerId, id: &RobotId, dialect: Dialect) {
        let (mut session, mut former) = (None, None);
        match self.peers.get_mut(from) {
            Some(Role::Viewer(viewer)) if viewer.robot == *id => {
                (session, former) = (viewer.session.take(), viewer.former.take());
            }
            _ => self.part(from),
        }
        self.peers.insert(from.clone(), Role::Viewer(Viewer { robot: id.clone(), dialect, session, former }));
    }

    /// The connection begins something else: what it was or watched ends.
    pub(super) fn part(&mut self, from: &PeerId) {
        match self.peers.remove(from) {
            None | Some(Role::Undecided | Role::Displaced) => {}
            Some(Role::Robot(robot)) => self.robot_left(&robot),
            Some(Role::Viewer(former)) => {
                for session in former.sessions() {
                    self.end_session(session);
                }
            }
            Some(Role::Away(away)) => self.leaves_for_good(from, &away, Ending::Goodbye),
        }
    }

    /// Binds a session that still lives to this connection, and says whether that was possible.
    ///
    /// Its id is the proof: a viewer whose old link is half open comes back while that link still looks alive.
    fn claim(&mut self, id: &SessionId, robot_id: &RobotId, camera: Option<&CameraId>, from: &PeerId) -> bool {
        let shown = self.sessions.get(id).is_some_and(|session| self.shows(&session.place()));
        let Some(robot) = self.robots.get_mut(robot_id) else { return false };
        match self.sessions.get(id) {
            Some(session) if session.robot != *robot_id => return false,
            Some(session) => {
                let same_camera = camera.is_none_or(|camera| *camera == session.camera);
                let goes_on = if session.by == By::Engine { shown } else { session.resumable };
                if !goes_on || !same_camera || robot.dialect == Dialect::Family {
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
                let session = Session::new(robot_id.clone(), camera.clone(), from.clone(), By::Robot);
                self.sessions.insert(id.clone(), session);
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
        self.introduce(to, &robot_id, id, false);
    }

    /// A fresh session. The viewer's former one with this robot is replaced, at the robot by the same viewer's name.
    /// `beside`: it goes on until the viewer has the picture by this one, if that comes from elsewhere.
    fn open(&mut self, from: &PeerId, place: Place, by: By, beside: bool) -> Result<SessionId, Notice> {
        let Place { robot: robot_id, camera } = &place;
        let viewers = self.robots.get(robot_id).map(|robot| &robot.introduced).filter(|_| by == By::Robot);
        // Whoever is in has its place, even if the limit has come to be lower.
        let most = self.settings.max_viewers;
        if viewers.is_some_and(|viewers| viewers.len() >= most && !viewers.contains_key(from)) {
            return Err(notices::too_many_viewers(robot_id));
        }
        self.check_share(from, robot_id)?;
        // A robot may have named anything, and somebody claimed it.
        let mut id = (self.mint)();
        while self.sessions.contains_key(&id) {
            id = (self.mint)();
        }
        self.sessions.insert(id.clone(), Session::new(robot_id.clone(), camera.clone(), from.clone(), by));
        if by == By::Engine {
            self.comes(&id, &place);
        }
        self.introduce(from, robot_id, &id, beside);
        Ok(id)
    }

    /// The session is watched by what its viewer's link allows, and for as long. Returns what is left, in whole seconds.
    fn bind_pass(&mut self, session: &SessionId, robot: &RobotId, viewer: &PeerId, now: Instant) -> Option<Duration> {
        let pass = self.pass_for(viewer, robot).cloned();
        let left = pass.as_ref().map(|pass| pass.until.saturating_duration_since(now).as_secs_f64().ceil());
        if let Some(session) = self.sessions.get_mut(session) {
            session.pass = pass;
        }
        left.map(|seconds| Duration::from_secs(seconds as u64))
    }

    fn introduce(&mut self, viewer: &PeerId, robot: &RobotId, session: &SessionId, beside: bool) {
        let now = self.sessions.get(session).map(|session| session.by);
        let mut over = Vec::new();
        if let Some(Role::Viewer(role)) = self.peers.get_mut(viewer) {
            // By the same way there is no room for two.
            let mut had = role.sessions().filter(|had| *had != session).cloned().collect::<Vec<_>>();
            let stays = had.iter().position(|had| beside && self.sessions.get(had).map(|had| had.by) != now);
            role.former = stays.map(|stays| had.remove(stays));
            role.session = Some(session.clone());
            over = had;
        }
        for former in over {
            // A robot replaces it by what follows under the same viewer's name.
            let replaced =
                now == Some(By::Robot) && self.sessions.get(&former).is_some_and(|former| former.by == By::Robot);
            if replaced {
                self.forget_session(&former);
            } else {
                self.end_session(&former);
            }
        }
        if let Some(robot) = self.robots.get_mut(robot).filter(|_| now == Some(By::Robot)) {
            robot.introduced.insert(viewer.clone(), session.clone());
        }
    }
}

/// Tells sessions apart without telling what they are called: whoever knows a session's id can take it over.
pub(super) fn holder_of(robot: &RobotId, session: &SessionId) -> Holder {
    let digest = Sha1::digest(session.as_str());
    let tag = digest.first_chunk().copied().map_or(0, u64::from_be_bytes);
    Holder::Viewer { robot: robot.clone(), tag }
}
