//! Logs on standard error: text for people, JSON for collectors.

use std::io::{self, IsTerminal};

use serde::Deserialize;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// The `[log]` section of each config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    pub format: Format,
    pub filter: Filter,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Which events are logged: a level, or directives such as `info,server=debug`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Filter(String);

impl Default for Filter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl TryFrom<String> for Filter {
    type Error = tracing_subscriber::filter::ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        EnvFilter::try_new(&text)?;
        Ok(Self(text))
    }
}

impl std::str::FromStr for Filter {
    type Err = tracing_subscriber::filter::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

/// Starts logging for the whole process. Call it once, from `main`.
///
/// `quiet` names dependencies whose warnings are about their own workings: they log errors only, unless the filter names
/// them.
pub fn init(log: &Log, quiet: &[&str]) {
    let quiet = quiet.iter().map(|target| format!("{target}=error,")).collect::<String>();
    let registry = tracing_subscriber::registry().with(EnvFilter::new(quiet + &log.filter.0));
    match log.format {
        Format::Text => {
            let colours = io::stderr().is_terminal();
            registry.with(fmt::layer().with_writer(io::stderr).with_ansi(colours).with_target(false)).init();
        }
        Format::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(io::stderr)).init(),
    }
}
