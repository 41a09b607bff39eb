//! What we offer: one picture in every codec that the camera comes in, its retransmissions, sound if there is some, and how the
//! robot leans if that is known and asked for.

use std::fmt::Write;

use super::channel;
use crate::{
    delivery::{Streams, id},
    media::{Encoding, Rings, VideoCodec},
    transport::{Credentials, Fingerprint, random_text},
};

/// Constrained baseline, which every browser decodes; the level may differ, since browsers take higher ones than they say.
const H264_FORMAT: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";

/// Payload types of each codec and of its retransmissions, best first.
const CODECS: [(VideoCodec, u8, u8); 2] = [(VideoCodec::H264, 102, 103), (VideoCodec::Vp8, 96, 97)];
const OPUS: u8 = 111;

const TRANSPORT_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const ABS_SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
const ABS_CAPTURE_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/// By number, as our offers have them.
pub(super) const EXTENSIONS: [(u8, &str); 4] = [
    (id::ABS_SEND_TIME, ABS_SEND_TIME),
    (id::TRANSPORT_CC, TRANSPORT_CC),
    (id::ABS_CAPTURE_TIME, ABS_CAPTURE_TIME),
    (id::PLAYOUT_DELAY, PLAYOUT_DELAY),
];

/// Sound has one, by which the viewer knows how far it is behind the picture.
pub(super) const SOUND_EXTENSIONS: [(u8, &str); 1] = [(id::ABS_CAPTURE_TIME, ABS_CAPTURE_TIME)];

/// What stays the same in all offers of one session.
#[derive(Clone)]
pub(super) struct Offer {
    id: u64,
    version: u32,
    pub(super) streams: Streams,
    codecs: Vec<(VideoCodec, u8, u8)>,
    sound: bool,
    pub(super) attitude: bool,
}

impl Offer {
    /// `accepts` says whether the viewer has use for a codec, `attitude` whether it is told how the robot leans.
    pub(super) fn new(rings: &Rings, accepts: impl Fn(VideoCodec) -> bool, attitude: bool) -> Self {
        let has = |codec| rings.has(Encoding::Video { rung: 0, codec });
        let mut codecs: Vec<_> = CODECS.into_iter().filter(|(codec, ..)| has(*codec) && accepts(*codec)).collect();
        if codecs.is_empty() {
            // It is the viewer's answer that counts; what it has said before may have been incomplete.
            codecs = CODECS.into_iter().filter(|(codec, ..)| has(*codec)).collect();
        }
        let (video, repair, audio) = distinct();
        let streams = Streams { video, repair, audio, cname: random_text(16) };
        // Session ids are 63 bits at most (RFC 8829, section 5.2.1).
        let id = rand::random::<u64>() >> 2;
        Self { id, version: 0, streams, codecs, sound: rings.has(Encoding::Audio), attitude }
    }

