//! What changes from one config to the next, and what of it can be done while the server runs. Pure.

use std::fmt::{self, Debug};

use super::Config;

/// When a changed key takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    AtOnce,
    NextStart,
}

/// Every key of two configs, compared.
#[derive(Debug, Default)]
pub struct Comparison(Vec<Key>);

#[derive(Debug)]
struct Key {
    name: &'static str,
    effect: Effect,
    change: Option<Change>,
}

/// Reads "listen from 127.0.0.1:8080 to 127.0.0.1:9090".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: &'static str,
    /// Absent where values may hold secrets, or are too long to say.
    values: Option<(String, String)>,
}

impl Comparison {
    /// Sections are taken apart by the fields that they have, so that no key can be forgotten here.
    pub fn of(old: &Config, new: &Config) -> Self {
        let mut keys = Self::default();
        let Config {
            listen,
            insecure,
            trusted_proxies,
            forwarded_header,
            default_robot,
            public_url,
            state_dir,
            drain_timeout,
            tls,
            auth,
            limits,
            ice,
            turn,
            metrics,
            cluster,
            sfu,
            log,
        } = old;
        keys.next_start("listen", listen, &new.listen);
        keys.next_start("insecure", insecure, &new.insecure);
        keys.unsaid("trusted_proxies", Effect::NextStart, trusted_proxies, &new.trusted_proxies);
        keys.next_start("forwarded_header", forwarded_header, &new.forwarded_header);
        keys.at_once("default_robot", &default_robot.as_str(), &new.default_robot.as_str());
        keys.unsaid("public_url", Effect::AtOnce, public_url, &new.public_url);
        keys.next_start("state_dir", state_dir, &new.state_dir);
        keys.at_once("drain_timeout", drain_timeout, &new.drain_timeout);
        tls.compare(&new.tls, &mut keys);
        auth.compare(&new.auth, &mut keys);
        limits.compare(&new.limits, &mut keys);
        ice.compare(&new.ice, &mut keys);
        turn.compare(&new.turn, &mut keys);
        metrics.compare(&new.metrics, &mut keys);
        cluster.compare(&new.cluster, &mut keys);
        sfu.compare(&new.sfu, &mut keys);
        let daemon::log::Log { format, filter } = log;
        keys.next_start("log.format", format, &new.log.format);
        keys.at_once("log.filter", &filter.to_string(), &new.log.filter.to_string());
        keys
    }

    pub(super) fn at_once<T: PartialEq + Debug>(&mut self, key: &'static str, old: &T, new: &T) {
        self.compare(key, Effect::AtOnce, old, new);
    }

    pub(super) fn next_start<T: PartialEq + Debug>(&mut self, key: &'static str, old: &T, new: &T) {
        self.compare(key, Effect::NextStart, old, new);
    }

    /// Of which it is only said that it has changed.
    pub(super) fn unsaid<T: PartialEq>(&mut self, key: &'static str, effect: Effect, old: &T, new: &T) {
        let change = (old != new).then_some(Change { key, values: None });
        self.0.push(Key { name: key, effect, change });
    }

    fn compare<T: PartialEq + Debug>(&mut self, key: &'static str, effect: Effect, old: &T, new: &T) {
        let values = || Some((format!("{old:?}"), format!("{new:?}")));
        let change = (old != new).then(|| Change { key, values: values() });
        self.0.push(Key { name: key, effect, change });
    }

    /// The keys that have another value now.
    pub fn changes(&self, effect: Effect) -> Vec<Change> {
        self.0.iter().filter(|key| key.effect == effect).filter_map(|key| key.change.clone()).collect()
    }

    /// All keys that take effect then, changed or not.
    pub fn keys(&self, effect: Effect) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter(move |key| key.effect == effect).map(|key| key.name)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.values {
            Some((old, new)) => write!(formatter, "{} from {old} to {new}", self.key),
            None => formatter.write_str(self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        toml::from_str(text).expect("valid")
    }

    fn between(old: &str, new: &str, effect: Effect) -> Vec<String> {
        Comparison::of(&config(old), &config(new)).changes(effect).iter().map(Change::to_string).collect()
    }

    #[test]
    fn each_change_is_named_with_both_values_and_takes_effect_when_it_can() {
        let old = "listen = \"127.0.0.1:1\"\n[limits]\nmax_viewers = 3\nsession_grace = \"5s\"";
        let new = "listen = \"127.0.0.1:2\"\ndefault_robot = \"r2\"\n[limits]\nmax_viewers = 2\nsession_grace = \"5s\"\n\
                   [log]\nformat = \"json\"\nfilter = \"debug\"";
        assert_eq!(
            between(old, new, Effect::AtOnce),
            [
                r#"default_robot from "demo" to "r2""#,
                "limits.max_viewers from 3 to 2",
                r#"log.filter from "info" to "debug""#
            ]
        );
        assert_eq!(
            between(old, new, Effect::NextStart),
            ["listen from 127.0.0.1:1 to 127.0.0.1:2", "log.format from Text to Json"]
        );
        assert_eq!(between(old, old, Effect::AtOnce), [""; 0]);
        assert_eq!(between(old, old, Effect::NextStart), [""; 0]);
    }

    #[test]
    fn of_credentials_it_is_only_said_that_they_changed() {
        let ice = |credential: &str| {
            format!("[[ice.servers]]\nurls = [\"turn:t\"]\nusername = \"u\"\ncredential = {credential:?}")
        };
        assert_eq!(between(&ice("hunter2"), &ice("hunter3"), Effect::AtOnce), ["ice.servers"]);
        assert_eq!(between(&ice("hunter2"), &ice("hunter2"), Effect::AtOnce), [""; 0]);
    }
}
