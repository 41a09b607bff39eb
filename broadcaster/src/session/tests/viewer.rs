//! The viewer on a stage: the stack's own receiver, as able as a test wants it.

use std::net::SocketAddr;

use bytes::BytesMut;
use rtc::{
    data_channel::RTCDataChannelInit,
    dtls::extension::extension_use_srtp::SrtpProtectionProfile,
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
        transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate},
    },
    rtcp::{
        payload_feedbacks::picture_loss_indication::PictureLossIndication,
        transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
    },
    rtp_transceiver::{
        RTCRtpReceiverId,
        rtp_sender::{RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind},
    },
    sansio::Protocol,
    shared::{TaggedBytesMut, TransportContext, TransportProtocol},
};

use super::{
    super::*,
    reports::{Ear, Report},
    stage::{H264, VIEWER, address},
};

/// What a viewer can do.
#[derive(Clone, Debug)]
pub(super) struct Abilities {
    /// None: all that the stack has.
    pub(super) cipher: Option<SrtpProtectionProfile>,
    /// Retransmissions on a stream of their own.
    pub(super) repair: bool,
    /// Reports on when packets came.
    pub(super) transport_cc: bool,
    /// It wants to hear how the robot leans.
    pub(super) listens: bool,
}

impl Abilities {
    pub(super) const ALL: Self = Self { cipher: None, repair: true, transport_cc: true, listens: false };

    fn channel(&self) -> RTCDataChannelInit {
        let negotiated = Some(protocol::ATTITUDE_STREAM);
        RTCDataChannelInit { ordered: false, max_retransmits: Some(0), negotiated, ..Default::default() }
    }

    fn engine(&self) -> MediaEngine {
        let mut engine = MediaEngine::default();
        engine.register_default_codecs().expect("codecs");
        if !self.repair {
            engine = MediaEngine::default();
            let codec = |mime: &str, clock_rate, channels, sdp_fmtp_line: &str, payload_type| RTCRtpCodecParameters {
                rtp_codec: RTCRtpCodec {
                    mime_type: mime.to_owned(),
                    clock_rate,
                    channels,
                    sdp_fmtp_line: sdp_fmtp_line.to_owned(),
                    rtcp_feedback: Vec::new(),
                },
                payload_type,
            };
            let h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
            engine.register_codec(codec("video/H264", 90_000, 0, h264, 102), RtpCodecKind::Video).expect("a codec");
            engine.register_codec(codec("audio/opus", 48_000, 2, "", 111), RtpCodecKind::Audio).expect("a codec");
        }
        for parameter in ["", "pli"] {
            let feedback = RTCPFeedback { typ: "nack".to_owned(), parameter: parameter.to_owned() };
            engine.register_feedback(feedback, RtpCodecKind::Video);
        }
        engine
    }
}

/// The stack's own receiver.
pub(super) struct Viewer {
    pub(super) connection: RTCPeerConnection,
    receiver: Option<(RTCRtpReceiverId, u32)>,
    pub(super) packets: Vec<rtc::rtp::Packet>,
    /// Sequence numbers of the picture's packets, as they came.
    pub(super) knocked: Vec<u16>,
    /// What was said of the streams' clocks.
    pub(super) reports: Vec<Report>,
    /// What came by the data channel.
    pub(super) heard: Vec<BytesMut>,
    /// Where it is. What comes for or from another address is lost.
    home: SocketAddr,
    /// Where the robot was, if it has moved. What comes from there or goes there is lost.
    left: Option<SocketAddr>,
}

impl Viewer {
    pub(super) fn new(offer: &str, now: Instant) -> (Self, String) {
        Self::able(Abilities::ALL, offer, now)
    }

    pub(super) fn able(abilities: Abilities, offer: &str, now: Instant) -> (Self, String) {
        let mut engine = abilities.engine();
        // The stack's generator does not see what is recovered, and would ask for it forever.
        let nacks = NackGeneratorBuilder::new().with_interval(Duration::from_millis(50)).with_max_nacks_per_packet(6);
        let mut registry = Registry::new().with(Slot::NackGenerator, nacks.build());
        registry = configure_rtcp_reports(registry);
        registry = registry.with(Slot::from(20_000), Ear::default());
        if abilities.transport_cc {
            registry = configure_twcc_receiver_only(registry, &mut engine).expect("interceptors");
        }
        let mut settings = SettingEngineBuilder::new()
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_discard_local_candidates_during_ice_restart(true);
        if let Some(cipher) = abilities.cipher {
            settings = settings.with_srtp_protection_profiles(vec![cipher]);
        }
        let settings = settings.build();
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .build(now)
            .expect("a viewer");
        let offer = RTCSessionDescription::offer(offer.to_owned()).expect("an offer");
        if abilities.listens {
            connection.create_data_channel("attitude", Some(abilities.channel())).expect("a channel");
        }
        connection.set_remote_description(now, offer).expect("a good offer");
        add_candidate(&mut connection, address(VIEWER));
        let answer = connection.create_answer(None).expect("an answer");
        connection.set_local_description(now, answer).expect("taken");
        let sdp = connection.local_description().expect("set").sdp;
        (
            Self {
                connection,
                receiver: None,
                packets: Vec::new(),
                knocked: Vec::new(),
                reports: Vec::new(),
                heard: Vec::new(),
                home: address(VIEWER),
                left: None,
            },
            sdp,
        )
    }

