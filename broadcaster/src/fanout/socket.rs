//! The one UDP socket that all viewers share, on all of the machine's addresses.

use std::{
    cell::Cell,
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use bytes::BytesMut;
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use crate::{
    delivery::Burst,
    networks,
    transport::{Datagram, Path},
};

/// Receive operations per wake-up.
const BATCH: usize = 8;

/// The kernel may merge as many datagrams of one sender as fit.
const BUFFER: usize = 64 * 1024;

/// Keyframes for all viewers at once, and everybody's feedback, must fit between two of our turns.
const KERNEL_BUFFER: usize = 4 * 1024 * 1024;

const EIO: i32 = 5;
const EINVAL: i32 = 22;
const EMSGSIZE: i32 = 90;

/// More addresses than this make joining slower, not likelier.
const MAX_ADDRESSES: usize = 8;

#[derive(Debug, thiserror::Error)]
#[error("media.listen is {address}, which cannot be used; is another broadcaster running?")]
pub(crate) struct BindError {
    address: SocketAddr,
    #[source]
    cause: io::Error,
}

/// The port, before anybody listens to it.
pub(crate) struct Port {
    socket: std::net::UdpSocket,
    local: SocketAddr,
    /// Viewers may be on this very machine.
    loopback: bool,
}

pub(super) struct MediaSocket {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    /// The kernel has refused to send several packets with one call.
    unsegmented: Cell<bool>,
    buffers: [Box<[u8]>; BATCH],
}

impl Port {
    pub(crate) fn bind(listen: SocketAddr, loopback: bool) -> Result<Self, BindError> {
        let bound = open(listen).or_else(|error| {
            let everywhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), listen.port());
            if listen.is_ipv6() && listen.ip().is_unspecified() && is_family_missing(&error) {
                tracing::info!("this machine has no IPv6; serving IPv4 only");
                return open(everywhere);
            }
            Err(error)
        });
        let local = |socket: std::net::UdpSocket| Ok(Self { local: socket.local_addr()?, socket, loopback });
        bound.and_then(local).map_err(|cause| BindError { address: listen, cause })
    }

    pub(crate) fn number(&self) -> u16 {
        self.local.port()
    }

    /// Where viewers can reach it, as of now: networks come and go.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        if !self.local.ip().is_unspecified() {
            return vec![self.local];
        }
        let addresses = networks::addresses().unwrap_or_else(|error| {
            tracing::warn!(%error, "the machine's addresses are unknown");
            Vec::new()
        });
        let usable = |address: &IpAddr| {
            let local_only = match address {
                IpAddr::V4(address) => address.is_link_local(),
                IpAddr::V6(address) => address.is_unicast_link_local() || !self.local.is_ipv6(),
            };
            !local_only && (self.loopback || !address.is_loopback())
        };
        let addresses = addresses.into_iter().filter(usable);
        addresses.take(MAX_ADDRESSES).map(|address| SocketAddr::new(address, self.local.port())).collect()
    }

    /// Begins to listen. Must be called within the runtime that goes on doing so.
    pub(super) fn open(&self) -> io::Result<MediaSocket> {
        let socket = UdpSocket::from_std(self.socket.try_clone()?)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let buffers = std::array::from_fn(|_| vec![0; BUFFER].into_boxed_slice());
        Ok(MediaSocket { socket, state, local: self.local, unsegmented: Cell::new(false), buffers })
    }
}

impl MediaSocket {
    /// Packets that leave in one send.
    pub(super) fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Waits for datagrams.
    pub(super) async fn receive(&mut self) -> io::Result<Vec<Datagram>> {
        let mut metas = [RecvMeta::default(); BATCH];
        let (socket, state, buffers) = (&self.socket, &self.state, &mut self.buffers);
        let received = socket
            .async_io(Interest::READABLE, || {
                let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
                state.recv(UdpSockRef::from(socket), &mut slices, &mut metas)
            })
            .await?;
        let mut datagrams = Vec::with_capacity(received);
        for (meta, buffer) in metas.iter().zip(&self.buffers).take(received) {
            let from = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
            let to = meta.dst_ip.map_or(self.local.ip(), |ip| ip.to_canonical());
            let to = SocketAddr::new(to, self.local.port());
            for data in buffer[..meta.len].chunks(meta.stride.max(1)) {
                datagrams.push(Datagram { data: BytesMut::from(data), from, to });
            }
        }
        Ok(datagrams)
    }

