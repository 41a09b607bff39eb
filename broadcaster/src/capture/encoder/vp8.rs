//! VP8, for viewers that cannot decode H.264.

use gstreamer as gst;
use protocol::Rung;

use super::{
    super::{
        CaptureError,
        element::{filter, make},
    },
    Chain, Control, MAX_KEYFRAME_DISTANCE,
    control::{Dial, Keyframes},
};

/// libvpx.
///
/// Its stream cannot say which colours it means, and receivers take them for BT.601's (RFC 6386, section 9.2), where cameras
/// in high definition give BT.709's.
pub(in crate::capture) fn vp8(rung: &Rung) -> Result<Chain, CaptureError> {
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
    let encoder = make("vp8enc", "gstreamer1.0-plugins-good", &properties)?;
    let dial = Dial::Property { name: "target-bitrate", unit: 1 };
    let control = Control::new(encoder.clone(), dial, Keyframes::Event, rung.bitrate);
    Ok(Chain { elements: vec![convert, filter(caps)?, encoder], control })
}
