//! Who asks to be let in, with what, and what they are told.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{CameraId, LinkId, PeerId, Projection, RobotId, RobotKey, Rotation, SessionId};

/// What a connection shows when it is made, as the `auth` of Socket.IO's handshake. Pages of the family show nothing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Hello {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// That of the link which the viewer opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Tokens open doors: not to be seen in logs.
impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello").field("version", &self.version).field("token", &self.token.is_some()).finish()
    }
}

/// A viewer's request, the argument of `watcher`. Pages of the family send none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Watch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Absent: the server's default robot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub robot: Option<RobotId>,
    /// Absent: the robot's first camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    /// A session whose media this viewer still receives, to be bound to its new connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<SessionId>,
    /// What else this viewer can have the picture by than a connection to the robot. Absent: whatever there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<Vec<MediaKind>>,
    /// What this viewer watches goes on until it says `arrived` of what it asks for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>"))]
    pub beside: bool,
    #[serde(flatten)]
    pub wishes: Wishes,
}

/// What a viewer asks of its robot; the server passes it on as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Wishes {
    /// The codecs that the viewer can decode. Empty: what its answer to the offer says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(as = "Option<Vec<VideoCodec>>"))]
    pub codecs: Vec<VideoCodec>,
    /// Absent: whatever the path carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub want: Option<Want>,
    /// With a session that is resumed: its path broke or changed, and another is to be found (an ICE restart).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>"))]
    pub restart: bool,
    /// How the robot leans, where it says so, by a data channel of the connection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>"))]
    pub attitude: bool,
    /// The viewer makes the offer, which follows, and the robot answers: players that speak WHEP do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>"))]
    pub offers: bool,
}

/// Which of the robot's encodings a viewer asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Want {
    /// The place in [`Video::rungs`]. Absent: whatever the path carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<u8>,
    /// Of what the path carries, nothing better than this place: a small picture has no room for it. Absent: the best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum VideoCodec {
    H264,
    Vp8,
    /// One that a newer page knows.
    #[serde(other)]
    Other,
}

/// The answer to [`Watch`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and nearly all of them are the large one")]
#[serde(untagged)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum WatchReply {
    Admitted(Admission),
    Refused { error: Notice },
}

/// What an admitted viewer needs to know before the robot's offer reaches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Admission {
    pub ok: Yes,
    pub session: SessionId,
    pub robot: RobotId,
    pub camera: CameraId,
    /// The robot's signalling connection, which answers and candidates are addressed to.
    pub peer: PeerId,
    /// Whether the session in [`Watch::resume`] goes on; otherwise an offer for a new one follows.
    pub resumed: bool,
    pub ice_servers: Vec<IceServer>,
    pub video: Video,
    pub media: Media,
    /// Seconds between the reports that the server wants; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_every: Option<u32>,
}

/// A robot's claim, the argument of `broadcaster`. Pages of the family send none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Register {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Absent: the server's default robot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub robot: Option<RobotId>,
    /// What proves it, where the server wants proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<RobotKey>,
    /// Absent: one camera of which nothing is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cameras: Vec<CameraInfo>,
    /// Sessions whose media still flows from before this connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<SessionId>,
    /// By which link the viewers of these came, if by one: it may have been taken back meanwhile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(test, ts(as = "Option<BTreeMap<SessionId, LinkId>>"))]
    pub links: BTreeMap<SessionId, LinkId>,
    /// Cameras whose pictures still reach the server's media server from before this connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(as = "Option<Vec<CameraId>>"))]
    pub published: Vec<CameraId>,
}

/// The answer to [`Register`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum RegisterReply {
    Registered(Registration),
    Refused { error: Notice },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Registration {
    pub ok: Yes,
    pub robot: RobotId,
    pub ice_servers: Vec<IceServer>,
    /// Seconds between the reports that the server wants; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_every: Option<u32>,
    /// A media server that this robot's pictures may be published to; absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sfu: Option<Sfu>,
}

/// A media server that passes on to many viewers what a robot sends it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Sfu {
    /// Of how many of a camera's qualities it makes use.
    pub qualities: u8,
    /// It passes on what is said beside the pictures, in LiveKit's data packets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>"))]
    pub data: bool,
    /// It wants each quality as a track of its own, and viewers choose among those; otherwise it chooses for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>"))]
    pub apart: bool,
}

/// One camera as its robot announces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct CameraInfo {
    pub id: CameraId,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default)]
    pub video: Video,
}