    /// What the session is called in descriptions.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn sounds(&self) -> bool {
        self.sound
    }

    /// What the picture comes in, best first.
    pub(super) fn codecs(&self) -> impl Iterator<Item = VideoCodec> {
        self.codecs.iter().map(|(codec, ..)| *codec)
    }

    /// Whether the picture is offered so.
    pub(super) fn has(&self, codec: VideoCodec) -> bool {
        self.codecs.iter().any(|(other, ..)| *other == codec)
    }

    /// The codec that a viewer chooses which can decode all that it is offered.
    pub(super) fn preferred(&self) -> VideoCodec {
        self.codecs[0].0
    }

    /// The next offer, for these credentials and candidates.
    pub(super) fn write(
        &mut self,
        credentials: &Credentials,
        fingerprint: &Fingerprint,
        candidates: &[String],
    ) -> String {
        self.version += 1;
        let sections = 1 + usize::from(self.sound) + usize::from(self.attitude);
        let group = ["0", "0 1", "0 1 2"][sections - 1];
        let mut sdp = format!(
            "v=0\r\no=- {} {} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {group}\r\na=extmap-allow-mixed\r\n\
             a=msid-semantic: WMS panocast\r\n",
            self.id, self.version
        );
        self.write_video(&mut sdp, credentials, fingerprint, candidates).expect("a string takes everything");
        if self.sound {
            self.write_audio(&mut sdp, credentials, fingerprint).expect("a string takes everything");
        }
        if self.attitude {
            write_channel(&mut sdp, sections - 1, credentials, fingerprint).expect("a string takes everything");
        }
        sdp
    }

    fn write_video(
        &self,
        sdp: &mut String,
        credentials: &Credentials,
        fingerprint: &Fingerprint,
        candidates: &[String],
    ) -> std::fmt::Result {
        let Streams { video, repair, cname, .. } = &self.streams;
        let formats: Vec<String> = self.codecs.iter().map(|(_, media, repair)| format!("{media} {repair}")).collect();
        write!(sdp, "m=video 9 UDP/TLS/RTP/SAVPF {}\r\n", formats.join(" "))?;
        write_transport(sdp, 0, credentials, fingerprint)?;
        write_track(sdp, "video")?;
        for (number, uri) in EXTENSIONS {
            write!(sdp, "a=extmap:{number} {uri}\r\n")?;
        }
        for (codec, media, repair) in &self.codecs {
            let name = match codec {
                VideoCodec::H264 => "H264",
                VideoCodec::Vp8 => "VP8",
            };
            write!(sdp, "a=rtpmap:{media} {name}/90000\r\n")?;
            if *codec == VideoCodec::H264 {
                write!(sdp, "a=fmtp:{media} {H264_FORMAT}\r\n")?;
            }
            for feedback in ["nack", "nack pli", "ccm fir", "transport-cc", "rrtr"] {
                write!(sdp, "a=rtcp-fb:{media} {feedback}\r\n")?;
            }
            write!(sdp, "a=rtpmap:{repair} rtx/90000\r\na=fmtp:{repair} apt={media}\r\n")?;
        }
        write!(sdp, "a=ssrc-group:FID {video} {repair}\r\n")?;
        for ssrc in [video, repair] {
            write!(sdp, "a=ssrc:{ssrc} cname:{cname}\r\na=ssrc:{ssrc} msid:panocast video\r\n")?;
        }
        for candidate in candidates {
            write!(sdp, "a={candidate}\r\n")?;
        }
        Ok(())
    }

    fn write_audio(&self, sdp: &mut String, credentials: &Credentials, fingerprint: &Fingerprint) -> std::fmt::Result {
        let Streams { audio, cname, .. } = &self.streams;
        write!(sdp, "m=audio 9 UDP/TLS/RTP/SAVPF {OPUS}\r\n")?;
        write_transport(sdp, 1, credentials, fingerprint)?;
        write_track(sdp, "audio")?;
        for (number, uri) in SOUND_EXTENSIONS {
            write!(sdp, "a=extmap:{number} {uri}\r\n")?;
        }
        write!(
            sdp,
            "a=rtpmap:{OPUS} opus/48000/2\r\na=fmtp:{OPUS} minptime=10;useinbandfec=1\r\n\
             a=ssrc:{audio} cname:{cname}\r\na=ssrc:{audio} msid:panocast audio\r\n"
        )
    }
}

/// A data channel (RFC 8841).
fn write_channel(
    sdp: &mut String,
    mid: usize,
    credentials: &Credentials,
    fingerprint: &Fingerprint,
) -> std::fmt::Result {
    write!(sdp, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n")?;
    write_transport(sdp, mid, credentials, fingerprint)?;
    write!(sdp, "a=sctp-port:{}\r\n", channel::PORT)
}

fn write_track(sdp: &mut String, track: &str) -> std::fmt::Result {
    write!(sdp, "a=rtcp:9 IN IP4 0.0.0.0\r\na=sendonly\r\na=msid:panocast {track}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n")
}

fn write_transport(
    sdp: &mut String,
    mid: usize,
    credentials: &Credentials,
    fingerprint: &Fingerprint,
) -> std::fmt::Result {
    write!(
        sdp,
        "c=IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 {}\r\na=setup:actpass\r\na=mid:{mid}\r\n",
        credentials.ufrag.as_str(),
        credentials.password,
        fingerprint.as_str(),
    )
}

/// Three numbers that are not the same: each stream has one writer and one numbering.
fn distinct() -> (u32, u32, u32) {
    loop {
        let (video, repair, audio) = rand::random();
        if video != repair && repair != audio && audio != video {
            return (video, repair, audio);
        }
    }
}
