//! Everything that robot, server and viewer say to each other, and nothing else.
//!
//! Event names and the order of arguments are those of the browser broadcast family, whose pages work against our server
//! as they are; what Panocast adds are optional trailing objects and acknowledgements. This crate is the only definition:
//! Rust ends use these types, the page uses `web-viewer/src/protocol.gen.ts`, which a test here generates from them, and
//! the tests of both read the same JSON in `fixtures/`.
//!
//! Unknown fields are ignored, so that a tab that was left open survives a newer server; unknown events are an error that
//! the sender is told about.

mod admission;
mod attitude;
mod candidate;
mod cube;
mod description;
mod fingerprint;
mod id;
mod key;
mod message;
mod overview;
mod projection;
mod quantity;
mod report;
mod snapshot;
#[cfg(test)]
mod typescript;

pub use admission::{
    Admission, CameraInfo, Code, Crowd, Hello, IceServer, LiveRobot, Media, MediaKind, MediaToken, Notice,
    PublicationRef, Register, RegisterReply, Registration, RobotRef, Rung, SessionRef, Sfu, Ticket, Video, VideoCodec,
    Want, Watch, WatchReply, Wishes, Yes,
};
pub use attitude::{ATTITUDE_STREAM, Reading, Up, message as attitude_message};
pub use candidate::{Candidate, CandidateError, Reach};
pub use cube::{CubeCell, CubeFace, CubeLayout, InvalidLayout, InvalidTurn, Turn};
pub use description::{Description, DescriptionKind, MAX_SDP_BYTES, MAX_SDP_MEDIA, Sdp, SdpError};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use id::{CameraId, InvalidId, LinkId, PeerId, RobotId, SessionId};
pub use key::{InvalidKey, RobotKey};
pub use message::{DecodeError, ToRobot, ToServer, ToViewer};
pub use overview::{
    CameraOverview, Event, EventKind, Overview, RobotOverview, RobotSample, ServerSample, ViewerOverview, ViewerSent,
    ViewerShown,
};
pub use projection::{Bend, Lens, NotReal, Projection, Real, Rotation};
pub use quantity::{Bitrate, Count, Fps, Millis, Share};
pub use report::{
    AudienceReport, CameraReport, EncodingReport, MAX_REPORTED, Reception, RobotReport, Sent, ViewerReport,
};
pub use snapshot::{Attachment, MAX_SNAPSHOT, MAX_SNAPSHOT_PIECE, SnapshotFailure, SnapshotPiece, SnapshotRequest};

/// The version that joining messages carry; a peer that names another one is refused with [`Code::Version`].
pub const VERSION: u32 = 1;

/// Candidates that one end may send for one session; more is a flood, not a network.
pub const MAX_CANDIDATES: usize = 64;
