//! One camera's connection to the media server: media out, requests for keyframes in.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use protocol::{CameraId, Sdp};
use rtc::{
    ice::mdns::MulticastDnsMode,
    media_stream::MediaStreamTrack,
    peer_connection::{
        configuration::{
            interceptor_registry::{configure_nack, configure_rtcp_reports, configure_simulcast_extension_headers},
            media_engine::{MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_VP8, MediaEngine},
            setting_engine::SettingEngineBuilder,
        },
        sdp::RTCSessionDescription,
    },
    rtp_transceiver::{
        RTCRtpTransceiverDirection, RTCRtpTransceiverInit,
        rtp_sender::{
            RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
            RTCRtpHeaderExtensionCapability, RtpCodecKind,
        },
    },
    sdp::extmap::{SDES_MID_URI, SDES_RTP_STREAM_ID_URI},
    shared::marshal::MarshalSize,
};
use tokio::sync::mpsc;
use webrtc::{
    error::Error,
    media_stream::track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP},
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
        RTCPeerConnectionState, Registry,
    },
    rtp_transceiver::RtpTransceiver,
};

use super::{
    Camera, Publish,
    attitude::{self, Attitude},
    feedback::Feedback,
    layer::{Layer, Marks},
};
use crate::media::{Encoding, Frame, VideoCodec};

const PICTURE: u8 = 102;
const SOUND: u8 = 111;

/// As RFC 7741 and RFC 6184 name them, in what every browser decodes.
const BASELINE: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";

const CAPTURED_URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";

/// A media server that has not been heard for so long is gone: viewers there have no picture, and want one.
const SILENT: Duration = Duration::from_millis(2500);
const GIVEN_UP: Duration = Duration::from_secs(4);
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// Bytes that sealing adds to a packet.
const SEAL: u64 = 16;

/// After those of the stack itself, which answer what it is about.
const AFTER_ALL: usize = 20_000;

/// Tells a connection from those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Number(u64);

impl Number {
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

pub(super) enum Callback {
    /// There is something to be offered.
    Offer,
    Connected,
    Lost,
    /// Of this stream.
    KeyframeWanted(u32),
}

pub(super) type Callbacks = mpsc::UnboundedSender<(Camera, Number, Callback)>;

pub(super) struct Connection {
    number: Number,
    peer: Arc<dyn PeerConnection>,
    streams: Vec<Stream>,
    attitude: Option<Attitude>,
}

/// A section of the description: a picture in one or all of its qualities, or sound.
struct Stream {
    track: Arc<TrackLocalStaticRTP>,
    transceiver: Arc<dyn RtpTransceiver>,
    layers: Vec<Layer>,
    marks: Marks,
}

/// Hands callbacks to the task; holds no state of its own.
struct Forward {
    camera: Camera,
    number: Number,
    callbacks: Callbacks,
}

impl Forward {
    fn say(&self, callback: Callback) {
        // A closed channel means that it is over.
        let _ = self.callbacks.send((self.camera, self.number, callback));
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Forward {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.say(Callback::Offer);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let over =
            [RTCPeerConnectionState::Disconnected, RTCPeerConnectionState::Failed, RTCPeerConnectionState::Closed];
        if state == RTCPeerConnectionState::Connected {
            self.say(Callback::Connected);
        } else if over.contains(&state) {
            self.say(Callback::Lost);
        }
    }
}

impl Connection {
    pub(super) async fn open(
        publish: &Publish,
        number: Number,
        camera: Camera,
        callbacks: Callbacks,
    ) -> Result<Self, Error> {
        let (pictures, sounds): (Vec<Encoding>, Vec<Encoding>) =
            publish.encodings.iter().partition(|encoding| **encoding != Encoding::Audio);
        let picture = codec_of(&pictures);
        let mut engine = MediaEngine::default();
        engine.register_codec(picture.clone(), RtpCodecKind::Video)?;
        engine.register_codec(sound(), RtpCodecKind::Audio)?;
        configure_simulcast_extension_headers(&mut engine)?;
        let captured = RTCRtpHeaderExtensionCapability { uri: CAPTURED_URI.to_owned() };
        engine.register_header_extension(captured, RtpCodecKind::Video, None)?;
        let wanted = {
            let forward = Forward { camera, number, callbacks: callbacks.clone() };
            move |ssrc| forward.say(Callback::KeyframeWanted(ssrc))
        };
        let registry = configure_rtcp_reports(configure_nack(Registry::new(), &mut engine))
            .with(AFTER_ALL.into(), Feedback::new(wanted));
        let settings = SettingEngineBuilder::new()
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_ice_timeouts(Some(SILENT), Some(GIVEN_UP), Some(ASKED_EVERY))
            .build();
        let peer = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_setting_engine(settings)
            .with_handler(Arc::new(Forward { camera, number, callbacks }))
            .with_udp_addrs(publish.homes.clone())
            .with_data_channel_send_buffer_limit(attitude::UNSENT)
            .build()
            .await?;
        let peer: Arc<dyn PeerConnection> = Arc::new(peer);
        let mut streams = Vec::new();
        if publish.apart {
            // Whoever chooses among them knows the better ones by their places.
            let offset = rand::random();
            for (place, encoding) in pictures.iter().enumerate() {
                let (name, alone) = (format!("{}-video-{place}", publish.id), vec![Layer::new(*encoding, "", offset)]);
                streams.push(Stream::add(&*peer, name, alone, &picture, &publish.id).await?);
            }
        } else {
            let name = format!("{}-video", publish.id);
            streams.push(Stream::add(&*peer, name, Layer::all(&pictures), &picture, &publish.id).await?);
        }
        if let Some(encoding) = sounds.first() {
            let (name, alone) = (format!("{}-audio", publish.id), vec![Layer::new(*encoding, "", rand::random())]);
            streams.push(Stream::add(&*peer, name, alone, &sound(), &publish.id).await?);
        }
        // Pictures do not wait for it.
        let attitude = if publish.leans { Attitude::open(&*peer).await } else { None };
        let offer = peer.create_offer(None).await?;
        peer.set_local_description(offer).await?;
        Ok(Self { number, peer, streams, attitude })
    }