    /// Goes on from another address. What it knows of its old one is of no use.
    pub(super) fn move_to(&mut self, home: &str) {
        self.home = address(home);
    }

    /// The same, and can be asked there.
    pub(super) fn wander_to(&mut self, home: &str) {
        self.move_to(home);
        add_candidate(&mut self.connection, self.home);
    }

    /// The robot is not there any more.
    pub(super) fn loses(&mut self, robot: &str) {
        self.left = Some(address(robot));
    }

    /// Answers an offer that follows the first.
    pub(super) fn renegotiate(&mut self, offer: &str, now: Instant) -> String {
        let offer = RTCSessionDescription::offer(offer.to_owned()).expect("an offer");
        self.connection.set_remote_description(now, offer).expect("a good offer");
        add_candidate(&mut self.connection, self.home);
        let answer = self.connection.create_answer(None).expect("an answer");
        self.connection.set_local_description(now, answer).expect("taken");
        self.connection.local_description().expect("set").sdp
    }

    pub(super) fn take(&mut self, datagram: Datagram, now: Instant) {
        if datagram.to != self.home || self.left == Some(datagram.from) {
            return;
        }
        if let [128..=191, kind, upper, lower, ..] = datagram.data[..]
            && kind & 0x7f == H264
        {
            self.knocked.push(u16::from_be_bytes([upper, lower]));
        }
        let transport = TransportContext {
            local_addr: datagram.to,
            peer_addr: datagram.from,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        let message = TaggedBytesMut { now, transport, message: datagram.data };
        self.connection.handle_read(message).expect("taken");
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnTrack(RTCTrackEvent::OnOpen(track)) = event {
                let receiver = self.connection.rtp_receiver(track.receiver_id).expect("there");
                self.receiver = receiver.track().ssrcs().next().map(|ssrc| (track.receiver_id, ssrc));
            }
        }
        while let Some(message) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message.message {
                self.packets.push(packet);
            } else if let RTCMessage::RtcpPacket(_, packets) = message.message {
                self.reports.extend(packets.iter().filter_map(Report::of));
            } else if let RTCMessage::DataChannelMessage(_, message) = message.message {
                self.heard.push(message.data);
            }
        }
    }

    /// What it wants sent.
    pub(super) fn says(&mut self) -> Option<Datagram> {
        loop {
            let TaggedBytesMut { transport, message, .. } = self.connection.poll_write()?;
            if transport.local_addr == self.home && self.left != Some(transport.peer_addr) {
                return Some(Datagram { data: message, from: transport.local_addr, to: transport.peer_addr });
            }
        }
    }

    pub(super) fn ask_for_keyframe(&mut self, now: Instant) {
        let (_, media_ssrc) = self.receiver.expect("a track is open");
        self.say(Box::new(PictureLossIndication { sender_ssrc: 0, media_ssrc }), now);
    }

    /// Says that it missed these, whether it did or not.
    pub(super) fn ask_again(&mut self, sequences: &[u16], now: Instant) {
        let (_, media_ssrc) = self.receiver.expect("a track is open");
        let nacks = nack_pairs_from_sequence_numbers(sequences);
        self.say(Box::new(TransportLayerNack { sender_ssrc: 0, media_ssrc, nacks }), now);
    }

    fn say(&mut self, feedback: Box<dyn rtc::rtcp::Packet>, now: Instant) {
        let (receiver, _) = self.receiver.expect("a track is open");
        let mut receiver = self.connection.rtp_receiver(receiver).expect("there");
        receiver.write_rtcp(now, vec![feedback]).expect("sent");
    }
}

fn add_candidate(connection: &mut RTCPeerConnection, address: SocketAddr) {
    let base_config = CandidateConfig {
        network: "udp".to_owned(),
        address: address.ip().to_string(),
        port: address.port(),
        component: 1,
        ..Default::default()
    };
    let candidate = CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host();
    let candidate = RTCIceCandidate::from(&candidate.expect("a candidate")).to_json().expect("JSON");
    connection.add_local_candidate(candidate).expect("taken");
}
