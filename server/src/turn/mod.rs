//! The embedded STUN and TURN server, for robots and viewers between whom there is no other way.
//!
//! - [`relay`] decides, and is pure: no socket, no task, no clock; `allocation`, `nonce` and `pace` are parts of it, `message`
//!   is how it is spoken to;
//! - `udp` and `tcp` are the loops around it, and [`inlet`] is where others hand in streams that they have opened;
//! - [`credentials`] makes what lets somebody in, here or at another server with the same secret.
//!
//! It carries only between robots and their viewers, and no packet ever leaves to anybody who has not asked for it by name.

mod allocation;
mod barred;
mod counters;
pub(crate) mod credentials;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod inlet;
mod message;
mod nonce;
mod pace;
mod relay;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;
mod urls;

use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::config;
use allocation::Flow;
pub use counters::Counters;
use credentials::{Holder, UnixTime};
use daemon::secret::Secret;
pub(crate) use inlet::Inlet;
use relay::{Now, Relay, Settings};
pub(crate) use tcp::prepare;
use tcp::{Lines, Seats};
pub(crate) use urls::{Urls, over_tls};

/// How often what has ended is let go of.
const SWEEP: Duration = Duration::from_secs(1);

/// How often it is asked at the end whether it is still of use.
const LOOK: Duration = Duration::from_millis(100);

/// More than are ever sent away at once.
const WORDS: usize = 65_536;

/// A relay that has its ports and has not started yet.
pub(crate) struct Turn {
    shared: Arc<Shared>,
    listeners: Vec<TcpListener>,
    urls: Urls,
    secret: Secret,
    word: Word,
    words: mpsc::Receiver<Taken>,
    /// For those who wait for its end.
    ended: CancellationToken,
}

/// What the loops have in common.
struct Shared {
    relay: Mutex<Relay>,
    ports: Vec<udp::Port>,
    lines: Lines,
    seats: Seats,
}

/// Credentials that were taken back: this one's, as far as they end by then.
struct Taken {
    holder: Holder,
    until: UnixTime,
}

/// Gives the relay word.
#[derive(Clone, Debug)]
pub(crate) struct Word(mpsc::Sender<Taken>);

impl Word {
    /// The relay does nothing more for whoever shows credentials of this holder that end by `until`.
    pub(crate) fn bar(&self, holder: Holder, until: UnixTime) {
        match self.0.try_send(Taken { holder, until }) {
            // A relay that has ended does nothing for anybody.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(Taken { holder, .. })) => {
                tracing::error!(%holder, "the relay is behind: what it grants to one who was sent away ends by itself");
            }
        }
    }
}

/// Tells what the relay has done.
#[derive(Clone)]
pub struct Tally {
    shared: Arc<Shared>,
    url: String,
}

impl Turn {
    /// Takes the ports. Must be called within a tokio runtime.
    pub(crate) async fn bind(config: &config::Turn) -> anyhow::Result<Self> {
        let public = config.public_address.as_ref().context("turn.public_address is missing")?;
        let mut ports = Vec::with_capacity(config.listen.len());
        let mut listeners = Vec::with_capacity(config.listen.len());
        for listen in &config.listen {
            // A port that the system chooses is one that both can have.
            let listener = tcp::bind(*listen).with_context(|| format!("turn.listen: listen on TCP {listen}"))?;
            let local = listener.local_addr().context("learn the address that was bound")?;
            let port = udp::Port::bind(local).with_context(|| format!("turn.listen: listen on UDP {local}"))?;
            listeners.push(listener);
            ports.push(port);
        }
        let bound = ports.first().map_or(public.port(), |port| Some(port.local().port()));
        let port = public.port().or(bound).context("turn.listen is empty")?;
        let host = public.host();
        let address =
            look_up(host).await.with_context(|| format!("turn.public_address: find the address of {host}"))?;
        let secret = config.secret.clone().unwrap_or_else(make_up_secret);
        let settings = Settings {
            address,
            realm: config.realm.as_str().to_owned(),
            secret: secret.clone(),
            max_allocations: config.max_allocations.get(),
            max_per_user: config.max_allocations_per_user.get(),
            max_per_address: config.max_allocations_per_address.get(),
            bytes_per_second: config.bytes_per_second.get(),
            seed: random(),
        };
        let seats = Seats { all: config.max_connections.get(), per_address: config.max_connections_per_address.get() };
        let shared =
            Shared { relay: Mutex::new(Relay::new(settings, now().instant)), ports, lines: Lines::default(), seats };
        let (word, words) = mpsc::channel(WORDS);
        let (urls, ended) = (Urls::new(host, port), CancellationToken::new());
        Ok(Self { shared: Arc::new(shared), listeners, urls, secret, word: Word(word), words, ended })
    }

