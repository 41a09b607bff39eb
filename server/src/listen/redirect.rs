//! From http to https.

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, Uri, header, uri::Authority},
    response::{IntoResponse, Response},
};

/// Answers everything with where it is to be had encrypted: on this port, or else on the one that was asked.
pub(super) fn router(port: Option<u16>) -> Router {
    Router::new().fallback(move |request: Request| async move { answer(&request, port) })
}

fn answer(request: &Request, port: Option<u16>) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match host.and_then(|host| target(host, request.uri(), port)) {
        // Not for ever: browsers would remember it when the operator has long thought better of it.
        Some(target) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, target)]).into_response(),
        None => (StatusCode::BAD_REQUEST, "This server is to be asked over https.\n").into_response(),
    }
}

fn target(host: &str, uri: &Uri, port: Option<u16>) -> Option<String> {
    let authority: Authority = host.parse().ok()?;
    let host = Some(authority.host()).filter(|host| !host.is_empty() && !authority.as_str().contains('@'))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    // An asterisk is no path.
    let path = if path.starts_with('/') { path } else { "/" };
    Some(match port.or(authority.port_u16()) {
        None | Some(443) => format!("https://{host}{path}"),
        Some(port) => format!("https://{host}:{port}{path}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_sent_to_the_same_place_encrypted() {
        let to = |host: &str, uri: &str, port| target(host, &uri.parse().expect("a URI"), Some(port));
        assert_eq!(to("a.example", "/watch/r?yaw=9", 443).as_deref(), Some("https://a.example/watch/r?yaw=9"));
        assert_eq!(to("a.example:8080", "/", 8443).as_deref(), Some("https://a.example:8443/"));
        assert_eq!(to("[2001:db8::1]:80", "/", 443).as_deref(), Some("https://[2001:db8::1]/"));
        assert_eq!(to("a.example", "*", 443).as_deref(), Some("https://a.example/"));
        assert_eq!(to("a.example", "http://b.example/x", 443).as_deref(), Some("https://a.example/x"));
        let same = |host: &str| target(host, &Uri::from_static("/"), None);
        assert_eq!(same("a.example:8443").as_deref(), Some("https://a.example:8443/"));
        assert_eq!(same("a.example").as_deref(), Some("https://a.example/"));
        for bad in ["", "a b", "user@a.example", "a.example/x", ":80"] {
            assert_eq!(to(bad, "/", 443), None, "{bad}");
        }
    }
}
