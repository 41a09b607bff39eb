//! Engine.IO's sessions: below Socket.IO's connections, and more than those, as anybody may open one and never join.
//!
//! A session begins with a request that names none, by WebSocket or by polling, and many of the latter may come over one
//! connection. It has a seat from there on, whatever becomes of it. It joins once: who is refused, or has left, is hung up on
//! after a moment, as otherwise a session could try again and again, or stay for ever.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use protocol::PeerId;
use socketioxide::socket::{Sid, Socket};
use tower_service::Service;

use crate::listen::{ClientAddress, Cutoff, Hall, Seat, WeakCutoff};

/// One session. The engine keeps the request that it began with, and this with it, until the session has ended.
#[derive(Clone)]
pub(super) struct Call(Arc<Held>);

struct Held {
    peer: OnceLock<PeerId>,
    joined: AtomicBool,
    /// What it is carried by, if it began as a WebSocket.
    line: Option<Cutoff>,
    _seat: Seat,
}

impl Call {
    fn new(seat: Seat, line: Option<Cutoff>) -> Self {
        Self(Arc::new(Held { peer: OnceLock::new(), joined: AtomicBool::new(false), line, _seat: seat }))
    }

    /// The one that a connection is part of; there is one, unless the request did not come through [`admit`].
    pub(super) fn of(socket: &Socket) -> Option<Self> {
        socket.req_parts().extensions.get().cloned()
    }

    /// Others know it by its own id from now on, as pages of the broadcast family know each other.
    pub(super) fn is_known_by(&self, sid: Sid) {
        if let Ok(id) = PeerId::try_from(sid.to_string()) {
            // Whoever was known by another name before keeps it.
            let _ = self.0.peer.set(id);
        }
    }

    /// What everybody else knows it by: a name that opens nothing, unless it was said to be its own id, which is all that
    /// whoever polls has to show.
    pub(super) fn peer(&self) -> &PeerId {
        self.0.peer.get_or_init(unguessable)
    }

    /// Whether this is the one time.
    pub(super) fn joins(&self) -> bool {
        !self.0.joined.swap(true, Relaxed)
    }
}

/// What lets sessions begin, and ends them.
#[derive(Clone)]
pub(super) struct Calls {
    seats: Hall,
    /// Those that began by polling and went on as WebSockets. Locked to look one up, or to put one in.
    upgraded: Arc<Mutex<HashMap<Sid, WeakCutoff>>>,
    engine: MethodRouter,
}

impl Calls {
    pub(super) fn new(seats: Hall, engine: MethodRouter) -> Self {
        Self { seats, upgraded: Arc::default(), engine }
    }

    /// Ends a session; what it was told before still reaches it, if it listens.
    pub(super) async fn end(mut self, sid: Sid, call: Call) {
        let upgraded = || self.upgraded().get(&sid).and_then(WeakCutoff::upgrade);
        match call.0.line.clone().or_else(upgraded) {
            Some(line) => line.cut(),
            // As the client itself would. A session that has ended meanwhile is unknown.
            None => {
                let goodbye = Request::post(format!("/socket.io/?EIO=4&transport=polling&sid={sid}"));
                let goodbye = goodbye.body(Body::from("1")).expect("ids are URL-safe");
                match self.engine.call(goodbye).await {
                    Ok(_) => {}
                    Err(never) => match never {},
                }
            }
        }
    }

    /// A connection that becomes that session's WebSocket.
    fn upgrades(&self, query: &str, line: &Cutoff) {
        let sid = query.split('&').find_map(|part| part.strip_prefix("sid=")).and_then(|sid| sid.parse().ok());
        let Some(sid) = sid else { return };
        let mut upgraded = self.upgraded();
        // So there are never more than connections.
        upgraded.retain(|_, line| line.upgrade().is_some());
        upgraded.insert(sid, line.downgrade());
    }

