//! Encoders, set for pictures and sound that are followed while they happen.

use gstreamer as gst;
use protocol::Rung;

use super::{
    CaptureError,
    element::{filter, make},
};

/// How much bitrate may be saved up for a keyframe, in milliseconds of it: 55 KB at 3 Mbit/s, sent in a tenth of a second.
const VBV_MILLIS: &str = "300";

/// Keyframes come when a viewer joins; this many frames is only the limit for a receiver that lost one unnoticed.
const MAX_KEYFRAME_DISTANCE: &str = "300";

/// Below this width, cutting a picture in slices costs more than a second thread gains.
const NARROW: u32 = 640;

/// x264 in software, giving constrained baseline in access units with start codes.
pub(super) fn x264(rung: &Rung) -> Result<Vec<gst::Element>, CaptureError> {
    let (threads, sliced) = if rung.width < NARROW { ("1", "false") } else { ("2", "true") };
    let properties = [
        ("tune", "zerolatency"),
        ("speed-preset", "superfast"),
        ("bitrate", &rung.bitrate.div_ceil(1000).to_string()),
        ("vbv-buf-capacity", VBV_MILLIS),
        ("key-int-max", MAX_KEYFRAME_DISTANCE),
        ("aud", "false"),
        ("threads", threads),
        ("sliced-threads", sliced),
        ("option-string", "scenecut=0"),
    ];
    let encoder = make("x264enc", "gstreamer1.0-plugins-ugly", &properties)?;
    let caps = gst::Caps::builder("video/x-h264")
        .field("profile", "constrained-baseline")
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .build();
    Ok(vec![encoder, filter(caps)?])
}

/// libvpx, for viewers that cannot decode H.264.
///
/// Its stream cannot say which colours it means, and receivers take them for BT.601's (RFC 6386, section 9.2), where cameras
/// in high definition give BT.709's.
pub(super) fn vp8(rung: &Rung) -> Result<Vec<gst::Element>, CaptureError> {
    let properties = [
        ("deadline", "1"),
        ("cpu-used", "8"),
        // A second one costs six times the processor time.
        ("threads", "1"),
        ("end-usage", "cbr"),
        ("target-bitrate", &rung.bitrate.to_string()),
        ("lag-in-frames", "0"),
        ("keyframe-max-dist", MAX_KEYFRAME_DISTANCE),
        ("buffer-initial-size", "100"),
        ("buffer-optimal-size", "120"),
        ("buffer-size", "150"),
        // A keyframe is at most two and a half times as large as other frames on average.
        ("max-intra-bitrate", "250"),
    ];
    // The shortest way: what it rounds, the encoder loses anyway.
    let convert = make("videoconvert", "gstreamer1.0-plugins-base", &[("dither", "none"), ("chroma-mode", "none")])?;
    let caps = gst::Caps::builder("video/x-raw").field("colorimetry", "bt601").build();
    Ok(vec![convert, filter(caps)?, make("vp8enc", "gstreamer1.0-plugins-good", &properties)?])
}

/// Opus in packets of 20 ms, which a receiver can mend when one in ten is lost.
pub(super) fn opus() -> Result<Vec<gst::Element>, CaptureError> {
    let properties = [
        ("bitrate", "32000"),
        ("frame-size", "20"),
        ("inband-fec", "true"),
        ("packet-loss-percentage", "10"),
        ("audio-type", "voice"),
        ("complexity", "5"),
    ];
    Ok(vec![make("opusenc", "gstreamer1.0-plugins-base", &properties)?])
}
