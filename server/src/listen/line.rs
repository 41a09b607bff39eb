//! A connection's bytes, the seat that it holds for as long as they flow, and what ends them from this side.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::seats::Seat;

/// Shared by a connection's bytes, wherever they go, and what answers its requests. Locked to put a seat in or out only.
#[derive(Clone, Default)]
pub(super) struct Held(Arc<Mutex<Option<Seat>>>);

impl Held {
    pub(super) fn set(&self, seat: Option<Seat>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seat;
    }
}

/// Ends a connection, as if it had said all that it had to say: it still gets what waits for it. Every request that comes in
/// has its connection's among its extensions.
#[derive(Clone, Default)]
pub(crate) struct Cutoff(Arc<CancellationToken>);

/// The same, for those who do not care whether the connection has ended meanwhile.
pub(crate) struct WeakCutoff(Weak<CancellationToken>);

impl Cutoff {
    pub(crate) fn cut(&self) {
        self.0.cancel();
    }

    pub(crate) fn downgrade(&self) -> WeakCutoff {
        WeakCutoff(Arc::downgrade(&self.0))
    }
}

impl WeakCutoff {
    pub(crate) fn upgrade(&self) -> Option<Cutoff> {
        self.0.upgrade().map(Cutoff)
    }
}

/// Becomes what a WebSocket speaks over, and takes the seat along.
pub(super) struct Line<S> {
    stream: S,
    _held: Held,
    _cutoff: Cutoff,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> Line<S> {
    pub(super) fn new(stream: S, held: Held, cutoff: Cutoff) -> Self {
        let cut = Box::pin(CancellationToken::clone(&cutoff.0).cancelled_owned());
        Self { stream, _held: held, _cutoff: cutoff, cut }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
