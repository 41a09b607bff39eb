//! What servers say to each other, as JSON.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use protocol::{CameraId, LinkId, Notice, PeerId, RobotId, SessionId, ToServer, ToViewer, WatchReply};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::value::RawValue;

use super::NodeId;
use crate::{
    auth::{Pass, Role},
    rooms::{Answer, Ending, Listing, Robots},
};

/// Counts how often a server has begun anew with what it tells others: whenever something may have been lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Epoch(pub(super) u64);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope<M> {
    pub(super) from: NodeId,
    pub(super) epoch: Epoch,
    pub(super) message: M,
}

/// To one server, or to all.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// All that it has, in pieces: others would wait behind one large message.
    Begins {
        robots: Robots,
        last: bool,
    },
    Ends,
    /// Said every second. Who says nothing for longer has ended.
    Alive {
        /// Where they have changed.
        viewers: BTreeMap<RobotId, usize>,
    },
    Up {
        robot: RobotId,
        listing: Listing,
    },
    Down {
        robot: RobotId,
    },
    /// Whoever says this does not know who it hears: that one is to begin anew.
    Unknown {
        epoch: Epoch,
    },
    /// A viewer comes, as a guest.
    Joins {
        peer: PeerId,
        pass: Option<Ticket>,
        /// The host that it is on, if that is the one of its own server.
        host: Option<String>,
    },
    Says {
        peer: PeerId,
        #[serde(deserialize_with = "to_server")]
        message: ToServer,
        /// Under which it waits for a reply.
        number: Option<u64>,
    },
    Leaves {
        peer: PeerId,
        ending: Ending,
    },
    /// To a guest, who is where this goes to.
    Tell {
        peer: PeerId,
        #[serde(deserialize_with = "to_viewer")]
        message: ToViewer,
    },
    Reply {
        peer: PeerId,
        number: u64,
        reply: WatchReply,
    },
    Close {
        peer: PeerId,
    },
    Snapshot {
        asker: u64,
        robot: RobotId,
        camera: Option<CameraId>,
    },
    SnapshotUnasked {
        asker: u64,
    },
    Pictured {
        asker: u64,
        picture: Picture,
    },
    SendAway {
        asker: u64,
        robot: RobotId,
        beginning: SessionId,
    },
    SentAway {
        asker: u64,
        found: bool,
    },
}

/// A link's pass. How long it lasts is the same by everybody's clock.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ticket {
    link: LinkId,
    robot: RobotId,
    role: Role,
    max_viewers: Option<NonZeroU32>,
    lasts_ms: u64,
}

impl Ticket {
    pub(crate) fn of(pass: Pass, now: Instant) -> Self {
        let Pass { link, robot, role, max_viewers, until } = pass;
        let lasts_ms = u64::try_from(until.saturating_duration_since(now).as_millis()).unwrap_or(u64::MAX);
        Self { link, robot, role, max_viewers, lasts_ms }
    }

    /// As long as anything lasts that a link is good for; whatever is longer was made up.
    pub(crate) fn into_pass(self, now: Instant) -> Pass {
        const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
        let Self { link, robot, role, max_viewers, lasts_ms } = self;
        Pass { link, robot, role, max_viewers, until: now + Duration::from_millis(lasts_ms).min(LONGEST) }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Picture {
    Jpeg(#[serde(with = "text")] Bytes),
    Refused(Notice),
}

impl From<Answer> for Picture {
    fn from(answer: Answer) -> Self {
        match answer {
            Ok(jpeg) => Self::Jpeg(jpeg),
            Err(notice) => Self::Refused(notice),
        }
    }
}

impl From<Picture> for Answer {
    fn from(picture: Picture) -> Self {
        match picture {
            Picture::Jpeg(jpeg) => Ok(jpeg),
            Picture::Refused(notice) => Err(notice),
        }
    }
}

fn to_server<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ToServer, D::Error> {
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    ToServer::decode(raw.get()).map_err(D::Error::custom)
}

fn to_viewer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ToViewer, D::Error> {
    let raw: &RawValue = Deserialize::deserialize(deserializer)?;
    ToViewer::decode(raw.get()).map_err(D::Error::custom)
}

/// Bytes in JSON.
mod text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text: &str = Deserialize::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Bytes::from).map_err(D::Error::custom)
    }
}
