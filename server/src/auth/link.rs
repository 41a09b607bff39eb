//! Links, as operators make and list them.

use std::{num::NonZeroU32, time::Duration};

use protocol::{LinkId, RobotId};

use super::{Role, Token, UnixTime};

/// A link that is to be good for longer is a robot that everybody may watch.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

const MAX_NOTE: usize = 200;

#[derive(Clone, Debug)]
pub struct NewLink {
    pub robot: RobotId,
    pub role: Role,
    pub max_viewers: Option<NonZeroU32>,
    pub lasts: Duration,
    /// What for, in the operator's words.
    pub note: String,
}

/// A link, as lists show it. Its token is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub id: LinkId,
    pub robot: RobotId,
    pub role: Role,
    pub max_viewers: Option<NonZeroU32>,
    pub note: String,
    pub created: UnixTime,
    pub expires: UnixTime,
    pub revoked: bool,
}

impl Link {
    /// Where it leads, below the server's address. What is behind the `#` stays in the browser.
    pub fn path(&self, token: &Token) -> String {
        format!("/watch/{}#token={}", self.robot, token.as_str())
    }
}

/// How long a link may be good for.
pub fn check_lasts(time: Duration) -> Result<Duration, &'static str> {
    let fine = (Duration::from_secs(1)..=LONGEST).contains(&time);
    if fine { Ok(time) } else { Err("it must be from a second to ten years") }
}

pub fn check_note(text: &str) -> Result<(), &'static str> {
    let fine = text.len() <= MAX_NOTE && !text.chars().any(char::is_control);
    if fine { Ok(()) } else { Err("it must be one line of at most 200 bytes") }
}
