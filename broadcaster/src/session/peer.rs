//! One send-only peer connection on `rtc`, the sans-I/O core of `webrtc`: H.264 out, keyframe requests in.

mod early;
mod offer;
mod remote;

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use bytes::BytesMut;
use protocol::{Candidate, SdpError};
use rtc::{
    peer_connection::{
        RTCPeerConnection,
        event::RTCPeerConnectionEvent,
        message::RTCMessage,
        sdp::RTCSessionDescription,
        state::{RTCIceConnectionState, RTCPeerConnectionState},
        transport::{RTCDtlsTransportState, RTCIceCandidateInit},
    },
    rtp,
    rtp_transceiver::{RTCRtpSenderId, rtp_sender::RTCRtpSender},
    sansio::Protocol,
    shared::{TaggedBytesMut, TransportContext, TransportProtocol},
};

use super::Identity;
use crate::media::Frame;
use early::{Arrival, Early, Stage};
pub(crate) use offer::Ufrag;
use remote::Remotes;

/// Why a peer connection cannot be, or not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    #[error("no certificate could be made")]
    Identity(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Stack(#[from] rtc::shared::error::Error),
    #[error("our own offer is no session description")]
    Offer(#[source] SdpError),
    #[error("it accepts no H.264 video")]
    NoCodec,
}

/// A packet on its way to the viewer.
pub(crate) struct Datagram {
    pub(crate) data: BytesMut,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
}

/// What the viewer's end brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerEvent {
    Connected,
    KeyframeWanted,
    Closed,
    Failed,
}

pub(super) struct Peer {
    connection: RTCPeerConnection,
    sender: RTCRtpSenderId,
    ufrag: Ufrag,
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    timestamp_offset: u32,
    /// Set with the first keyframe: what came before it could not be decoded.
    started: bool,
    early: Early,
    remotes: Remotes,
    events: VecDeque<PeerEvent>,
}

impl Peer {
    pub(super) fn ufrag(&self) -> &Ufrag {
        &self.ufrag
    }

    /// Takes the viewer's answer.
    pub(super) fn accept(&mut self, sdp: String, now: Instant) -> Result<(), PeerError> {
        let (sdp, candidates) = remote::split(&sdp);
        let answer = RTCSessionDescription::answer(sdp)?;
        self.connection.set_remote_description(now, answer)?;
        let mut sender = self.connection.rtp_sender(self.sender).ok_or(PeerError::NoCodec)?;
        let codecs = &sender.get_parameters().rtp_parameters.codecs;
        let h264 = codecs.iter().find(|codec| codec.rtp_codec.mime_type.eq_ignore_ascii_case(offer::H264));
        self.payload_type = h264.ok_or(PeerError::NoCodec)?.payload_type;
        for candidate in candidates {
            self.add_line(&candidate);
        }
        self.early.advance(Stage::Checking);
        self.pump();
        self.feed_early(now);
        Ok(())
    }

    pub(super) fn add_candidate(&mut self, candidate: &Candidate) {
        self.add_line(&candidate.candidate);
    }

    fn add_line(&mut self, candidate: &str) {
        if !self.remotes.admit_candidate(candidate) {
            return;
        }
        let init = RTCIceCandidateInit { candidate: candidate.to_owned(), ..Default::default() };
        if let Err(error) = self.connection.add_remote_candidate(init) {
            tracing::debug!(%error, "candidate not taken");
        }
        self.pump();
    }

    pub(super) fn handle_datagram(&mut self, data: BytesMut, from: SocketAddr, to: SocketAddr, now: Instant) {
        if !self.remotes.admit_source(from) {
            return;
        }
        if let Some(arrival) = self.early.pass(Arrival { data, from, to }) {
            self.feed(arrival, now);
        }
        self.feed_early(now);
    }

    fn feed_early(&mut self, now: Instant) {
        while let Some(arrival) = self.early.take() {
            self.feed(arrival, now);
        }
    }

    fn feed(&mut self, Arrival { data, from, to }: Arrival, now: Instant) {
        let dtls = early::is_dtls(&data);
        let transport =
            TransportContext { local_addr: to, peer_addr: from, transport_protocol: TransportProtocol::UDP, ecn: None };
        if let Err(error) = self.connection.handle_read(TaggedBytesMut { now, transport, message: data }) {
            tracing::debug!(%error, "datagram not taken");
        }
        self.pump();
        if dtls {
            self.notice_goodbye();
        }
    }

    /// The viewer's close_notify ends its end of DTLS, of which the stack makes no event.
    fn notice_goodbye(&mut self) {
        let sender = self.connection.rtp_sender(self.sender);
        let closed = |sender: RTCRtpSender<'_>| {
            sender.transport().is_some_and(|transport| transport.state() == RTCDtlsTransportState::Closed)
        };
        if sender.is_some_and(closed) {
            self.events.push_back(PeerEvent::Closed);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.connection.handle_timeout(now) {
            tracing::debug!(%error, "peer connection timer");
        }
        self.pump();
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Datagram> {
        let TaggedBytesMut { transport, message, .. } = self.connection.poll_write()?;
        Some(Datagram { data: message, from: transport.local_addr, to: transport.peer_addr })
    }

    pub(super) fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// Queues a frame's packets. Before the first keyframe there is nothing that a decoder could use.
    pub(super) fn send(&mut self, frame: &Frame, now: Instant) -> Result<(), PeerError> {
        self.started |= frame.keyframe;
        if !self.started {
            return Ok(());
        }
        let mut sender = self.connection.rtp_sender(self.sender).ok_or(PeerError::NoCodec)?;
        let last = frame.payloads.len().saturating_sub(1);
        for (index, payload) in frame.payloads.iter().enumerate() {
            let header = rtp::Header {
                version: 2,
                marker: index == last,
                payload_type: self.payload_type,
                sequence_number: self.sequence,
                timestamp: frame.timestamp.wrapping_add(self.timestamp_offset),
                ssrc: self.ssrc,
                ..Default::default()
            };
            self.sequence = self.sequence.wrapping_add(1);
            sender.write_rtp(now, rtp::Packet { header, payload: payload.clone() })?;
        }
        Ok(())
    }

    /// Says goodbye; what is left to transmit carries it.
    pub(super) fn close(&mut self) {
        if let Err(error) = self.connection.close() {
            tracing::debug!(%error, "peer connection did not close");
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the stack's enums are open; what is not named here changes nothing"
    )]
    fn pump(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            match event {
                RTCPeerConnectionEvent::OnIceConnectionStateChangeEvent(
                    RTCIceConnectionState::Connected | RTCIceConnectionState::Completed,
                ) => self.early.advance(Stage::Chosen),
                RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) => match state {
                    RTCPeerConnectionState::Connected => self.events.push_back(PeerEvent::Connected),
                    RTCPeerConnectionState::Failed => self.events.push_back(PeerEvent::Failed),
                    RTCPeerConnectionState::Closed => self.events.push_back(PeerEvent::Closed),
                    _ => {}
                },
                _ => {}
            }
        }
        // Nothing but keyframe requests gets this far.
        while let Some(message) = self.connection.poll_read() {
            if let RTCMessage::RtcpPacket(..) = message.message {
                self.events.push_back(PeerEvent::KeyframeWanted);
            }
        }
    }
}
