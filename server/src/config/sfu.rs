//! A media server that passes on what a robot sends once.

use std::{fmt, str::FromStr};

use daemon::secret::Secret;
use protocol::{CameraId, RobotId};
use serde::{Deserialize, Deserializer, de::Error};

use super::changes::{Comparison, Effect};

/// Absent in a config: robots serve all of their viewers themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sfu(pub Option<Engine>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    Livekit(Livekit),
    Whip(Whip),
}

/// LiveKit, alone or many nodes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Livekit {
    /// Where this server reaches it.
    pub url: SfuUrl,
    /// Where pages do, if that is elsewhere.
    pub public_url: Option<SfuUrl>,
    pub key: String,
    pub secret: Secret,
}

/// Any server that takes pictures by WHIP and gives them by WHEP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whip {
    pub publish: Pattern,
    pub play: Pattern,
    /// What it wants to see as `Authorization`.
    pub authorization: Option<Secret>,
    /// Whether it takes all of a camera's qualities, and sends each viewer the one that its path carries.
    pub simulcast: bool,
}

/// An http or https URL without anything behind the path.
#[derive(Clone, PartialEq, Eq)]
pub struct SfuUrl(axum::http::Uri);

/// A URL with `{robot}` and `{camera}` in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SfuError {
    #[error("sfu.kind is {0:?}: it is \"livekit\" or \"whip\"")]
    Kind(String),
    #[error("[sfu] has no kind: it is \"livekit\" or \"whip\"")]
    NoKind,
    #[error("sfu.{key} is missing: a media server of kind {kind:?} needs it")]
    Missing { kind: &'static str, key: &'static str },
    #[error("sfu.{key} is of no use with kind = {kind:?}: remove it")]
    Foreign { kind: &'static str, key: &'static str },
    #[error("sfu.{key} is no URL like https://sfu.example.org, without a query")]
    Url { key: &'static str },
    #[error(
        "sfu.{key} is no URL with {{robot}} and {{camera}} in its path, like https://sfu.example.org/{{robot}}/{{camera}}/whip"
    )]
    Pattern { key: &'static str },
    #[error("sfu.secret must have at least {MIN_SECRET} characters: LiveKit takes no shorter one")]
    ShortSecret,
}

const MIN_SECRET: usize = 32;

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    kind: Option<String>,
    url: Option<String>,
    public_url: Option<String>,
    key: Option<String>,
    secret: Option<Secret>,
    publish: Option<String>,
    play: Option<String>,
    authorization: Option<Secret>,
    simulcast: Option<bool>,
}

impl Sfu {
    pub(super) fn compare(&self, new: &Self, keys: &mut Comparison) {
        keys.unsaid("sfu", Effect::NextStart, self, new);
    }
}

impl<'de> Deserialize<'de> for Sfu {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        Engine::try_from(wire).map(|engine| Self(Some(engine))).map_err(D::Error::custom)
    }
}

impl TryFrom<Wire> for Engine {
    type Error = SfuError;

    fn try_from(wire: Wire) -> Result<Self, SfuError> {
        let Wire { kind, url, public_url, key, secret, publish, play, authorization, simulcast } = wire;
        match kind.as_deref() {
            Some("livekit") => {
                let kind = "livekit";
                let foreign = [
                    ("publish", publish.is_some()),
                    ("play", play.is_some()),
                    ("authorization", authorization.is_some()),
                    ("simulcast", simulcast.is_some()),
                ];
                refuse(kind, &foreign)?;
                let missing = |key| move || SfuError::Missing { kind, key };
                let secret = secret.ok_or_else(missing("secret"))?;
                if secret.expose().len() < MIN_SECRET {
                    return Err(SfuError::ShortSecret);
                }
                Ok(Self::Livekit(Livekit {
                    url: url.ok_or_else(missing("url"))?.parse().map_err(|NoUrl| SfuError::Url { key: "url" })?,
                    public_url: public_url
                        .map(|url| url.parse().map_err(|NoUrl| SfuError::Url { key: "public_url" }))
                        .transpose()?,
                    key: key.ok_or_else(missing("key"))?,
                    secret,
                }))
            }
            Some("whip") => {
                let kind = "whip";
                let foreign = [
                    ("url", url.is_some()),
                    ("public_url", public_url.is_some()),
                    ("key", key.is_some()),
                    ("secret", secret.is_some()),
                ];
                refuse(kind, &foreign)?;
                let pattern = |value: Option<String>, key| {
                    let value = value.ok_or(SfuError::Missing { kind, key })?;
                    Pattern::new(value).ok_or(SfuError::Pattern { key })
                };
                Ok(Self::Whip(Whip {
                    publish: pattern(publish, "publish")?,
                    play: pattern(play, "play")?,
                    authorization,
                    simulcast: simulcast.unwrap_or_default(),
                }))
            }
            Some(other) => Err(SfuError::Kind(other.to_owned())),
            None => Err(SfuError::NoKind),
        }
    }
}

