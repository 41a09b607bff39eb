//! What cannot be saved: for each viewer and packet a copy, a header and a seal, for each viewer and picture a send.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use anyhow::Context;
use broadcaster::bench::{Packets, Picture};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use rtc_crypto::{AeadAlgorithm, AeadCipher};
use socket2::{Domain, Protocol, Socket, Type};

use crate::wire::FLOOR_TYPE;

/// What the fan-out's packets have around their payload: its header with extensions, of a picture's first packet and of the
/// others, and the tag of AES-GCM.
const FIRST_HEADER: usize = 36;
const HEADER: usize = 24;
const TAG: usize = 16;
const NONCE: usize = 12;

/// As the fan-out's.
const KERNEL_BUFFER: usize = 4 * 1024 * 1024;
const MAX_BYTES: usize = 64_000;

pub(crate) struct Floor {
    socket: UdpSocket,
    state: UdpSocketState,
    viewers: Vec<Viewer>,
    pictures: Vec<Vec<Vec<u8>>>,
    buffer: Box<[u8]>,
}

struct Viewer {
    address: Option<SocketAddr>,
    cipher: Box<dyn AeadCipher>,
    sequence: u16,
}

impl Floor {
    /// Keys for so many viewers, and the pictures' packets.
    pub(crate) fn new(viewers: usize, pictures: &[Picture]) -> anyhow::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // The kernel gives what it allows.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0).into())?;
        let socket = UdpSocket::from(socket);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let provider = rtc_crypto::default_provider()?;
        let viewer = |number: usize| {
            let mut key = [7; 16];
            key[..8].copy_from_slice(&number.to_be_bytes());
            let cipher = provider.crypto().new_aead(AeadAlgorithm::Aes128Gcm, &key)?;
            anyhow::Ok(Viewer { address: None, cipher, sequence: 0 })
        };
        Ok(Self {
            socket,
            state,
            viewers: (0..viewers).map(viewer).collect::<Result<_, _>>()?,
            pictures: pictures
                .iter()
                .map(|picture| Packets::of(picture).payloads().map(<[u8]>::to_vec).collect())
                .collect(),
            buffer: vec![0; MAX_BYTES].into(),
        })
    }

    pub(crate) fn set_address(&mut self, viewer: usize, address: SocketAddr) {
        if let Some(viewer) = self.viewers.get_mut(viewer) {
            viewer.address = Some(address);
        }
    }

    /// Sends a picture to everybody whose address is known.
    pub(crate) fn send(&mut self, picture: usize) -> anyhow::Result<()> {
        let Self { socket, state, viewers, pictures, buffer } = self;
        for viewer in viewers {
            let Some(address) = viewer.address else { continue };
            let (mut len, mut segment) = (0, 0);
            for (index, payload) in pictures[picture].iter().enumerate() {
                let header_len = if index == 0 { FIRST_HEADER } else { HEADER };
                let packet_len = header_len + payload.len() + TAG;
                // Only a run's last packet may be shorter, and none longer.
                if len > 0 && (packet_len > segment || len % segment != 0) {
                    send(socket, state, address, &buffer[..len], segment)?;
                    len = 0;
                }
                if len == 0 {
                    segment = packet_len;
                }
                viewer.seal(&mut buffer[len..len + packet_len], header_len, payload)?;
                len += packet_len;
            }
            send(socket, state, address, &buffer[..len], segment)?;
        }
        Ok(())
    }
}

fn send(
    socket: &UdpSocket,
    state: &UdpSocketState,
    destination: SocketAddr,
    contents: &[u8],
    segment: usize,
) -> anyhow::Result<()> {
    let src_ip = Some(Ipv4Addr::LOCALHOST.into());
    let transmit = Transmit { destination, ecn: None, contents, segment_size: Some(segment), src_ip };
    loop {
        match state.try_send(UdpSockRef::from(socket), &transmit) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            sent => return sent.context("send"),
        }
    }
}

impl Viewer {
    fn seal(&mut self, packet: &mut [u8], header_len: usize, payload: &[u8]) -> anyhow::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence.to_be_bytes();
        packet[..2].copy_from_slice(&[0x80, FLOOR_TYPE]);
        packet[2..4].copy_from_slice(&sequence);
        packet[4..header_len].fill(0);
        let end = header_len + payload.len();
        packet[header_len..end].copy_from_slice(payload);
        let mut nonce = [0; NONCE];
        nonce[NONCE - 2..].copy_from_slice(&sequence);
        let (message, tag) = packet.split_at_mut(end);
        let (header, body) = message.split_at_mut(header_len);
        self.cipher.seal_in_place(&nonce, header, body, tag)?;
        Ok(())
    }
}
