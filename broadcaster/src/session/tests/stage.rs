//! A session on a stage: a real receiving peer connection on the other side, invented time and no network.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use protocol::{Candidate, Notice, Wishes};
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
};
use crate::media::{AccessUnit, Moment, NtpTime, PacketSize};

pub(super) const ROBOT: &str = "10.0.0.1:8190";
pub(super) const VIEWER: &str = "10.0.0.2:50000";

/// Its payload type in our offers.
pub(super) const H264: u8 = 102;

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
fn start() -> Instant {
    Instant::now()
}

/// Everything that a session needs around it.
pub(super) struct Stage {
    pub(super) session: Session,
    pub(super) rings: Rings,
    pub(super) addresses: Addresses,
    pub(super) now: Instant,
    began: Instant,
    burst: Burst,
}

pub(super) fn video(rung: u8) -> Encoding {
    Encoding::Video { rung, codec: VideoCodec::H264 }
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with_rungs(&[3e6])
    }

    pub(super) fn with_rungs(bitrates: &[f64]) -> Self {
        Self::with(bitrates, None, false)
    }

    pub(super) fn with_sound(bitrates: &[f64]) -> Self {
        Self::with(bitrates, Some(Encoding::Audio), false)
    }

    /// Of a robot that says how it leans.
    pub(super) fn leaning() -> Self {
        Self::with(&[3e6], Some(Encoding::Audio), true)
    }

    fn with(bitrates: &[f64], sound: Option<Encoding>, leans: bool) -> Self {
        let now = start();
        let identity = Identity::generate().expect("an identity");
        let rings = Rings::new((0..bitrates.len()).map(|rung| video(rung as u8)).chain(sound));
        let addresses = Addresses { local: vec![Local::Host(address(ROBOT))], reflexive: Vec::new() };
        let invitation = Invitation {
            id: "s1".parse().expect("id"),
            viewer: "v1".parse().expect("id"),
            wishes: Wishes { attitude: true, ..Wishes::default() },
            leans,
            renegotiates: true,
            qualities: Qualities::new(bitrates.to_vec(), true),
            addresses: &addresses,
        };
        let session = Session::offer(invitation, &identity, &rings, now).expect("an offer");
        Self { session, rings, addresses, now, began: now, burst: Burst::new(64) }
    }

    /// A session that has shown pictures can be sent to its viewer.
    pub(super) fn connected() -> (Self, Viewer) {
        Self::with_rungs(&[3e6]).connect()
    }

    pub(super) fn connect(self) -> (Self, Viewer) {
        self.connect_with(Abilities::ALL)
    }

    pub(super) fn connect_with(mut self, abilities: Abilities) -> (Self, Viewer) {
        let (mut viewer, sdp) = Viewer::able(abilities, &self.offered(), self.now);
        self.answer(&sdp);
        self.exchange(&mut viewer, |event, _| matches!(event, SessionEvent::Connected));
        (self, viewer)
    }

    pub(super) fn said(&mut self) -> ToServer {
        std::iter::from_fn(|| self.session.poll_event())
            .find_map(|event| match event {
                SessionEvent::Say(message) => Some(message),
                SessionEvent::Named(_)
                | SessionEvent::Proven(_)
                | SessionEvent::Name(_)
                | SessionEvent::Peer(_)
                | SessionEvent::Connected
                | SessionEvent::Listens
                | SessionEvent::Ended(_) => None,
            })
            .expect("a message")
    }

    pub(super) fn offered(&mut self) -> String {
        let ToServer::Offer { description: Some(description), about, .. } = self.said() else {
            panic!("the first message is an offer");
        };
        assert_eq!(about.map(|about| about.session), Some("s1".parse().expect("id")));
        description.sdp.into_string()
    }

    pub(super) fn answer(&mut self, sdp: &str) {
        let sdp = Sdp::try_from(sdp.to_owned()).expect("an SDP");
        let description = Description { kind: DescriptionKind::Answer, sdp };
        self.session.handle_answer(description, &self.addresses, &self.rings, self.now);
    }

    pub(super) fn candidate(&mut self, candidate: Candidate) {
        self.session.handle_candidate(candidate, &self.rings, self.now);
    }

    pub(super) fn ending(&mut self) -> (Option<Notice>, SessionEnd) {
        let mut told = None;
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Say(ToServer::Notice { notice, .. }) => told = Some(notice),
                SessionEvent::Ended(end) => return (told, end),
                SessionEvent::Say(_)
                | SessionEvent::Named(_)
                | SessionEvent::Proven(_)
                | SessionEvent::Name(_)
                | SessionEvent::Peer(_)
                | SessionEvent::Connected
                | SessionEvent::Listens => {}
            }
        }
        panic!("it has not ended");
    }

    /// Puts a picture of so many bytes into a ring.
    pub(super) fn capture(&mut self, encoding: Encoding, length: usize, keyframe: bool) {
        self.capture_filled(encoding, length, keyframe, [0x77; 2]);
    }

    /// The picture's bytes repeat the filling, by which a receiver knows it again.
    pub(super) fn capture_filled(&mut self, encoding: Encoding, length: usize, keyframe: bool, filling: [u8; 2]) {
        self.capture_before(Duration::ZERO, encoding, length, keyframe, filling);
    }

    /// What leaves an encoder now that takes so long was captured then.
    pub(super) fn captured_before(&self, encoding_takes: Duration) -> Moment {
        // The pipeline started a second before the first viewer came.
        let media = self.now - self.began + Duration::from_secs(1) - encoding_takes;
        Moment { media, instant: self.now - encoding_takes, ntp: NtpTime(1 << 40).after(media) }
    }

    pub(super) fn capture_before(
        &mut self,
        encoding_takes: Duration,
        encoding: Encoding,
        length: usize,
        keyframe: bool,
        filling: [u8; 2],
    ) {
        let captured = self.captured_before(encoding_takes);
        let mut data = vec![0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }];
        data.extend(filling.iter().cycle().take(length - 1));
        let unit = AccessUnit { data: Bytes::from(data), keyframe, captured };
        let frame = encoding.packetise(&unit, PacketSize::on_wire(1200));
        self.rings.get_mut(encoding).expect("a ring").push(frame.into(), self.now);
    }

    /// Everything that the session wants sent now, packet by packet.
    pub(super) fn sent(&mut self) -> Vec<Datagram> {
        let mut sent = Vec::new();
        while let Some(datagram) = self.session.poll_transmit(&self.rings, self.now) {
            sent.push(datagram);
        }
        while let Some(path) = self.session.poll_media(&self.rings, self.now, &mut self.burst) {
            sent.extend(self.burst.packets().map(|packet| Datagram {
                data: packet.into(),
                from: path.local,
                to: path.remote,
            }));
        }
        sent
    }

    pub(super) fn receive(&mut self, datagram: Datagram) {
        self.session.handle_datagram(datagram, &self.addresses, &self.rings, self.now);
    }

    pub(super) fn handle_timeout(&mut self) {
        self.session.handle_timeout(&self.addresses, &self.rings, self.now);
    }

    /// What is sent now reaches the viewer, and its answers come back.
    pub(super) fn deliver(&mut self, viewer: &mut Viewer) {
        for datagram in self.sent() {
            viewer.take(datagram, self.now);
        }
        while let Some(datagram) = viewer.says() {
            self.receive(datagram);
        }
    }

    pub(super) fn pass(&mut self, time: Duration, viewer: &mut Viewer) {
        self.now += time;
        self.handle_timeout();
        viewer.connection.handle_timeout(self.now).expect("time passes");
    }

    /// Lets both ends talk over a perfect network until `done` or ten invented seconds are over.
    pub(super) fn exchange(&mut self, viewer: &mut Viewer, mut done: impl FnMut(&SessionEvent, &Viewer) -> bool) {
        let until = self.now + Duration::from_secs(10);
        while self.now < until {
            self.deliver(viewer);
            while let Some(event) = self.session.poll_event() {
                if done(&event, viewer) {
                    return;
                }
            }
            self.pass(Duration::from_millis(5), viewer);
        }
        panic!("it did not come to pass within ten seconds");
    }
}

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
