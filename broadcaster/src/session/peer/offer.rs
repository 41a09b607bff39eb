//! How a peer connection is set up: one H.264 track, our own ICE credentials, the shared port's addresses as candidates.

use std::{net::SocketAddr, time::Duration};

use rand::{Rng, distr::Alphanumeric};
use rtc::{
    ice::mdns::MulticastDnsMode,
    interceptor::{NackResponderBuilder, Registry, SenderReportBuilder, Slot},
    media_stream::MediaStreamTrack,
    peer_connection::{
        RTCPeerConnectionBuilder,
        configuration::{
            RTCConfigurationBuilder,
            media_engine::{MIME_TYPE_H264, MIME_TYPE_RTX, MediaEngine},
            setting_engine::SettingEngineBuilder,
        },
        transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate, RTCIceCandidateInit},
    },
    rtp_transceiver::{
        RTCRtpTransceiverDirection, RTCRtpTransceiverInit,
        rtp_sender::{
            RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
            RTCRtpRtxParameters, RtpCodecKind,
        },
    },
};

use super::{Identity, Instant, Peer, PeerError, early::Early, remote::Remotes};
use crate::{media::CLOCK_RATE, session::keyframes::KeyframeRequests};

pub(super) const H264: &str = MIME_TYPE_H264;
const H264_PAYLOAD: u8 = 102;
const RTX_PAYLOAD: u8 = 103;

/// Constrained baseline, which every browser decodes; the level may differ, since browsers take higher ones than they say.
const H264_FORMAT: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";

/// How often unanswered checks are repeated while connecting. The stack's default costs a join up to 200 ms.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// With that interval, ten seconds of trying.
const MAX_CHECKS: u16 = 200;

const ICE_DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
/// Consent to send expires after 30 s (RFC 7675, section 5.1).
const ICE_FAILED_AFTER: Duration = Duration::from_secs(25);
const ICE_KEEPALIVE: Duration = Duration::from_secs(2);

/// The name by which ICE checks say which of our sessions they mean.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ufrag(String);

impl Ufrag {
    fn generate() -> Self {
        Self(random_text(12))
    }

    /// The part before the colon in the USERNAME of a check that is meant for us.
    pub(crate) fn from_username(username: &str) -> Option<Self> {
        username.split_once(':').map(|(ours, _)| Self(ours.to_owned()))
    }
}

impl Peer {
    /// A connection and the offer for it. `local` are the addresses at which the shared socket can be reached.
    pub(in crate::session) fn offer(
        identity: &Identity,
        local: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), PeerError> {
        let ufrag = Ufrag::generate();
        let settings = SettingEngineBuilder::new()
            .with_crypto_provider(identity.crypto.clone())
            .with_ice_credentials(ufrag.0.clone(), random_text(32))
            // Otherwise a machine without a multicast route could not serve anybody.
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_ice_timeouts(Some(ICE_DISCONNECTED_AFTER), Some(ICE_FAILED_AFTER), Some(ICE_KEEPALIVE))
            .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(MAX_CHECKS))
            // A viewer behind a hidden name shows up as peer reflexive; there is no better candidate to wait for.
            .with_srflx_acceptance_min_wait(Some(Duration::ZERO))
            .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
            .build();
        let registry = Registry::new()
            .with(Slot::NackResponder, NackResponderBuilder::new().build())
            .with(Slot::SenderReport, SenderReportBuilder::new().build())
            .with(Slot::ReceiverReport, KeyframeRequests::default());
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_configuration(
                RTCConfigurationBuilder::new().with_certificates(vec![identity.certificate.clone()]).build(),
            )
            .with_setting_engine(settings)
            .with_media_engine(media_engine()?)
            .with_interceptor_registry(registry)
            .build(now)?;

        let (ssrc, rtx) = (rand::random(), rand::random());
        let sender = connection.add_transceiver_from_track(
            track(ssrc, rtx),
            Some(RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Sendonly,
                streams: Vec::new(),
                send_encodings: Vec::new(),
            }),
        )?;
        let sender = connection.rtp_transceiver(sender).and_then(|transceiver| transceiver.sender());
        for address in local {
            connection.add_local_candidate(candidate(*address)?)?;
        }
        connection.add_local_candidate(RTCIceCandidateInit::default())?;
        let offer = connection.create_offer(None)?;
        connection.set_local_description(now, offer)?;
        let sdp = connection.local_description().map(|description| description.sdp).unwrap_or_default();

        let peer = Self {
            connection,
            sender: sender.ok_or(PeerError::NoCodec)?,
            ufrag,
            ssrc,
            payload_type: H264_PAYLOAD,
            sequence: rand::random(),
            timestamp_offset: rand::random(),
            started: false,
            early: Early::default(),
            remotes: Remotes::new(local.iter().any(|address| address.ip().is_loopback())),
            events: std::collections::VecDeque::new(),
        };
        Ok((peer, sdp))
    }
}

fn random_text(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

fn candidate(address: SocketAddr) -> Result<RTCIceCandidateInit, PeerError> {
    let candidate = CandidateHostConfig {
        base_config: CandidateConfig {
            network: "udp".to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            component: 1,
            ..Default::default()
        },
        ..Default::default()
    };
    Ok(RTCIceCandidate::from(&candidate.new_candidate_host()?).to_json()?)
}

fn codec() -> RTCRtpCodec {
    let feedback = [("nack", ""), ("nack", "pli"), ("ccm", "fir")];
    RTCRtpCodec {
        mime_type: MIME_TYPE_H264.to_owned(),
        clock_rate: CLOCK_RATE,
        channels: 0,
        sdp_fmtp_line: H264_FORMAT.to_owned(),
        rtcp_feedback: feedback
            .map(|(kind, parameter)| RTCPFeedback { typ: kind.to_owned(), parameter: parameter.to_owned() })
            .to_vec(),
    }
}

fn media_engine() -> Result<MediaEngine, PeerError> {
    let mut engine = MediaEngine::default();
    let retransmission = RTCRtpCodec {
        mime_type: MIME_TYPE_RTX.to_owned(),
        clock_rate: CLOCK_RATE,
        channels: 0,
        sdp_fmtp_line: format!("apt={H264_PAYLOAD}"),
        rtcp_feedback: Vec::new(),
    };
    for (rtp_codec, payload_type) in [(codec(), H264_PAYLOAD), (retransmission, RTX_PAYLOAD)] {
        engine.register_codec(RTCRtpCodecParameters { rtp_codec, payload_type }, RtpCodecKind::Video)?;
    }
    Ok(engine)
}

fn track(ssrc: u32, rtx: u32) -> MediaStreamTrack {
    let coding =
        RTCRtpCodingParameters { ssrc: Some(ssrc), rtx: Some(RTCRtpRtxParameters { ssrc: rtx }), ..Default::default() };
    let encoding = RTCRtpEncodingParameters { rtp_coding_parameters: coding, codec: codec(), ..Default::default() };
    let name = |text: &str| text.to_owned();
    MediaStreamTrack::new(name("panocast"), name("video"), name("video"), RtpCodecKind::Video, vec![encoding])
}
