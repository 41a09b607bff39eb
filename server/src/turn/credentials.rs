//! Names and passwords for relays that end by themselves: the scheme that coturn calls `use-auth-secret`.
//!
//! A name says until when it holds and whose it is; the password is its signature by a secret that only servers know. So a
//! relay remembers nobody, and ours and one elsewhere are the same to whoever hands them out.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use protocol::RobotId;
use sha1::Sha1;

use super::message::Key;
use daemon::secret::Secret;

/// Seconds since 1970.
pub(crate) type UnixTime = u64;

/// Longer than any name that is made here.
const MAX_NAME: usize = 160;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// Makes credentials for somebody until then.
pub(crate) fn mint(secret: &Secret, holder: &Holder, until: UnixTime) -> Credentials {
    let username = format!("{until}:{holder}");
    Credentials { password: password(secret, &username), username }
}

/// Who is given credentials, as they say it in the open: on their way to the relay anybody can read a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    Robot(RobotId),
    /// Of one session, whose name is never given again.
    Viewer {
        robot: RobotId,
        /// Tells a robot's viewers apart, and nothing else.
        tag: u64,
    },
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Robot(robot) => write!(f, "{robot}"),
            Self::Viewer { robot, tag } => write!(f, "{robot}/{tag:016x}"),
        }
    }
}

/// A name that was made here, as far as one can tell before its signature is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub(super) until: UnixTime,
    /// Whose it is; the same in credentials that follow these.
    pub(super) holder: &'a str,
}

impl<'a> Name<'a> {
    pub(super) fn parse(username: &'a str) -> Option<Self> {
        let (until, holder) = username.split_once(':')?;
        let digits = !until.is_empty() && until.bytes().all(|byte| byte.is_ascii_digit());
        (digits && !holder.is_empty() && username.len() <= MAX_NAME)
            .then(|| until.parse().ok())
            .flatten()
            .map(|until| Self { until, holder })
    }

    /// The robot with which this one has to do.
    fn robot(&self) -> &'a str {
        self.holder.split_once('/').map_or(self.holder, |(robot, _)| robot)
    }

    pub(super) fn is_viewer(&self) -> bool {
        self.holder.contains('/')
    }
}

/// Whether the one may send to the other: a robot and its viewers, and never a viewer to a viewer.
pub(super) fn belong_together(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|holder| Name { until: 0, holder });
    one.robot() == other.robot() && !(one.is_viewer() && other.is_viewer())
}

pub(super) fn password(secret: &Secret, username: &str) -> String {
    let mut signer = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).expect("a key may have any length");
    signer.update(username.as_bytes());
    BASE64_STANDARD.encode(signer.finalize().into_bytes())
}

/// What signs messages of whoever knows the password (RFC 8489, section 9.2.2).
pub(super) fn key(username: &str, realm: &str, password: &str) -> Key {
    let digest = Md5::new_with_prefix(username)
        .chain_update(":")
        .chain_update(realm)
        .chain_update(":")
        .chain_update(password)
        .finalize();
    Key::new_from_slice(&digest).expect("a key may have any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn robot() -> RobotId {
        "demo".parse().expect("an id")
    }

    #[test]
    fn credentials_are_those_that_coturn_would_expect() {
        // printf 1700000000:demo | openssl dgst -sha1 -hmac north -binary | base64
        let minted = mint(&Secret::from("north".to_owned()), &Holder::Robot(robot()), 1_700_000_000);
        assert_eq!(minted.username, "1700000000:demo");
        assert_eq!(minted.password, "0fPtCL4ExhNV20Cjm4hWVgnceXs=");
        let viewer = Holder::Viewer { robot: robot(), tag: 0x1f };
        assert_eq!(mint(&Secret::from("n".to_owned()), &viewer, 1).username, "1:demo/000000000000001f");
    }

    #[test]
    fn a_name_says_until_when_and_whose() {
        assert_eq!(Name::parse("17:demo/1"), Some(Name { until: 17, holder: "demo/1" }));
        for bad in ["demo", ":demo", "17:", "+17:demo", "-1:demo", "17 :demo", "99999999999999999999:demo"] {
            assert_eq!(Name::parse(bad), None, "{bad}");
        }
        assert_eq!(Name::parse(&format!("17:{}", "x".repeat(200))), None);
    }

    #[test]
    fn robots_and_their_own_viewers_belong_together() {
        assert!(belong_together("demo", "demo/1") && belong_together("demo/1", "demo"));
        assert!(belong_together("demo", "demo"));
        assert!(!belong_together("demo/1", "demo/2"));
        assert!(!belong_together("demo", "demo2") && !belong_together("demo", "other/1"));
    }
}
