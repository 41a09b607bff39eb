//! A robot's key, as it is written in the robot's config.

use std::fmt;

use serde::{Deserialize, Serialize};

/// So that people and scanners for lost secrets know one when they see it.
const PREFIX: &str = "pk_";

/// 256 bits in base64.
const LETTERS: usize = 43;

/// Proves that a broadcaster is the robot that it says it is. Not to be seen in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub struct RobotKey(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a robot's key is \"{PREFIX}\" and {LETTERS} letters, digits, '-' and '_', as `server robot add` prints it")]
pub struct InvalidKey;

impl RobotKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RobotKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        let letters = text.strip_prefix(PREFIX).ok_or(InvalidKey)?;
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if letters.len() == LETTERS && letters.bytes().all(fine) { Ok(Self(text)) } else { Err(InvalidKey) }
    }
}

impl std::str::FromStr for RobotKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Debug for RobotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_shape_and_is_not_shown() {
        let text = format!("pk_{}", "aZ09-_x".repeat(7).get(..LETTERS).expect("long enough"));
        let key: RobotKey = text.parse().expect("a key");
        assert_eq!(key.as_str(), text);
        assert!(!format!("{key:?}").contains("aZ09"));
        for bad in ["", "pk_", &text[1..], &format!("{text}x"), &text.replace('-', "="), &text.replace("pk_", "sk_")] {
            assert_eq!(bad.parse::<RobotKey>(), Err(InvalidKey), "{bad}");
        }
        // What is wrong with a key is said without saying the key.
        let error = serde_json::from_str::<RobotKey>("\"hunter2\"").expect_err("no key").to_string();
        assert!(error.contains("server robot add") && !error.contains("hunter2"), "{error}");
    }
}
