//! What operators read by machine: `/metrics`, and the overview from which their page is drawn.
//!
//! Both tell who is here, so not everybody may read them: whoever shows the token of the config or, where there is none,
//! whoever asks on this very machine; and operators.

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::watch;

use super::{caller::bearer, operators};
use crate::{
    Held,
    auth::Door,
    listen::ClientAddress,
    metrics::{CONTENT_TYPE, process},
    signalling::Enquiries,
    turn::Tally,
};

/// A request that bears one of these comes through a proxy, which may stand on this machine for anybody.
const FORWARDED: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];

/// Who knows numbers.
#[derive(Clone)]
struct Sources {
    figures: Enquiries,
    /// Where there is a relay.
    relay: Option<Tally>,
}

pub(super) fn routes(
    config: &Held,
    door: watch::Receiver<Door>,
    jar: operators::Jar,
    figures: Enquiries,
    relay: Option<Tally>,
) -> Router {
    let guards = Guards { config: config.clone(), door, jar };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/api/v1/overview", get(overview))
        .layer(from_fn_with_state(guards, guard))
        .with_state(Sources { figures, relay })
}

async fn metrics(State(Sources { figures, relay }): State<Sources>) -> Response {
    let usage = tokio::task::spawn_blocking(process::usage);
    let (Some(mut text), Ok(usage)) = (figures.metrics().await, usage.await) else { return draining() };
    if let Some(relay) = relay {
        relay.counters().write(&mut text);
    }
    usage.write(&mut text);
    ([(header::CONTENT_TYPE, CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")], text.finish()).into_response()
}

async fn overview(State(Sources { figures, .. }): State<Sources>) -> Response {
    match figures.overview().await {
        Some(overview) => ([(header::CACHE_CONTROL, "no-store")], Json(overview)).into_response(),
        None => draining(),
    }
}

fn draining() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response()
}

#[derive(Clone)]
struct Guards {
    config: Held,
    door: watch::Receiver<Door>,
    jar: operators::Jar,
}

async fn guard(State(Guards { config, door, jar }): State<Guards>, request: Request, next: Next) -> Response {
    let token = config.borrow().metrics.token.clone();
    let headers = request.headers();
    let is_operator = operators::known(headers, &door.borrow(), &jar).is_some();
    let admitted = is_operator
        || match &token {
            Some(token) => shown(headers).is_some_and(|shown| token.is(shown)),
            None => {
                let from = request.extensions().get::<ClientAddress>();
                from.is_some_and(|from| is_of_this_machine(*from, headers, request.uri()))
            }
        };
    if admitted {
        return next.run(request).await;
    }
    tracing::debug!(path = request.uri().path(), "metrics refused");
    if token.is_some() {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"panocast\"")];
        return (StatusCode::UNAUTHORIZED, challenge, "This takes the token of the server's [metrics] section.\n")
            .into_response();
    }
    let help = "This is only for the machine that the server runs on. Set a token in the [metrics] section of its config \
                to read it from elsewhere, or through a proxy.\n";
    (StatusCode::FORBIDDEN, help).into_response()
}

fn shown(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok().and_then(bearer)
}

/// Asked by a program on this machine, under this machine's own name: a page that has its name point here, and a proxy that
/// passes on the name that it was asked for, show by that name that somebody else is behind it.
fn is_of_this_machine(from: ClientAddress, headers: &HeaderMap, uri: &Uri) -> bool {
    let host =
        headers.get(header::HOST).and_then(|host| host.to_str().ok()).or(uri.authority().map(|name| name.as_str()));
    let own = host.and_then(|host| host.parse::<axum::http::uri::Authority>().ok()).is_some_and(|authority| {
        let name = authority.host().trim_matches(['[', ']']);
        name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    from.is_of_this_machine() && own && FORWARDED.iter().all(|name| !headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::HeaderValue};
    use tokio::task::JoinSet;
    use tokio_util::sync::CancellationToken;
    use tower::ServiceExt;

    use super::*;
    use crate::Config;

    /// What a request from there with these headers is answered with.
    async fn status(metrics: &str, from: &str, headers: &[(&'static str, &'static str)]) -> StatusCode {
        let config = Config { metrics: toml::from_str(metrics).expect("valid"), ..Config::default() };
        let mut tasks = JoinSet::new();
        let router = crate::app(&config, &mut tasks, CancellationToken::new()).expect("an app");
        let mut answers = Vec::new();
        for path in ["/metrics", "/api/v1/overview"] {
            let mut request = Request::get(path).body(Body::empty()).expect("a request");
            if !from.is_empty() {
                request.extensions_mut().insert(ClientAddress(from.parse().expect("an address")));
            }
            for (name, value) in headers {
                request.headers_mut().insert(*name, HeaderValue::from_static(value));
            }
            answers.push(router.clone().oneshot(request).await.expect("routers do not fail").status());
        }
        assert_eq!(answers[0], answers[1], "both are guarded in the same way");
        answers[0]
    }

    #[tokio::test]
    async fn without_a_token_only_this_machine_may_read() {
        let host = ("host", "127.0.0.1:8080");
        for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(status("", own, &[host]).await, StatusCode::OK, "{own}");
        }
        assert_eq!(status("", "127.0.0.1", &[("host", "localhost:8080")]).await, StatusCode::OK);
        assert_eq!(status("", "::1", &[("host", "[::1]:8080")]).await, StatusCode::OK);
        for other in ["192.0.2.1", "::ffff:10.0.0.1", ""] {
            assert_eq!(status("", other, &[host]).await, StatusCode::FORBIDDEN, "{other}");
        }
        for forwarded in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
            let headers = [host, (forwarded, "127.0.0.1")];
            assert_eq!(status("", "127.0.0.1", &headers).await, StatusCode::FORBIDDEN, "{forwarded}");
        }
        for name in ["evil.example", "video.example:443", ""] {
            assert_eq!(status("", "127.0.0.1", &[("host", name)]).await, StatusCode::FORBIDDEN, "{name:?}");
        }
    }

    #[tokio::test]
    async fn with_a_token_whoever_shows_it_may_read_and_nobody_else() {
        let config = "token = \"0123456789abcdef\"";
        let host = ("host", "video.example");
        let ask = async |from, authorization| status(config, from, &[host, ("authorization", authorization)]).await;
        assert_eq!(ask("192.0.2.1", "Bearer 0123456789abcdef").await, StatusCode::OK);
        assert_eq!(ask("192.0.2.1", "bearer 0123456789abcdef").await, StatusCode::OK);
        for wrong in ["Bearer 0123456789abcdee", "Bearer ", "Basic 0123456789abcdef", "0123456789abcdef"] {
            assert_eq!(ask("127.0.0.1", wrong).await, StatusCode::UNAUTHORIZED, "{wrong}");
        }
        assert_eq!(
            status(config, "127.0.0.1", &[("host", "127.0.0.1")]).await,
            StatusCode::UNAUTHORIZED,
            "not even this machine, on which a proxy may stand"
        );
    }
}
