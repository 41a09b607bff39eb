//! Logs on standard error: text for people, JSON for collectors.

use std::{
    env,
    io::{self, IsTerminal},
    os::unix::fs::MetadataExt,
};

use serde::Deserialize;
use tracing_subscriber::{
    EnvFilter,
    fmt::{self, writer::BoxMakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::footer::Footer;

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
    start(log, quiet, BoxMakeWriter::new(io::stderr));
}

/// The same, above a line that stays.
pub fn init_above(footer: Footer, log: &Log, quiet: &[&str]) {
    start(log, quiet, BoxMakeWriter::new(move || footer.clone()));
}

fn start(log: &Log, quiet: &[&str], writer: BoxMakeWriter) {
    let quiet = quiet.iter().map(|target| format!("{target}=error,")).collect::<String>();
    let registry = tracing_subscriber::registry().with(EnvFilter::new(quiet + &log.filter.0));
    match log.format {
        Format::Text => {
            let layer = fmt::layer().with_writer(writer).with_ansi(io::stderr().is_terminal()).with_target(false);
            if goes_to_journal() {
                registry.with(layer.without_time()).init();
            } else {
                registry.with(layer).init();
            }
        }
        Format::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(writer)).init(),
    }
}

/// systemd's journal notes the time of each line itself. It names the stream that leads to it.
fn goes_to_journal() -> bool {
    let stream =
        || std::fs::metadata("/proc/self/fd/2").ok().map(|stream| format!("{}:{}", stream.dev(), stream.ino()));
    env::var("JOURNAL_STREAM").is_ok_and(|journal| Some(journal) == stream())
}
