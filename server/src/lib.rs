//! The Panocast server: relays signalling between robots and viewers, and serves the page. Media never passes through it.
//!
//! - `rooms` decides who may talk to whom: a pure core without sockets, tasks or clock;
//! - `signalling` is the Socket.IO shell around it;
//! - `http` serves the page, the library that pages of the family load, health, and the API;
//! - [`config`] is what an operator may set, and [`report`] says what that amounts to.
//!
//! [`Server::bind`] and [`Server::run`] run all of it; [`app`] is the same without a listener.

pub mod config;
mod http;
pub mod report;
mod rooms;
mod signalling;

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use axum::{Router, serve::ListenerExt};
use daemon::supervisor::Supervisor;
use socket2::TcpKeepalive;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub use config::Config;
use signalling::Enquiries;

/// How long the kernel may try to deliver data to a client that takes none.
///
/// Engine.IO notices a client that answers no ping, but its writer goes on waiting for such a client's full receive
/// window, and the connection with it; only the kernel ends that.
const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection may say nothing before the kernel asks whether anybody is still there: laptops fall asleep with the
/// page open.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A server that has its address and has not started yet.
pub struct Server {
    config: Config,
    listener: TcpListener,
    address: SocketAddr,
}

/// Listens where the config says, and serves until `cancel`. The supervisor is told how that goes.
pub async fn run(config: Config, supervisor: Supervisor, cancel: CancellationToken) -> anyhow::Result<()> {
    Server::bind(config).await?.serve(supervisor, cancel).await
}

/// All routes. What works behind them is spawned on `tasks` and ends when `cancel` is cancelled.
pub fn app(config: &Config, tasks: &mut JoinSet<()>, cancel: CancellationToken) -> Router {
    start(config, tasks, cancel).0
}

fn start(config: &Config, tasks: &mut JoinSet<()>, cancel: CancellationToken) -> (Router, Enquiries) {
    let (socket_io, rooms) = signalling::start(config, tasks, cancel.clone());
    (http::router(socket_io, http::About::new(config), rooms.clone(), cancel), rooms)
}

impl Server {
    pub async fn bind(config: Config) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(config.listen).await.with_context(|| format!("listen on {}", config.listen))?;
        let address = listener.local_addr().context("learn the address that was bound")?;
        Ok(Self { config, listener, address })
    }

    /// Where it listens; the port is the real one even if the config says 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `cancel`; then says so to every connection, closes them, and returns within the drain timeout.
    pub async fn run(self, cancel: CancellationToken) -> anyhow::Result<()> {
        self.serve(Supervisor::default(), cancel).await
    }

    async fn serve(self, supervisor: Supervisor, cancel: CancellationToken) -> anyhow::Result<()> {
        match self.config.auth.mode {
            config::AuthMode::Open => {
                tracing::warn!("authentication is off: anyone who reaches this server may claim a robot or watch");
            }
        }
        tracing::info!(address = %self.address, default_robot = %self.config.default_robot, "serving");
        let mut tasks = JoinSet::new();
        let ending = cancel.child_token();
        let (app, rooms) = start(&self.config, &mut tasks, ending.clone());
        tasks.spawn(serve(self.listener, app, ending.clone()));
        supervisor.ready();

        let early = tokio::select! {
            () = cancel.cancelled() => None,
            Some(ended) = tasks.join_next() => Some(ended),
            never = attend(&supervisor, &rooms) => match never {},
        };
        supervisor.stopping();
        // They end with `cancel`, perhaps before this task notices.
        let asked = cancel.is_cancelled();
        ending.cancel();
        let drain = self.config.drain_timeout;
        let idle = async {
            while tasks.join_next().await.transpose()?.is_some() {}
            Ok(())
        };
        match tokio::time::timeout(drain, idle).await {
            Ok(ended) => early.unwrap_or(Ok(())).and(ended).context("a part of the server failed")?,
            Err(_) => tracing::warn!(?drain, "connections still open; dropping them"),
        }
        anyhow::ensure!(asked, "a part of the server ended by itself");
        Ok(())
    }
}

/// Tells the supervisor that the server is well, for as long as the rooms answer.
async fn attend(supervisor: &Supervisor, rooms: &Enquiries) -> std::convert::Infallible {
    let Some(period) = supervisor.heartbeat() else { return std::future::pending().await };
    let mut heartbeat = tokio::time::interval(period);
    loop {
        heartbeat.tick().await;
        if rooms.live().await.is_some() {
            supervisor.well();
        }
    }
}

async fn serve(listener: TcpListener, app: Router, cancel: CancellationToken) {
    let listener = listener.tap_io(|connection| {
        let options = socket2::SockRef::from(&*connection);
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(SEND_TIMEOUT).with_retries(2);
        let set = connection
            .set_nodelay(true)
            .and_then(|()| options.set_tcp_keepalive(&keepalive))
            .and_then(|()| options.set_tcp_user_timeout(Some(SEND_TIMEOUT)));
        if let Err(error) = set {
            tracing::debug!(%error, "options of a connection could not be set");
        }
    });
    let served = axum::serve(listener, app).with_graceful_shutdown(cancel.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "listening failed");
    }
}
