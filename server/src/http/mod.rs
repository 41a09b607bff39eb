//! What is served over plain HTTP: the page, health, and the API; and the way to Socket.IO.

mod page;
mod snapshot;
#[cfg(test)]
mod tests;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, IceEntry},
    signalling::Enquiries,
};

/// What a robot may ask before it registers. Credentials are not among it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About {
    version: &'static str,
    protocol: u32,
    /// The urls of STUN and TURN servers that robots are told of.
    ice: Vec<String>,
}

impl About {
    pub(crate) fn new(config: &Config) -> Self {
        let ice = config.ice.servers.iter().flat_map(IceEntry::urls).cloned().collect();
        Self { version: env!("CARGO_PKG_VERSION"), protocol: protocol::VERSION, ice }
    }
}

#[derive(Clone)]
struct Shared {
    about: About,
    rooms: Enquiries,
    pictures: snapshot::Room,
    ending: CancellationToken,
}

/// All routes. The file that pages of the family load lies inside Socket.IO's own path, and is found before it.
pub(crate) fn router(socket_io: MethodRouter, of_server: About, rooms: Enquiries, ending: CancellationToken) -> Router {
    let socket_io = socket_io.layer(map_response(allow_any_origin));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/api/v1/robots", get(robots))
        .route("/api/v1/server", get(about))
        .route("/api/v1/robots/{robot}/snapshot.jpg", get(snapshot::of_robot))
        .route("/api/v1/robots/{robot}/cameras/{camera}/snapshot.jpg", get(snapshot::of_camera))
        .with_state(Shared { about: of_server, rooms, pictures: snapshot::Room::default(), ending })
        .merge(page::routes())
        .route("/socket.io/", socket_io.clone())
        .route("/socket.io", socket_io)
        .fallback(|| async { (StatusCode::NOT_FOUND, "There is nothing here.\n") })
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "Not with this method.\n") })
        .layer(map_response(harden))
}

async fn readiness(State(shared): State<Shared>) -> Response {
    if shared.ending.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    "ready\n".into_response()
}

async fn about(State(shared): State<Shared>) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(shared.about)).into_response()
}

async fn robots(State(shared): State<Shared>) -> Response {
    match shared.rooms.live().await {
        Some(robots) => ([(header::CACHE_CONTROL, "no-store")], Json(robots)).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
    }
}

/// In open mode the server trusts everyone, so that pages of the family may come from anywhere. Credentials are not
/// allowed with it, and there are none.
async fn allow_any_origin(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

async fn harden(mut response: Response) -> Response {
    let headers: [(HeaderName, &str); 2] =
        [(header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::REFERRER_POLICY, "no-referrer")];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
