//! What the rooms have to tell those who count, beside what they have sent to anybody.

use crate::turn::credentials::Holder;
use protocol::{AudienceReport, CameraId, CameraInfo, Code, Reception, RobotId, RobotReport, SessionId};

/// Something that has happened in the rooms. Whoever it is about was allowed to do it, or to say it of itself.
#[derive(Debug)]
pub(crate) enum News {
    /// A robot has registered, for the first time or again.
    RobotUp {
        robot: RobotId,
        cameras: Vec<CameraInfo>,
    },
    RobotDown {
        robot: RobotId,
    },
    RobotRefused {
        robot: Option<RobotId>,
        code: Code,
    },
    /// A viewer was admitted to a session that is new, or came back to one.
    Joined {
        session: SessionId,
        robot: RobotId,
        camera: CameraId,
        resumed: bool,
    },
    Refused {
        robot: Option<RobotId>,
        code: Code,
    },
    /// The robot's offer has been passed on.
    Offered {
        session: SessionId,
    },
    /// A session is over.
    Left {
        session: SessionId,
    },
    /// Somebody may not be here any more. What it was given for relays is to be of no use to it.
    Barred {
        holder: Holder,
    },
    /// A message was not taken, and its sender was told so.
    NotTaken {
        code: Code,
    },
    Report {
        robot: RobotId,
        report: RobotReport,
    },
    /// Of sessions with this very robot.
    Audience {
        robot: RobotId,
        audience: AudienceReport,
    },
    Reception {
        session: SessionId,
        reception: Reception,
    },
}
