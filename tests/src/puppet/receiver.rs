//! A receiving peer connection on the sans-I/O core: no socket, no clock.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::BytesMut;
use rtc::{
    ice::mdns::MulticastDnsMode,
    interceptor::{NackGeneratorBuilder, Registry, Slot},
    peer_connection::{
        RTCPeerConnection, RTCPeerConnectionBuilder,
        configuration::{
            interceptor_registry::{configure_rtcp_reports, configure_twcc_receiver_only},
            media_engine::MediaEngine,
            setting_engine::SettingEngineBuilder,
        },
        event::{RTCPeerConnectionEvent, RTCTrackEvent},
        message::RTCMessage,
        sdp::RTCSessionDescription,
        transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate, RTCIceCandidateInit},
    },
    rtp_transceiver::{
        RTCRtpReceiverId,
        rtp_sender::{RTCPFeedback, RtpCodecKind},
    },
    sansio::Protocol,
    shared::{TaggedBytesMut, TransportContext, TransportProtocol},
};

pub(super) struct Receiver {
    connection: RTCPeerConnection,
    home: SocketAddr,
    track: Option<(RTCRtpReceiverId, u32)>,
}

impl Receiver {
    /// Takes an offer for somebody who is at `home`, and answers it.
    pub(super) fn answer(offer: &str, home: SocketAddr, now: Instant) -> anyhow::Result<(Self, String)> {
        let mut engine = MediaEngine::default();
        engine.register_default_codecs()?;
        for parameter in ["", "pli"] {
            let feedback = RTCPFeedback { typ: "nack".to_owned(), parameter: parameter.to_owned() };
            engine.register_feedback(feedback, RtpCodecKind::Video);
        }
        // The stack's generator does not see what is recovered, and would ask for it forever.
        let nacks = NackGeneratorBuilder::new().with_interval(Duration::from_millis(50)).with_max_nacks_per_packet(6);
        let registry = configure_rtcp_reports(Registry::new().with(Slot::NackGenerator, nacks.build()));
        let registry = configure_twcc_receiver_only(registry, &mut engine)?;
        let settings = SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled);
        let connection = RTCPeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_setting_engine(settings.build())
            .with_interceptor_registry(registry)
            .build(now)?;
        let mut receiver = Self { connection, home, track: None };
        let answer = receiver.answer_again(offer, now)?;
        Ok((receiver, answer))
    }

    /// Takes an offer that follows the first.
    pub(super) fn answer_again(&mut self, offer: &str, now: Instant) -> anyhow::Result<String> {
        let Self { connection, home, .. } = self;
        connection.set_remote_description(now, RTCSessionDescription::offer(offer.to_owned())?)?;
        let base_config = CandidateConfig {
            network: "udp".to_owned(),
            address: home.ip().to_string(),
            port: home.port(),
            component: 1,
            ..Default::default()
        };
        let candidate = CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host()?;
        connection.add_local_candidate(RTCIceCandidate::from(&candidate).to_json()?)?;
        let answer = connection.create_answer(None)?;
        connection.set_local_description(now, answer)?;
        Ok(connection.local_description().context("it was set")?.sdp)
    }

    pub(super) fn add_candidate(&mut self, candidate: String) {
        let init = RTCIceCandidateInit { candidate, ..Default::default() };
        if let Err(error) = self.connection.add_remote_candidate(init) {
            tracing::debug!(%error, "candidate not taken");
        }
    }

    /// What media a datagram brings.
    pub(super) fn take(&mut self, data: BytesMut, from: SocketAddr, now: Instant) -> Vec<rtc::rtp::Packet> {
        let transport = TransportContext {
            local_addr: self.home,
            peer_addr: from,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        if let Err(error) = self.connection.handle_read(TaggedBytesMut { now, transport, message: data }) {
            tracing::debug!(%error, "datagram not taken");
        }
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnTrack(RTCTrackEvent::OnOpen(track)) = event
                && let Some(receiver) = self.connection.rtp_receiver(track.receiver_id)
            {
                self.track = receiver.track().ssrcs().next().map(|ssrc| (track.receiver_id, ssrc));
            }
        }
        let messages = std::iter::from_fn(|| self.connection.poll_read());
        let packets = messages.filter_map(|message| {
            let RTCMessage::RtpPacket(_, packet) = message.message else { return None };
            Some(packet)
        });
        packets.collect()
    }

    /// Says something to the sender of the picture, sealed as everything is.
    pub(super) fn say(&mut self, feedback: impl FnOnce(u32) -> Box<dyn rtc::rtcp::Packet>, now: Instant) {
        if let Some((id, ssrc)) = self.track
            && let Some(mut receiver) = self.connection.rtp_receiver(id)
            && let Err(error) = receiver.write_rtcp(now, vec![feedback(ssrc)])
        {
            tracing::debug!(%error, "feedback not sent");
        }
    }

    /// What it wants sent, and where.
    pub(super) fn poll_transmit(&mut self) -> Option<(BytesMut, SocketAddr)> {
        self.connection.poll_write().map(|tagged| (tagged.message, tagged.transport.peer_addr))
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> anyhow::Result<()> {
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now)?;
        }
        Ok(())
    }

    pub(super) fn close(&mut self) -> anyhow::Result<()> {
        Ok(self.connection.close()?)
    }
}