    pub(crate) fn urls(&self) -> &Urls {
        &self.urls
    }

    /// What credentials are made with.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    pub(crate) fn word(&self) -> Word {
        self.word.clone()
    }

    pub(crate) fn inlet(&self) -> Inlet {
        Inlet::new(Arc::clone(&self.shared), self.ended.clone())
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally { shared: Arc::clone(&self.shared), url: self.urls.stun.clone() }
    }

    /// Serves until `cancel`, and then for as long as it carries something: pictures go on while the rest of the server ends.
    /// How long that may take is for the caller to say.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let Self { shared, listeners, words, ended, .. } = self;
        let _ended = ended.drop_guard();
        let mut tasks = JoinSet::new();
        for index in 0..shared.ports.len() {
            let shared = Arc::clone(&shared);
            tasks.spawn(async move {
                if let Some(port) = shared.ports.get(index) {
                    port.serve(index, &shared).await;
                }
            });
        }
        for listener in listeners {
            tasks.spawn(tcp::serve(listener, Arc::clone(&shared)));
        }
        tasks.spawn(keep(Arc::clone(&shared), words));
        tokio::select! {
            () = drained(&shared, &cancel) => {}
            Some(ended) = tasks.join_next() => match ended {
                Ok(()) => tracing::error!("a part of the relay ended by itself"),
                Err(error) => tracing::error!(%error, "a part of the relay failed"),
            },
        }
        tasks.shutdown().await;
    }
}

impl Tally {
    /// Where it is, such as `stun:video.example.org:3478`.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn counters(&self) -> Counters {
        let mut counters = self.shared.relay().counters();
        (counters.connections, counters.refused.connections) = self.shared.lines.count();
        counters
    }
}

impl Shared {
    /// Hands one message to the relay, and on what it makes of it.
    fn pass(&self, from: Flow, bytes: &[u8], out: &mut Vec<u8>) {
        let to = self.relay().handle(from, bytes, now(), out);
        match to {
            Some(Flow::Udp { socket, local, client }) => {
                if let Some(port) = self.ports.get(socket) {
                    port.send(local, client, out);
                }
            }
            Some(Flow::Tcp { connection, .. }) => self.lines.send(connection, out),
            None => {}
        }
    }

    fn forget(&self, flow: Flow) {
        self.relay().forget(flow);
    }

    fn serves(&self, flow: Flow) -> bool {
        self.relay().serves(flow)
    }

    /// Every packet needs its tables, whichever loop it comes by. Held for a microsecond or some, never across an await.
    fn relay(&self) -> MutexGuard<'_, Relay> {
        self.relay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where relayed addresses seem to be. IPv4 first: relays have one family only, and every client knows that one.
///
/// Debian gives a machine's own name to its loopback, which nobody else would be told of.
async fn look_up(host: &str) -> io::Result<IpAddr> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let found: Vec<IpAddr> = tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect();
    let mut outer = found.iter().copied().filter(|ip| !ip.is_loopback());
    let first = outer.clone().find(IpAddr::is_ipv4).or_else(|| outer.next());
    let only_here =
        || io::Error::new(io::ErrorKind::NotFound, "it is this machine's loopback; set its address instead");
    first.ok_or_else(only_here)
}

/// Once it is told to end, it ends when nobody would miss it.
async fn drained(shared: &Shared, cancel: &CancellationToken) {
    cancel.cancelled().await;
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        if !shared.relay().is_carrying(now().instant) {
            return;
        }
    }
}

/// Lets go of what has ended, by itself or by others' word.
async fn keep(shared: Arc<Shared>, mut words: mpsc::Receiver<Taken>) {
    let mut due = tokio::time::interval(SWEEP);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = due.tick() => shared.relay().sweep(now().instant),
            // Without anybody who could give it, there is no word.
            Some(Taken { holder, until }) = words.recv() => shared.relay().bar(holder.to_string(), until),
        }
    }
}

/// The relay's one clock.
fn now() -> Now {
    Now { instant: Instant::now().into_std(), unix: unix_time() }
}

pub(crate) fn unix_time() -> UnixTime {
    // A clock from before 1970 lets everybody in, and is noticed otherwise.
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// Nobody else has to know it: credentials end with this process.
fn make_up_secret() -> Secret {
    let hex: String = random::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
    Secret::from(hex)
}
