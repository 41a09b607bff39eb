//! Sound.

use gstreamer as gst;

use super::super::{CaptureError, element::make};

/// Opus in packets of 20 ms, which a receiver can mend when one in ten is lost.
pub(in crate::capture) fn opus() -> Result<Vec<gst::Element>, CaptureError> {
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
