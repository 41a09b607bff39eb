//! The data channel by which a viewer hears how the robot leans (SCTP over DTLS, RFC 8831). Pure.
//!
//! Both ends know its number, so that nothing has to be opened over it. It is the viewer's to begin, and nothing that it says
//! means anything here.

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

/// What a viewer may have sent before it is thrown away: it has nothing to say.
const RECEIVES: u32 = 4096;

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
        let transport = TransportConfig::default()
            .with_sctp_port(PORT)
            .with_max_receive_buffer_size(RECEIVES)
            .with_max_message_size(RECEIVES);
        let server = ServerConfig::new(transport);
        let endpoint =
            Endpoint::new(PEER, TransportProtocol::UDP, Arc::new(EndpointConfig::new()), Some(Arc::new(server)));
        Self { endpoint, association: None, open: false, outgoing: VecDeque::new() }
    }

    /// Takes what came over DTLS. Returns whether the viewer listens from now on.
    pub(super) fn handle(&mut self, data: BytesMut, now: Instant) -> bool {
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
        // Nobody waits for what it says, but what is not read would be kept.
        while let Ok(Some(_)) = association.stream(protocol::ATTITUDE_STREAM).and_then(|mut stream| stream.read_sctp())
        {
        }
        // The stack makes as many channels as the viewer names, whatever was agreed on.
        if association.stream_ids().iter().any(|id| *id != protocol::ATTITUDE_STREAM) {
            tracing::debug!("a viewer opens channels that nobody offered; it has none any more");
            self.association = None;
            self.open = false;
            return false;
        }
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

/// What is late is of no use: nothing is sent twice, and nothing waits for what is missing.
fn open(association: &mut Association) -> Result<(), Error> {
    let id = protocol::ATTITUDE_STREAM;
    if association.open_stream(id, PayloadProtocolIdentifier::Binary).is_err() {
        // It is there if the viewer has said something.
        association.stream(id)?;
    }
    association.stream(id)?.set_reliability_params(true, ReliabilityType::Rexmit, 0)
}