    /// Sends one datagram. What cannot be sent is lost, as on any network.
    pub(super) async fn send(&self, datagram: &Datagram) {
        let path = Path { local: datagram.from, remote: datagram.to };
        let _ = self.send_segments(path, &datagram.data, None).await;
    }

    /// Sends a burst's packets with one call of the kernel, or one by one where it cannot take them so.
    pub(super) async fn send_burst(&self, path: Path, burst: &Burst) {
        if burst.segments() > 1 && !self.unsegmented.get() {
            match self.send_segments(path, burst.bytes(), Some(burst.segment_size())).await {
                // The network card or the path takes packets only one by one.
                Err(error) if error.raw_os_error() == Some(EIO) => {
                    tracing::info!("packets leave one by one: the network card cannot segment them");
                    self.unsegmented.set(true);
                }
                Err(error) if matches!(error.raw_os_error(), Some(EINVAL | EMSGSIZE)) => {}
                Ok(()) | Err(_) => return,
            }
        }
        for packet in burst.packets() {
            // What cannot be sent is lost, as on any network.
            let _ = self.send_segments(path, packet, None).await;
        }
    }

    /// Waits only while the network card is busy.
    async fn send_segments(&self, path: Path, contents: &[u8], segment_size: Option<usize>) -> io::Result<()> {
        let destination = match (path.remote.ip(), self.local) {
            (IpAddr::V4(ip), SocketAddr::V6(_)) => SocketAddr::new(ip.to_ipv6_mapped().into(), path.remote.port()),
            _ => path.remote,
        };
        let from = path.local.ip();
        let src_ip = (!from.is_unspecified()).then_some(from);
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip };
        let attempt = || self.state.try_send(UdpSockRef::from(&self.socket), &transmit);
        let mut sent = self.socket.try_io(Interest::WRITABLE, attempt);
        if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            sent = self.socket.async_io(Interest::WRITABLE, attempt).await;
        }
        sent.inspect_err(|error| tracing::trace!(%error, "not sent"))
    }
}

fn open(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // The kernel gives what it allows.
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn is_family_missing(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no kind of its own.
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn round_trip(listen: &str, peer: &str) {
        let port = Port::bind(listen.parse().expect("an address"), true).expect("binds");
        let mut media = port.open().expect("opens");
        let viewer = UdpSocket::bind(peer).await.expect("binds");
        let home = SocketAddr::new(viewer.local_addr().expect("bound").ip(), port.number());
        assert!(port.addresses().contains(&home), "{home} is offered");
        viewer.send_to(b"check", home).await.expect("sent");
        let [datagram] = media.receive().await.expect("received").try_into().expect("one datagram");
        assert_eq!((&datagram.data[..], datagram.to), (&b"check"[..], home));
        let answer = Datagram { data: BytesMut::from(&b"answer"[..]), from: datagram.to, to: datagram.from };
        media.send(&answer).await;
        let mut buffer = [0; 2000];
        let (length, from) = viewer.recv_from(&mut buffer).await.expect("answered");
        assert_eq!((&buffer[..length], from), (&b"answer"[..], home), "it comes from where it was sent to");
        let path = Path { local: home, remote: datagram.from };
        for limit in [64, 1] {
            let mut burst = Burst::new(limit);
            for length in [1000, 1000, 300].into_iter().take(limit) {
                burst.fill_for_test(length);
            }
            let packets = burst.segments();
            media.send_burst(path, &burst).await;
            for index in 0..packets {
                let (length, _) = viewer.recv_from(&mut buffer).await.expect("received");
                assert_eq!(length, if index == 2 { 300 } else { 1000 }, "each packet comes by itself");
            }
        }
    }

    #[tokio::test]
    async fn one_port_serves_every_address() {
        round_trip("[::]:0", "127.0.0.1:0").await;
        round_trip("[::]:0", "[::1]:0").await;
        round_trip("0.0.0.0:0", "127.0.0.1:0").await;
        round_trip("127.0.0.1:0", "127.0.0.1:0").await;
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let taken = Port::bind("127.0.0.1:0".parse().expect("an address"), true).expect("binds");
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), taken.number());
        let error = Port::bind(address, true).err().expect("taken").to_string();
        assert!(error.contains(&address.to_string()), "{error}");
    }
}
