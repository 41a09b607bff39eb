//! The viewer page and its files. They are part of the binary: there is one thing to copy, and it fits itself. Each comes
//! as it is and compressed, as its reader likes it.

use std::borrow::Cow;

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
use rust_embed::Embed;

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

/// The script that other pages load. Those that are isolated from all others load only what says that it is for them.
const EMBED: &str = "embed.js";
const FOR_ALL: (&str, &str) = ("cross-origin-resource-policy", "cross-origin");
/// And they show only frames that are as strict.
const ISOLATED: (&str, &str) = ("cross-origin-embedder-policy", "require-corp");

/// How else a file may be there, the smallest first, and what its name ends with then.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

pub(super) fn routes() -> Router {
    let embedded = Router::new()
        .route("/embed/{robot}", get(robot_page))
        .route("/embed/{robot}/{camera}", get(camera_page))
        .layer(map_response(|response| restrict(response, Frames::Anywhere)));
    let pages = Router::new()
        .route("/", get(index))
        .route("/admin", get(operators))
        .route("/watch/{robot}", get(robot_page))
        .route("/watch/{robot}/{camera}", get(camera_page))
        .layer(map_response(|response| restrict(response, Frames::SameOrigin)));
    let files = Dist::iter()
        .filter(|path| !path.ends_with(".html") && !ENCODINGS.iter().any(|(_, suffix)| path.ends_with(suffix)))
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
    page("index.html", &headers)
}

async fn operators(headers: HeaderMap) -> Response {
    page("admin.html", &headers)
}

fn page(name: &str, headers: &HeaderMap) -> Response {
    serve(name, "no-cache", headers)
}

async fn file(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    // Names of assets carry a hash of their content.
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let served = serve(path, caching, request.headers());
    if path == EMBED { ([FOR_ALL], served).into_response() } else { served }
}

fn serve(name: &str, caching: &'static str, asked: &HeaderMap) -> Response {
    let Some(plain) = Dist::get(name) else { return not_found() };
    let kind = kind(name);
    let compressed = ENCODINGS
        .iter()
        .filter(|(encoding, _)| accepts(asked, encoding))
        .find_map(|(encoding, suffix)| Some((*encoding, Dist::get(&format!("{name}{suffix}"))?)));
    let (encoding, file) = compressed.map_or((None, plain), |(encoding, file)| (Some(encoding), file));

    let hash = file.metadata.sha256_hash();
    let tag: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let is_known = listed(asked, header::IF_NONE_MATCH).any(|known| known.trim_start_matches("W/") == tag);
    let varies = header::ACCEPT_ENCODING.as_str();
    let headers = [(header::ETAG, &*tag), (header::CACHE_CONTROL, caching), (header::VARY, varies)];
    if is_known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let encoding = encoding.map(|encoding| [(header::CONTENT_ENCODING, encoding)]);
    let body = match file.data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    };
    (headers, [(header::CONTENT_TYPE, kind)], encoding, body).into_response()
}

/// What a browser has to take a file for; it does not look into it.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// Whether this reader takes what is encoded so.
fn accepts(asked: &HeaderMap, encoding: &str) -> bool {
    listed(asked, header::ACCEPT_ENCODING).any(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        named && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// What a header lists, be it in one line or in several.
fn listed(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response()
}

/// The names of the files that browsers may keep.
#[cfg(test)]
pub(super) fn assets() -> impl Iterator<Item = String> {
    let named = |path: &str| path.starts_with("assets/") && !ENCODINGS.iter().any(|(_, suffix)| path.ends_with(suffix));
    Dist::iter().filter(move |path| named(path)).map(String::from)
}

async fn restrict(mut response: Response, frames: Frames) -> Response {
    let ancestors = match frames {
        Frames::Anywhere => "*",
        Frames::SameOrigin => "'self'",
    };
    let policy = HeaderValue::from_str(&format!("{POLICY}{ancestors}")).expect("plain ASCII");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    match frames {
        Frames::Anywhere => ([FOR_ALL, ISOLATED], response).into_response(),
        Frames::SameOrigin => response,
    }
}