/// How a camera's picture is to be shown, and at which qualities it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Video {
    #[serde(default)]
    pub projection: Projection,
    /// How the camera sits on the robot; only pictures in which one can look around have it.
    #[serde(default, skip_serializing_if = "Rotation::is_none")]
    #[cfg_attr(test, ts(optional, as = "Option<Rotation>"))]
    pub mount: Rotation,
    /// It leans with the robot, which says how to viewers that ask for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(as = "Option<bool>"))]
    pub leans: bool,
    /// Best first; empty when the robot did not say.
    #[serde(default)]
    pub rungs: Vec<Rung>,
}

/// One encoding of a camera.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Rung {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// Bits per second.
    pub bitrate: u32,
}

/// Where the media comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Media {
    /// Straight from the robot, one peer connection per viewer.
    P2p,
    /// From a room of LiveKit's, by its own client.
    Livekit { url: String, token: MediaToken },
    /// From a server that speaks WHEP: the viewer makes the offer, addressed to [`Admission::peer`], and gets the answer.
    Whep,
}

/// The kinds of [`Media`] beside that which every viewer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum MediaKind {
    Livekit,
    Whep,
    /// One that a newer page knows.
    #[serde(other)]
    Other,
}

/// Lets one viewer into one room. It opens a door: not to be seen in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub struct MediaToken(String);

impl MediaToken {
    pub fn new(token: String) -> Self {
        Self(token)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MediaToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A STUN or TURN server, in the shape that browsers take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct IceServer {
    pub urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// The trailing object of `watcher` on its way to the robot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Ticket {
    pub session: SessionId,
    pub camera: CameraId,
    /// The session is one that the robot named in [`Register::sessions`] or still serves: no new offer is wanted.
    #[serde(default)]
    pub resumed: bool,
    /// Seconds from now after which the session is to end, whether or not the server is there to say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub expires_in: Option<u32>,
    /// The link that the viewer came by, to be named in [`Register::links`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub link: Option<LinkId>,
    /// The viewer operates the robot, and comes before those who only watch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(optional, as = "Option<bool>"))]
    pub operates: bool,
    #[serde(flatten)]
    pub wishes: Wishes,
}

/// The trailing object of `offer`, `answer` and `candidate`: which session they belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SessionRef {
    pub session: SessionId,
}

/// Which camera's pictures are meant, of those that the robot publishes or is about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PublicationRef {
    pub camera: CameraId,
}

/// How many watch a camera by the server's media server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Crowd {
    pub camera: CameraId,
    pub viewers: u32,
}

/// The trailing object of `broadcaster` and `broadcasterLeft` on their way to viewers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RobotRef {
    pub robot: RobotId,
}

/// One live robot, as `GET /api/v1/robots` lists them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LiveRobot {
    pub robot: RobotId,
    pub cameras: Vec<CameraInfo>,
    pub viewers: usize,
}

/// A code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Notice {
    pub code: Code,
    pub message: String,
}

impl Notice {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Why something was refused or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Code {
    UnknownRobot,
    UnknownCamera,
    RobotOffline,
    Unauthorized,
    TokenExpired,
    TokenRevoked,
    Full,
    /// One address has as many connections as it may.
    Crowded,
    RateLimited,
    TooLarge,
    Malformed,
    Version,
    /// An operator has ended the visit.
    SentAway,
    /// Another connection has registered the same robot.
    Replaced,
    /// The viewer cannot decode what the robot sends.
    Unsupported,
    /// Robot and viewer found no way to each other, or the way broke.
    ConnectionFailed,
    /// The camera gives no pictures; the session goes on, and shows them as soon as it does again.
    CameraLost,
    /// The server is going down and will be back.
    Draining,
}

/// The `true` in `{ok: true}`: an acknowledgement that says `ok: false` is not an admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "true"))]
pub struct Yes;

impl Serialize for Yes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl<'de> Deserialize<'de> for Yes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if bool::deserialize(deserializer)? { Ok(Self) } else { Err(serde::de::Error::custom("ok is not true")) }
    }
}

/// The code as it stands on the wire.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_tell_admission_from_refusal() {
        #[derive(Deserialize)]
        struct Fixtures {
            watch_replies: Vec<serde_json::Value>,
        }
        let fixtures: Fixtures =
            serde_json::from_str(include_str!("../fixtures/messages.json")).expect("fixtures parse");
        let mut admitted = 0;
        for value in &fixtures.watch_replies {
            let reply: WatchReply = serde_json::from_value(value.clone()).expect("a reply");
            admitted += usize::from(matches!(reply, WatchReply::Admitted(_)));
            assert_eq!(serde_json::to_value(&reply).expect("encodes"), *value);
        }
        assert_eq!((admitted, fixtures.watch_replies.len()), (8, 9));
        let not_ok = fixtures.watch_replies[0].to_string().replace("\"ok\":true", "\"ok\":false");
        assert!(serde_json::from_str::<WatchReply>(&not_ok).is_err());
    }
}
