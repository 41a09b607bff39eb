//! Requests to [`crate::app`] without a listener.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
    response::Response,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::Config;

/// An app whose tasks end with it.
struct App {
    router: Router,
    cancel: CancellationToken,
    _tasks: JoinSet<()>,
}

fn app() -> App {
    let (mut tasks, cancel) = (JoinSet::new(), CancellationToken::new());
    let router = crate::app(&Config::default(), &mut tasks, cancel.clone()).expect("an app");
    App { router, cancel, _tasks: tasks }
}

impl App {
    async fn request(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.expect("routers do not fail")
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Request::get(path).body(Body::empty()).expect("a request")).await
    }
}

async fn text(response: Response) -> String {
    let body = to_bytes(response.into_body(), 1 << 24).await.expect("a body");
    String::from_utf8(body.to_vec()).expect("text")
}

fn header(response: &Response, name: header::HeaderName) -> &str {
    response.headers().get(&name).unwrap_or_else(|| panic!("no {name}")).to_str().expect("ASCII")
}

#[tokio::test]
async fn every_page_is_the_viewer_and_only_embedded_ones_may_be_framed() {
    let app = app();
    for (path, frames) in [
        ("/", "frame-ancestors 'self'"),
        ("/watch/demo", "frame-ancestors 'self'"),
        ("/watch/demo/main", "frame-ancestors 'self'"),
        ("/embed/demo", "frame-ancestors *"),
        ("/embed/demo/main", "frame-ancestors *"),
    ] {
        let response = app.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(header(&response, header::CONTENT_TYPE).starts_with("text/html"));
        assert_eq!(header(&response, header::CACHE_CONTROL), "no-cache");
        assert_eq!(header(&response, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        let policy = header(&response, header::CONTENT_SECURITY_POLICY);
        assert!(policy.ends_with(frames) && policy.contains("script-src 'self';"), "{policy}");
        assert!(text(response).await.to_lowercase().contains("<!doctype html>"));
    }
}

#[tokio::test]
async fn pages_that_are_isolated_from_all_others_may_show_it() {
    let app = app();
    let said = async |path: &str| {
        let response = app.get(path).await;
        ["cross-origin-resource-policy", "cross-origin-embedder-policy"]
            .map(|name| response.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned()))
    };
    let [cross_origin, strict] = ["cross-origin", "require-corp"].map(|text| Some(text.to_owned()));
    assert_eq!(said("/embed/demo").await, [cross_origin.clone(), strict]);
    assert_eq!(said("/embed.js").await, [cross_origin, None]);
    assert_eq!(said("/watch/demo").await, [None, None]);
}

#[tokio::test]
async fn an_unchanged_file_is_not_sent_again() {
    let app = app();
    let tag = header(&app.get("/").await, header::ETAG).to_owned();
    let request = Request::get("/").header(header::IF_NONE_MATCH, format!("\"x\", W/{tag}"));
    let response = app.request(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn the_page_and_its_files_come_as_small_as_their_reader_takes_them() {
    let app = app();
    let ask = async |path: &str, accepts: &str| {
        let request = Request::get(path).header(header::ACCEPT_ENCODING, accepts);
        app.request(request.body(Body::empty()).expect("a request")).await
    };
    let files = super::page::assets().map(|path| format!("/{path}"));
    for path in files.chain(["/".to_owned(), "/embed.js".to_owned(), "/socket.io/socket.io.js".to_owned()]) {
        let plain = ask(&path, "identity").await;
        let kind = header(&plain, header::CONTENT_TYPE).to_owned();
        assert_ne!(kind, "application/octet-stream", "{path}");
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        assert_eq!(header(&plain, header::VARY), "accept-encoding");
        let mut sizes = vec![to_bytes(plain.into_body(), 1 << 24).await.expect("a body").len()];
        for (accepts, encoding) in [("br;q=0, gzip;q=0.5", "gzip"), ("gzip, deflate, BR", "br")] {
            let small = ask(&path, accepts).await;
            assert_eq!(header(&small, header::CONTENT_ENCODING), encoding, "{path}");
            assert_eq!(header(&small, header::CONTENT_TYPE), kind);
            sizes.push(to_bytes(small.into_body(), 1 << 24).await.expect("a body").len());
        }
        assert!(sizes.is_sorted_by(|larger, smaller| larger > smaller), "{path}: {sizes:?}");
    }
    // What is known of one is not known of another.
    let tag = header(&ask("/", "gzip").await, header::ETAG).to_owned();
    let request = Request::get("/").header(header::IF_NONE_MATCH, tag).header(header::ACCEPT_ENCODING, "br");
    let response = app.request(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn assets_are_kept_by_browsers() {
    let app = app();
    let assets: Vec<_> = super::page::assets().collect();
    assert!(!assets.is_empty(), "the page has scripts and styles");
    for path in assets {
        let response = app.get(&format!("/{path}")).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&response, header::CACHE_CONTROL), "public, max-age=31536000, immutable");
    }
}

#[tokio::test]
async fn the_client_library_wins_over_the_protocol_on_its_path() {
    let app = app();
    let library = app.get("/socket.io/socket.io.js").await;
    assert_eq!(library.status(), StatusCode::OK);
    assert!(header(&library, header::CONTENT_TYPE).contains("javascript"));
    let handshake = app.get("/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(handshake.status(), StatusCode::OK);
    assert_eq!(header(&handshake, header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
    assert!(text(handshake).await.starts_with("0{\"sid\""));
}

#[tokio::test]
async fn health_readiness_and_robots() {
    let app = app();
    assert_eq!(app.get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(app.get("/readyz").await.status(), StatusCode::OK);
    let robots = app.get("/api/v1/robots").await;
    assert_eq!(header(&robots, header::CONTENT_TYPE), "application/json");
    assert_eq!(text(robots).await, "[]");
    app.cancel.cancel();
    assert_eq!(app.get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(app.get("/readyz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn robots_may_know_the_version_and_where_stun_is_but_no_credential() {
    let ice = r#"servers = [{ urls = ["stun:s.example"] }, { urls = ["turn:t.example"], username = "u", credential = "hunter2" }]"#;
    let config = Config { ice: toml::from_str(ice).expect("valid"), ..Config::default() };
    let (mut tasks, cancel) = (JoinSet::new(), CancellationToken::new());
    let app = App { router: crate::app(&config, &mut tasks, cancel.clone()).expect("an app"), cancel, _tasks: tasks };
    let about = text(app.get("/api/v1/server").await).await;
    let about: serde_json::Value = serde_json::from_str(&about).expect("JSON");
    let expected = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"), "protocol": protocol::VERSION, "ice": ["stun:s.example", "turn:t.example"],
    });
    assert_eq!(about, expected);
}

#[tokio::test]
async fn who_asks_for_a_picture_of_nobody_is_told_so() {
    let app = app();
    for (path, status, says) in [
        ("/api/v1/robots/demo/snapshot.jpg", StatusCode::SERVICE_UNAVAILABLE, "demo is not connected"),
        ("/api/v1/robots/demo/cameras/main/snapshot.jpg", StatusCode::SERVICE_UNAVAILABLE, "demo is not connected"),
        ("/api/v1/robots/r2/snapshot.jpg", StatusCode::NOT_FOUND, "r2"),
        ("/api/v1/robots/a%20b/snapshot.jpg", StatusCode::NOT_FOUND, "nothing here"),
    ] {
        let response = app.get(path).await;
        assert_eq!(response.status(), status, "{path}");
        assert!(text(response).await.contains(says), "{path}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let app = app();
    for path in ["/nothing", "/watch", "/watch/a%20b", "/watch/demo/main/more", "/assets/absent.js", "/index.html"] {
        assert_eq!(app.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/", "/watch/demo", "/healthz", "/api/v1/robots"] {
        let request = Request::builder().method(Method::DELETE).uri(path).body(Body::empty()).expect("a request");
        assert_eq!(app.request(request).await.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}