fn refuse(kind: &'static str, foreign: &[(&'static str, bool)]) -> Result<(), SfuError> {
    match foreign.iter().find(|(_, is_there)| *is_there) {
        Some((key, _)) => Err(SfuError::Foreign { kind, key }),
        None => Ok(()),
    }
}

/// It is no URL of a media server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoUrl;

impl FromStr for SfuUrl {
    type Err = NoUrl;

    fn from_str(text: &str) -> Result<Self, NoUrl> {
        let uri: axum::http::Uri = text.trim_end_matches('/').parse().map_err(|_| NoUrl)?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https" | "ws" | "wss"));
        if is_web && uri.host().is_some() && uri.query().is_none() { Ok(Self(uri)) } else { Err(NoUrl) }
    }
}

impl SfuUrl {
    /// With this path behind it, to be asked by HTTP.
    pub(crate) fn at(&self, path: &str) -> String {
        let scheme = if matches!(self.0.scheme_str(), Some("https" | "wss")) { "https" } else { "http" };
        self.with(scheme, path)
    }

    /// As pages reach it.
    pub(crate) fn for_pages(&self) -> String {
        let scheme = if matches!(self.0.scheme_str(), Some("https" | "wss")) { "wss" } else { "ws" };
        self.with(scheme, "")
    }

    fn with(&self, scheme: &str, path: &str) -> String {
        let authority = self.0.authority().map(axum::http::uri::Authority::as_str).unwrap_or_default();
        format!("{scheme}://{authority}{}{path}", self.0.path().trim_end_matches('/'))
    }
}

impl fmt::Debug for SfuUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Pattern {
    fn new(text: String) -> Option<Self> {
        let example = text.replace("{robot}", "r").replace("{camera}", "c");
        let uri: axum::http::Uri = example.parse().ok()?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        let authority = text.split('/').nth(2).unwrap_or_default();
        let names = text.contains("{robot}") && text.contains("{camera}") && !authority.contains('{');
        (is_web && names).then_some(Self(text))
    }

    /// Ids are URL-safe.
    pub(crate) fn of(&self, robot: &RobotId, camera: &CameraId) -> String {
        self.0.replace("{robot}", robot.as_str()).replace("{camera}", camera.as_str())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    const LIVEKIT: &str = "[sfu]\nkind = \"livekit\"\nurl = \"http://127.0.0.1:7880/\"\nkey = \"k\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n";
    const WHIP: &str = "[sfu]\nkind = \"whip\"\npublish = \"http://sfu:8889/{robot}/{camera}/whip\"\nplay = \"http://sfu:8889/{robot}/{camera}/whep\"\n";

    fn refusal(text: &str) -> String {
        toml::from_str::<Config>(text).expect_err("refused").to_string()
    }

    #[test]
    fn where_robots_are_published_and_pages_find_them_is_told_by_the_config() {
        let config: Config = toml::from_str(LIVEKIT).expect("valid");
        let Some(Engine::Livekit(livekit)) = &config.sfu.0 else { panic!("{config:?}") };
        assert_eq!(livekit.url.at("/whip/v1"), "http://127.0.0.1:7880/whip/v1");
        assert_eq!(livekit.url.for_pages(), "ws://127.0.0.1:7880");
        assert!(!format!("{config:?}").contains("0123456789abcdef"));
        let config: Config = toml::from_str(WHIP).expect("valid");
        let Some(Engine::Whip(whip)) = &config.sfu.0 else { panic!("{config:?}") };
        let (robot, camera) = ("demo".parse().expect("an id"), "main".parse().expect("an id"));
        assert_eq!(whip.publish.of(&robot, &camera), "http://sfu:8889/demo/main/whip");
        assert!(!whip.simulcast);
        assert_eq!(Config::default().sfu, Sfu(None));
    }

    #[test]
    fn what_cannot_work_is_told_by_its_key() {
        for (text, says) in [
            (LIVEKIT.replace("livekit", "janus"), "\"janus\""),
            (LIVEKIT.replace("kind = \"livekit\"\n", ""), "no kind"),
            (LIVEKIT.replace("url = \"http", "url = \"gopher"), "sfu.url"),
            (LIVEKIT.replace("key = \"k\"\n", ""), "sfu.key is missing"),
            (LIVEKIT.replace("0123456789abcdef\"", "\""), "at least 32"),
            (format!("{LIVEKIT}play = \"x\"\n"), "sfu.play is of no use"),
            (WHIP.replace("/{camera}/whep", "/whep"), "sfu.play is no URL"),
            (WHIP.replace("sfu:8889/{robot}/{camera}/whip", "{robot}/{camera}"), "sfu.publish is no URL"),
            (format!("{WHIP}secret = \"x\"\n"), "sfu.secret is of no use"),
            (format!("{WHIP}typo = 1\n"), "typo"),
        ] {
            let refused = refusal(&text);
            assert!(refused.contains(says), "{says}: {refused}");
        }
    }
}
