//! The command line: where the config is, and what overrides it.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use daemon::log::{Filter, Format};
use server::Config;

/// Relays signalling between robots and viewers, and serves the page.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The config file; without one, the defaults hold. config/server.toml lists every key
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Validates the config and says what the server would do with it
    Check,
}

/// Absent flags leave the file's values alone.
#[derive(Clone, Debug, Default, clap::Args)]
struct Overrides {
    /// Listen here instead, for example 127.0.0.1:8080
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// What to log instead: a level, or directives such as info,server=debug
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<Filter>,
    /// How to log instead
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl Cli {
    /// The file's values, or the defaults without a file, under those of the flags.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let config = match &self.config {
            Some(path) => daemon::config::load(path).with_context(|| format!("config {}", path.display()))?,
            None => Config::default(),
        };
        Ok(self.overrides.clone().apply(config))
    }
}

impl Overrides {
    fn apply(self, mut config: Config) -> Config {
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        if let Some(filter) = self.log {
            config.log.filter = filter;
        }
        if let Some(format) = self.log_format {
            config.log.format = match format {
                LogFormat::Text => Format::Text,
                LogFormat::Json => Format::Json,
            };
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Cli {
        Cli::try_parse_from([&["server"], arguments].concat()).expect("parses")
    }

    #[test]
    fn flags_override_and_their_absence_does_not() {
        let file = Config { listen: "192.0.2.1:1".parse().expect("an address"), ..Config::default() };
        let untouched = parse(&[]).overrides.apply(file.clone());
        assert_eq!(format!("{untouched:?}"), format!("{file:?}"));
        let cli = parse(&["--listen", "127.0.0.1:9", "--log", "server=debug", "--log-format", "json"]);
        let config = cli.overrides.apply(file);
        assert_eq!(config.listen.to_string(), "127.0.0.1:9");
        assert_eq!(config.log.format, Format::Json);
        assert!(format!("{:?}", config.log.filter).contains("server=debug"));
    }

    #[test]
    fn a_bad_config_is_named_once_with_its_line_and_key() {
        let missing = format!("{:#}", parse(&["--config", "/nonexistent"]).config().expect_err("refused"));
        assert!(missing.starts_with("config /nonexistent: it cannot be read: "), "{missing}");
        // Any file that is no config will do.
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let invalid = format!("{:#}", parse(&["--config", manifest]).config().expect_err("refused"));
        assert_eq!(invalid.matches("at line").count(), 1, "{invalid}");
        assert!(invalid.contains("unknown field") && invalid.contains("`listen`"), "{invalid}");
    }

    #[test]
    fn flags_may_stand_before_or_after_check() {
        assert!(matches!(parse(&["check", "--listen", "127.0.0.1:9"]).command, Some(Command::Check)));
        assert!(matches!(parse(&["--listen", "127.0.0.1:9", "check"]).command, Some(Command::Check)));
        assert!(Cli::try_parse_from(["server", "--log", "server=shout"]).is_err());
    }
}
