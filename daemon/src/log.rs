//! Logs on standard error: text for people, JSON for collectors.

use std::{
    env,
    io::{self, IsTerminal},
    os::unix::fs::MetadataExt,
};

use serde::Deserialize;
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Registry,
    filter::filter_fn,
    fmt::{self, writer::BoxMakeWriter},
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

use crate::footer::Footer;

/// Dependencies that show what they carry, keys and tokens included, when they are asked for more than `info`. No filter gets
/// them to.
const TELLTALES: &[&str] = &["tungstenite", "tokio_tungstenite"];

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

impl std::fmt::Display for Filter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Changes what is logged from now on.
#[derive(Clone, Debug)]
pub struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    quiet: String,
}

impl Logging {
    pub fn set(&self, filter: &Filter) {
        if let Err(error) = self.filter.reload(directives(&self.quiet, filter)) {
            tracing::debug!(%error, "nothing is logged any more");
        }
    }
}

/// Starts logging for the whole process. Call it once, from `main`.
///
/// `quiet` names dependencies whose warnings are about their own workings: they log errors only, unless the filter names
/// them.
pub fn init(log: &Log, quiet: &[&str]) -> Logging {
    start(log, quiet, BoxMakeWriter::new(io::stderr))
}

/// The same, above a line that stays.
pub fn init_above(footer: Footer, log: &Log, quiet: &[&str]) -> Logging {
    start(log, quiet, BoxMakeWriter::new(move || footer.clone()))
}

fn start(log: &Log, quiet: &[&str], writer: BoxMakeWriter) -> Logging {
    let quiet = quiet.iter().map(|target| format!("{target}=error,")).collect::<String>();
    let (layer, filter) = reload::Layer::new(directives(&quiet, &log.filter));
    let registry = tracing_subscriber::registry().with(layer).with(filter_fn(is_discreet));
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
    Logging { filter, quiet }
}

fn directives(quiet: &str, filter: &Filter) -> EnvFilter {
    EnvFilter::new(format!("{quiet}{filter}"))
}

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let is = |name: &&str| metadata.target().split("::").next() == Some(*name);
    *metadata.level() <= Level::INFO || !TELLTALES.iter().any(is)
}

/// systemd's journal notes the time of each line itself. It names the stream that leads to it.
fn goes_to_journal() -> bool {
    let stream =
        || std::fs::metadata("/proc/self/fd/2").ok().map(|stream| format!("{}:{}", stream.dev(), stream.ino()));
    env::var("JOURNAL_STREAM").is_ok_and(|journal| Some(journal) == stream())
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex, PoisonError},
    };

    use super::*;

    /// What is logged, to be looked at.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// One test, as there is one log.
    #[test]
    fn the_filter_can_change_and_lets_nobody_show_what_is_inside_of_messages() {
        let page = Page::default();
        let writer = page.clone();
        let log = Log { format: Format::Json, filter: Filter::default() };
        let logging = start(&log, &["chatty"], BoxMakeWriter::new(move || writer.clone()));
        let logged = || {
            tracing::debug!("ours");
            tracing::warn!(target: "chatty", "its own workings");
            tracing::trace!(target: "tungstenite::protocol", "a frame");
            tracing::debug!(target: "tokio_tungstenite", "a key");
            tracing::warn!(target: "tungstenite::protocol", "a warning");
            let bytes = std::mem::take(&mut *page.0.lock().unwrap_or_else(PoisonError::into_inner));
            let said = ["ours", "workings", "a frame", "a key", "a warning"];
            let text = String::from_utf8(bytes).expect("text");
            said.into_iter().filter(|said| text.contains(said)).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(logged(), "a warning");
        for (filter, expected) in [
            ("trace", "ours, a warning"),
            ("trace,chatty=warn", "ours, workings, a warning"),
            ("trace,tungstenite=trace,tokio_tungstenite=debug", "ours, a warning"),
            ("error", ""),
        ] {
            logging.set(&filter.parse().expect("a filter"));
            assert_eq!(logged(), expected, "{filter}");
        }
    }
}
