//! Which web pages may use the server from a browser: robots and commands name no origin, browsers always do.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    Held,
    config::{AuthMode, Origin},
};

#[derive(Clone)]
pub(crate) enum Origins {
    /// An open server trusts everyone, so that pages of the family may come from anywhere. Credentials are not allowed with
    /// it, and there are none.
    All,
    /// Those that the config lists. Where it lists none, the server does not know what it is called, and takes a page for
    /// its own that comes from the host which it asks: so does one of another site whose name was made to lead here (DNS
    /// rebinding), which then is as good as a stranger's program, without anybody's cookies.
    Listed(Held),
}

impl Origins {
    /// As the server starts: the mode stays, the list may change.
    pub(crate) fn new(config: &Held) -> Self {
        match config.borrow().auth.mode {
            AuthMode::Open => Self::All,
            AuthMode::Keys => Self::Listed(config.clone()),
        }
    }

    /// Whether a request with these headers may come from the page that it comes from.
    fn admit(&self, headers: &HeaderMap) -> bool {
        let Self::Listed(listed) = self else { return true };
        let mut named = headers.get_all(header::ORIGIN).iter();
        let (origin, others) = (named.next(), named.next());
        let Some(origin) = origin else { return true };
        let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Origin>().ok());
        let Some(origin) = origin.filter(|_| others.is_none()) else { return false };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let config = listed.borrow();
        let mut listed = config.auth.allowed_origins.iter().chain(&config.public_url).peekable();
        if listed.peek().is_none() {
            return host.is_some_and(|host| origin.is_of_host(host));
        }
        listed.any(|listed| listed.is(&origin))
    }
}

/// Refuses pages that are not listed, and tells browsers that those which are may read the answer.
pub(super) async fn check(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    if !origins.admit(request.headers()) {
        let message = "Pages of this origin may not use this server: it is neither its public_url nor in \
                       auth.allowed_origins.\n";
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    let origin = match &origins {
        Origins::All => Some(HeaderValue::from_static("*")),
        Origins::Listed(_) => request.headers().get(header::ORIGIN).cloned(),
    };
    let mut response = next.run(request).await;
    if let Some(origin) = origin {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::*;
    use crate::config::{Auth, Config};

    fn admits(origins: &Origins, headers: &[(header::HeaderName, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        origins.admit(&map)
    }

    fn config(listed: &[&str], public: Option<&str>) -> Arc<Config> {
        let origin = |text: &str| text.parse().expect("an origin");
        let auth = Auth { mode: AuthMode::Keys, allowed_origins: listed.iter().map(|text| origin(text)).collect() };
        Arc::new(Config { auth, public_url: public.map(origin), ..Config::default() })
    }

    #[test]
    fn a_server_that_knows_what_it_is_called_goes_by_no_other_name() {
        let from = |origin| [(header::HOST, "cam.example"), (header::ORIGIN, origin)];
        for (listed, public, own) in [
            (&[][..], None, true),
            (&[], Some("https://public.example"), false),
            (&["https://shop.example"], None, false),
            (&["https://cam.example"], Some("https://public.example"), true),
        ] {
            let (_configs, held) = watch::channel(config(listed, public));
            let origins = Origins::new(&held);
            assert_eq!(admits(&origins, &from("https://cam.example")), own, "{listed:?} {public:?}");
            assert!(!admits(&origins, &from("https://evil.example")));
        }
    }

    #[test]
    fn only_the_listed_pages_may_come() {
        let config = |listed: &str| config(&[listed], Some("https://public.example"));
        let (configs, held) = watch::channel(config("https://shop.example"));
        let origins = Origins::new(&held);
        let host = (header::HOST, "cam.example");
        assert!(admits(&origins, std::slice::from_ref(&host)), "no browser");
        for (origin, fine) in [
            // Whatever name the page's host gave to this address.
            ("https://cam.example", false),
            ("http://cam.example", false),
            ("https://shop.example", true),
            ("https://shop.example:443", true),
            ("https://public.example", true),
            ("http://shop.example", false),
            ("https://cam.example.evil.example", false),
            ("https://evil.example", false),
            ("null", false),
            ("*", false),
        ] {
            assert_eq!(admits(&origins, &[host.clone(), (header::ORIGIN, origin)]), fine, "{origin}");
        }
        let two = [(header::ORIGIN, "https://shop.example"), (header::ORIGIN, "https://evil.example")];
        assert!(!admits(&origins, &two), "which of them?");
        assert!(admits(&Origins::All, &[host.clone(), (header::ORIGIN, "null")]));
        configs.send_replace(config("https://evil.example"));
        assert!(admits(&origins, &[host.clone(), (header::ORIGIN, "https://evil.example")]), "listed by now");
        assert!(!admits(&origins, &[host, (header::ORIGIN, "https://shop.example")]), "no longer");
    }
}
