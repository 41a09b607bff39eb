//! One enum per direction, one variant per Socket.IO event, encoded and decoded here and nowhere else.
//!
//! On the wire an event is the JSON array `["name", argument, …]`. Arguments that are absent count as `null`, further ones
//! are ignored, so that either end may be older.

use bytes::Bytes;
use serde::ser::{Serialize, SerializeSeq, Serializer};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    Attachment, AudienceReport, Candidate, Code, Crowd, Description, DescriptionKind, IceServer, Notice, PeerId,
    PublicationRef, Reception, Register, RobotRef, RobotReport, Sdp, SdpError, SessionRef, SnapshotFailure,
    SnapshotPiece, SnapshotRequest, Ticket, Watch, snapshot::Placeholder,
};

/// Why an event could not be taken. Its text is meant for the sender.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("not an event: it must be a JSON array that starts with a name")]
    NotAnEvent,
    #[error("there is no event {0:?}")]
    UnknownEvent(String),
    #[error("{event}, argument {argument}: {cause}")]
    Malformed { event: &'static str, argument: &'static str, cause: String },
    #[error("{event}, argument {argument}: {cause}")]
    TooLarge { event: &'static str, argument: &'static str, cause: SdpError },
}

impl DecodeError {
    /// What the sender is told.
    pub fn notice(&self) -> Notice {
        let code = match self {
            Self::TooLarge { .. } => Code::TooLarge,
            Self::NotAnEvent | Self::UnknownEvent(_) | Self::Malformed { .. } => Code::Malformed,
        };
        Notice::new(code, self.to_string())
    }
}

/// Longest event name worth repeating to the one who sent it.
const MAX_ECHO: usize = 32;

/// Longest cause worth saying, in letters: some repeat all of what was wrong.
const MAX_CAUSE: usize = 256;

enum ArgumentError {
    TooLarge(SdpError),
    Malformed(String),
}

/// A value that can stand in an event's argument list.
trait Argument: Serialize + Sized {
    fn parse(raw: &str, attached: Option<&Bytes>) -> Result<Self, ArgumentError>;
}

fn from_json<T: DeserializeOwned>(raw: &str) -> Result<T, ArgumentError> {
    serde_json::from_str(raw).map_err(|error| ArgumentError::Malformed(in_one_line(&error.to_string())))
}

fn in_one_line(cause: &str) -> String {
    cause.chars().take(MAX_CAUSE).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

macro_rules! json_arguments {
    ($($type:ty),*) => {$(
        impl Argument for $type {
            fn parse(raw: &str, _: Option<&Bytes>) -> Result<Self, ArgumentError> {
                from_json(raw)
            }
        }
    )*};
}
json_arguments!(
    PeerId,
    Candidate,
    Register,
    Watch,
    Ticket,
    SessionRef,
    RobotRef,
    PublicationRef,
    Crowd,
    Notice,
    SnapshotRequest,
    SnapshotPiece,
    SnapshotFailure,
    Vec<IceServer>,
    RobotReport,
    AudienceReport,
    Reception
);

impl Argument for Attachment {
    fn parse(raw: &str, attached: Option<&Bytes>) -> Result<Self, ArgumentError> {
        let Placeholder { placeholder } = from_json(raw)?;
        let attached = attached.filter(|_| placeholder);
        attached.cloned().map(Self).ok_or_else(|| ArgumentError::Malformed("its bytes are missing".to_owned()))
    }
}

impl Argument for Description {
    fn parse(raw: &str, _: Option<&Bytes>) -> Result<Self, ArgumentError> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(rename = "type")]
            kind: DescriptionKind,
            sdp: String,
        }
        let wire: Wire = from_json(raw)?;
        match Sdp::try_from(wire.sdp) {
            Ok(sdp) => Ok(Self { kind: wire.kind, sdp }),
            Err(error @ SdpError::TooLarge(_)) => Err(ArgumentError::TooLarge(error)),
            Err(error) => Err(ArgumentError::Malformed(error.to_string())),
        }
    }
}

impl<T: Argument> Argument for Option<T> {
    fn parse(raw: &str, attached: Option<&Bytes>) -> Result<Self, ArgumentError> {
        if raw == "null" { Ok(None) } else { T::parse(raw, attached).map(Some) }
    }
}

