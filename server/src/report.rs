//! What a config amounts to, in plain words, for `server check`.

use std::{fmt::Write, time::Duration};

use daemon::config::{Given, Loaded, Origin};

use crate::{
    config::{
        AuthMode, Config, Credential, Engine, Livekit, TlsMode, Whip,
        changes::{Comparison, Effect},
    },
    tls, turn,
};

/// Files that the server has open besides its connections, and some to spare.
const OTHER_FILES: u64 = 64;

/// When systemd loses patience with the service of the Debian package (TimeoutStopSec).
const KILLED_AFTER: Duration = Duration::from_secs(30);

/// One line for each thing that the server would do. An error is about a certificate that it could not use.
pub fn describe(config: &Config) -> anyhow::Result<String> {
    let certificate = tls::describe(config)?;
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("writing to a string cannot fail");
    let limits = &config.limits;
    line(format!("Listens on {}://{}.", config.scheme(), config.listen));
    if config.is_exposed() {
        line(
            "WARNING: encryption is OFF (insecure = true): whatever is said can be read and changed on the way."
                .to_owned(),
        );
    }
    if let Some(certificate) = certificate {
        line(certificate);
    }
    if let Some(from) = config.tls.redirect_from {
        line(format!("Sends those on who come to http://{from}."));
    }
    if let TlsMode::Acme(_) = config.tls.mode
        && config.listen.port() != 443
    {
        line(format!(
            "The authority looks at port 443 of each name, which must lead to port {} here.",
            config.listen.port()
        ));
    }
    let proxies: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    if proxies.is_empty() {
        line("Believes no proxy on whose behalf it asks.".to_owned());
    } else {
        line(format!("Believes proxies at {} on whose behalf they ask.", proxies.join(" and ")));
    }
    match config.auth.mode {
        AuthMode::Open => line(
            "WARNING: authentication is OFF (auth.mode = \"open\"): anyone who reaches this server may claim a robot or \
             watch one."
                .to_owned(),
        ),
        AuthMode::Keys => line(format!(
            "Robots need a key, and viewers what their robot asks for; both are kept in {}.",
            config.state_dir.display()
        )),
    }
    line(format!("Pages that name no robot get {:?}.", config.default_robot.as_str()));
    line(format!(
        "Takes up to {} connections ({} from one address), {} robots, and {} viewers for each robot.",
        limits.max_connections, limits.max_connections_per_address, limits.max_robots, limits.max_viewers
    ));
    line(format!("Keeps the session of a viewer that lost its connection for {:?}.", limits.session_grace));
    if let Some(redis) = &config.cluster.redis {
        let prefix = config.cluster.prefix.as_str();
        line(format!(
            "Shares robots and viewers with all servers whose names in Redis at {redis} begin with {prefix:?}."
        ));
        if redis.is_exposed() {
            line("WARNING: what servers say to each other can be read and changed on the way to Redis.".to_owned());
        }
    }
    match &config.sfu.0 {
        Some(Engine::Livekit(Livekit { url, public_url, .. })) => {
            let pages = public_url.as_ref().unwrap_or(url).for_pages();
            line(format!("Sends crowds to LiveKit, which it asks at {} and pages reach at {pages}.", url.at("")));
        }
        Some(Engine::Whip(Whip { publish, play, .. })) => {
            line(format!(
                "Sends crowds to the media server that takes pictures at {publish} and gives them at {play}."
            ));
        }
        None => {}
    }
    let turn = &config.turn;
    if let Some(address) = turn.public_address.as_ref().filter(|_| turn.enabled) {
        let listen: Vec<String> = turn.listen.iter().map(ToString::to_string).collect();
        line(format!("Relays for robots and viewers that cannot reach each other, and for nobody else, at {address}."));
        line(format!("Listens for them on UDP and TCP {}: let those in.", listen.join(", ")));
        if config.tls.mode.is_vouched_for() {
            let known = match config.public_url.as_ref().map(turn::over_tls) {
                Some(Some(url)) => url,
                Some(None) => "robots and viewers are not told, as public_url is http".to_owned(),
                None => "robots and viewers are told if public_url is set".to_owned(),
            };
            line(format!("Relays over TLS as well, at the port of pages: {known}."));
        }
        line(format!(
            "Grants up to {} relayed addresses, {} to a robot or a viewer, {} to a source address, of which a tenth is for \
             robots only; each sends up to {} bytes a second.",
            turn.max_allocations,
            turn.max_allocations_per_user,
            turn.max_allocations_per_address,
            turn.bytes_per_second
        ));
        if turn.secret.is_none() {
            line("Makes up a secret for the relay: its credentials end when the server does.".to_owned());
        }
    }
    if config.ice.servers.is_empty() && !turn.enabled {
        line("Names no STUN or TURN servers: robots and viewers must reach each other directly.".to_owned());
    }
    line(match &config.metrics.token {
        Some(_) => "Shows /metrics to whoever has the token.".to_owned(),
        None => "Shows /metrics to programs on this machine only.".to_owned(),
    });
    match config.metrics.report_seconds() {
        Some(seconds) => line(format!("Has robots and viewers report every {seconds} s.")),
        None => line("Has robots and viewers report nothing.".to_owned()),
    }
    for server in &config.ice.servers {
        let turn = server.urls().iter().any(|url| url.starts_with("turn"));
        let credential = match server.credential() {
            Some(Credential::Minted { .. }) => ", with credentials for each one",
            Some(Credential::Fixed { .. }) if turn => ", with a credential",
            Some(Credential::Fixed { .. }) | None => "",
        };
        line(format!("Names {}{credential}.", server.urls().join(", ")));
    }
    let relayed = if turn.enabled { ", and relays pictures for as long" } else { "" };
    line(format!("When told to stop, waits up to {:?} for connections to end{relayed}.", config.drain_timeout));
    Ok(out)
}

