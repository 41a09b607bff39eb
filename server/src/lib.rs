//! The Panocast server: relays signalling between robots and viewers, and serves the page. Media passes
//! through it only where it relays.
//!
//! - `rooms` decides who may talk to whom: a pure core without sockets, tasks or clock;
//! - `audit` tells who came, who did not, and why;
//! - [`auth`] knows robots by their keys and viewers by their links;
//! - `signalling` is the Socket.IO shell around it;
//! - `sfu` asks a media server that passes on to crowds what robots send it once;
//! - `cluster` is the line to other servers that share robots and viewers with this one;
//! - `figures` counts and keeps what robots and viewers report, another pure core; `metrics` puts it into words;
//! - `listen` lets connections in, and `tls` encrypts them;
//! - `http` serves the page, the library that pages of the family load, health, and the API;
//! - [`commands`] are what an operator does at a prompt;
//! - `turn` is the STUN and TURN server for those who cannot reach each other, and `ice` tells them of it and of others;
//! - [`config`] is what an operator may set, [`report`] says what that amounts to, and [`upkeep`] follows its changes.
//!
//! [`Server::bind`] and [`Server::run`] run all of it; [`app`] is the same without a listener.

mod audit;
pub mod auth;
mod cluster;
pub mod commands;
pub mod config;
mod figures;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod http;
mod ice;
mod listen;
mod metrics;
pub mod report;
mod rooms;
mod sfu;
mod signalling;
mod tls;
mod turn;
pub mod upkeep;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::Router;
use daemon::supervisor::Supervisor;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use auth::{Keeping, Store};
use config::AuthMode;
pub use config::Config;
use ice::Directory;
use listen::{Doorkeeper, Entrance, Proxies, TlsEntrance, redirect_to};
use signalling::Enquiries;
use tls::Encryption;
use turn::Turn;
pub use turn::{Counters as TurnCounters, Tally as TurnTally};
use upkeep::Upkeep;

/// The config that holds. Whoever has a part in it takes each new one as far as that is possible while the server runs;
/// [`config::changes`] says how far.
pub(crate) type Held = watch::Receiver<Arc<Config>>;

/// A server that has its address and has not started yet.
pub struct Server {
    config: Config,
    listener: TcpListener,
    address: SocketAddr,
    encryption: Option<Encryption>,
    /// Where those come who have to be told to come encrypted.
    redirect: Option<TcpListener>,
    turn: Option<Turn>,
}

/// Listens where the config says, and serves until `cancel`, with `upkeep` for the config. The supervisor is told how that
/// goes.
pub async fn run(
    config: Config,
    upkeep: Upkeep,
    supervisor: Supervisor,
    cancel: CancellationToken,
) -> anyhow::Result<()> {
    Server::bind(config).await?.serve(Some(upkeep), supervisor, cancel).await
}

/// All routes, without a relay. What works behind them is spawned on `tasks` and ends when `cancel` is cancelled.
pub fn app(config: &Config, tasks: &mut JoinSet<()>, cancel: CancellationToken) -> anyhow::Result<Router> {
    let keeping = keep(config, tasks, cancel.clone())?;
    let (_, held) = watch::channel(Arc::new(config.clone()));
    let ice = Directory::new(&held, None);
    Ok(start(&held, keeping, ice, None, &Arc::new(Proxies::new(config)), tasks, cancel)?.0)
}

/// The door, as the config wants it.
fn keep(config: &Config, tasks: &mut JoinSet<()>, cancel: CancellationToken) -> anyhow::Result<Keeping> {
    match config.auth.mode {
        AuthMode::Open => Ok(Keeping::open()),
        AuthMode::Keys => Ok(Keeping::guarded(Store::open(&config.state_dir)?, tasks, cancel)?),
    }
}

fn start(
    config: &Held,
    keeping: Keeping,
    ice: Directory,
    relay: Option<TurnTally>,
    proxies: &Arc<Proxies>,
    tasks: &mut JoinSet<()>,
    cancel: CancellationToken,
) -> anyhow::Result<(Router, Enquiries)> {
    let door = keeping.door.clone();
    let heard =
        cluster::start(&config.borrow().cluster, &keeping, tasks).context("reach other servers by cluster.redis")?;
    let (socket_io, rooms, players) =
        signalling::start(config, heard, ice.clone(), door, proxies, tasks, cancel.clone());
    let desk = http::Desk { rooms: rooms.clone(), players };
    Ok((http::router(socket_io, config.clone(), ice, keeping, desk, relay, cancel), rooms))
}