macro_rules! messages {
    ($($(#[$doc:meta])* pub enum $name:ident {
        $($(#[$variant_doc:meta])* $event:literal => $variant:ident { $($field:ident: $type:ty),* },)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant { $($field: $type),* },)*
        }

        impl $name {
            /// The names of all events of this direction.
            pub const EVENTS: &[&str] = &[$($event),*];

            /// The event's name on the wire.
            pub fn event(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $event,)*
                }
            }

            /// Reads `["name", argument, …]`.
            pub fn decode(text: &str) -> Result<Self, DecodeError> {
                Self::decode_with(text, None)
            }

            /// The same for an event beside which bytes may have come.
            pub fn decode_with(text: &str, attached: Option<&Bytes>) -> Result<Self, DecodeError> {
                let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| DecodeError::NotAnEvent)?;
                let mut elements = elements.into_iter().map(RawValue::get);
                let name = elements.next().ok_or(DecodeError::NotAnEvent)?;
                let name: String = serde_json::from_str(name).map_err(|_| DecodeError::NotAnEvent)?;
                match name.as_str() {
                    $($event => Ok(Self::$variant {
                        $($field: <$type as Argument>::parse(elements.next().unwrap_or("null"), attached)
                            .map_err(|error| error.at($event, stringify!($field)))?,)*
                    }),)*
                    unknown => Err(DecodeError::UnknownEvent(unknown.chars().take(MAX_ECHO).collect())),
                }
            }

            /// Only the arguments, for a transport that takes the name by itself.
            pub fn arguments(&self) -> impl Serialize + '_ {
                Arguments { message: self, with_event: false }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Arguments { message: self, with_event: true }.serialize(serializer)
            }
        }

        impl Serialize for Arguments<'_, $name> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut sequence = serializer.serialize_seq(None)?;
                if self.with_event {
                    sequence.serialize_element(self.message.event())?;
                }
                match self.message {
                    $($name::$variant { $($field),* } => { $(sequence.serialize_element($field)?;)* })*
                }
                sequence.end()
            }
        }

        #[cfg(test)]
        impl crate::typescript::Declared for $name {
            const NAME: &'static str = stringify!($name);

            fn union(config: &ts_rs::Config) -> Vec<String> {
                vec![$({
                    let arguments: &[(&str, String)] =
                        &[$((stringify!($field), <$type as ts_rs::TS>::name(config)),)*];
                    crate::typescript::tuple($event, arguments)
                },)*]
            }
        }
    )*};
}

struct Arguments<'a, M> {
    message: &'a M,
    with_event: bool,
}

impl ArgumentError {
    fn at(self, event: &'static str, argument: &'static str) -> DecodeError {
        match self {
            Self::TooLarge(cause) => DecodeError::TooLarge { event, argument, cause },
            Self::Malformed(cause) => DecodeError::Malformed { event, argument, cause },
        }
    }
}

messages! {
    /// What robots and viewers say. A connection's first `broadcaster` or `watcher` decides which of them it is.
    ///
    /// Payloads may be null: pages send them before they are ready. The server drops those and keeps the connection.
    pub enum ToServer {
        "broadcaster" => Broadcaster { register: Option<Register> },
        "watcher" => Watcher { watch: Option<Watch> },
        "offer" => Offer { to: PeerId, description: Option<Description>, about: Option<SessionRef> },
        "answer" => Answer { to: PeerId, description: Option<Description>, about: Option<SessionRef> },
        "candidate" => Candidate { to: PeerId, candidate: Option<Candidate>, about: Option<SessionRef> },
        /// A robot tells one of its viewers why its session ended.
        "notice" => Notice { to: PeerId, notice: Notice, about: Option<SessionRef> },
        /// A piece of the picture that the server asked for.
        "snapshot" => Snapshot { piece: SnapshotPiece, jpeg: Attachment },
        "snapshotFailed" => SnapshotFailed { failure: SnapshotFailure },
        /// How a robot does.
        "report" => Report { report: RobotReport },
        /// How a robot's viewers do, as it sees them.
        "audience" => Audience { audience: AudienceReport },
        /// How a viewer sees the picture.
        "reception" => Reception { reception: Reception, about: Option<SessionRef> },
        /// A viewer has the picture by this session: what it watched before may end.
        "arrived" => Arrived { about: SessionRef },
        /// A robot wants to send a camera's pictures to the server's media server, and offers it a connection.
        "publish" => Publish { camera: PublicationRef, description: Description },
        /// They arrive there: viewers can be sent there, too.
        "published" => Published { camera: PublicationRef },
        /// They will not much longer: viewers are to come to the robot again.
        "recall" => Recall { camera: PublicationRef },
        /// They do so no more.
        "unpublish" => Unpublish { camera: PublicationRef },
    }

    /// What the server tells a viewer.
    pub enum ToViewer {
        /// The robot is live: ask (again) to watch it.
        "broadcaster" => Broadcaster { about: Option<RobotRef> },
        "offer" => Offer { from: PeerId, description: Description, about: Option<SessionRef> },
        /// To a viewer that has made the offer itself.
        "answer" => Answer { from: PeerId, description: Description, about: Option<SessionRef> },
        "candidate" => Candidate { from: PeerId, candidate: Candidate, about: Option<SessionRef> },
        /// The robot's connection to the server is gone. Its media may well go on.
        "broadcasterLeft" => BroadcasterLeft { about: Option<RobotRef> },
        /// Of the server, or about a session, of its robot.
        "notice" => Notice { notice: Notice, about: Option<SessionRef> },
        /// The picture comes another way from now on: ask again, beside what is watched by this session.
        "move" => Move { about: SessionRef },
    }

    /// What the server tells a robot.
    pub enum ToRobot {
        /// This viewer may watch: offer to it, unless the ticket says that its session goes on, or that it offers itself.
        "watcher" => Watcher { viewer: PeerId, ticket: Option<Ticket> },
        "offer" => Offer { from: PeerId, description: Description, about: Option<SessionRef> },
        "answer" => Answer { from: PeerId, description: Description, about: Option<SessionRef> },
        "candidate" => Candidate { from: PeerId, candidate: Candidate, about: Option<SessionRef> },
        /// The viewer has left. Sent together with `bye`: pages of the family know one or the other.
        "disconnectPeer" => DisconnectPeer { viewer: PeerId },
        "bye" => Bye { viewer: PeerId },
        /// A session that the robot named, and whose viewer nobody knows by another name, is over.
        "sessionEnded" => SessionEnded { about: SessionRef },
        "notice" => Notice { notice: Notice },
        /// The STUN and TURN servers to use from now on: credentials end, and robots stay.
        "iceServers" => IceServers { servers: Vec<IceServer> },
        /// Somebody wants a camera's current picture.
        "snapshot" => Snapshot { request: SnapshotRequest },
        /// The media server's answer to `publish`.
        "publishing" => Publishing { camera: PublicationRef, description: Description },
        /// It did not take what was offered, or has it no more.
        "notPublished" => NotPublished { camera: PublicationRef, notice: Notice },
        /// So many watch there now.
        "crowd" => Crowd { crowd: Crowd },
    }
}

