//! What `make fuzz` reaches of what is sent to a viewer, and of what the viewer says of it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::Want;
use rtc_srtp::{context::Context, protection_profile::ProtectionProfile};

use super::{AudioFormat, Bounds, Burst, Delivery, Extensions, Format, Qualities, Streams, Terms};
use crate::{
    media::{AccessUnit, Encoding, Moment, NtpTime, PacketSize, Rings, VideoCodec},
    srtp::Keys,
};

pub const VIDEO: u32 = 0x1111_1111;
/// A NAL unit that is not sent.
const DELIMITER: u8 = 9;
const REPAIR: u32 = 0x2222_2222;
const AUDIO: u32 = 0x3333_3333;

/// Bits per second, best first, and the least that the lowest may be encoded at.
pub const RUNGS: [f64; 3] = [3e6, 1e6, 3e5];
pub const FLOOR: f64 = 0.4 * RUNGS[2];

/// More than it has timers.
const MAX_WAKES: usize = 16;

/// One viewer's delivery, and whoever seals its viewer's words.
pub struct Sending {
    delivery: Delivery,
    viewer: Context,
    rings: Rings,
    burst: Burst,
    began: Instant,
    now: Instant,
}

/// What the delivery holds to be so.
#[derive(Clone, Copy, Debug)]
pub struct Belief {
    pub bitrate: f64,
    pub loss: f64,
    pub rung: Option<u8>,
    /// Bits per second that the lowest is to be encoded at.
    pub limit: Option<u32>,
    pub packets: u64,
    pub resent: u64,
}

fn encoding(rung: u8) -> Encoding {
    Encoding::Video { rung, codec: VideoCodec::H264 }
}

impl Sending {
    pub fn new(now: Instant) -> Self {
        let provider = rtc_crypto::default_provider().expect("a provider");
        let profile = ProtectionProfile::AeadAes128Gcm;
        let material = vec![7; Keys::material_len(profile)];
        let keys = |is_client| Keys::new(profile, &material, is_client).expect("keys");
        let viewer = keys(true).into_ciphers(provider.crypto()).expect("ciphers").reports;
        let rings = Rings::new((0..RUNGS.len()).map(|rung| encoding(rung as u8)).chain([Encoding::Audio]));
        let audio = AudioFormat { payload_type: 111, extensions: Extensions::default() };
        let terms = Terms {
            format: Format {
                codec: VideoCodec::H264,
                payload_type: 102,
                repair: Some(103),
                audio: Some(audio),
                extensions: Extensions::ALL,
            },
            streams: Streams { video: VIDEO, repair: REPAIR, audio: AUDIO, cname: "robot".to_owned() },
            qualities: Qualities::new(RUNGS.to_vec(), true),
            bounds: Bounds::default(),
        };
        let delivery = Delivery::new(keys(false), terms, provider.crypto(), &rings, now).expect("a delivery");
        Self { delivery, viewer, rings, burst: Burst::new(64), began: now, now }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.delivery.handle_timeout(&self.rings, self.now);
    }

    /// A picture of each quality, which may have nothing in it, and a piece of sound.
    pub fn capture(&mut self, bytes: usize, keyframe: bool) {
        let media = self.now - self.began;
        let captured = Moment { media, instant: self.now, ntp: NtpTime(1 << 40).after(media) };
        let encodings = (0..RUNGS.len()).map(|rung| encoding(rung as u8)).chain([Encoding::Audio]);
        for (place, encoding) in encodings.enumerate() {
            let kind = if bytes == 0 { DELIMITER } else { [0x41, 0x65][usize::from(keyframe)] };
            let mut data = vec![0, 0, 0, 1, kind];
            // Sound comes in pieces of 80 bytes, whatever the picture does.
            data.resize(if encoding == Encoding::Audio { 80 } else { 6 + (bytes >> place) }, 7);
            let unit = AccessUnit { data: Bytes::from(data), keyframe, captured };
            let frame = encoding.packetise(&unit, PacketSize::on_wire(1200));
            self.rings.get_mut(encoding).expect("a ring").push(frame.into(), self.now);
        }
    }

    /// The viewer asks for a quality.
    pub fn want(&mut self, rung: Option<u8>, best: Option<u8>) {
        self.delivery.bound(Bounds { want: Want { rung, best }, allowed: 0 }, &self.rings, self.now);
    }

    /// Sends what can be sent now: each packet's length.
    pub fn flush(&mut self) -> Vec<usize> {
        let mut lengths = Vec::new();
        for _ in 0..1000 {
            while self.delivery.poll_report(&self.rings, self.now).expect("sealed").is_some() {}
            self.delivery.poll(&self.rings, self.now, &mut self.burst).expect("sealed");
            if self.burst.is_empty() {
                return lengths;
            }
            lengths.extend(self.burst.packets().map(<[u8]>::len));
        }
        panic!("there is no end of what it wants sent");
    }

    /// Whether it has nothing to do after a few times of being woken at once, as the fan-out would.
    pub fn rests(&mut self) -> bool {
        let is_due = |sending: &Self| sending.delivery.poll_timeout(&sending.rings).is_some_and(|at| at <= sending.now);
        for _ in 0..MAX_WAKES {
            if !is_due(self) {
                return true;
            }
            self.pass(Duration::ZERO);
            self.flush();
        }
        false
    }

    /// What the viewer says, sealed as it would be.
    pub fn hear(&mut self, rtcp: &[u8]) {
        if let Ok(sealed) = self.viewer.encrypt_rtcp(rtcp) {
            self.hear_raw(&sealed);
        }
    }

    /// What comes from where the viewer is.
    pub fn hear_raw(&mut self, data: &[u8]) {
        self.delivery.handle_feedback(data, &self.rings, self.now);
    }

    pub fn belief(&mut self) -> Belief {
        let (estimate, counters) = (self.delivery.estimate(), self.delivery.counters());
        let _ = self.delivery.take_wanted();
        let lowest = encoding(RUNGS.len() as u8 - 1);
        Belief {
            bitrate: estimate.bitrate,
            loss: estimate.loss,
            rung: self.delivery.rung(),
            limit: self.delivery.watches().limit(lowest),
            packets: counters.packets,
            resent: counters.resent,
        }
    }
}
