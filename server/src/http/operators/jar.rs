//! The cookie that a visit's token is in.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use std::time::Duration;

use crate::{Held, config::Origin};

const PLAIN: &str = "panocast_operator";

/// Browsers take it only encrypted and from this very host: nobody who has another one of the same domain can set it.
const SECURE: &str = "__Host-panocast_operator";

/// Knows what the cookie is called, and so which one counts.
#[derive(Clone)]
pub(in crate::http) struct Jar {
    config: Held,
    /// By the server itself, from its start to its end.
    encrypted: bool,
}

impl Jar {
    /// As the server starts.
    pub(in crate::http) fn new(config: &Held) -> Self {
        let encrypted = config.borrow().scheme() == "https";
        Self { config: config.clone(), encrypted }
    }

    /// The token of the visit that these headers are part of.
    pub(super) fn token<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let wanted = self.name();
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let mut cookies =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        cookies.find(|(name, _)| *name == wanted).map(|(_, token)| token)
    }

    pub(super) fn put(&self, response: &mut Response, token: &str, lasts: Duration) {
        let (name, secure) = (self.name(), if self.is_secure() { "; Secure" } else { "" });
        let cookie = format!("{name}={token}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}", lasts.as_secs());
        let value = HeaderValue::try_from(cookie).expect("tokens are plain ASCII");
        response.headers_mut().insert(header::SET_COOKIE, value);
    }

    fn name(&self) -> &'static str {
        if self.is_secure() { SECURE } else { PLAIN }
    }

    /// Whether browsers come by TLS only.
    fn is_secure(&self) -> bool {
        self.config.borrow().public_url.as_ref().map_or(self.encrypted, Origin::is_secure)
    }
}
