//! A viewer's session with a camera: who owns it, and how it ends.

use std::time::Instant;

use protocol::{CameraId, MediaKind, PeerId, RobotId, SessionId, SessionRef, ToRobot};

use super::{Dialect, News, Place, Role, Rooms};
use crate::{audit, auth::Pass};

/// It outlives the connections at both of its ends, because media does.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) robot: RobotId,
    pub(super) camera: CameraId,
    pub(super) owner: Owner,
    pub(super) by: By,
    /// What else its viewer takes than a connection to the robot; none: anything.
    pub(super) takes: Option<Vec<MediaKind>>,
    /// Its viewer may not come back.
    pub(super) barred: bool,
    /// What its viewer's link allows.
    pub(super) pass: Option<Pass>,
    /// Whether its media still flows, as far as the robot has said.
    pub(super) resumable: bool,
    /// Its viewer makes the offer.
    pub(super) offers: bool,
    pub(super) robot_candidates: usize,
    pub(super) viewer_candidates: usize,
}

/// Who serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Robot,
    /// The media server: the robot knows nothing of it.
    Engine,
}

#[derive(Debug)]
pub(super) enum Owner {
    Attached(PeerId),
    /// The viewer's connection broke; whoever names the session until then has it.
    Detached {
        was: PeerId,
        until: Instant,
    },
}

impl Owner {
    /// The name under which the robot knows the viewer.
    pub(super) fn peer(&self) -> &PeerId {
        match self {
            Self::Attached(peer) | Self::Detached { was: peer, .. } => peer,
        }
    }
}

impl Session {
    pub(super) fn new(robot: RobotId, camera: CameraId, viewer: PeerId, by: By) -> Self {
        Self {
            robot,
            camera,
            owner: Owner::Attached(viewer),
            by,
            takes: Some(Vec::new()),
            barred: false,
            pass: None,
            resumable: true,
            offers: false,
            robot_candidates: 0,
            viewer_candidates: 0,
        }
    }

    pub(super) fn place(&self) -> Place {
        Place { robot: self.robot.clone(), camera: self.camera.clone() }
    }

    pub(super) fn is_detached(&self) -> bool {
        matches!(self.owner, Owner::Detached { .. })
    }
}

impl Rooms {
    /// Ends a session and tells its robot, now or when it is back.
    pub(super) fn end_session(&mut self, id: &SessionId) {
        let Some(session) = self.forget_session(id) else { return };
        if session.by == By::Engine {
            return;
        }
        let viewer = session.owner.peer();
        let Some(robot) = self.robots.get_mut(&session.robot) else {
            return self.untold.remember(&session.robot, id);
        };
        let to = robot.peer.clone();
        // Under the same name it may have a newer session by now.
        if robot.introduced.get(viewer) == Some(id) {
            robot.introduced.remove(viewer);
            // Pages of the family know one or the other.
            self.tell_robot(&to, ToRobot::DisconnectPeer { viewer: viewer.clone() });
            self.tell_robot(&to, ToRobot::Bye { viewer: viewer.clone() });
        } else if session.resumable && robot.dialect == Dialect::Panocast {
            // The robot has come back and named it, and its viewer has not asked again.
            self.tell_robot(&to, ToRobot::SessionEnded { about: SessionRef { session: id.clone() } });
        }
    }

    /// Ends a session without a word to its robot.
    pub(super) fn forget_session(&mut self, id: &SessionId) -> Option<Session> {
        let session = self.sessions.remove(id)?;
        self.news.push_back(News::Left { session: id.clone() });
        audit::viewer_left(&session.robot, session.owner.peer(), id);
        match &session.owner {
            Owner::Attached(peer) => {
                if let Some(Role::Viewer(viewer)) = self.peers.get_mut(peer) {
                    viewer.session.take_if(|current| current == id);
                    viewer.former.take_if(|former| former == id);
                }
            }
            Owner::Detached { until, .. } => {
                self.deadlines.remove(&(*until, id.clone()));
            }
        }
        if session.by == By::Engine {
            // Whoever came by a link may hold what is good for longer than that.
            self.goes(id, session.place(), session.barred || session.pass.is_some());
        }
        Some(session)
    }
}
