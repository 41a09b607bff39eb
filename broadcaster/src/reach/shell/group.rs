//! Multicast DNS's group, on all of the machine's networks.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::networks;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
pub(super) const PORT: u16 = 5353;

/// RFC 6762, section 11.
const TTL: u32 = 255;

/// Larger packets are not about one name.
const MAX_PACKET: usize = 9000;

const MAX_INTERFACES: usize = 8;

/// Answers from browsers with IPv6 come here, too: they are told on every family that a page has.
pub(super) struct Group {
    socket: UdpSocket,
    to: SocketAddr,
    interfaces: Vec<Ipv4Addr>,
    buffer: Vec<u8>,
}

impl Group {
    /// Joins on those networks that allow it. Must be called within a tokio runtime.
    pub(super) fn join(port: u16, interfaces: Vec<Ipv4Addr>) -> io::Result<Self> {
        let to = SocketAddrV4::new(ADDRESS, port);
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // The system's own resolver may be there already.
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.set_multicast_ttl_v4(TTL)?;
        socket.bind(&to.into())?;
        let interfaces: Vec<Ipv4Addr> = interfaces
            .into_iter()
            .filter(|interface| socket.join_multicast_v4(&ADDRESS, interface).is_ok())
            .take(MAX_INTERFACES)
            .collect();
        if interfaces.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NetworkUnreachable, "no network takes part in multicast"));
        }
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, to: to.into(), interfaces, buffer: vec![0; MAX_PACKET] })
    }

    /// Says something on all networks. What one does not take is lost there.
    pub(super) async fn send(&self, packet: &[u8]) {
        for interface in &self.interfaces {
            let sent = match SockRef::from(&self.socket).set_multicast_if_v4(interface) {
                Ok(()) => self.socket.send_to(packet, self.to).await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = sent {
                tracing::trace!(%error, "question not sent");
            }
        }
    }

    /// Dropping the future loses nothing.
    pub(super) async fn receive(&mut self) -> io::Result<&[u8]> {
        let (length, _) = self.socket.recv_from(&mut self.buffer).await?;
        Ok(&self.buffer[..length])
    }
}

/// The addresses of the networks that others are on.
pub(super) fn interfaces() -> Vec<Ipv4Addr> {
    let addresses = networks::addresses().unwrap_or_default();
    addresses
        .into_iter()
        .filter(|address| !address.is_loopback())
        .filter_map(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .collect()
}
