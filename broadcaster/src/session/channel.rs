//! The data channel by which a viewer hears how the robot leans (SCTP over DTLS, RFC 8831). Pure.
//!
//! Both ends know its number, so that nothing has to be opened over it. It is the viewer's to begin, and nothing that it says
//! means anything here: of what SCTP knows, only what it takes to begin and to confirm gets to the stack, which trusts much of
//! the rest.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use rtc_sctp::{
    Association, DatagramEvent, Endpoint, EndpointConfig, Event, Payload, PayloadProtocolIdentifier, ReliabilityType,
    ServerConfig, TransportConfig,
};
use rtc_shared::{TransportProtocol, error::Error};

/// The port that both ends say in their descriptions; there is nothing behind it (RFC 8841, section 5).
pub(super) const PORT: u16 = 5000;

/// The endpoint tells its peers apart by address. Ours has one.
const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 9));

/// Bytes of a packet's own header, and of each chunk's (RFC 9260, section 3).
const PACKET_HEADER: usize = 12;
const CHUNK_HEADER: usize = 4;

/// No message is longer: a reading takes 14 bytes, and there are two in one at most.
const MAX_MESSAGE: u32 = 1024;

/// Bytes on their way, after which more would only come late.
const MAX_WAITING: usize = 2048;

pub(super) struct Channel {
    endpoint: Endpoint,
    association: Option<Association>,
    open: bool,
    outgoing: VecDeque<Bytes>,
}

impl Channel {
    pub(super) fn new() -> Self {
        let transport = TransportConfig::default().with_sctp_port(PORT).with_max_message_size(MAX_MESSAGE);
        let server = ServerConfig::new(transport);
        let endpoint =
            Endpoint::new(PEER, TransportProtocol::UDP, Arc::new(EndpointConfig::new()), Some(Arc::new(server)));
        Self { endpoint, association: None, open: false, outgoing: VecDeque::new() }
    }