/// Where the config and its secrets come from, what of it can change while the server runs, and what looks wrong.
pub fn explain(loaded: &Loaded<Config>, open_files: Option<u64>) -> String {
    let Loaded { config, origin, secrets, warnings: _ } = loaded;
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("writing to a string cannot fail");
    let keys = Comparison::of(config, config);
    let keys = |effect| keys.keys(effect).collect::<Vec<_>>().join(", ");
    match origin {
        None => line("Has no config file: all is as by default, or as flags and the environment say.".to_owned()),
        Some(Origin { path, access, .. }) => {
            let readers = if access.mode & 0o004 == 0 { "" } else { "; everybody on this machine can read it" };
            line(format!("Is configured by {} (mode {:04o}{readers}).", path.display(), access.mode));
            line(format!("Takes up changes of the file by itself, and on SIGHUP: {}.", keys(Effect::AtOnce)));
            line(format!("Takes up at the next start only: {}.", keys(Effect::NextStart)));
        }
    }
    for Given { key, place } in secrets {
        line(format!("Has the secret {key} {place}."));
    }
    for suspicion in suspicions(loaded, open_files) {
        line(format!("WARNING: {suspicion}."));
    }
    out
}

/// What may go wrong with a config that can work, a sentence each.
pub fn suspicions(loaded: &Loaded<Config>, open_files: Option<u64>) -> Vec<String> {
    let Config { limits, turn, drain_timeout, .. } = &loaded.config;
    let mut found = loaded.warnings.clone();
    let connections = limits.max_connections.get();
    let relays = turn.open_files();
    let needed = OTHER_FILES.saturating_add(connections as u64).saturating_add(relays as u64);
    if let Some(most) = open_files.filter(|most| *most < needed) {
        let relayed = if relays == 0 { String::new() } else { format!(", and the relay has {relays}") };
        found.push(format!(
            "limits.max_connections is {connections}, but each takes an open file{relayed}, of which this process may have \
             {most}: raise that (ulimit -Hn, or LimitNOFILE= of a service), or lower max_connections"
        ));
    }
    if *drain_timeout >= KILLED_AFTER {
        found.push(format!(
            "drain_timeout is {drain_timeout:?}, but systemd kills the packaged service {KILLED_AFTER:?} after it was told to \
             stop: raise its TimeoutStopSec=, too"
        ));
    }
    found
}

