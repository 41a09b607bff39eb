//! What an operator may set. `config/server.toml` lists every key with its default.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    time::Duration,
};

use protocol::{IceServer, RobotId};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub listen: SocketAddr,
    pub default_robot: RobotId,
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
    pub auth: Auth,
    pub limits: Limits,
    pub ice: Ice,
    pub log: daemon::log::Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            default_robot: "demo".parse().expect("a valid id"),
            drain_timeout: Duration::from_secs(10),
            auth: Auth::default(),
            limits: Limits::default(),
            ice: Ice::default(),
            log: daemon::log::Log::default(),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    pub mode: AuthMode,
}

/// Who may do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// Whoever reaches the server may claim a robot or watch one, from any web page.
    #[default]
    Open,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Per robot.
    pub max_viewers: NonZeroUsize,
    pub max_robots: NonZeroUsize,
    /// Of robots and viewers together.
    pub max_connections: NonZeroUsize,
    #[serde(with = "humantime_serde")]
    pub session_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let count = |number| NonZeroUsize::new(number).expect("not zero");
        Self {
            max_viewers: count(200),
            max_robots: count(100),
            max_connections: count(2000),
            session_grace: Duration::from_secs(10),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ice {
    pub servers: Vec<IceEntry>,
}

/// One STUN or TURN server.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "IceFields")]
pub struct IceEntry {
    urls: Vec<String>,
    username: Option<String>,
    credential: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IceFields {
    urls: Vec<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    credential: Option<Secret>,
}

/// Browsers throw on such entries, for every viewer and only once it has connected; so they are refused here.
#[derive(Debug, thiserror::Error)]
pub enum IceError {
    #[error("urls must name at least one server")]
    NoUrl,
    #[error("{0:?} does not start with stun:, stuns:, turn: or turns:")]
    Scheme(String),
    #[error("{0:?} needs a username and a credential")]
    NoCredential(String),
}

impl TryFrom<IceFields> for IceEntry {
    type Error = IceError;

    fn try_from(fields: IceFields) -> Result<Self, IceError> {
        if fields.urls.is_empty() {
            return Err(IceError::NoUrl);
        }
        let has_credential = fields.username.is_some() && fields.credential.is_some();
        for url in &fields.urls {
            match url.split_once(':').map(|(scheme, _)| scheme) {
                Some("stun" | "stuns") => {}
                Some("turn" | "turns") if has_credential => {}
                Some("turn" | "turns") => return Err(IceError::NoCredential(url.clone())),
                Some(_) | None => return Err(IceError::Scheme(url.clone())),
            }
        }
        Ok(Self { urls: fields.urls, username: fields.username, credential: fields.credential })
    }
}

impl IceEntry {
    /// As robots and viewers are told.
    pub fn to_wire(&self) -> IceServer {
        IceServer {
            urls: self.urls.clone(),
            username: self.username.clone(),
            credential: self.credential.as_ref().map(|Secret(credential)| credential.clone()),
        }
    }

    pub fn urls(&self) -> &[String] {
        &self.urls
    }
}

/// Not to be seen in logs.
#[derive(Clone, Deserialize)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../config/server.toml");

    #[test]
    fn the_shipped_sample_shows_the_defaults_and_typos_are_refused() {
        let sample: Config = toml::from_str(SAMPLE).expect("sample parses");
        assert_eq!(format!("{sample:#?}"), format!("{:#?}", Config::default()));
        let typo = SAMPLE.replace("max_viewers", "max_veiwers");
        let error = toml::from_str::<Config>(&typo).expect_err("refused").to_string();
        assert!(error.contains("max_veiwers") && error.contains("max_viewers") && error.contains("line"), "{error}");
    }

    #[test]
    fn the_sample_names_every_key() {
        for key in [
            "listen",
            "default_robot",
            "drain_timeout",
            "mode",
            "max_viewers",
            "max_robots",
            "max_connections",
            "session_grace",
            "servers",
            "format",
            "filter",
        ] {
            assert!(SAMPLE.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key} is not in the sample");
        }
    }

    #[test]
    fn ice_servers_that_browsers_would_throw_at_are_refused() {
        let parse = |entry: &str| toml::from_str::<Config>(&format!("[ice]\nservers = [{entry}]"));
        assert!(parse(r#"{ urls = ["stun:stun.example:3478"] }"#).is_ok());
        let turn = parse(r#"{ urls = ["turn:t.example"], username = "u", credential = "hunter2" }"#).expect("valid");
        assert!(!format!("{turn:?}").contains("hunter2"));
        assert_eq!(turn.ice.servers[0].to_wire().credential.as_deref(), Some("hunter2"));
        for (bad, names) in [
            (r#"{ urls = ["turn:t.example"] }"#, "credential"),
            (r#"{ urls = ["https://t.example"] }"#, "stun:"),
            ("{ urls = [] }", "at least one"),
            (r#"{ url = "stun:x" }"#, "url"),
        ] {
            let error = parse(bad).expect_err("refused").to_string();
            assert!(error.contains(names), "{error}");
        }
    }
}
