//! The command line: where the config is, and what overrides it.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use daemon::{
    config::{Loaded, Surroundings},
    log::{Filter, Format},
};
use server::{
    Config,
    commands::{LinkCommand, OperatorCommand, RobotCommand},
};

/// Relays signalling between robots and viewers, and serves the page.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The config file; without one, the defaults hold. config/server.toml lists every key
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Validates the config and says what the server would do with it
    Check,
    /// Lets robots in, if auth.mode is "keys"
    #[command(subcommand)]
    Robot(RobotCommand),
    /// Makes links for viewers, if auth.mode is "keys", and takes them back
    #[command(subcommand)]
    Link(LinkCommand),
    /// Lets operators in, if auth.mode is "keys"
    #[command(subcommand)]
    Operator(OperatorCommand),
}

/// Absent flags leave the file's values alone.
#[derive(Clone, Debug, Default, clap::Args)]
struct Overrides {
    /// Listen here instead, for example 127.0.0.1:8080
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Let others reach the server without encryption, as insecure = true does
    #[arg(long, global = true)]
    insecure: bool,
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
    pub(crate) fn load(&self, surroundings: &Surroundings) -> anyhow::Result<Loaded<Config>> {
        let loaded = Config::load(self.config.as_deref(), surroundings);
        let loaded = match &self.config {
            Some(path) => loaded.with_context(|| format!("config {}", path.display()))?,
            None => loaded?,
        };
        let config = self.overrides.clone().apply(loaded.config);
        config.check().with_context(|| match &self.config {
            Some(path) => format!("config {}", path.display()),
            None => "config".to_owned(),
        })?;
        Ok(Loaded { config, ..loaded })
    }
}

impl Overrides {
    fn apply(self, mut config: Config) -> Config {
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        config.insecure |= self.insecure;
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
        let surroundings = Surroundings::of_process();
        let refused = |path| format!("{:#}", parse(&["--config", path]).load(&surroundings).expect_err("refused"));
        let missing = refused("/nonexistent");
        assert!(missing.starts_with("config /nonexistent: it cannot be read: "), "{missing}");
        // Any file that is no config will do.
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let invalid = refused(manifest);
        assert_eq!(invalid.matches("line ").count(), 1, "{invalid}");
        assert!(invalid.contains("unknown field") && invalid.contains("`listen`"), "{invalid}");
        assert!(!invalid.contains('\n'), "{invalid}");
    }

    #[test]
    fn nobody_is_listened_to_unencrypted_by_mistake() {
        let load = |arguments: &[&str]| parse(arguments).load(&Surroundings::of_process()).map(|loaded| loaded.config);
        let refused = format!("{:#}", load(&["--listen", "0.0.0.0:8080"]).expect_err("refused"));
        assert!(refused.contains("listen is 0.0.0.0:8080") && refused.contains("--insecure"), "{refused}");
        assert!(load(&["--listen", "0.0.0.0:8080", "--insecure"]).expect("meant so").insecure);
        assert!(!load(&["--listen", "127.0.0.1:8080"]).expect("nobody else's affair").insecure);
    }

    #[test]
    fn flags_may_stand_before_or_after_check() {
        assert!(matches!(parse(&["check", "--listen", "127.0.0.1:9"]).command, Some(Command::Check)));
        assert!(matches!(parse(&["--listen", "127.0.0.1:9", "check"]).command, Some(Command::Check)));
        assert!(Cli::try_parse_from(["server", "--log", "server=shout"]).is_err());
    }
}
