//! What an operator may set. `config/server.toml` lists every key with its default.

mod auth;
pub mod changes;
mod cluster;
mod ice;
mod limits;
mod listen;
mod metrics;
mod sfu;
mod tls;
mod turn;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use daemon::config::{LoadError, Loaded, Surroundings};
use protocol::RobotId;
use serde::Deserialize;

pub use auth::{Auth, AuthMode, NoOrigin, Origin};
pub use cluster::{Cluster, NoPrefix, NoRedisUrl, Prefix, RedisUrl};
pub use ice::{Credential, Ice, IceEntry, IceError, Lifetime};
pub use limits::Limits;
pub use listen::{ForwardedHeader, InvalidNetwork, Network};
pub use metrics::{Metrics, MetricsError, Token};
pub use sfu::{Engine, Livekit, NoUrl, Pattern, Sfu, SfuError, SfuUrl, Whip};
pub use tls::{Acme, Tls, TlsFieldsError, TlsMode};
pub use turn::{InvalidAddress, InvalidRealm, PublicAddress, Realm, Turn, TurnError};

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub listen: SocketAddr,
    /// Whether others may be listened to who can be read on the way.
    pub insecure: bool,
    /// Those who are believed on whose behalf they ask.
    pub trusted_proxies: Vec<Network>,
    pub forwarded_header: ForwardedHeader,
    pub default_robot: RobotId,
    /// Where browsers reach the server, for the links that are printed.
    pub public_url: Option<Origin>,
    /// What must survive a restart is kept here.
    pub state_dir: PathBuf,
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
    pub tls: Tls,
    pub auth: Auth,
    pub limits: Limits,
    pub ice: Ice,
    pub metrics: Metrics,
    #[serde(deserialize_with = "turn::deserialize")]
    pub turn: Turn,
    pub cluster: Cluster,
    pub sfu: Sfu,
    pub log: daemon::log::Log,
}

impl Config {
    /// The keys that are secrets, which may come from files and the environment as well.
    pub const SECRETS: &[&str] = &[
        "cluster.redis",
        "ice.servers.*.credential",
        "ice.servers.*.shared_secret",
        "turn.secret",
        "metrics.token",
        "sfu.secret",
        "sfu.authorization",
    ];

    /// What a file says, or without one, what holds by default.
    pub fn load(path: Option<&Path>, surroundings: &Surroundings) -> Result<Loaded<Self>, LoadError> {
        daemon::config::load(path, Self::SECRETS, surroundings)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            insecure: false,
            trusted_proxies: ["127.0.0.0/8", "::1"].map(|network| network.parse().expect("a network")).into(),
            forwarded_header: ForwardedHeader::default(),
            default_robot: "demo".parse().expect("a valid id"),
            public_url: None,
            state_dir: PathBuf::from("/var/lib/panocast-server"),
            drain_timeout: Duration::from_secs(10),
            tls: Tls::default(),
            auth: Auth::default(),
            limits: Limits::default(),
            ice: Ice::default(),
            metrics: Metrics::default(),
            turn: Turn::default(),
            cluster: Cluster::default(),
            sfu: Sfu::default(),
            log: daemon::log::Log::default(),
        }
    }
}

/// Values that are right each, and cannot stand together.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "listen is {0}, where other machines reach the server, and tls.mode is \"off\": whatever is said could be read and \
         changed on the way. Set tls.mode to \"self_signed\", \"acme\" or \"files\"; or listen on 127.0.0.1, behind a proxy \
         that adds TLS; or, on a network that you trust, set insecure = true (--insecure)"
    )]
    Exposed(SocketAddr),
    #[error(
        "tls.redirect_from is {0}, and tls.mode is \"off\": there is no https to send anybody to; remove it, or choose a mode"
    )]
    NowhereToRedirect(SocketAddr),
}

impl Config {
    /// To be asked when nothing is going to be changed any more.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.tls.mode != TlsMode::Off {
            return Ok(());
        }
        if let Some(from) = self.tls.redirect_from {
            return Err(ConfigError::NowhereToRedirect(from));
        }
        if self.is_exposed() && !self.insecure {
            return Err(ConfigError::Exposed(self.listen));
        }
        Ok(())
    }

    /// What it is asked in, without a proxy before it.
    pub fn scheme(&self) -> &'static str {
        if self.tls.mode == TlsMode::Off { "http" } else { "https" }
    }

    /// Whether others could read and change what is said.
    pub fn is_exposed(&self) -> bool {
        self.tls.mode == TlsMode::Off && !self.listen.ip().to_canonical().is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../config/server.toml");

    #[test]
    fn the_shipped_sample_shows_the_defaults_and_typos_are_refused() {
        let sample: Config = toml::from_str(SAMPLE).expect("sample parses");
        assert_eq!(format!("{sample:#?}"), format!("{:#?}", Config::default()));
        let typo = SAMPLE.replace("max_viewers", "max_veiwers");
        let error = toml::from_str::<Config>(&typo).expect_err("refused").to_string();
        assert!(error.contains("max_veiwers") && error.contains("max_viewers") && error.contains("line"), "{error}");
    }

    #[test]
    fn only_an_operator_who_says_so_is_listened_to_without_encryption() {
        let config = |text: &str| toml::from_str::<Config>(text).expect("parses").check();
        for fine in [
            "",
            "listen = \"[::1]:80\"",
            "listen = \"0.0.0.0:80\"\ninsecure = true",
            "listen = \"0.0.0.0:443\"\ntls.mode = \"self_signed\"\ntls.redirect_from = \"0.0.0.0:80\"",
        ] {
            assert_eq!(config(fine), Ok(()), "{fine}");
        }
        for exposed in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80"] {
            let refused = config(&format!("listen = \"{exposed}\"")).expect_err("refused").to_string();
            for says in [exposed, "tls.mode", "127.0.0.1", "insecure = true"] {
                assert!(refused.contains(says), "{refused}");
            }
        }
        let redirect = config("tls.redirect_from = \"127.0.0.1:80\"").expect_err("refused").to_string();
        assert!(redirect.contains("127.0.0.1:80") && redirect.contains("remove it"), "{redirect}");
    }

    #[test]
    fn the_sample_names_every_key() {
        for key in [
            "listen",
            "insecure",
            "trusted_proxies",
            "forwarded_header",
            "default_robot",
            "drain_timeout",
            "state_dir",
            "mode",
            "allowed_origins",
            "max_viewers",
            "max_robots",
            "max_connections",
            "events_per_second",
            "event_burst",
            "max_connections_per_address",
            "session_grace",
            "servers",
            "lifetime",
            "enabled",
            "realm",
            "max_allocations",
            "max_allocations_per_user",
            "max_allocations_per_address",
            "bytes_per_second",
            "max_connections_per_address",
            "report_every",
            "prefix",
            "format",
            "filter",
        ] {
            assert!(SAMPLE.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key} is not in the sample");
        }
    }
}
