//! What is said to those who are refused, in one place so that it stays one voice.

use crate::auth::Denied;
use protocol::{CameraInfo, Code, Notice, PeerId, RobotId, VERSION};

/// Joining messages without a version come from pages of the family, which have none.
pub(super) fn check_version(version: Option<u32>) -> Result<(), Notice> {
    match version {
        None | Some(VERSION) => Ok(()),
        Some(other) => Err(Notice::new(
            Code::Version,
            format!("This server speaks version {VERSION} of the protocol, not {other}. Reload the page or update."),
        )),
    }
}

pub(super) fn draining() -> Notice {
    Notice::new(Code::Draining, "The server is restarting and will be back in a moment.")
}

pub(super) fn too_many_robots() -> Notice {
    Notice::new(Code::Full, "This server has as many robots as it takes.")
}

pub(super) fn too_many_viewers(robot: &RobotId) -> Notice {
    Notice::new(Code::Full, format!("Robot {robot} has as many viewers as it takes."))
}

pub(super) fn offline(robot: &RobotId) -> Notice {
    Notice::new(Code::RobotOffline, format!("Robot {robot} is not connected."))
}

pub(super) fn out_of_reach(robot: &RobotId) -> Notice {
    Notice::new(
        Code::RobotOffline,
        format!("Robot {robot} is connected to another server, which this one cannot reach at the moment."),
    )
}

pub(crate) fn unreachable() -> Notice {
    Notice::new(Code::RobotOffline, "The server that the robot is connected to cannot be reached at the moment.")
}

pub(super) fn no_snapshots(robot: &RobotId) -> Notice {
    Notice::new(Code::Unsupported, format!("Robot {robot} is a web page, which makes no snapshots."))
}

pub(super) fn too_many_snapshots() -> Notice {
    Notice::new(Code::RateLimited, "More snapshots are asked for than this server fetches. Try again in a second.")
}

pub(super) fn snapshot_too_large(robot: &RobotId) -> Notice {
    Notice::new(Code::TooLarge, format!("Robot {robot} sent a larger picture than this server takes."))
}

pub(super) fn snapshot_empty(robot: &RobotId) -> Notice {
    Notice::new(Code::Malformed, format!("Robot {robot} sent a picture without bytes."))
}

/// Nothing is known of its camera.
pub(super) fn snapshot_unanswered(robot: &RobotId) -> Notice {
    Notice::new(
        Code::ConnectionFailed,
        format!("Robot {robot} did not answer in time: its link is slow, or it is too old to make snapshots."),
    )
}

pub(super) fn snapshot_too_slow(robot: &RobotId) -> Notice {
    Notice::new(Code::ConnectionFailed, format!("Robot {robot} sent only part of a picture in time: its link is slow."))
}

pub(super) fn unknown_robot(robot: &RobotId) -> Notice {
    Notice::new(Code::UnknownRobot, format!("No robot called {robot} has been here."))
}

pub(super) fn unknown_camera(robot: &RobotId, cameras: &[CameraInfo]) -> Notice {
    let names: Vec<&str> = cameras.iter().map(|camera| camera.id.as_str()).collect();
    Notice::new(Code::UnknownCamera, format!("Robot {robot} has no such camera; it has: {}.", names.join(", ")))
}

/// The same whether there is such a robot or not.
pub(crate) fn denied(denied: Denied, robot: Option<&RobotId>) -> Notice {
    let message = match (denied, robot) {
        (Denied::Unauthorized, Some(robot)) => {
            format!("There is no robot {robot} that you may watch. Ask its operator for a link.")
        }
        (Denied::Unauthorized, None) => "The link is not one of this server's. Ask for a new one.".to_owned(),
        (Denied::Expired, _) => "The link has run out. Ask for a new one.".to_owned(),
        (Denied::Revoked, _) => "The link has been taken back. Ask for a new one.".to_owned(),
    };
    Notice::new(denied.code(), message)
}

pub(super) fn link_is_full() -> Notice {
    Notice::new(Code::Full, "As many are watching by this link as it allows.")
}

/// The same whether there is such a robot or not.
pub(super) fn key_refused(robot: &RobotId) -> Notice {
    Notice::new(
        Code::Unauthorized,
        format!("The key is not that of robot {robot}. `server robot add` or `server robot rotate` gives it one."),
    )
}

pub(super) fn sent_away() -> Notice {
    Notice::new(Code::SentAway, "An operator of this server has ended your visit.")
}

pub(super) fn robot_replaced(robot: &RobotId) -> Notice {
    Notice::new(Code::Replaced, format!("Another connection has registered robot {robot}."))
}

pub(super) fn viewer_replaced() -> Notice {
    Notice::new(Code::Replaced, "Another connection has taken over this session.")
}

/// The same whether there is such a peer or not: nobody learns who else is here.
pub(super) fn stranger(to: &PeerId) -> Notice {
    Notice::new(Code::Unauthorized, format!("You have no session with peer {to}."))
}

pub(super) fn no_robot() -> Notice {
    Notice::new(Code::Unauthorized, "Only robots report on themselves and their viewers; this connection is none.")
}

pub(super) fn no_viewer() -> Notice {
    Notice::new(Code::Unauthorized, "Only viewers report on what they see; this connection is none.")
}

pub(super) fn no_publisher() -> Notice {
    Notice::new(Code::Unauthorized, "Only robots publish; this connection is none.")
}

pub(super) fn no_engine() -> Notice {
    Notice::new(Code::Unsupported, "This server has no media server to publish to: its [sfu] says of none.")
}

pub(super) fn not_published() -> Notice {
    Notice::new(Code::Malformed, "Nothing is published: `publish` comes first, and its answer.")
}

pub(super) fn malformed(message: &str) -> Notice {
    Notice::new(Code::Malformed, message)
}

pub(crate) fn too_fast() -> Notice {
    Notice::new(Code::RateLimited, "You say more at a time than this server takes. What is beyond that is dropped.")
}

pub(super) fn too_many_candidates() -> Notice {
    Notice::new(
        Code::RateLimited,
        format!("At most {} candidates are relayed in a session; further ones are dropped.", protocol::MAX_CANDIDATES),
    )
}
