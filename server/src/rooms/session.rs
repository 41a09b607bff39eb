//! A viewer's session with a camera: who owns it, and how it ends.

use std::time::Instant;

use protocol::{CameraId, PeerId, RobotId, SessionId, ToRobot};

use super::{Role, Rooms};

/// It outlives the connections at both of its ends, because media does.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) robot: RobotId,
    pub(super) camera: CameraId,
    pub(super) owner: Owner,
    /// Whether its media still flows, as far as the robot has said.
    pub(super) resumable: bool,
    pub(super) robot_candidates: usize,
    pub(super) viewer_candidates: usize,
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
    pub(super) fn new(robot: RobotId, camera: CameraId, viewer: PeerId) -> Self {
        Self {
            robot,
            camera,
            owner: Owner::Attached(viewer),
            resumable: true,
            robot_candidates: 0,
            viewer_candidates: 0,
        }
    }
}

impl Rooms {
    /// Ends a session and tells its robot, if the viewer was introduced to the robot's present connection.
    pub(super) fn end_session(&mut self, id: &SessionId) {
        let Some(session) = self.forget_session(id) else { return };
        let Some(robot) = self.robots.get_mut(&session.robot) else { return };
        let viewer = session.owner.peer();
        // Under the same name it may have a newer session by now.
        if robot.introduced.get(viewer) == Some(id) {
            robot.introduced.remove(viewer);
            let to = robot.peer.clone();
            tracing::info!(robot = %session.robot, %viewer, camera = %session.camera, "viewer left");
            // Pages of the family know one or the other.
            self.tell_robot(&to, ToRobot::DisconnectPeer { viewer: viewer.clone() });
            self.tell_robot(&to, ToRobot::Bye { viewer: viewer.clone() });
        }
    }

    /// Ends a session without a word.
    pub(super) fn forget_session(&mut self, id: &SessionId) -> Option<Session> {
        let session = self.sessions.remove(id)?;
        match &session.owner {
            Owner::Attached(peer) => {
                if let Some(Role::Viewer(viewer)) = self.peers.get_mut(peer) {
                    viewer.session.take_if(|current| current == id);
                }
            }
            Owner::Detached { until, .. } => {
                self.deadlines.remove(&(*until, id.clone()));
            }
        }
        Some(session)
    }
}
