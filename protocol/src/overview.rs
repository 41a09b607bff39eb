//! What operators are shown: who is live, how it goes, how it went, and what happened lately.
//!
//! Times are milliseconds since 1970. Addresses, tokens and whole session ids are not among it.

use serde::{Deserialize, Serialize};

use crate::{Bitrate, CameraId, CameraReport, Code, Count, Fps, Millis, RobotId, Sent, Share};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Overview {
    #[cfg_attr(test, ts(type = "number"))]
    pub at: u64,
    /// When the server began to count.
    #[cfg_attr(test, ts(type = "number"))]
    pub since: u64,
    /// Seconds between reports; absent: the server wants none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_every: Option<u32>,
    /// Of robots and viewers, those that only wait included.
    pub connections: usize,
    /// Viewers of robots that are not here are counted, too: what they see may well go on.
    pub viewers: usize,
    pub robots: Vec<RobotOverview>,
    /// Oldest first, for the last minutes.
    pub history: Vec<ServerSample>,
    /// Oldest first.
    pub events: Vec<Event>,
}

/// A live robot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct RobotOverview {
    pub robot: RobotId,
    #[cfg_attr(test, ts(type = "number"))]
    pub since: u64,
    /// As it announced them.
    pub cameras: Vec<CameraOverview>,
    /// What it sent since it started; absent without a report of late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
    /// In the order of their coming.
    pub viewers: Vec<ViewerOverview>,
    /// Oldest first, for the last minutes.
    pub history: Vec<RobotSample>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct CameraOverview {
    pub id: CameraId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Absent without a report of late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<CameraReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct ViewerOverview {
    /// The beginning of its session's id, enough to tell it from others. Whoever knows the whole can take it over.
    pub session: String,
    pub camera: CameraId,
    #[cfg_attr(test, ts(type = "number"))]
    pub since: u64,
    /// As its robot says; absent without a report of late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<ViewerSent>,
    /// As it says itself; absent without a report of late: it may be a hidden tab, or of another make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<ViewerShown>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct ViewerSent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<u8>,
    pub bitrate: Bitrate,
    pub loss: Share,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip: Option<Millis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct ViewerShown {
    pub fps: Fps,
    pub bitrate: Bitrate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Millis>,
    pub freezes: Count,
    pub relayed: bool,
}

/// One instant of a robot's last minutes. What nobody reported on is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct RobotSample {
    #[cfg_attr(test, ts(type = "number"))]
    pub at: u64,
    pub viewers: u32,
    /// Of its slowest camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<Fps>,
    /// To all viewers together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<Bitrate>,
    /// The mean of its viewers, as are those that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Share>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Millis>,
}

/// One instant of the server's last minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ServerSample {
    #[cfg_attr(test, ts(type = "number"))]
    pub at: u64,
    pub robots: u32,
    pub viewers: u32,
    /// Since the sample before.
    pub joined: u32,
    pub refused: u32,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Event {
    /// For the last time, if several times.
    #[cfg_attr(test, ts(type = "number"))]
    pub at: u64,
    pub kind: EventKind,
    /// More than one: the same, one after the other.
    pub times: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robot: Option<RobotId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    /// As in [`ViewerOverview::session`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum EventKind {
    /// A connection, before it could say what it is.
    TurnedAway,
    RobotUp,
    RobotDown,
    RobotRefused,
    Joined,
    /// To a session that had not ended.
    CameBack,
    Left,
    Refused,
}