/// How many files a server may have open, which takes all that it can get; `None`: any number.
pub fn open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use daemon::config::{Access, Place};

    use super::*;

    #[test]
    fn an_open_server_says_so_and_secrets_stay_unsaid() {
        let mut config = Config::default();
        let text = describe(&config).expect("described");
        assert!(text.contains("authentication is OFF") && text.contains("http://127.0.0.1:8080"), "{text}");
        assert!(!text.contains("encryption is OFF"), "{text}");
        config.listen = "0.0.0.0:8080".parse().expect("an address");
        assert!(describe(&config).expect("described").contains("encryption is OFF"));
        let ice = r#"servers = [{ urls = ["turn:t.example"], username = "u", credential = "hunter2" }]"#;
        config.ice = toml::from_str(ice).expect("valid");
        let text = describe(&config).expect("described");
        assert!(text.contains("turn:t.example") && !text.contains("hunter2"), "{text}");
        config.ice =
            toml::from_str(r#"servers = [{ urls = ["turn:t.example"], shared_secret = "north" }]"#).expect("valid");
        assert!(describe(&config).expect("described").contains("with credentials for each one"));
        config.turn = toml::from_str("enabled = true\npublic_address = \"video.example.org\"").expect("valid");
        let text = describe(&config).expect("described");
        assert!(text.contains("at video.example.org.") && text.contains("0.0.0.0:3478: let those in"), "{text}");
    }

    fn loaded(config: Config) -> Loaded<Config> {
        let origin = Origin {
            path: Path::new("/etc/x.toml").to_owned(),
            access: Access { mode: 0o644, group: 0 },
            empty: false,
        };
        Loaded { config, origin: Some(origin), secrets: Vec::new(), warnings: Vec::new() }
    }

    #[test]
    fn where_all_of_it_comes_from_and_what_can_change_is_said() {
        let place = Place::Variable("PANOCAST_ICE_SERVERS_1_CREDENTIAL".to_owned());
        let secrets = vec![Given { key: "ice.servers.1.credential".to_owned(), place }];
        let text = explain(&Loaded { secrets, ..loaded(Config::default()) }, None);
        for part in [
            "/etc/x.toml (mode 0644; everybody",
            "the secret ice.servers.1.credential from the environment's PANOCAST_ICE_SERVERS_1_CREDENTIAL.",
            "SIGHUP: default_robot, ",
            " limits.max_viewers, ",
            "next start only: listen, ",
            " auth.mode, ",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert!(!text.contains("WARNING"), "{text}");
        assert!(explain(&Loaded { origin: None, ..loaded(Config::default()) }, None).starts_with("Has no config file"));
    }

    #[test]
    fn what_looks_wrong_is_said() {
        let found = |config, open_files| suspicions(&loaded(config), open_files).join("\n");
        assert_eq!(found(Config::default(), Some(2064)), "");
        let few = found(Config::default(), Some(1024));
        assert!(few.contains("max_connections is 2000") && few.contains("1024") && few.contains("ulimit"), "{few}");
        let turn = toml::from_str("enabled = true\npublic_address = \"video.example.org\"").expect("valid");
        let relayed = found(Config { turn, ..Config::default() }, Some(2064));
        assert!(relayed.contains("the relay has 2002"), "{relayed}");
        let slow = found(Config { drain_timeout: Duration::from_secs(60), ..Config::default() }, None);
        assert!(slow.contains("drain_timeout is 60s") && slow.contains("TimeoutStopSec"), "{slow}");
    }
}