    fn upgraded(&self) -> MutexGuard<'_, HashMap<Sid, WeakCutoff>> {
        self.upgraded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives each session its seat, or says that there is none.
pub(super) async fn admit(State(calls): State<Calls>, mut request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let upgrades = request.headers().contains_key(header::UPGRADE);
    let line = request.extensions().get::<Cutoff>().filter(|_| upgrades).cloned();
    if begins(query) {
        // Whatever comes in has an address; only what tests hand in without a listener has none, and is nobody's.
        let address = request.extensions().get().copied().unwrap_or(ClientAddress::NOBODY);
        match calls.seats.seat(address) {
            Ok(seat) => request.extensions_mut().insert(Call::new(seat, line)),
            Err(why) => return why.into_response(),
        };
    } else if let Some(line) = line {
        calls.upgrades(query, &line);
    }
    next.run(request).await
}

/// As the engine itself sees it: what names a session, be it in a way that nobody understands, begins none.
fn begins(query: &str) -> bool {
    !query.split('&').any(|part| part.starts_with("sid="))
}

fn unguessable() -> PeerId {
    PeerId::try_from(super::random_hex()).expect("32 hexadecimal digits are an id")
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use axum::{
        Router,
        body::{Body, to_bytes},
        http::{Request, StatusCode},
    };
    use tokio::task::JoinSet;
    use tokio_util::sync::CancellationToken;
    use tower::ServiceExt;

    use super::*;
    use crate::Config;

    const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

    struct App {
        router: Router,
        _tasks: JoinSet<()>,
    }

    fn app(config: &str) -> App {
        let mut tasks = JoinSet::new();
        let config: Config = toml::from_str(config).expect("a config");
        let router = crate::app(&config, &mut tasks, CancellationToken::new()).expect("an app");
        App { router, _tasks: tasks }
    }

    impl App {
        async fn get(&self, from: [u8; 4], path: &str) -> (StatusCode, String) {
            let mut request = Request::get(path).body(Body::empty()).expect("a request");
            request.extensions_mut().insert(ClientAddress(IpAddr::from(from)));
            let response = self.router.clone().oneshot(request).await.expect("routers do not fail");
            let status = response.status();
            let body = to_bytes(response.into_body(), 1 << 16).await.expect("a body");
            (status, String::from_utf8_lossy(&body).into_owned())
        }

        async fn opens(&self, from: [u8; 4]) -> bool {
            let (status, said) = self.get(from, POLLING).await;
            assert!(status == StatusCode::OK || said.contains("limits.max_connections"), "{status}: {said}");
            status == StatusCode::OK
        }
    }

    /// Time stands while anybody is busy.
    #[tokio::test(start_paused = true)]
    async fn an_address_has_so_many_sessions_however_it_comes_and_others_have_theirs() {
        let app = app("[limits]\nmax_connections_per_address = 20\n");
        let (flooder, other) = ([192, 0, 2, 1], [192, 0, 2, 2]);
        let mut opened = 0;
        for _ in 0..2_000 {
            opened += usize::from(app.opens(flooder).await);
        }
        assert_eq!(opened, 80);
        assert!(app.opens(other).await);
        // What names a session opens none, and is not in anybody's way.
        let (status, said) = app.get(flooder, &format!("{POLLING}&sid=nobodys")).await;
        assert!(status == StatusCode::BAD_REQUEST && said.contains("Session ID unknown"), "{said}");
        // Those that never join end soon, and their seats are free.
        tokio::time::sleep(super::super::CONNECT_TIMEOUT + Duration::from_secs(1)).await;
        for _ in 0..80 {
            assert!(app.opens(flooder).await);
        }
        assert!(!app.opens(flooder).await);
    }

    #[tokio::test(start_paused = true)]
    async fn all_addresses_together_have_so_many() {
        let app = app("[limits]\nmax_connections = 10\n");
        let mut opened = 0;
        for last in 0..=255 {
            let (status, said) = app.get([192, 0, 2, last], POLLING).await;
            opened += usize::from(status == StatusCode::OK);
            assert!(status == StatusCode::OK || status == StatusCode::SERVICE_UNAVAILABLE, "{status}: {said}");
        }
        assert_eq!(opened, 40);
    }

    #[test]
    fn what_names_a_session_begins_none() {
        assert!(begins("EIO=4&transport=polling") && begins("") && begins("EIO=4&xsid=a"));
        assert!(!begins("EIO=4&sid=&transport=polling") && !begins("sid=%20"));
    }
}
