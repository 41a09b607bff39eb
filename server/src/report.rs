//! What a config amounts to, in plain words, for `server check`.

use std::fmt::Write;

use crate::config::{AuthMode, Config};

/// One line for each thing that the server would do.
pub fn describe(config: &Config) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("writing to a string cannot fail");
    let limits = &config.limits;
    line(format!("Listens on http://{}.", config.listen));
    match config.auth.mode {
        AuthMode::Open => line(
            "WARNING: authentication is OFF (auth.mode = \"open\"): anyone who reaches this server may claim a robot or \
             watch one."
                .to_owned(),
        ),
    }
    line(format!("Pages that name no robot get {:?}.", config.default_robot.as_str()));
    line(format!(
        "Takes up to {} connections, {} robots, and {} viewers for each robot.",
        limits.max_connections, limits.max_robots, limits.max_viewers
    ));
    line(format!("Keeps the session of a viewer that lost its connection for {:?}.", limits.session_grace));
    if config.ice.servers.is_empty() {
        line("Names no STUN or TURN servers: robots and viewers must reach each other directly.".to_owned());
    }
    for server in &config.ice.servers {
        let turn = server.urls().iter().any(|url| url.starts_with("turn"));
        line(format!("Names {}{}.", server.urls().join(", "), if turn { ", with a credential" } else { "" }));
    }
    line(format!("When told to stop, waits up to {:?} for connections to end.", config.drain_timeout));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_server_says_so_and_secrets_stay_unsaid() {
        let mut config = Config::default();
        assert!(describe(&config).contains("authentication is OFF"));
        assert!(describe(&config).contains("0.0.0.0:8080"));
        let ice = r#"servers = [{ urls = ["turn:t.example"], username = "u", credential = "hunter2" }]"#;
        config.ice = toml::from_str(ice).expect("valid");
        let text = describe(&config);
        assert!(text.contains("turn:t.example") && !text.contains("hunter2"), "{text}");
    }
}
