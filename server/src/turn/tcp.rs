//! Clients that come over TCP, be it encrypted or not: how many there may be, and what each of them says and is told.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
    time::Instant,
};

use super::{
    Shared,
    allocation::Flow,
    message::{NotTurn, frame_length},
    pace::Source,
    relay::MAX_MESSAGE,
};

const BACKLOG: i32 = 1024;

/// What is kept for a client that takes its time: half a second at 4 Mbit/s. What does not fit is lost, as on any network.
const OUTBOX: usize = 256 * 1024;

/// What waits in the kernel is late already.
const KERNEL_BUFFER: usize = 256 * 1024;

/// A client that takes nothing for that long has gone, whatever the kernel thinks.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// How long a connection may stand without an allocation.
const IDLE: Duration = Duration::from_secs(30);

const READ: usize = 16 * 1024;

/// Out of descriptors, most likely; some come free.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// The streams that stand, by number.
#[derive(Default)]
pub(super) struct Lines(Mutex<Open>);

#[derive(Default)]
struct Open {
    next: u64,
    outboxes: HashMap<u64, Arc<Outbox>>,
    sources: HashMap<Source, usize>,
    /// How many were turned away.
    refused: u64,
}

/// How many streams there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seats {
    pub(super) all: usize,
    pub(super) per_address: usize,
}

/// What is to be written to one stream: whole messages only.
#[derive(Default)]
struct Outbox {
    bytes: Mutex<Vec<u8>>,
    filled: Notify,
}

/// One stream's place among them; free when it is dropped.
pub(super) struct Seat<'a> {
    lines: &'a Lines,
    number: u64,
    source: Source,
    outbox: Arc<Outbox>,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("the connection failed")]
    Line(#[from] io::Error),
    #[error("the client closed the connection")]
    Closed,
    #[error("the client takes nothing")]
    Stalled,
    #[error(transparent)]
    NotTurn(#[from] NotTurn),
    #[error("the client has no allocation")]
    Idle,
}

impl Lines {
    /// Nothing is lost if the stream has gone.
    pub(super) fn send(&self, number: u64, message: &[u8]) {
        let outbox = self.open().outboxes.get(&number).cloned();
        if let Some(outbox) = outbox {
            outbox.push(message);
        }
    }

    /// Those that stand, and how many there was no room for.
    pub(super) fn count(&self) -> (usize, u64) {
        let open = self.open();
        (open.outboxes.len(), open.refused)
    }

    pub(super) fn enter(&self, ip: IpAddr, seats: Seats) -> Option<Seat<'_>> {
        let source = Source::from(ip);
        let mut open = self.open();
        let neighbours = open.sources.get(&source).copied().unwrap_or_default();
        if open.outboxes.len() >= seats.all || neighbours >= seats.per_address {
            open.refused += 1;
            return None;
        }
        open.sources.insert(source, neighbours + 1);
        let number = open.next;
        open.next += 1;
        let outbox = Arc::new(Outbox::default());
        open.outboxes.insert(number, Arc::clone(&outbox));
        Some(Seat { lines: self, number, source, outbox })
    }

    /// Held for a few operations on the tables, never across an await.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut open = self.lines.open();
        open.outboxes.remove(&self.number);
        if let Some(count) = open.sources.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                open.sources.remove(&self.source);
            }
        }
    }
}

impl Outbox {
    fn push(&self, message: &[u8]) {
        let mut bytes = self.lock();
        if bytes.len() + message.len() <= OUTBOX {
            bytes.extend_from_slice(message);
            drop(bytes);
            self.filled.notify_one();
        }
    }

    /// Held while some bytes are copied, never across an await.
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Must be called within a tokio runtime.
pub(super) fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(listen), Type::STREAM, Some(Protocol::TCP))?;
    if listen.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&listen.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Takes whoever comes until the future is dropped, and with it all streams.
pub(super) async fn serve(listener: TcpListener, relay: Arc<Shared>) {
    let mut lines = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => drop(lines.spawn(admit(stream, client, Arc::clone(&relay)))),
                Err(error) => {
                    tracing::warn!(%error, "the relay takes no connection; trying on");
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            },
            Some(ended) = lines.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a client's line panicked");
                }
            }
        }
    }
}

async fn admit(mut stream: TcpStream, client: SocketAddr, relay: Arc<Shared>) {
    let Some(seat) = relay.lines.enter(client.ip(), relay.seats) else { return };
    if let Err(error) = prepare(&stream) {
        tracing::debug!(%error, "options of a client's line could not be set");
        return;
    }
    let (reader, writer) = stream.split();
    attend(reader, writer, &seat, client, &relay).await;
}

/// What pictures need of a socket, whatever is between it and what [`attend`] is given.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let options = SockRef::from(stream);
    options.set_send_buffer_size(KERNEL_BUFFER)?;
    options.set_tcp_user_timeout(Some(STALLED_AFTER))
}

/// Serves one client until it has gone, or is not worth it.
pub(super) async fn attend(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    seat: &Seat<'_>,
    client: SocketAddr,
    relay: &Shared,
) {
    let flow = Flow::Tcp { connection: seat.number, client };
    let Err(reason) = tokio::select! {
        ended = listen(reader, flow, relay) => ended,
        ended = speak(writer, &seat.outbox) => ended,
        ended = watch(flow, relay) => ended,
    };
    tracing::debug!(error = &reason as &dyn std::error::Error, "a client's line ended");
    relay.forget(flow);
}

async fn listen(
    mut reader: impl AsyncRead + Unpin,
    flow: Flow,
    relay: &Shared,
) -> Result<std::convert::Infallible, LineError> {
    let mut buffer = vec![0; READ];
    let (mut filled, mut out) = (0, Vec::new());
    loop {
        match reader.read(&mut buffer[filled..]).await? {
            0 => return Err(LineError::Closed),
            length => filled += length,
        }
        let mut taken = 0;
        while let Some(length) = frame_length(&buffer[taken..filled])? {
            if length > MAX_MESSAGE {
                return Err(NotTurn.into());
            }
            let Some(frame) = buffer[..filled].get(taken..taken + length) else { break };
            relay.pass(flow, frame, &mut out);
            taken += length;
        }
        // What is left is less than a message, so that there is always room for more.
        buffer.copy_within(taken..filled, 0);
        filled -= taken;
    }
}

async fn speak(mut writer: impl AsyncWrite + Unpin, outbox: &Outbox) -> Result<std::convert::Infallible, LineError> {
    let mut bytes = Vec::new();
    loop {
        outbox.filled.notified().await;
        std::mem::swap(&mut bytes, &mut *outbox.lock());
        let written = async {
            writer.write_all(&bytes).await?;
            // Encryption may keep the end of it to itself.
            writer.flush().await
        };
        tokio::time::timeout(STALLED_AFTER, written).await.map_err(|_| LineError::Stalled)??;
        bytes.clear();
    }
}

/// However much is said, a connection without an allocation ends.
async fn watch(flow: Flow, relay: &Shared) -> Result<std::convert::Infallible, LineError> {
    let mut look = tokio::time::interval_at(Instant::now() + IDLE, IDLE);
    loop {
        look.tick().await;
        if !relay.serves(flow) {
            return Err(LineError::Idle);
        }
    }
}
