//! The STUN and TURN servers that robots and viewers are told of, each with credentials of its own.

use std::time::Duration;

use daemon::secret::Secret;
use protocol::IceServer;

use crate::{
    Held,
    config::Credential,
    turn::{
        Turn, Word,
        credentials::{Credentials, Holder, UnixTime, mint},
    },
};

/// What is told to everybody, and what is made for each.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    /// Those of the config may change.
    config: Held,
    /// Our own relay stays.
    own: Vec<Entry>,
    word: Option<Word>,
}

#[derive(Clone, Debug)]
struct Entry {
    urls: Vec<String>,
    credential: Option<Credential>,
}

impl Directory {
    /// Our own relay, if there is one, and those elsewhere.
    pub(crate) fn new(config: &Held, relay: Option<&Turn>) -> Self {
        let own = relay.into_iter().flat_map(|relay| {
            let urls = relay.urls();
            let shared_secret = relay.secret().clone();
            // A relay that is full still tells everybody where they are.
            let stun = Entry { urls: vec![urls.stun.clone()], credential: None };
            [stun, Entry { urls: urls.turn.clone(), credential: Some(Credential::Minted { shared_secret }) }]
        });
        Self { config: config.clone(), own: own.collect(), word: relay.map(Turn::word) }
    }

    fn entries(&self) -> Vec<Entry> {
        let config = self.config.borrow();
        let others = config
            .ice
            .servers
            .iter()
            .map(|entry| Entry { urls: entry.urls().to_vec(), credential: entry.credential().cloned() });
        self.own.iter().cloned().chain(others).collect()
    }

    fn lifetime(&self) -> Duration {
        self.config.borrow().ice.lifetime.into()
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.entries().into_iter().flat_map(|entry| entry.urls).collect()
    }

    /// With credentials that end after `most` at the latest.
    pub(crate) fn listed_for(&self, holder: &Holder, most: Option<Duration>, now: UnixTime) -> Vec<IceServer> {
        let lifetime = self.lifetime();
        let until = now.saturating_add(most.map_or(lifetime, |most| most.min(lifetime)).as_secs());
        let list = self.entries().into_iter().map(|Entry { urls, credential }| {
            let (username, credential) = match credential {
                None => (None, None),
                Some(Credential::Fixed { username, credential }) => {
                    (Some(username), Some(credential.expose().to_owned()))
                }
                Some(Credential::Minted { shared_secret }) => made(&shared_secret, holder, until),
            };
            IceServer { urls, username, credential }
        });
        list.collect()
    }

    /// Has our own relay take back what this one was given. Relays elsewhere cannot be told.
    pub(crate) fn take_back(&self, holder: Holder, now: UnixTime) {
        let Some(word) = &self.word else { return };
        let until = match &holder {
            // It may come back with another key. What it is given then ends later than what it has.
            Holder::Robot(_) => now.saturating_add(self.lifetime().as_secs()).saturating_sub(1),
            Holder::Viewer { .. } => UnixTime::MAX,
        };
        word.bar(holder, until);
    }

    /// After how long those who stay are to be told again; `None` if that would change nothing.
    pub(crate) fn renew_after(&self) -> Option<Duration> {
        let ends = |entry: &Entry| matches!(entry.credential, Some(Credential::Minted { .. }));
        self.entries().iter().any(ends).then_some(self.lifetime() / 2)
    }
}

fn made(secret: &Secret, holder: &Holder, until: UnixTime) -> (Option<String>, Option<String>) {
    let Credentials { username, password } = mint(secret, holder, until);
    (Some(username), Some(password))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::*;
    use crate::Config;

    fn directory(ice: &str) -> Directory {
        let config = Config { ice: toml::from_str(ice).expect("valid"), ..Config::default() };
        Directory::new(&watch::channel(Arc::new(config)).1, None)
    }

    #[test]
    fn everybody_is_told_what_the_config_lists_with_credentials_of_their_own() {
        let config = r#"
            lifetime = "1h"
            servers = [
                { urls = ["stun:a.example"] },
                { urls = ["turn:b.example"], username = "u", credential = "c" },
                { urls = ["turn:c.example"], shared_secret = "north" },
            ]"#;
        let directory = directory(config);
        let robot: protocol::RobotId = "demo".parse().expect("an id");
        let told = |holder| serde_json::to_value(directory.listed_for(&holder, None, 1_699_996_400)).expect("encodes");
        let expected = serde_json::json!([
            { "urls": ["stun:a.example"] },
            { "urls": ["turn:b.example"], "username": "u", "credential": "c" },
            { "urls": ["turn:c.example"], "username": "1700000000:demo", "credential": "0fPtCL4ExhNV20Cjm4hWVgnceXs=" },
        ]);
        assert_eq!(told(Holder::Robot(robot.clone())), expected);
        let viewer = told(Holder::Viewer { robot, tag: 1 });
        assert_eq!(viewer[2]["username"], "1700000000:demo/0000000000000001");
        let holder = Holder::Viewer { robot: "demo".parse().expect("an id"), tag: 1 };
        for (seconds, until) in [(60, "1699996460:"), (7200, "1700000000:")] {
            let listed = directory.listed_for(&holder, Some(Duration::from_secs(seconds)), 1_699_996_400);
            assert!(listed[2].username.as_ref().is_some_and(|name| name.starts_with(until)), "{listed:?}");
        }
        assert_eq!(directory.renew_after(), Some(Duration::from_secs(1800)));
        assert!(!format!("{directory:?}").contains("north"));
    }

    #[test]
    fn what_never_ends_is_not_told_again() {
        let config = r#"servers = [{ urls = ["turn:b.example"], username = "u", credential = "c" }]"#;
        assert_eq!(directory(config).renew_after(), None);
    }
}
