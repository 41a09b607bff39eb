//! Who may do what.

use std::fmt;

use axum::http::{Uri, uri::Authority};
use serde::Deserialize;

use super::changes::{Comparison, Effect};

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    pub mode: AuthMode,
    /// Web pages of these sites may use the server, beside its own.
    pub allowed_origins: Vec<Origin>,
}

/// Who may do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// Whoever reaches the server may claim a robot or watch one, from any web page.
    #[default]
    Open,
    /// Robots need a key, and viewers what their robot asks for.
    Keys,
}

/// Where a web page comes from, and no more: `https://example.org:8443`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin {
    scheme: Scheme,
    authority: Authority,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not of the form https://example.org or http://192.0.2.1:8080, without anything behind it")]
pub struct NoOrigin(String);

impl Auth {
    pub(super) fn compare(&self, new: &Self, keys: &mut Comparison) {
        let Self { mode, allowed_origins } = self;
        keys.next_start("auth.mode", mode, &new.mode);
        keys.unsaid("auth.allowed_origins", Effect::AtOnce, allowed_origins, &new.allowed_origins);
    }
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Origin {
    /// With brackets, if it is an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }

    /// Where no other is said, the usual one.
    pub(crate) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(self.scheme.port())
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Whether a request to this host comes from the page that this host serves.
    pub(crate) fn is_of_host(&self, host: &str) -> bool {
        let Ok(host) = host.parse::<Authority>() else { return false };
        self.is_at(&host)
    }

    fn is_at(&self, host: &Authority) -> bool {
        let usual = self.scheme.port();
        let port = |authority: &Authority| authority.port_u16().unwrap_or(usual);
        self.authority.host().eq_ignore_ascii_case(host.host()) && port(&self.authority) == port(host)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.is_at(&other.authority)
    }
}

impl TryFrom<String> for Origin {
    type Error = NoOrigin;

    fn try_from(text: String) -> Result<Self, NoOrigin> {
        let parse = |text: &str| {
            let uri: Uri = text.parse().ok()?;
            let scheme = match uri.scheme_str()? {
                "http" => Scheme::Http,
                "https" => Scheme::Https,
                _ => return None,
            };
            let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?.clone();
            let bare = matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("/"));
            bare.then_some(Self { scheme, authority })
        };
        parse(&text).ok_or(NoOrigin(text))
    }
}

impl std::str::FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse().expect(text)
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_more() {
        for good in ["https://example.org", "https://example.org/", "http://192.0.2.1:8080", "http://[2001:db8::1]:80"]
        {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in
            ["", "example.org", "*", "null", "https://", "ftp://example.org", "https://example.org/a", "https://a@b"]
        {
            let error = bad.parse::<Origin>().expect_err(bad).to_string();
            assert!(error.starts_with(&format!("{bad:?}")), "{error}");
        }
    }

    #[test]
    fn origins_are_the_same_when_scheme_host_and_port_are() {
        assert!(origin("https://Example.org").is(&origin("https://example.org:443")));
        assert!(!origin("https://example.org").is(&origin("http://example.org")));
        assert!(!origin("https://example.org").is(&origin("https://example.org:8443")));
        assert!(!origin("https://example.org.evil.example").is(&origin("https://example.org")));
    }

    #[test]
    fn a_page_is_the_hosts_own_when_it_comes_from_there() {
        assert!(origin("http://192.0.2.1:8080").is_of_host("192.0.2.1:8080"));
        assert!(origin("https://example.org").is_of_host("example.org"));
        assert!(origin("http://[::1]:8080").is_of_host("[::1]:8080"));
        assert!(!origin("http://example.org").is_of_host("example.org:8080"));
        assert!(!origin("http://evil.example").is_of_host("example.org"));
        assert!(!origin("http://example.org").is_of_host("not a host"));
    }
}
