//! A camera's current picture on its way to somebody who asks the server for it.
//!
//! It travels in pieces that are no larger than other messages, so that these can pass between them, and as what it is:
//! Socket.IO sends bytes beside the event that belongs to them.

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

use crate::{CameraId, Notice};

/// The largest picture that is taken, in bytes of its JPEG: 4096×2304 in full detail.
pub const MAX_SNAPSHOT: usize = 4 << 20;

/// The bytes of one piece.
pub const MAX_SNAPSHOT_PIECE: usize = 48 << 10;

/// The argument of `snapshot` to a robot, which answers with pieces or with a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SnapshotRequest {
    pub request: u32,
    pub camera: CameraId,
}

/// One of the pieces of a JPEG, which come in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SnapshotPiece {
    pub request: u32,
    pub last: bool,
}

/// There is no picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SnapshotFailure {
    pub request: u32,
    pub notice: Notice,
}

/// Bytes beside an event, of which there is one at most. Among the arguments stands what says so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "Uint8Array"))]
pub struct Attachment(pub Bytes);

/// What stands in its place.
#[derive(Deserialize)]
pub(crate) struct Placeholder {
    #[serde(rename = "_placeholder")]
    pub(crate) placeholder: bool,
}

impl Serialize for Attachment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut placeholder = serializer.serialize_struct("Placeholder", 2)?;
        placeholder.serialize_field("_placeholder", &true)?;
        placeholder.serialize_field("num", &0)?;
        placeholder.end()
    }
}
