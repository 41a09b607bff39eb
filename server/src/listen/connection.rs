//! One connection, from its first byte to its end or to where it becomes a WebSocket.

use std::{
    convert::Infallible,
    io,
    net::IpAddr,
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
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::{
    Entrance,
    address::ClientAddress,
    hsts,
    line::{Cutoff, Held, Line},
    refusal,
    seats::{NoSeat, Seat},
};
use crate::tls;

/// From a connection's beginning, or the end of an answer, to the end of the next request's headers. Whoever keeps a connection
/// in case it needs it again gives it up after this.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// Cookies, a link's token and a browser's own account of itself are a few thousand.
const MAX_HEADERS: usize = 32 << 10;

/// TLS's first byte is this, and HTTP's never.
const HANDSHAKE: u8 = 22;

/// Who is at the other end of a connection.
pub(super) enum Peer {
    /// Asks for itself, and has its seat for as long as it is connected.
    Client(IpAddr, Seat),
    /// Asks for others, who take their seats for each request.
    Proxy(IpAddr),
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
            Ok(Ok(Opened::Encrypted(stream))) => {
                self.converse(*stream, peer, &self.app, tls.is_vouched_for, cancel).await;
            }
            Ok(Ok(Opened::Plain(stream))) => self.converse(stream, peer, &tls.redirect, false, cancel).await,
            Ok(Ok(Opened::Proven)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "no encrypted connection"),
            Err(_) => tracing::debug!("no encrypted connection: the handshake took too long"),
        }
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
            Peer::Client(address, seat) => {
                held.set(Some(seat));
                (address, false)
            }
            Peer::Proxy(address) => (address, true),
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
