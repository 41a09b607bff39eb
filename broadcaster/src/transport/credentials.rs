//! What ICE checks are made with.

use rand::{RngExt, distr::Alphanumeric};

/// The name by which ICE checks say which of our sessions they mean.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ufrag(String);

/// What one end's checks are made with.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) ufrag: Ufrag,
    pub(crate) password: String,
}

impl Ufrag {
    /// The part before the colon in the USERNAME of a check that is meant for us.
    pub(crate) fn from_username(username: &str) -> Option<Self> {
        username.split_once(':').map(|(ours, _)| Self(ours.to_owned()))
    }

    pub(super) fn is_named_in(&self, username: &str) -> bool {
        username.split_once(':').is_some_and(|(ours, _)| ours == self.0)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Credentials {
    pub(super) fn generate() -> Self {
        Self { ufrag: Ufrag(random_text(12)), password: random_text(32) }
    }
}

pub(crate) fn random_text(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}