impl Server {
    pub async fn bind(config: Config) -> anyhow::Result<Self> {
        config.check()?;
        let encryption = Encryption::set_up(&config)?;
        let open = |address: SocketAddr| listen::open(address).with_context(|| format!("listen on {address}"));
        let listener = open(config.listen)?;
        let redirect = match config.tls.redirect_from {
            None => None,
            Some(from) => Some(open(from).context("open tls.redirect_from")?),
        };
        let address = listener.local_addr().context("learn the address that was bound")?;
        let turn = if config.turn.enabled { Some(Turn::bind(&config.turn).await?) } else { None };
        Ok(Self { config, listener, address, encryption, redirect, turn })
    }

    /// Where it listens; the port is the real one even if the config says 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it sends people on from to where it is encrypted.
    pub fn redirects_from(&self) -> Option<SocketAddr> {
        self.redirect.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// What the embedded relay does; `None` if there is none.
    pub fn turn_tally(&self) -> Option<TurnTally> {
        self.turn.as_ref().map(Turn::tally)
    }

    /// Serves until `cancel`; then says so to every connection, closes them, lets the relay carry what it carries, and returns
    /// within the drain timeout.
    pub async fn run(self, cancel: CancellationToken) -> anyhow::Result<()> {
        self.serve(None, Supervisor::default(), cancel).await
    }

    async fn serve(
        self,
        upkeep: Option<Upkeep>,
        supervisor: Supervisor,
        cancel: CancellationToken,
    ) -> anyhow::Result<()> {
        match self.config.auth.mode {
            AuthMode::Open => {
                tracing::warn!("authentication is off: anyone who reaches this server may claim a robot or watch");
            }
            AuthMode::Keys => {}
        }
        if self.config.is_exposed() {
            tracing::warn!("encryption is off (insecure = true): whatever is said can be read and changed on the way");
        }
        tracing::info!(address = %self.address, scheme = self.config.scheme(), default_robot = %self.config.default_robot, "serving");
        let mut tasks = JoinSet::new();
        let ending = cancel.child_token();
        let keeping = keep(&self.config, &mut tasks, ending.clone())?;
        let proxies = Arc::new(Proxies::new(&self.config));
        let (sender, config) = watch::channel(Arc::new(self.config));
        let ice = Directory::new(&config, self.turn.as_ref());
        let relayed_at = ice.relayed_at();
        let (tally, inlet) = (self.turn.as_ref().map(Turn::tally), self.turn.as_ref().map(Turn::inlet));
        let (app, rooms) = start(&config, keeping, ice, tally, &proxies, &mut tasks, ending.clone())?;
        if let Some(turn) = self.turn {
            tracing::info!(urls = ?relayed_at, "relaying for those who cannot reach each other");
            tasks.spawn(turn.run(ending.clone()));
        }
        let doorkeeper = Doorkeeper::new(&config, proxies);
        if let Some(listener) = self.redirect {
            let entrance =
                Entrance { doorkeeper: doorkeeper.clone(), app: redirect_to(Some(self.address.port())), tls: None };
            tasks.spawn(entrance.run(listener, ending.clone()));
        }
        let tls = self.encryption.map(|encryption| {
            let (acceptor, is_vouched_for) = (encryption.acceptor.clone(), encryption.is_vouched_for);
            tasks.spawn(encryption.keep(ending.clone()));
            // Behind a router, its port may be called otherwise from outside.
            TlsEntrance { acceptor, redirect: redirect_to(None), is_vouched_for, relay: inlet }
        });
        tasks.spawn(Entrance { doorkeeper, app, tls }.run(self.listener, ending.clone()));
        supervisor.ready();
        let kept = async {
            match upkeep {
                Some(upkeep) => upkeep.keep(sender, &supervisor).await,
                None => std::future::pending().await,
            }
        };

        let early = tokio::select! {
            () = cancel.cancelled() => None,
            Some(ended) = tasks.join_next() => Some(ended),
            never = attend(&supervisor, &rooms) => match never {},
            never = kept => match never {},
        };
        supervisor.stopping();
        // They end with `cancel`, perhaps before this task notices.
        let asked = cancel.is_cancelled();
        ending.cancel();
        let drain = config.borrow().drain_timeout;
        let idle = async {
            while tasks.join_next().await.transpose()?.is_some() {}
            Ok(())
        };
        match tokio::time::timeout(drain, idle).await {
            Ok(ended) => early.unwrap_or(Ok(())).and(ended).context("a part of the server failed")?,
            Err(_) => tracing::warn!(?drain, "connections still open, or pictures still relayed; dropping them"),
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
