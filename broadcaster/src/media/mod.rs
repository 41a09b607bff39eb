//! What a frame is after capture: an access unit, then the RTP payloads that all viewers share.

mod h264;

use std::time::Duration;

use bytes::Bytes;

pub(crate) use h264::Packetiser;

/// RTP's clock for video, ticks per second (RFC 6184, section 8.2.1).
pub(crate) const CLOCK_RATE: u32 = 90_000;

/// One encoded picture, as the encoder made it: an H.264 byte stream with start codes.
#[derive(Clone, Debug)]
pub(crate) struct AccessUnit {
    pub(crate) data: Bytes,
    /// Decoding can start here.
    pub(crate) keyframe: bool,
    /// When the picture was captured, since the pipeline started.
    pub(crate) captured: Duration,
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
