//! Those who run the server.

use std::fmt;

use serde::{Deserialize, Serialize};

const MAX_LEN: usize = 64;

/// What the audit log and lists call an operator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct OperatorName(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an operator's name has 1 to {MAX_LEN} letters, digits, '-', '_', '.' and '@'")]
pub struct InvalidName;

impl OperatorName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OperatorName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        let fine = |letter: char| letter.is_alphanumeric() || "-_.@".contains(letter);
        let short = (1..=MAX_LEN).contains(&text.len());
        if short && text.chars().all(fine) { Ok(Self(text)) } else { Err(InvalidName) }
    }
}

impl std::str::FromStr for OperatorName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
