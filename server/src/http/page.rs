//! The viewer page and its files. They are part of the binary: there is one thing to copy, and it fits itself.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::get,
};
use protocol::{CameraId, RobotId};
use rust_embed::{Embed, EmbeddedFile};

#[derive(Embed)]
#[folder = "../web-viewer/dist"]
struct Dist;

/// Who may show the page in a frame.
#[derive(Clone, Copy)]
enum Frames {
    Anywhere,
    SameOrigin,
}

/// `'self'` for `connect-src` does not cover WebSockets in every browser.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    media-src 'self' blob: mediastream:; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; \
    form-action 'self'; frame-ancestors ";

pub(super) fn routes() -> Router {
    let embedded = Router::new()
        .route("/embed/{robot}", get(robot_page))
        .route("/embed/{robot}/{camera}", get(camera_page))
        .layer(map_response(|response| restrict(response, Frames::Anywhere)));
    let pages = Router::new()
        .route("/", get(index))
        .route("/watch/{robot}", get(robot_page))
        .route("/watch/{robot}/{camera}", get(camera_page))
        .layer(map_response(|response| restrict(response, Frames::SameOrigin)));
    let files = Dist::iter()
        .filter(|path| path != "index.html")
        .fold(Router::new(), |files, path| files.route(&format!("/{path}"), get(file)));
    files.merge(pages).merge(embedded)
}

async fn robot_page(robot: Result<Path<RobotId>, impl IntoResponse>, headers: HeaderMap) -> Response {
    if robot.is_ok() { index(headers).await } else { not_found() }
}

async fn camera_page(names: Result<Path<(RobotId, CameraId)>, impl IntoResponse>, headers: HeaderMap) -> Response {
    if names.is_ok() { index(headers).await } else { not_found() }
}

async fn index(headers: HeaderMap) -> Response {
    match Dist::get("index.html") {
        Some(file) => serve(file, "no-cache", &headers),
        None => not_found(),
    }
}

async fn file(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    // Names of assets carry a hash of their content.
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    match Dist::get(path) {
        Some(file) => serve(file, caching, request.headers()),
        None => not_found(),
    }
}

fn serve(file: EmbeddedFile, caching: &'static str, asked: &HeaderMap) -> Response {
    let hash = file.metadata.sha256_hash();
    let tag: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known = known.flat_map(|tags| tags.split(',')).any(|known| known.trim().trim_start_matches("W/") == tag);
    let headers = [(header::ETAG, tag), (header::CACHE_CONTROL, caching.to_owned())];
    if is_known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let kind = file.metadata.mimetype();
    let charset = if kind.starts_with("text/") { "; charset=utf-8" } else { "" };
    (headers, [(header::CONTENT_TYPE, format!("{kind}{charset}"))], Bytes::from(file.data.into_owned())).into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response()
}

/// The names of the files that browsers may keep.
#[cfg(test)]
pub(super) fn assets() -> impl Iterator<Item = String> {
    Dist::iter().filter(|path| path.starts_with("assets/")).map(String::from)
}

async fn restrict(mut response: Response, frames: Frames) -> Response {
    let ancestors = match frames {
        Frames::Anywhere => "*",
        Frames::SameOrigin => "'self'",
    };
    let policy = HeaderValue::from_str(&format!("{POLICY}{ancestors}")).expect("plain ASCII");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
