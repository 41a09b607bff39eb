//! One viewer's session, as its robot and it itself see it.

use std::time::Instant;

use protocol::{CameraId, Count, Reception, RobotId, SessionId, ViewerReport, ViewerSent, ViewerShown};

use super::Moment;

/// More in one report is a broken counter, or a lie.
const MOST_FREEZES: u64 = 100;

#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) robot: RobotId,
    pub(super) camera: CameraId,
    pub(super) since: Moment,
    /// When it asked, until it has an offer.
    pub(super) asked: Option<Instant>,
    pub(super) sent: Option<(Instant, ViewerSent)>,
    pub(super) shown: Option<(Instant, ViewerShown)>,
    /// What it counted by its last report; none of a session that began before this server did.
    freezes: Option<u64>,
}

impl Viewer {
    pub(super) fn new(robot: RobotId, camera: CameraId, resumed: bool, now: Moment) -> Self {
        Self {
            robot,
            camera,
            since: now,
            asked: (!resumed).then_some(now.at),
            sent: None,
            shown: None,
            freezes: (!resumed).then_some(0),
        }
    }

    /// Those that are new.
    pub(super) fn freezes_since(&mut self, counted: Count) -> u64 {
        let before = self.freezes.replace(counted.get());
        before.map_or(0, |before| counted.get().saturating_sub(before).min(MOST_FREEZES))
    }
}

pub(super) fn sent(report: &ViewerReport) -> ViewerSent {
    let ViewerReport { session: _, rung, bitrate, loss, round_trip } = *report;
    ViewerSent { rung, bitrate, loss, round_trip }
}

pub(super) fn shown(reception: Reception) -> ViewerShown {
    let Reception { fps, bitrate, delay, freezes, relayed } = reception;
    ViewerShown { fps, bitrate, delay, freezes, relayed }
}

/// What of a session's id may be shown.
pub(crate) fn short(session: &SessionId) -> String {
    session.as_str().chars().take(8).collect()
}
