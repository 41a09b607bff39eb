//! Telling browsers to come encrypted only, where that cannot lock anybody out.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, header, uri::Authority};

/// Half a year: a browser that has not come for so long may be told anew.
const POLICY: HeaderValue = HeaderValue::from_static("max-age=15552000");

/// Last parts of names that are nobody's on the internet.
const PRIVATE: [&str; 10] =
    ["local", "localhost", "internal", "lan", "home", "arpa", "test", "invalid", "example", "onion"];

/// What to answer a request with these headers, in a connection that an authority vouches for.
pub(super) fn policy(headers: &HeaderMap) -> Option<HeaderValue> {
    let host: Authority = headers.get(header::HOST)?.to_str().ok()?.parse().ok()?;
    is_public(host.host()).then_some(POLICY)
}

fn is_public(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
    let last = host.rsplit_once('.').map(|(_, last)| last.to_ascii_lowercase());
    !is_address && last.is_some_and(|last| !PRIVATE.contains(&&*last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_internet_are_public() {
        for public in ["video.example.org", "Example.COM", "a.b.c.de."] {
            assert!(is_public(public), "{public}");
        }
        for private in [
            "localhost",
            "robot",
            "robot.local",
            "ROBOT.LOCAL.",
            "a.localhost",
            "192.0.2.7",
            "[2001:db8::1]",
            "x.home.arpa",
            "",
        ] {
            assert!(!is_public(private), "{private}");
        }
    }
}