    pub(super) fn number(&self) -> Number {
        self.number
    }

    /// What there is to be offered, with all addresses in it.
    pub(super) async fn offer(&self) -> Option<Sdp> {
        let description = self.peer.local_description().await?;
        Sdp::try_from(description.sdp).inspect_err(|error| tracing::warn!(%error, "our offer is none")).ok()
    }

    pub(super) async fn answered(&mut self, answer: Sdp) -> Result<(), Error> {
        self.peer.set_remote_description(RTCSessionDescription::answer(answer.into_string())?).await
    }

    /// What the answer has agreed on.
    pub(super) async fn learn(&mut self) {
        for stream in &mut self.streams {
            match stream.agreed().await {
                Ok(marks) => stream.marks = marks,
                Err(error) => tracing::warn!(%error, "it is not known what the media server takes"),
            }
        }
    }

    pub(super) fn pictures(&self) -> Vec<Encoding> {
        let layers = self.streams.iter().flat_map(|stream| &stream.layers);
        layers.map(|layer| layer.encoding).filter(|encoding| *encoding != Encoding::Audio).collect()
    }

    pub(super) fn encoding(&self, ssrc: u32) -> Option<Encoding> {
        let mut layers = self.streams.iter().flat_map(|stream| &stream.layers);
        layers.find(|layer| layer.ssrc == ssrc).map(|layer| layer.encoding)
    }

    /// Returns how many packets, and bytes in them, have left.
    pub(super) async fn send(&mut self, encoding: Encoding, frame: &Frame) -> (u64, u64) {
        let (mut packets, mut bytes) = (0, 0);
        for Stream { track, layers, marks, .. } in &mut self.streams {
            let Some(layer) = layers.iter_mut().find(|layer| layer.encoding == encoding) else { continue };
            for packet in layer.packets(frame, marks) {
                let sent = match packet {
                    Ok(packet) => {
                        (packets, bytes) = (packets + 1, bytes + SEAL + packet.marshal_size() as u64);
                        track.write_rtp(packet).await
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = sent {
                    tracing::debug!(%error, "not sent to the media server");
                    return (packets, bytes);
                }
            }
        }
        (packets, bytes)
    }

    pub(super) fn tell_attitude(&self, message: &Bytes) {
        if let Some(attitude) = &self.attitude {
            attitude.tell(message);
        }
    }

    pub(super) async fn close(self) {
        if let Err(error) = self.peer.close().await {
            tracing::debug!(%error, "the connection to the media server was not closed");
        }
    }
}

impl Stream {
    async fn add(
        peer: &dyn PeerConnection,
        name: String,
        layers: Vec<Layer>,
        codec: &RTCRtpCodecParameters,
        camera: &CameraId,
    ) -> Result<Self, Error> {
        let kind = if codec.payload_type == SOUND { RtpCodecKind::Audio } else { RtpCodecKind::Video };
        let encodings: Vec<RTCRtpEncodingParameters> = layers
            .iter()
            .map(|layer| RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters {
                    rid: layer.name.to_owned(),
                    ssrc: Some(layer.ssrc),
                    ..Default::default()
                },
                active: true,
                codec: codec.rtp_codec.clone(),
                ..Default::default()
            })
            .collect();
        let track = MediaStreamTrack::new(camera.to_string(), name.clone(), name, kind, encodings.clone());
        let track = Arc::new(TrackLocalStaticRTP::new(track));
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: vec![camera.to_string()],
            send_encodings: encodings,
        };
        let transceiver = peer.add_transceiver_from_track(track.clone(), Some(init)).await?;
        let marks = Marks { payload_type: codec.payload_type, ..Marks::default() };
        Ok(Self { track, transceiver, layers, marks })
    }

    async fn agreed(&self) -> Result<Marks, Error> {
        let section = self.transceiver.mid().await?;
        let sender = self.transceiver.sender().await?.ok_or(Error::ErrRTPTransceiverNotExisted)?;
        let agreed = sender.get_parameters().await?.rtp_parameters;
        let id = |uri: &str| {
            let found = agreed.header_extensions.iter().find(|extension| extension.uri == uri);
            found.and_then(|extension| u8::try_from(extension.id).ok())
        };
        Ok(Marks {
            payload_type: agreed.codecs.first().map_or(self.marks.payload_type, |codec| codec.payload_type),
            section: id(SDES_MID_URI).zip(section.map(Bytes::from)),
            quality: id(SDES_RTP_STREAM_ID_URI),
            captured: id(CAPTURED_URI),
        })
    }
}

fn codec_of(pictures: &[Encoding]) -> RTCRtpCodecParameters {
    let is_vp8 = matches!(pictures.first(), Some(Encoding::Video { codec: VideoCodec::Vp8, .. }));
    let (mime_type, parameters) = if is_vp8 { (MIME_TYPE_VP8, "") } else { (MIME_TYPE_H264, BASELINE) };
    let by_full_request = RTCPFeedback { typ: "ccm".to_owned(), parameter: "fir".to_owned() };
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: mime_type.to_owned(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: parameters.to_owned(),
            rtcp_feedback: vec![by_full_request],
        },
        payload_type: PICTURE,
    }
}

fn sound() -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.to_owned(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: String::new(),
            rtcp_feedback: Vec::new(),
        },
        payload_type: SOUND,
    }
}
