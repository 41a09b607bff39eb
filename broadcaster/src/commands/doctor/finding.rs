//! One thing that was looked at, and how it is.

use std::fmt;

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Ok,
    /// It works, or may, and there is something to know.
    Warn,
    Fail,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) subject: String,
    /// What was found.
    pub(super) says: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(subject: &str, says: impl Into<String>) -> Self {
        Self { level: Level::Ok, subject: subject.to_owned(), says: says.into(), advice: None }
    }

    pub(super) fn warn(subject: &str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warn, advice: Some(advice.into()), ..Self::ok(subject, says) }
    }

    pub(super) fn fail(subject: &str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Fail, ..Self::warn(subject, says, advice) }
    }
}

/// With the line's end.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        writeln!(formatter, "{level:<6}{:<14} {}", self.subject, self.says)?;
        match &self.advice {
            Some(advice) => writeln!(formatter, "{:21}→ {advice}", ""),
            None => Ok(()),
        }
    }
}
