//! The STUN and TURN servers that robots and viewers are told of, each with credentials of its own.

use std::time::Duration;

use daemon::secret::Secret;
use protocol::IceServer;

use crate::{
    Held,
    config::{Config, Credential},
    turn::{
        self, Turn, Urls, Word,
        credentials::{Credentials, Holder, UnixTime, mint},
    },
};

/// What is told to everybody, and what is made for each.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    /// Those of the config may change.
    config: Held,
    /// Our own relay stays.
    own: Option<Own>,
}

#[derive(Clone, Debug)]
struct Own {
    urls: Urls,
    shared_secret: Secret,
    word: Word,
    /// Whether the certificate is one that clients take, of the port where it is reached over TLS: browsers ask nobody.
    is_vouched_for: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    urls: Vec<String>,
    credential: Option<Credential>,
}

impl Directory {
    /// Our own relay, if there is one, and those elsewhere.
    pub(crate) fn new(config: &Held, relay: Option<&Turn>) -> Self {
        let is_vouched_for = config.borrow().tls.mode.is_vouched_for();
        let own = relay.map(|relay| Own {
            urls: relay.urls().clone(),
            shared_secret: relay.secret().clone(),
            word: relay.word(),
            is_vouched_for,
        });
        Self { config: config.clone(), own }
    }

    /// All ways to our own relay.
    pub(crate) fn relayed_at(&self) -> Vec<String> {
        self.own.as_ref().map(|own| own.ways(&self.config.borrow())).unwrap_or_default()
    }

    fn entries(&self) -> Vec<Entry> {
        let config = self.config.borrow();
        let others = config
            .ice
            .servers
            .iter()
            .map(|entry| Entry { urls: entry.urls().to_vec(), credential: entry.credential().cloned() });
        self.own.iter().flat_map(|own| own.entries(&config)).chain(others).collect()
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
        let Some(Own { word, .. }) = &self.own else { return };
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

impl Own {
    fn entries(&self, config: &Config) -> [Entry; 2] {
        // A relay that is full still tells everybody where they are.
        let stun = Entry { urls: vec![self.urls.stun.clone()], credential: None };
        let credential = Credential::Minted { shared_secret: self.shared_secret.clone() };
        [stun, Entry { urls: self.ways(config), credential: Some(credential) }]
    }

    fn ways(&self, config: &Config) -> Vec<String> {
        let over_tls = config.public_url.as_ref().filter(|_| self.is_vouched_for).and_then(turn::over_tls);
        self.urls.turn.iter().cloned().chain(over_tls).collect()
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

    #[tokio::test]
    async fn our_own_relay_is_named_over_tls_where_clients_take_the_certificate_in_that_name() {
        let relay: crate::config::Turn =
            toml::from_str("enabled = true\nlisten = [\"127.0.0.1:0\"]\npublic_address = \"192.0.2.7:3478\"")
                .expect("valid");
        let relay = Turn::bind(&relay).await.expect("binds");
        let usual = ["turn:192.0.2.7:3478?transport=udp", "turn:192.0.2.7:3478?transport=tcp"].map(str::to_owned);
        let ways = |config: &str| {
            let (sender, held) = watch::channel(Arc::new(toml::from_str(config).expect("valid")));
            (Directory::new(&held, Some(&relay)), sender)
        };
        let files = "[tls]\nmode = \"files\"\ncertificate = \"c\"\nkey = \"k\"\n";
        let acme = "[tls]\nmode = \"acme\"\nnames = [\"video.example.org\"]\n";
        let public = "public_url = \"https://video.example.org:8443\"\n";
        for (config, is_named) in [
            (format!("{public}{files}"), true),
            (format!("{public}{acme}"), true),
            (files.to_owned(), false),
            (format!("public_url = \"http://video.example.org\"\n{files}"), false),
            (format!("{public}[tls]\nmode = \"self_signed\""), false),
            // Whoever adds TLS before us does not pass on what is no HTTP.
            (public.to_owned(), false),
        ] {
            let mut expected = usual.to_vec();
            expected.extend(is_named.then(|| "turns:video.example.org:8443?transport=tcp".to_owned()));
            let (directory, _sender) = ways(&config);
            assert_eq!(directory.relayed_at(), expected, "{config}");
            assert_eq!(directory.urls(), [&["stun:192.0.2.7:3478".to_owned()], &*expected].concat());
        }
        let (directory, sender) = ways(files);
        let changed: Config = toml::from_str(&format!("{public}[tls]\nmode = \"self_signed\"")).expect("valid");
        sender.send_replace(Arc::new(changed));
        let told = directory.relayed_at();
        assert_eq!(
            told.len(),
            3,
            "the name counts at once, and the certificate is still the one of the start: {told:?}"
        );
    }

    #[test]
    fn what_never_ends_is_not_told_again() {
        let config = r#"servers = [{ urls = ["turn:b.example"], username = "u", credential = "c" }]"#;
        assert_eq!(directory(config).renew_after(), None);
    }
}
