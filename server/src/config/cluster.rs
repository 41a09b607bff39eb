//! Other servers that share robots and viewers with this one.

use std::{fmt, net::IpAddr};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use serde::Deserialize;

use super::changes::{Comparison, Effect};

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// Absent: there are no others.
    pub redis: Option<RedisUrl>,
    pub prefix: Prefix,
}

/// Where Redis is, and what it asks for: `rediss://user:password@redis.example.org:6379/0`.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct RedisUrl {
    text: String,
    parsed: ConnectionInfo,
}

/// What the names begin with under which Redis keeps what is ours.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Prefix(String);

#[derive(Debug, thiserror::Error)]
#[error(
    "it is not of the form redis://192.0.2.1:6379, rediss://user:password@redis.example.org or unix:///run/redis.sock: {0}"
)]
pub struct NoRedisUrl(String);

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not made of 1 to 64 letters, digits, dots, dashes and underscores")]
pub struct NoPrefix(String);

impl Cluster {
    pub(super) fn compare(&self, new: &Self, keys: &mut Comparison) {
        let Self { redis, prefix } = self;
        keys.unsaid("cluster.redis", Effect::NextStart, redis, &new.redis);
        keys.next_start("cluster.prefix", prefix, &new.prefix);
    }
}

impl RedisUrl {
    pub(crate) fn connection(&self) -> &ConnectionInfo {
        &self.parsed
    }

    /// Whether what is said there can be read and changed on the way.
    pub(crate) fn is_exposed(&self) -> bool {
        let ConnectionAddr::Tcp(host, _) = self.parsed.addr() else { return false };
        !host.parse().is_ok_and(|address: IpAddr| address.is_loopback()) && host != "localhost"
    }
}

/// Without what it asks for.
impl fmt::Display for RedisUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parsed.addr().fmt(formatter)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl PartialEq for RedisUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for RedisUrl {}

impl TryFrom<String> for RedisUrl {
    type Error = NoRedisUrl;

    fn try_from(text: String) -> Result<Self, NoRedisUrl> {
        let parsed = text.as_str().into_connection_info();
        // What it says may hold what nobody is to see.
        let parsed = parsed.map_err(|error| NoRedisUrl(error.category().to_owned()))?;
        Ok(Self { text, parsed })
    }
}

impl Prefix {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("panocast".to_owned())
    }
}

impl TryFrom<String> for Prefix {
    type Error = NoPrefix;

    fn try_from(text: String) -> Result<Self, NoPrefix> {
        let plain = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'-' | b'_');
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) { Ok(Self(text)) } else { Err(NoPrefix(text)) }
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;

    fn refusal(text: &str) -> String {
        toml::from_str::<Config>(text).expect_err("refused").to_string()
    }

    #[test]
    fn a_password_is_shown_to_nobody() {
        let text = "[cluster]\nredis = \"rediss://me:hunter2@redis.example.org:6380/1\"";
        let config: Config = toml::from_str(text).expect("valid");
        let redis = config.cluster.redis.as_ref().expect("there");
        assert!(!format!("{config:?} {redis}").contains("hunter2"));
        assert!(redis.to_string().contains("redis.example.org"), "{redis}");
        assert!(!redis.is_exposed());
        let wrong = "[cluster]\nredis = \"redis://me:hunter2@redis.example.org:port\"";
        let refused = refusal(wrong);
        assert!(refused.contains("rediss://"), "{refused}");
    }

    #[test]
    fn what_others_can_read_is_known() {
        for (url, exposed) in [
            ("redis://127.0.0.1:6379", false),
            ("redis://localhost", false),
            ("redis://[::1]:1", false),
            ("unix:///run/redis.sock", false),
            ("redis://192.0.2.1", true),
        ] {
            let config: Config = toml::from_str(&format!("[cluster]\nredis = {url:?}")).expect(url);
            assert_eq!(config.cluster.redis.expect("there").is_exposed(), exposed, "{url}");
        }
    }

    #[test]
    fn names_stay_plain() {
        for wrong in ["", "a b", "a:b", "é"] {
            let refused = refusal(&format!("[cluster]\nprefix = {wrong:?}"));
            assert!(refused.contains("cluster") || refused.contains("letters"), "{refused}");
        }
    }
}
