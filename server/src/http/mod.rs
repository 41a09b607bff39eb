//! What is served over plain HTTP: the page, health, and the API; and the way to Socket.IO.

mod caller;
mod metrics;
mod openapi;
mod operators;
mod origins;
mod page;
mod snapshot;
#[cfg(test)]
mod tests;
mod whep;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use protocol::{Code, Notice};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Held,
    auth::{Door, Keeper, Keeping},
    ice::Directory,
    signalling::{Enquiries, Players},
    turn::Tally,
};

use caller::Caller;
use origins::Origins;

/// What a robot may ask before it registers. Credentials are not among it.
#[derive(Clone, Debug, Serialize)]
struct About {
    version: &'static str,
    protocol: u32,
    /// The urls of STUN and TURN servers that robots are told of.
    ice: Vec<String>,
}

impl About {
    fn new(ice: &Directory) -> Self {
        Self { version: env!("CARGO_PKG_VERSION"), protocol: protocol::VERSION, ice: ice.urls() }
    }
}

/// Whom requests are put to.
pub(crate) struct Desk {
    pub(crate) rooms: Enquiries,
    pub(crate) players: Players,
}

#[derive(Clone)]
struct Shared {
    ice: Directory,
    jar: operators::Jar,
    door: watch::Receiver<Door>,
    keeper: Option<Keeper>,
    rooms: Enquiries,
    players: Players,
    pictures: snapshot::Room,
    ending: CancellationToken,
}

/// All routes. The file that pages of the family load lies inside Socket.IO's own path, and is found before it.
pub(crate) fn router(
    socket_io: MethodRouter,
    config: Held,
    ice: Directory,
    Keeping { door, keeper }: Keeping,
    Desk { rooms, players }: Desk,
    relay: Option<Tally>,
    ending: CancellationToken,
) -> Router {
    let jar = operators::Jar::new(&config);
    let figures = metrics::routes(&config, door.clone(), jar.clone(), rooms.clone(), relay);
    let origins = Origins::new(&config);
    let shared = Shared { ice, jar, door, keeper, rooms, players, pictures: snapshot::Room::default(), ending };
    let api = Router::new()
        .route("/api/v1/openapi.json", get(openapi::document))
        .route("/api/v1/robots", get(robots))
        .route("/api/v1/server", get(about))
        .route("/api/v1/robots/{robot}/snapshot.jpg", get(snapshot::of_robot))
        .route("/api/v1/robots/{robot}/cameras/{camera}/snapshot.jpg", get(snapshot::of_camera))
        .merge(operators::routes())
        .merge(whep::routes())
        .with_state(shared.clone())
        .route("/socket.io/", socket_io.clone())
        .route("/socket.io", socket_io)
        .layer(from_fn_with_state(origins, origins::check));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .with_state(shared)
        .merge(api)
        .merge(figures)
        .merge(page::routes())
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
    let about = About::new(&shared.ice);
    ([(header::CACHE_CONTROL, "no-store")], Json(about)).into_response()
}

/// Those that the caller may watch.
async fn robots(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let caller = match Caller::of(&headers, &shared) {
        Ok(caller) => caller,
        Err(notice) => return refuse(&notice),
    };
    match shared.rooms.live().await {
        Some(mut robots) => {
            robots.retain(|live| caller.may_watch(&live.robot).is_ok());
            ([(header::CACHE_CONTROL, "no-store")], Json(robots)).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
    }
}

fn refuse(Notice { code, message }: &Notice) -> Response {
    let status = match code {
        Code::UnknownRobot | Code::UnknownCamera => StatusCode::NOT_FOUND,
        Code::Unauthorized => StatusCode::FORBIDDEN,
        Code::TokenExpired | Code::TokenRevoked => StatusCode::UNAUTHORIZED,
        Code::SentAway => StatusCode::FORBIDDEN,
        Code::RateLimited | Code::Crowded => StatusCode::TOO_MANY_REQUESTS,
        Code::RobotOffline
        | Code::Full
        | Code::TooLarge
        | Code::Malformed
        | Code::Version
        | Code::Replaced
        | Code::Unsupported
        | Code::ConnectionFailed
        | Code::CameraLost
        | Code::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = (status, [(header::CACHE_CONTROL, "no-store")], format!("{message}\n")).into_response();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    } else if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        // Whatever it is, it may be over in a moment.
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
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
