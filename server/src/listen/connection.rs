//! One connection, from its first byte to its end or to where it becomes a WebSocket.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::header,
    response::{IntoResponse, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::{
    Entrance, TlsEntrance,
    address::ClientAddress,
    hsts,
    line::{Cutoff, Held, Line},
    refusal,
    seats::{NoSeat, Seat},
};
use crate::{
    tls,
    turn::{self, Inlet},
};

/// From a connection's beginning, or the end of an answer, to the end of the next request's headers. Whoever keeps a connection
/// in case it needs it again gives it up after this. Where the first byte tells what a connection is for, that one has as long,
/// and the rest as long again.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// Cookies, a link's token and a browser's own account of itself are a few thousand.
const MAX_HEADERS: usize = 32 << 10;

/// TLS's first byte is this, and HTTP's never.
const HANDSHAKE: u8 = 22;

/// Who is at the other end of a connection.
pub(super) enum Peer {
    /// Asks for itself, and has its seat for as long as it is connected.
    Client(SocketAddr, Seat),
    /// Asks for others, who take their seats for each request.
    Proxy(SocketAddr),
}

/// What was opened, as far as it got.
enum Opened {
    Encrypted(Box<TlsStream<TcpStream>>),
    /// Plain HTTP where encryption is spoken.
    Plain(TcpStream),
    /// What an authority wanted to see, it has seen in the handshake.
    Proven,
}

impl Entrance {
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, peer: Peer, cancel: CancellationToken) {
        let Some(tls) = &self.tls else { return self.converse(stream, peer, &self.app, false, cancel).await };
        let opened = tokio::select! {
            () = cancel.cancelled() => return,
            opened = timeout(HANDSHAKE_WITHIN, open(stream, &tls.acceptor)) => opened,
        };
        match opened {
            Ok(Ok(Opened::Encrypted(stream))) => self.tell_apart(stream, tls, peer, cancel).await,
            Ok(Ok(Opened::Plain(stream))) => self.converse(stream, peer, &tls.redirect, false, cancel).await,
            Ok(Ok(Opened::Proven)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "no encrypted connection"),
            Err(_) => tracing::debug!("no encrypted connection: the handshake took too long"),
        }
    }

    /// Serves pages, or relays, whichever the first byte asks for. It is looked at where it lies: the next reader takes it from
    /// there, as if nobody had.
    async fn tell_apart(
        &self,
        mut stream: Box<TlsStream<TcpStream>>,
        tls: &TlsEntrance,
        peer: Peer,
        cancel: CancellationToken,
    ) {
        if let Some(relay) = &tls.relay {
            let begun = tokio::select! {
                () = cancel.cancelled() => return,
                begun = timeout(HEADERS_WITHIN, stream.fill_buf()) => begun,
            };
            match begun.map(|bytes| bytes.map(|bytes| bytes.first().copied())) {
                Ok(Ok(Some(first))) if Inlet::is_meant_by(first) => return hand_in(stream, relay, peer).await,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return tracing::debug!(%error, "connection ended before anything was asked"),
                Err(_) => return tracing::debug!("connection ended: nothing was asked"),
            }
        }
        self.converse(*stream, peer, &self.app, tls.is_vouched_for, cancel).await;
    }

    /// Tells somebody why it may not come in.
    pub(super) async fn turn_away(&self, stream: TcpStream, why: NoSeat) {
        let Some(tls) = &self.tls else { return refusal::tell(stream, why).await };
        match timeout(HANDSHAKE_WITHIN, open(stream, &tls.acceptor)).await {
            Ok(Ok(Opened::Encrypted(stream))) => refusal::tell(*stream, why).await,
            Ok(Ok(Opened::Plain(stream))) => refusal::tell(stream, why).await,
            Ok(Ok(Opened::Proven) | Err(_)) | Err(_) => {}
        }
    }

    async fn converse<S>(&self, stream: S, peer: Peer, app: &Router, insists: bool, cancel: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (held, cutoff, asked) = (Held::default(), Cutoff::default(), AtomicBool::new(false));
        let (address, is_proxy) = match peer {
            Peer::Client(from, seat) => {
                held.set(Some(seat));
                (from.ip(), false)
            }
            Peer::Proxy(from) => (from.ip(), true),
        };
        let line = Line::new(stream, held.clone(), cutoff.clone());
        let service = service_fn(|request: Request<Incoming>| {
            let mut request = request;
            request.extensions_mut().insert(cutoff.clone());
            asked.store(true, Relaxed);
            let policy = insists.then(|| hsts::policy(request.headers())).flatten();
            let answer = self.answer(request, address, is_proxy.then_some(&held), app);
            async {
                let mut response = answer.await;
                if let Some(policy) = policy {
                    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, policy);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WITHIN)
            .max_header_size(MAX_HEADERS)
            .serve_connection(TokioIo::new(line), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = cancel.cancelled() => {
                // Browsers open connections in case they need them.
                if !asked.load(Relaxed) {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }

    /// `proxied` is where the seat goes of whoever a proxy asks for, if the connection becomes its own.
    async fn answer(&self, request: Request<Incoming>, peer: IpAddr, proxied: Option<&Held>, app: &Router) -> Response {
        let mut request = request.map(Body::new);
        let mut address = ClientAddress(peer);
        let mut seat = None;
        if let Some(held) = proxied {
            address = self.doorkeeper.proxies.client(peer, request.headers());
            // The one before it was perhaps for somebody else.
            held.set(None);
            seat = match self.doorkeeper.lines.seat(address) {
                Ok(seat) => Some(seat),
                Err(why) => return why.into_response(),
            };
            if request.headers().contains_key(header::UPGRADE) {
                held.set(seat.take());
            }
        }
        request.extensions_mut().insert(address);
        let response = match app.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        drop(seat);
        response
    }
}

/// Leaves a client to the relay, in this task: it ends when the relay does, and may go on after this listener has.
async fn hand_in(stream: Box<TlsStream<TcpStream>>, relay: &Inlet, peer: Peer) {
    // A proxy that does not open what it passes on cannot say for whom: those who come by it are one to the relay.
    let (from, seat) = match peer {
        Peer::Client(from, seat) => (from, Some(seat)),
        Peer::Proxy(from) => (from, None),
    };
    let Some(place) = relay.place(from) else { return tracing::debug!("no place at the relay") };
    // From here on the relay's limits count it, and only those: it has as many connections as they say, whichever port they
    // came by, open files are reckoned so (`descriptors`), and whoever is relayed takes no seat from those who want pages.
    drop(seat);
    if let Err(error) = turn::prepare(stream.get_ref().0) {
        return tracing::debug!(%error, "options of a connection could not be set");
    }
    place.serve(stream).await;
}

async fn open(stream: TcpStream, acceptor: &TlsAcceptor) -> io::Result<Opened> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
        return Ok(Opened::Plain(stream));
    }
    let stream = acceptor.accept(stream).await?;
    if stream.get_ref().1.alpn_protocol() == Some(tls::ACME_PROTOCOL) {
        return Ok(Opened::Proven);
    }
    Ok(Opened::Encrypted(Box::new(stream)))
}
