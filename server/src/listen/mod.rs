//! The way in: accepts connections, lets no address take more than its share, and gives up on those who are silent or slow.
//!
//! An [`Entrance`] is what stands behind one listening address: encryption or none, and what is served. [`seats`] decides
//! who may come in, [`address`] who somebody is, and neither knows sockets. A connection has one task until it becomes a
//! WebSocket, which is signalling's; its seat goes with it. One that turns out to mean the relay gets the relay's seat instead.

mod address;
mod backlog;
mod connection;
mod descriptors;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod hsts;
mod line;
mod redirect;
mod refusal;
mod seats;

use std::{io, net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use axum::Router;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{Held, config::Limits, turn::Inlet};
pub(crate) use address::{ClientAddress, Proxies};
pub(crate) use backlog::open;
use connection::Peer;
pub(crate) use line::{Cutoff, WeakCutoff};
pub(crate) use seats::{Hall, NoSeat, Party, Seat};

/// How long the kernel may try to deliver data to a client that takes none.
///
/// Engine.IO notices a client that answers no ping, but its writer goes on waiting for such a client's full receive
/// window, and the connection with it; only the kernel ends that.
const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection may say nothing before the kernel asks whether anybody is still there: laptops fall asleep with the
/// page open.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// When the system gives no more connections, it may after this.
const PAUSE: Duration = Duration::from_millis(100);

/// TCP connections for each that Socket.IO may have: browsers keep up to six for files beside it, for a moment. As many
/// sessions may wait to join, or to learn why they may not.
const LINES_PER_CONNECTION: usize = 4;

/// How much trouble is taken at a time with those who are refused; the others hear nothing.
const REFUSALS: usize = 64;

/// A refusal that has to be encrypted is more trouble.
const ENCRYPTED_REFUSAL: u32 = 8;

/// Who may come in, at all entrances together.
#[derive(Clone)]
pub(crate) struct Doorkeeper {
    proxies: Arc<Proxies>,
    lines: Hall,
    refusals: Arc<Semaphore>,
}

impl Doorkeeper {
    pub(crate) fn new(config: &Held, proxies: Arc<Proxies>) -> Self {
        let files = descriptors::raise(config.borrow().turn.open_files());
        if files < config.borrow().limits.max_connections.get() {
            tracing::warn!(
                files,
                "limits.max_connections is more than the limit of open files (ulimit -Hn) leaves room for"
            );
        }
        let config = config.clone();
        let limits = move || {
            let (all, each) = before_joining(&config.borrow().limits);
            (all.min(files), each)
        };
        let lines = Hall::new("TCP connections", limits, proxies.clone());
        Self { proxies, lines, refusals: Arc::new(Semaphore::new(REFUSALS)) }
    }
}

/// How many there may be, in all and of one address, of what comes before somebody joins.
pub(crate) fn before_joining(limits: &Limits) -> (usize, usize) {
    let times = |limit: NonZeroUsize| limit.get().saturating_mul(LINES_PER_CONNECTION);
    (times(limits.max_connections), times(limits.max_connections_per_address))
}

/// What there is behind one listening address.
pub(crate) struct Entrance {
    pub(crate) doorkeeper: Doorkeeper,
    pub(crate) app: Router,
    pub(crate) tls: Option<TlsEntrance>,
}

pub(crate) struct TlsEntrance {
    pub(crate) acceptor: TlsAcceptor,
    /// For those who speak plain HTTP to it.
    pub(crate) redirect: Router,
    /// Whether an authority vouches for the server, so that browsers may insist on encryption from then on.
    pub(crate) is_vouched_for: bool,
    /// For those whom nothing but such a port is open to.
    pub(crate) relay: Option<Inlet>,
}

/// Answers everything with where it is to be had encrypted: on this port, or else on the one that was asked.
pub(crate) fn redirect_to(port: Option<u16>) -> Router {
    redirect::router(port)
}

impl Entrance {
    /// Serves until `cancel`, then finishes what is being answered.
    pub(crate) async fn run(self, listener: TcpListener, cancel: CancellationToken) {
        let entrance = Arc::new(self);
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(ended) = tasks.join_next() => noted(ended),
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => entrance.clone().admit(stream, from, &mut tasks, &cancel),
                    Err(error) if is_clients(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "no connection can be accepted; is the limit of open files too low?");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        while let Some(ended) = tasks.join_next().await {
            noted(ended);
        }
    }

    fn admit(
        self: Arc<Self>,
        stream: TcpStream,
        from: SocketAddr,
        tasks: &mut JoinSet<()>,
        cancel: &CancellationToken,
    ) {
        set_options(&stream);
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let peer = if self.doorkeeper.proxies.trusts(from.ip()) {
            Peer::Proxy(from)
        } else {
            match self.doorkeeper.lines.seat(ClientAddress(from.ip())) {
                Ok(seat) => Peer::Client(from, seat),
                Err(why) => return self.refuse(stream, why, tasks),
            }
        };
        tasks.spawn(self.serve(stream, peer, cancel.clone()));
    }

    fn refuse(self: Arc<Self>, stream: TcpStream, why: NoSeat, tasks: &mut JoinSet<()>) {
        let effort = if self.tls.is_some() { ENCRYPTED_REFUSAL } else { 1 };
        let Ok(effort) = self.doorkeeper.refusals.clone().try_acquire_many_owned(effort) else { return };
        tasks.spawn(async move {
            self.turn_away(stream, why).await;
            drop(effort);
        });
    }
}

fn noted(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "what serves a connection panicked");
    }
}

/// Whoever hung up before it was its turn.
fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn set_options(stream: &TcpStream) {
    let options = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(SEND_TIMEOUT).with_retries(2);
    let set = stream
        .set_nodelay(true)
        .and_then(|()| options.set_tcp_keepalive(&keepalive))
        .and_then(|()| options.set_tcp_user_timeout(Some(SEND_TIMEOUT)));
    if let Err(error) = set {
        tracing::debug!(%error, "options of a connection could not be set");
    }
}