    /// Takes what came over DTLS. Returns whether the viewer listens from now on.
    pub(super) fn handle(&mut self, data: BytesMut, now: Instant) -> bool {
        match content(&data) {
            Content::Talk => {}
            Content::Goodbye => {
                self.association = None;
                self.open = false;
                return false;
            }
            Content::Other => return false,
        }
        match self.endpoint.handle(now, PEER, None, data.freeze()) {
            Some((_, DatagramEvent::NewAssociation(association))) => {
                // One is enough.
                self.endpoint.reject_new_associations();
                self.association = Some(association);
            }
            Some((_, DatagramEvent::AssociationEvent(event))) => {
                if let Some(association) = &mut self.association {
                    association.handle_event(event);
                }
            }
            Some(_) | None => return false,
        }
        let opened = self.settle();
        self.collect(now);
        opened
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Sends it, if it can be there in time.
    pub(super) fn tell(&mut self, message: &Bytes, now: Instant) -> Result<(), Error> {
        let Some(association) = self.association.as_mut().filter(|_| self.open) else { return Ok(()) };
        let mut stream = association.stream(protocol::ATTITUDE_STREAM)?;
        if stream.buffered_amount()? <= MAX_WAITING {
            stream.write_chunk_with_ppi(now, message, PayloadProtocolIdentifier::Binary)?;
            self.collect(now);
        }
        Ok(())
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(association) = &mut self.association
            && association.poll_timeout().is_some_and(|at| at <= now)
        {
            association.handle_timeout(now);
            self.settle();
            self.collect(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.association.as_ref().and_then(Association::poll_timeout)
    }

    /// What to send over DTLS.
    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.outgoing.pop_front()
    }

    /// Takes note of what has become of the association. Returns whether it has begun.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the stack's enum is open; what is not named changes nothing")]
    fn settle(&mut self) -> bool {
        let Some(association) = &mut self.association else { return false };
        let mut opened = false;
        while let Some(event) = association.poll() {
            match event {
                Event::Connected => {
                    opened = open(association).is_ok();
                    self.open = opened;
                }
                Event::AssociationLost { .. } | Event::HandshakeFailed { .. } => self.open = false,
                _ => {}
            }
        }
        // That an association is gone is the endpoint's business if there may be another.
        while association.poll_endpoint_event().is_some() {}
        opened
    }

    fn collect(&mut self, now: Instant) {
        let Some(association) = &mut self.association else { return };
        while let Some(transmit) = association.poll_transmit(now) {
            if let Payload::RawEncode(packets) = transmit.message {
                self.outgoing.extend(packets);
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Content {
    /// It begins, or confirms what has come.
    Talk,
    /// It has had enough.
    Goodbye,
    Other,
}

/// What a packet is about, by the kinds of its chunks.
fn content(packet: &[u8]) -> Content {
    const INIT: u8 = 1;
    const SACK: u8 = 3;
    const HEARTBEAT: u8 = 4;
    const ABORT: u8 = 6;
    const SHUTDOWN: u8 = 7;
    const COOKIE_ECHO: u8 = 10;
    let Some(mut rest) = packet.get(PACKET_HEADER..) else { return Content::Other };
    let mut content = Content::Other;
    while let [kind, _, upper, lower, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([upper, lower]));
        if length < CHUNK_HEADER || length > rest.len() {
            return Content::Other;
        }
        match kind {
            INIT | SACK | HEARTBEAT | COOKIE_ECHO => content = Content::Talk,
            ABORT | SHUTDOWN => return Content::Goodbye,
            _ => return Content::Other,
        }
        rest = rest.get(length.next_multiple_of(CHUNK_HEADER)..).unwrap_or_default();
    }
    content
}

/// What is late is of no use: nothing is sent twice, and nothing waits for what is missing.
fn open(association: &mut Association) -> Result<(), Error> {
    let mut stream = association.open_stream(protocol::ATTITUDE_STREAM, PayloadProtocolIdentifier::Binary)?;
    stream.set_reliability_params(true, ReliabilityType::Rexmit, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet with chunks of these kinds, each with so many bytes in it.
    fn packet(chunks: &[(u8, &[u8])]) -> BytesMut {
        let mut packet = BytesMut::from(&[0x13, 0x88, 0x13, 0x88, 0, 0, 0, 0, 0, 0, 0, 0][..]);
        for (kind, data) in chunks {
            packet.extend([*kind, 0]);
            packet.extend(u16::try_from(CHUNK_HEADER + data.len()).expect("short").to_be_bytes());
            packet.extend(*data);
            packet.resize(packet.len().next_multiple_of(CHUNK_HEADER), 0);
        }
        let sum = checksum(&packet);
        packet[8..12].copy_from_slice(&sum.to_le_bytes());
        packet
    }

    /// CRC32c, without which the stack looks at nothing (RFC 9260, appendix A).
    fn checksum(packet: &[u8]) -> u32 {
        let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
        !packet.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
    }

    #[test]
    fn only_what_begins_and_confirms_gets_to_the_stack() {
        for kind in [1, 3, 4, 10] {
            assert_eq!(content(&packet(&[(kind, &[0; 13])])), Content::Talk, "{kind}");
            assert_eq!(content(&packet(&[(3, &[0; 12]), (kind, &[0; 6])])), Content::Talk, "{kind}");
        }
        assert_eq!(content(&packet(&[(3, &[0; 12]), (6, &[])])), Content::Goodbye);
        assert_eq!(content(&packet(&[(7, &[0; 4])])), Content::Goodbye);
        // Data, answers to questions that nobody asked, errors, what skips data, what closes channels.
        for kind in [0, 2, 5, 8, 9, 11, 14, 64, 130, 132, 192, 193, 255] {
            assert_eq!(content(&packet(&[(1, &[0; 16]), (kind, &[0; 4])])), Content::Other, "{kind}");
        }
        let torn = packet(&[(3, &[0; 12])]);
        for length in 0..torn.len() {
            assert_eq!(content(&torn[..length]), Content::Other, "{length} bytes");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn nothing_that_a_viewer_sends_makes_the_stack_panic() {
        let now = Instant::now();
        // An error cause that is longer than all of its chunk, and a leap of two thousand million.
        let cause: &[u8] = &[0, 12, 0xff, 0xff];
        let leap: &[u8] = &[0x7f, 0xff, 0xff, 0xff];
        let init: &[u8] = &[0, 0, 0, 9, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1];
        for bad in [[(1, init), (6, cause)], [(1, init), (9, cause)], [(1, init), (192, leap)], [(1, init), (0, init)]]
        {
            let mut channel = Channel::new();
            assert!(!channel.handle(packet(&bad), now));
            assert!(channel.association.is_none() && channel.poll_transmit().is_none());
        }
        let mut channel = Channel::new();
        channel.handle(packet(&[(1, init)]), now);
        assert!(channel.association.is_some() && channel.poll_transmit().is_some(), "this one would do");
        // What is allowed, with anything in it.
        for seed in 0..20_000_u32 {
            let mut channel = Channel::new();
            let bytes: Vec<u8> =
                (0..40).map(|place| (seed.wrapping_mul(2_654_435_761) >> (place % 24)) as u8 ^ place).collect();
            let kinds = [1, 3, 4, 10];
            let kind = |turn: u32| kinds[(seed >> turn) as usize % kinds.len()];
            channel.handle(packet(&[(1, init)]), now);
            channel.handle(packet(&[(kind(0), &bytes[..(seed % 40) as usize]), (kind(2), &bytes)]), now);
        }
    }
}
