//! The STUN and TURN servers that robots and viewers are told of.

use std::time::Duration;

use daemon::secret::Secret;
use serde::Deserialize;

use super::changes::{Comparison, Effect};

/// Credentials that end while somebody is still connecting help nobody.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ice {
    pub servers: Vec<IceEntry>,
    /// Of credentials that are made here, for our own relay or by a `shared_secret`.
    pub lifetime: Lifetime,
}

impl Ice {
    pub(super) fn compare(&self, new: &Self, keys: &mut Comparison) {
        let Self { servers, lifetime } = self;
        keys.unsaid("ice.servers", Effect::AtOnce, servers, &new.servers);
        keys.at_once("ice.lifetime", lifetime, &new.lifetime);
    }
}

/// How long credentials last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Span")]
pub struct Lifetime(Duration);

#[derive(Deserialize)]
#[serde(transparent)]
struct Span(#[serde(with = "humantime_serde")] Duration);

/// One STUN or TURN server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "EntryFields")]
pub struct IceEntry {
    urls: Vec<String>,
    credential: Option<Credential>,
}

/// What a server wants from those who use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The same of everybody.
    Fixed { username: String, credential: Secret },
    /// What is made of the secret, for each one and for a time.
    Minted { shared_secret: Secret },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryFields {
    urls: Vec<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    credential: Option<Secret>,
    #[serde(default)]
    shared_secret: Option<Secret>,
}

/// Browsers throw on such entries, for every viewer and only once it has connected; so they are refused here.
#[derive(Debug, thiserror::Error)]
pub enum IceError {
    #[error("urls must name at least one server")]
    NoUrl,
    #[error("{0:?} does not start with stun:, stuns:, turn: or turns:")]
    Scheme(String),
    #[error("{0:?} needs a username and a credential, or a shared_secret to make them of")]
    NoCredential(String),
    #[error("{0:?} has a shared_secret, which makes username and credential: leave these out")]
    TwoCredentials(String),
    #[error("ice.lifetime must be at least 10s")]
    Lifetime,
}

impl Default for Ice {
    fn default() -> Self {
        Self { servers: Vec::new(), lifetime: Lifetime(Duration::from_secs(12 * 60 * 60)) }
    }
}

impl From<Lifetime> for Duration {
    fn from(Lifetime(lifetime): Lifetime) -> Self {
        lifetime
    }
}

impl TryFrom<Span> for Lifetime {
    type Error = IceError;

    fn try_from(Span(span): Span) -> Result<Self, IceError> {
        if span < SHORTEST_LIFETIME { Err(IceError::Lifetime) } else { Ok(Self(span)) }
    }
}

impl TryFrom<EntryFields> for IceEntry {
    type Error = IceError;

    fn try_from(fields: EntryFields) -> Result<Self, IceError> {
        let EntryFields { urls, username, credential, shared_secret } = fields;
        let first = urls.first().cloned().ok_or(IceError::NoUrl)?;
        let credential = match (username, credential, shared_secret) {
            (None, None, Some(shared_secret)) => Some(Credential::Minted { shared_secret }),
            (_, _, Some(_)) => return Err(IceError::TwoCredentials(first)),
            (Some(username), Some(credential), None) => Some(Credential::Fixed { username, credential }),
            (_, _, None) => None,
        };
        for url in &urls {
            match url.split_once(':').map(|(scheme, _)| scheme) {
                Some("stun" | "stuns") => {}
                Some("turn" | "turns") if credential.is_some() => {}
                Some("turn" | "turns") => return Err(IceError::NoCredential(url.clone())),
                Some(_) | None => return Err(IceError::Scheme(url.clone())),
            }
        }
        Ok(Self { urls, credential })
    }
}

impl IceEntry {
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    pub fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn ice_servers_that_browsers_would_throw_at_are_refused() {
        let parse = |entry: &str| toml::from_str::<Config>(&format!("[ice]\nservers = [{entry}]"));
        assert!(parse(r#"{ urls = ["stun:stun.example:3478"] }"#).is_ok());
        let turn = parse(r#"{ urls = ["turn:t.example"], username = "u", credential = "hunter2" }"#).expect("valid");
        assert!(!format!("{turn:?}").contains("hunter2"));
        let coturn = parse(r#"{ urls = ["turn:t.example"], shared_secret = "north" }"#).expect("valid");
        assert!(!format!("{coturn:?}").contains("north"));
        for (bad, names) in [
            (r#"{ urls = ["turn:t.example"] }"#, "credential"),
            (r#"{ urls = ["turn:t.example"], username = "u" }"#, "credential"),
            (r#"{ urls = ["turn:t.example"], username = "u", shared_secret = "s" }"#, "leave these out"),
            (r#"{ urls = ["https://t.example"] }"#, "stun:"),
            ("{ urls = [] }", "at least one"),
            (r#"{ url = "stun:x" }"#, "url"),
        ] {
            let error = parse(bad).expect_err("refused").to_string();
            assert!(error.contains(names), "{error}");
        }
        let short = toml::from_str::<Config>("[ice]\nlifetime = \"9s\"").expect_err("refused").to_string();
        assert!(short.contains("ice.lifetime"), "{short}");
    }
}
