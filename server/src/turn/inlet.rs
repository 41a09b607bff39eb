//! Clients that come by somebody else's listener, who has found out that they mean the relay.
//!
//! They are clients over TCP like any others: they count among them, and go on at the end for as long as those do.

use std::{net::SocketAddr, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    tcp::{self, Seat},
};

/// The largest first byte of a STUN message (RFC 7983, section 7). HTTP begins with a letter, or with line breaks, which have
/// their two high bits clear as well.
const STUN_UNTIL: u8 = 3;

/// Where others hand their streams in.
#[derive(Clone)]
pub(crate) struct Inlet {
    shared: Arc<Shared>,
    /// The relay has, and carries nothing for anybody any more.
    ended: CancellationToken,
}

/// One client's place among those that come over TCP; free when it is dropped.
pub(crate) struct Place<'a> {
    inlet: &'a Inlet,
    client: SocketAddr,
    seat: Seat<'a>,
}

impl Inlet {
    pub(super) fn new(shared: Arc<Shared>, ended: CancellationToken) -> Self {
        Self { shared, ended }
    }

    /// Whether somebody who begins with this byte means the relay. What comes first is a request, never channel data.
    pub(crate) fn is_meant_by(first: u8) -> bool {
        first <= STUN_UNTIL
    }

    /// `None` if there are as many as there may be, of this address or in all.
    pub(crate) fn place(&self, client: SocketAddr) -> Option<Place<'_>> {
        let seat = self.shared.lines.enter(client.ip(), self.shared.seats)?;
        Some(Place { inlet: self, client, seat })
    }
}

impl Place<'_> {
    /// Serves until the client ends it, or the relay does. [`tcp::prepare`] is for whoever has the socket.
    pub(crate) async fn serve(self, stream: impl AsyncRead + AsyncWrite) {
        let (reader, writer) = tokio::io::split(stream);
        tokio::select! {
            () = self.inlet.ended.cancelled() => {}
            () = tcp::attend(reader, writer, &self.seat, self.client, &self.inlet.shared) => {}
        }
    }
}
