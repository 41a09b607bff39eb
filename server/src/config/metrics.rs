//! What is measured, and who may read it.

use std::time::Duration;

use daemon::secret::Secret;
use serde::Deserialize;

use super::changes::{Comparison, Effect};

/// Short ones can be guessed.
const SHORTEST: usize = 16;

/// Beyond, what is known of anybody would be too old to mean anything.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Metrics {
    /// What whoever reads must show. Without one, only this machine may read.
    pub token: Option<Token>,
    /// Whole seconds between reports of robots and viewers; zero: there are none.
    pub report_every: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(Secret);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    token: Option<Secret>,
    #[serde(with = "humantime_serde")]
    report_every: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    #[error("the token must have at least {SHORTEST} characters, and only such as can be seen")]
    Weak,
    #[error("report_every must be whole seconds, one at least and {LONGEST_INTERVAL:?} at most, or 0s for no reports")]
    Interval,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { token: None, report_every: Duration::from_secs(5) }
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self { token: None, report_every: Metrics::default().report_every }
    }
}

impl TryFrom<Fields> for Metrics {
    type Error = MetricsError;

    fn try_from(Fields { token, report_every }: Fields) -> Result<Self, MetricsError> {
        if report_every.subsec_nanos() > 0 || report_every > LONGEST_INTERVAL {
            return Err(MetricsError::Interval);
        }
        Ok(Self { token: token.map(Token::try_from).transpose()?, report_every })
    }
}

impl Metrics {
    pub(super) fn compare(&self, new: &Self, keys: &mut Comparison) {
        let Self { token, report_every } = self;
        keys.unsaid("metrics.token", Effect::AtOnce, token, &new.token);
        keys.next_start("metrics.report_every", report_every, &new.report_every);
    }

    /// As robots and viewers are told.
    pub(crate) fn report_seconds(&self) -> Option<u32> {
        u32::try_from(self.report_every.as_secs()).ok().filter(|seconds| *seconds > 0)
    }
}

impl TryFrom<Secret> for Token {
    type Error = MetricsError;

    fn try_from(token: Secret) -> Result<Self, MetricsError> {
        let visible = token.expose().bytes().all(|byte| byte.is_ascii_graphic());
        if visible && token.expose().len() >= SHORTEST { Ok(Self(token)) } else { Err(MetricsError::Weak) }
    }
}

impl Token {
    /// Takes as long for a guess that is nearly right as for any other of its length.
    pub(crate) fn is(&self, guess: &str) -> bool {
        self.0 == Secret::from(guess.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parse(section: &str) -> Result<Metrics, String> {
        let config = toml::from_str::<Config>(&format!("[metrics]\n{section}"));
        config.map(|config| config.metrics).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_is_compared_and_never_printed() {
        let metrics = parse("token = \"0123456789abcdef\"").expect("valid");
        assert!(!format!("{metrics:?}").contains("0123"));
        let token = metrics.token.expect("there is one");
        assert!(token.is("0123456789abcdef"));
        for wrong in ["", "0123456789abcdeF", "0123456789abcde", "0123456789abcdef0"] {
            assert!(!token.is(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_sentence() {
        for (section, names) in [
            ("token = \"short\"", "at least 16"),
            ("token = \"with a space inside\"", "can be seen"),
            ("report_every = \"500ms\"", "whole seconds"),
            ("report_every = \"2m\"", "whole seconds"),
            ("report_evry = \"5s\"", "report_every"),
        ] {
            let error = parse(section).expect_err(section);
            assert!(error.contains(names), "{section}: {error}");
        }
        assert_eq!(parse("report_every = \"0s\"").expect("none").report_seconds(), None);
        assert_eq!(parse("").expect("the default").report_seconds(), Some(5));
    }
}
