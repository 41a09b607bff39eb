//! One UDP port of the relay. It answers from the address that was spoken to: others are not let in by clients' NATs.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use super::{Shared, allocation::Flow};

/// Receive operations per wake-up.
const BATCH: usize = 8;

/// The kernel may merge as many datagrams of one sender as fit.
const BUFFER: usize = 64 * 1024;

/// Keyframes of some robots at once must fit between two of our turns.
const KERNEL_BUFFER: usize = 4 * 1024 * 1024;

/// An error that stays would keep us busy with nothing else.
const AFTER_ERROR: Duration = Duration::from_millis(100);

pub(super) struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

impl Port {
    /// Must be called within a tokio runtime.
    pub(super) fn bind(listen: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, Some(Protocol::UDP))?;
        if listen.is_ipv6() {
            // 0.0.0.0 and [::] may be listed side by side.
            socket.set_only_v6(true)?;
        }
        // The kernel gives what it allows.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        socket.set_nonblocking(true)?;
        socket.bind(&listen.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Self { local: socket.local_addr()?, socket, state })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Takes what comes until the future is dropped. `index` is this port's among ours.
    pub(super) async fn serve(&self, index: usize, relay: &Shared) {
        let mut buffers: [Box<[u8]>; BATCH] = std::array::from_fn(|_| vec![0; BUFFER].into_boxed_slice());
        let mut metas = [RecvMeta::default(); BATCH];
        let mut out = Vec::new();
        loop {
            let receive = || {
                let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
                self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut metas)
            };
            let received = match self.socket.async_io(Interest::READABLE, receive).await {
                Ok(received) => received,
                Err(error) => {
                    tracing::warn!(%error, "the relay's port cannot be read; trying on");
                    tokio::time::sleep(AFTER_ERROR).await;
                    continue;
                }
            };
            for (meta, buffer) in metas.iter().zip(&buffers).take(received) {
                let local = meta.dst_ip.unwrap_or(self.local.ip());
                let flow = Flow::Udp { socket: index, local, client: meta.addr };
                for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                    relay.pass(flow, datagram, &mut out);
                }
            }
        }
    }

    /// What cannot leave at once is lost, as on any network.
    pub(super) fn send(&self, local: IpAddr, client: SocketAddr, contents: &[u8]) {
        let src_ip = (!local.is_unspecified()).then_some(local);
        let transmit = Transmit { destination: client, ecn: None, contents, segment_size: None, src_ip };
        let attempt = || self.state.try_send(UdpSockRef::from(&self.socket), &transmit);
        if let Err(error) = self.socket.try_io(Interest::WRITABLE, attempt) {
            tracing::trace!(%error, "not sent");
        }
    }
}
