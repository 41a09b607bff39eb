//! What a frame is after capture: an access unit, then the RTP payloads that all viewers share.

mod h264;

use std::time::{Duration, Instant};

use bytes::Bytes;

pub(crate) use h264::Packetiser;

/// RTP's clock for video, ticks per second (RFC 6184, section 8.2.1).
pub(crate) const CLOCK_RATE: u32 = 90_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum VideoCodec {
    H264,
    Vp8,
}

/// What one encoder of a camera makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Encoding {
    /// `rung` is the place in the camera's list of qualities, the best being 0.
    Video { rung: u8, codec: VideoCodec },
    /// Opus, in packets of 20 ms.
    Audio,
}

/// A wall clock's instant in NTP's format: seconds since 1900 in the upper half, their fraction in the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NtpTime(pub(crate) u64);

/// One instant of capture, on every clock that somebody reads it from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Since the pipeline started. All of a camera's encodings share this clock, and RTP's timestamps come from it.
    pub(crate) media: Duration,
    #[cfg_attr(not(test), expect(dead_code, reason = "the pacer reads it once there is one"))]
    pub(crate) instant: Instant,
    pub(crate) ntp: NtpTime,
}

/// One encoded picture or piece of sound, as the encoder made it: H.264 as a byte stream with start codes, VP8 and Opus as
/// one frame each.
#[derive(Clone, Debug)]
pub(crate) struct AccessUnit {
    pub(crate) data: Bytes,
    /// Decoding can start here.
    pub(crate) keyframe: bool,
    pub(crate) captured: Moment,
}

/// One picture cut into RTP payloads, in order. Only the last one bears RTP's marker.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) payloads: Vec<Bytes>,
    pub(crate) keyframe: bool,
    /// In ticks of [`CLOCK_RATE`], modulo 2³².
    pub(crate) timestamp: u32,
}

/// The capture instant on RTP's clock.
fn ticks(captured: Duration) -> u32 {
    let ticks = captured.as_nanos() * u128::from(CLOCK_RATE) / 1_000_000_000;
    (ticks & u128::from(u32::MAX)) as u32
}
