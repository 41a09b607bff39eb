//! Texts that nobody is to see.

use std::fmt;

use serde::Deserialize;
use subtle::ConstantTimeEq;

/// A password, key or token. It shows itself to nobody who does not ask by name, and takes as long to compare with one that
/// is nearly right as with one that is not right at all.
///
/// Where a config takes one is declared to [`crate::config::load`], which finds it in the config, in a file or in the
/// environment.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// For whoever has to have it. Not for a log, an error or a page.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// How long they are may show, not what is in them.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_and_not_shown() {
        let secret = |text: &str| Secret::from(text.to_owned());
        assert_eq!(format!("{:?} {:#?}", secret("hunter2"), Some(secret("hunter2"))).matches("hunter2").count(), 0);
        assert_eq!(secret("hunter2").expose(), "hunter2");
        assert_eq!(secret("hunter2"), secret("hunter2"));
        for other in ["hunter3", "hunter", "hunter22", ""] {
            assert_ne!(secret("hunter2"), secret(other));
        }
    }
}