impl ToServer {
    /// The bytes that are sent beside the event.
    pub fn attachment(&self) -> Option<&Bytes> {
        if let Self::Snapshot { jpeg: Attachment(bytes), .. } = self { Some(bytes) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Fixtures {
        to_server: Vec<Box<RawValue>>,
        to_viewer: Vec<Box<RawValue>>,
        to_robot: Vec<Box<RawValue>>,
        refused_by_server: Vec<Refused>,
    }

    #[derive(Deserialize)]
    struct Refused {
        event: Box<RawValue>,
        code: Code,
        names: String,
    }

    fn fixtures() -> Fixtures {
        serde_json::from_str(include_str!("../fixtures/messages.json")).expect("fixtures parse")
    }

    fn json(text: &str) -> serde_json::Value {
        serde_json::from_str(text).expect("JSON")
    }

    /// Decodes each fixture, encodes it again, and expects the same JSON but for arguments that say nothing.
    macro_rules! round_trip {
        ($message:ty, $fixtures:expr) => {{
            let mut seen = std::collections::BTreeSet::new();
            for raw in &$fixtures {
                let message = <$message>::decode_with(raw.get(), Some(&Bytes::from_static(b"JPEG")))
                    .unwrap_or_else(|error| panic!("{raw}: {error}"));
                seen.insert(message.event());
                let again = serde_json::to_value(&message).expect("encodes");
                let mut elements = again.as_array().expect("an array").clone();
                while elements.last().is_some_and(serde_json::Value::is_null) {
                    elements.pop();
                }
                let mut given = json(raw.get()).as_array().expect("an array").clone();
                while given.last().is_some_and(serde_json::Value::is_null) {
                    given.pop();
                }
                assert_eq!(elements, given);
            }
            let all: std::collections::BTreeSet<_> = <$message>::EVENTS.iter().copied().collect();
            assert_eq!(seen, all, "every event of the direction has a fixture");
        }};
    }

    #[test]
    fn every_fixture_survives_a_round_trip() {
        let fixtures = fixtures();
        round_trip!(ToServer, fixtures.to_server);
        round_trip!(ToViewer, fixtures.to_viewer);
        round_trip!(ToRobot, fixtures.to_robot);
    }

    #[test]
    fn what_is_refused_is_named_to_its_sender() {
        for Refused { event, code, names } in fixtures().refused_by_server {
            let notice = ToServer::decode(event.get()).expect_err(event.get()).notice();
            assert_eq!(notice.code, code, "{event}");
            assert!(notice.message.contains(&names), "{event}: {:?} should name {names:?}", notice.message);
        }
    }

    #[test]
    fn bytes_come_with_the_event_that_says_so_or_not_at_all() {
        let event = r#"["snapshot",{"request":1,"last":true},{"_placeholder":true,"num":0}]"#;
        let jpeg = Bytes::from_static(b"JPEG");
        let message = ToServer::decode_with(event, Some(&jpeg)).expect("whole");
        assert_eq!(message.attachment(), Some(&jpeg));
        let missing = ToServer::decode(event).expect_err("nothing is attached").to_string();
        assert!(missing.contains("argument jpeg") && missing.contains("missing"), "{missing}");
        assert!(ToServer::decode_with(&event.replace("true,\"num", "false,\"num"), Some(&jpeg)).is_err());
    }

    #[test]
    fn an_oversized_description_is_too_large_and_not_merely_malformed() {
        let sdp = format!("v=0\r\nm=video 9 x 96\r\na={}\r\n", "x".repeat(40_000));
        let event = serde_json::json!(["answer", "abc", { "type": "answer", "sdp": sdp }]).to_string();
        assert_eq!(ToServer::decode(&event).expect_err("refused").notice().code, Code::TooLarge);
    }
}
