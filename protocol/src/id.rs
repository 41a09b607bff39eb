//! The names of things: parsed once at the edge, right by type from there on.

use std::fmt;

use serde::{Deserialize, Serialize};

const MAX_LEN: usize = 64;

/// Why a text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    #[error("an id cannot be empty")]
    Empty,
    #[error("an id has at most {MAX_LEN} characters")]
    TooLong,
    #[error("an id has only letters, digits, '-' and '_'")]
    Character,
}

fn check(id: &str) -> Result<(), InvalidId> {
    if id.is_empty() {
        return Err(InvalidId::Empty);
    }
    if id.len() > MAX_LEN {
        return Err(InvalidId::TooLong);
    }
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if id.bytes().all(fine) { Ok(()) } else { Err(InvalidId::Character) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $clean:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        #[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                let clean: fn(&str) -> &str = $clean;
                let text = clean(&text);
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// Names one robot: a broadcaster and its key. Part of the viewer's URL.
    RobotId, |text| text;
    /// Names one camera of a robot. Part of the viewer's URL.
    CameraId, |text| text;
    /// Names one signalling connection, as the server gave it out; it changes when its owner reconnects.
    ///
    /// Some clients of the family put `/#` before it.
    PeerId, |text| text.strip_prefix("/#").unwrap_or(text);
    /// Names one viewer's session with a robot's camera for as long as its media lives, across reconnections of either.
    ///
    /// Whoever knows it can resume it, so the server makes it unguessable.
    SessionId, |text| text;
    /// Names one link that lets viewers in, so that it can be listed and revoked. It is no secret, and no link.
    LinkId, |text| text;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_plain() {
        assert_eq!("demo".parse::<RobotId>().map(|id| id.to_string()), Ok("demo".to_owned()));
        assert_eq!("".parse::<RobotId>(), Err(InvalidId::Empty));
        assert_eq!("x".repeat(65).parse::<RobotId>(), Err(InvalidId::TooLong));
        for bad in ["a/b", "a b", "ä", "<b>", "a\n", "/#abc"] {
            assert_eq!(bad.parse::<RobotId>(), Err(InvalidId::Character), "{bad:?}");
        }
    }

    #[test]
    fn the_prefix_that_some_clients_send_is_no_part_of_a_peer_id() {
        assert_eq!("/#abc".parse::<PeerId>(), "abc".parse::<PeerId>());
        assert_eq!(serde_json::from_str::<PeerId>(r#""/#abc""#).expect("parses").as_str(), "abc");
    }
}
