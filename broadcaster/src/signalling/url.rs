//! Where the server is.

use serde::Deserialize;
use tokio_tungstenite::tungstenite::http::{Uri, uri::Scheme};

/// A server's web address, such as `https://video.example.org`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ServerUrl(Uri);

#[derive(Debug, thiserror::Error)]
pub enum InvalidUrl {
    #[error("{0:?} is not a web address")]
    Syntax(String),
    #[error("{0:?} must start with http:// or https:// and name a host")]
    Scheme(String),
}

impl ServerUrl {
    /// The address of its Socket.IO endpoint, over WebSocket from the first byte.
    pub fn socket(&self) -> String {
        let scheme = if self.is_encrypted() { "wss" } else { "ws" };
        let authority = self.0.authority().map(ToString::to_string).unwrap_or_default();
        let path = self.0.path().trim_end_matches('/');
        format!("{scheme}://{authority}{path}/socket.io/?EIO=4&transport=websocket")
    }

    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == Some(&Scheme::HTTPS)
    }

    /// Its name or address, as one connects to it and as its certificate should have it.
    pub fn host(&self) -> &str {
        self.0.host().unwrap_or_default().trim_matches(['[', ']'])
    }

    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.is_encrypted() { 443 } else { 80 })
    }

    /// Where something lies on the server, as requests over HTTP name it.
    pub fn path(&self, below: &str) -> String {
        format!("{}{below}", self.0.path().trim_end_matches('/'))
    }

    /// As requests over HTTP name it.
    pub fn authority(&self) -> &str {
        self.0.authority().map(|authority| authority.as_str()).unwrap_or_default()
    }

    /// Whether the server is on this very machine, so that viewers may be, too.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl Default for ServerUrl {
    fn default() -> Self {
        Self(Uri::from_static("http://127.0.0.1:8080"))
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = InvalidUrl;

    fn try_from(text: String) -> Result<Self, InvalidUrl> {
        let uri: Uri = text.parse().map_err(|_| InvalidUrl::Syntax(text.clone()))?;
        let web = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
        if web && uri.host().is_some_and(|host| !host.is_empty()) {
            Ok(Self(uri))
        } else {
            Err(InvalidUrl::Scheme(text))
        }
    }
}

impl std::str::FromStr for ServerUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        Self::try_from(text.to_owned())
    }
}

impl std::fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_addresses_become_socket_addresses() {
        let socket = |text: &str| text.parse::<ServerUrl>().expect("valid").socket();
        assert_eq!(socket("http://robot.local:8080"), "ws://robot.local:8080/socket.io/?EIO=4&transport=websocket");
        assert_eq!(socket("https://a.example/pano/"), "wss://a.example/pano/socket.io/?EIO=4&transport=websocket");
        for bad in ["ftp://a", "video.example.org", "http://", "", "ws://a"] {
            assert!(bad.parse::<ServerUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn web_addresses_have_parts() {
        let parts = |text: &str| {
            let url = text.parse::<ServerUrl>().expect("valid");
            (url.host().to_owned(), url.port(), url.authority().to_owned(), url.path("/healthz"))
        };
        let owned = |host: &str, port, authority: &str, path: &str| (host.into(), port, authority.into(), path.into());
        assert_eq!(parts("http://[::1]:8080"), owned("::1", 8080, "[::1]:8080", "/healthz"));
        assert_eq!(parts("https://a.example/pano/"), owned("a.example", 443, "a.example", "/pano/healthz"));
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let loopback = |text: &str| text.parse::<ServerUrl>().expect("valid").is_loopback();
        assert!(loopback("http://127.0.0.1:8080") && loopback("http://localhost") && loopback("http://[::1]:80"));
        assert!(!loopback("http://192.168.1.2:8080") && !loopback("https://localhost.example.org"));
    }
}
