//! What is said to those who are refused, in one place so that it stays one voice.

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

pub(super) fn malformed(message: &str) -> Notice {
    Notice::new(Code::Malformed, message)
}

pub(super) fn too_many_candidates() -> Notice {
    Notice::new(
        Code::RateLimited,
        format!("At most {} candidates are relayed in a session; further ones are dropped.", protocol::MAX_CANDIDATES),
    )
}
