//! The server's own STUN and TURN server.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::{NonZeroU64, NonZeroUsize},
    str::FromStr,
};

use daemon::secret::Secret;
use serde::{Deserialize, Deserializer, de::Error};

use super::changes::{Comparison, Effect};

/// Shorter ones can be guessed from one pair of name and password.
const MIN_SECRET: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Turn {
    pub enabled: bool,
    /// For UDP and for TCP.
    pub listen: Vec<SocketAddr>,
    /// Present if it is enabled.
    pub public_address: Option<PublicAddress>,
    pub realm: Realm,
    /// Absent: made up for each run.
    pub secret: Option<Secret>,
    pub max_allocations: NonZeroUsize,
    pub max_allocations_per_user: NonZeroUsize,
    pub max_allocations_per_address: NonZeroUsize,
    /// Of each allocation.
    pub bytes_per_second: NonZeroU64,
    /// Over TCP.
    pub max_connections: NonZeroUsize,
    pub max_connections_per_address: NonZeroUsize,
}

impl Turn {
    pub(super) fn compare(&self, new: &Self, keys: &mut Comparison) {
        let Self {
            enabled,
            listen,
            public_address,
            realm,
            secret,
            max_allocations,
            max_allocations_per_user,
            max_allocations_per_address,
            bytes_per_second,
            max_connections,
            max_connections_per_address,
        } = self;
        keys.next_start("turn.enabled", enabled, &new.enabled);
        keys.next_start("turn.listen", listen, &new.listen);
        keys.next_start("turn.public_address", public_address, &new.public_address);
        keys.next_start("turn.realm", realm, &new.realm);
        keys.unsaid("turn.secret", Effect::NextStart, secret, &new.secret);
        keys.next_start("turn.max_allocations", max_allocations, &new.max_allocations);
        keys.next_start("turn.max_allocations_per_user", max_allocations_per_user, &new.max_allocations_per_user);
        keys.next_start(
            "turn.max_allocations_per_address",
            max_allocations_per_address,
            &new.max_allocations_per_address,
        );
        keys.next_start("turn.bytes_per_second", bytes_per_second, &new.bytes_per_second);
        keys.next_start("turn.max_connections", max_connections, &new.max_connections);
        keys.next_start(
            "turn.max_connections_per_address",
            max_connections_per_address,
            &new.max_connections_per_address,
        );
    }
}

impl Turn {
    /// How many files the relay may have open: its ports, and its connections.
    pub(crate) fn open_files(&self) -> usize {
        if self.enabled { self.max_connections.get().saturating_add(2 * self.listen.len()) } else { 0 }
    }
}

/// Settings that do not go together.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    #[error(
        "turn.enabled needs turn.public_address: the name or address by which robots and viewers reach this server"
    )]
    NoPublicAddress,
    #[error("turn.listen must name at least one address, such as \"0.0.0.0:3478\"")]
    NoListen,
    #[error("turn.secret must have at least {MIN_SECRET} characters; leave it out to have one made up for each run")]
    ShortSecret,
}

impl Default for Turn {
    fn default() -> Self {
        let count = |number| NonZeroUsize::new(number).expect("not zero");
        Self {
            enabled: false,
            listen: vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 3478))],
            public_address: None,
            realm: Realm("panocast".to_owned()),
            secret: None,
            max_allocations: count(3000),
            max_allocations_per_user: count(3),
            max_allocations_per_address: count(300),
            bytes_per_second: NonZeroU64::new(8_000_000).expect("not zero"),
            max_connections: count(2000),
            max_connections_per_address: count(200),
        }
    }
}

impl Turn {
    fn check(self) -> Result<Self, TurnError> {
        if self.enabled && self.public_address.is_none() {
            return Err(TurnError::NoPublicAddress);
        }
        if self.listen.is_empty() {
            return Err(TurnError::NoListen);
        }
        if self.secret.as_ref().is_some_and(|secret| secret.expose().len() < MIN_SECRET) {
            return Err(TurnError::ShortSecret);
        }
        Ok(self)
    }
}

/// Takes only what can run.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Turn, D::Error> {
    Turn::deserialize(deserializer)?.check().map_err(D::Error::custom)
}

/// A name or an address, and a port if it is another than the one that is listened to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicAddress {
    host: String,
    port: Option<u16>,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is neither a name nor an address that others could reach, such as \"video.example.org\" or \"203.0.113.7\""
)]
pub struct InvalidAddress(String);

impl PublicAddress {
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl FromStr for PublicAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        let (ip, port) = match (text.parse::<SocketAddr>(), text.parse::<IpAddr>()) {
            (Ok(address), _) => (Some(address.ip()), Some(address.port())),
            (_, Ok(ip)) => (Some(ip), None),
            (Err(_), Err(_)) => (None, None),
        };
        if let Some(ip) = ip {
            let nowhere = ip.is_unspecified() || ip.is_multicast() || port == Some(0);
            return if nowhere { Err(invalid()) } else { Ok(Self { host: ip.to_string(), port }) };
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port != 0).ok_or_else(invalid)?)),
            None => (text, None),
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if host.is_empty() || host.len() > 253 || !host.bytes().all(is_name) {
            return Err(invalid());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl TryFrom<String> for PublicAddress {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl fmt::Display for PublicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// What clients mix into their passwords.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Realm(String);

#[derive(Debug, thiserror::Error)]
#[error("turn.realm must have 1 to 64 letters, digits, '.' and '-'")]
pub struct InvalidRealm;

impl Realm {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Realm {
    type Error = InvalidRealm;

    fn try_from(text: String) -> Result<Self, InvalidRealm> {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let valid = (1..=64).contains(&text.len()) && text.bytes().all(fine);
        if valid { Ok(Self(text)) } else { Err(InvalidRealm) }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn parse(turn: &str) -> Result<Config, String> {
        toml::from_str(&format!("[turn]\n{turn}")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_public_address_is_all_that_it_needs() {
        for (text, host, port) in [
            ("video.example.org", "video.example.org", None),
            ("video.example.org:3479", "video.example.org", Some(3479)),
            ("203.0.113.7", "203.0.113.7", None),
            ("203.0.113.7:1", "203.0.113.7", Some(1)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[2001:db8::1]:3479", "2001:db8::1", Some(3479)),
        ] {
            let config = parse(&format!("enabled = true\npublic_address = \"{text}\"")).expect(text);
            let address = config.turn.public_address.expect("present");
            assert_eq!((address.host(), address.port()), (host, port));
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_work_is_said_in_a_sentence() {
        for (bad, names) in [
            ("enabled = true", "turn.enabled needs turn.public_address"),
            ("listen = []", "turn.listen must name"),
            ("secret = \"short\"", "turn.secret must have"),
            ("public_address = \"0.0.0.0\"", "video.example.org"),
            ("public_address = \"https://video.example.org\"", "https://video.example.org"),
            ("public_address = \"video.example.org:0\"", "video.example.org:0"),
            ("realm = \"a b\"", "turn.realm"),
            ("max_allocations = 0", "nonzero"),
            ("max_alocations = 1", "max_alocations"),
        ] {
            let error = parse(bad).expect_err(bad);
            assert!(error.contains(names), "{error}");
        }
        let secret = parse("secret = \"correct horse battery\"").expect("valid");
        assert!(!format!("{secret:?}").contains("horse"));
    }
}
