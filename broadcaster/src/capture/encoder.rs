//! Encoders, set for a picture that is looked at while it happens.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{CaptureError, element::make};

/// How much bitrate may be saved up for a keyframe, in milliseconds of it: 55 KB at 3 Mbit/s, sent in a tenth of a second.
const VBV_MILLIS: u32 = 300;

/// Keyframes come when a viewer joins; this many frames is only the limit for a receiver that lost one unnoticed.
const MAX_KEYFRAME_DISTANCE: u32 = 300;

/// x264 in software, giving constrained baseline in access units with start codes.
pub(super) fn x264(bitrate: u32) -> Result<[gst::Element; 2], CaptureError> {
    let encoder = make("x264enc", "gstreamer1.0-plugins-ugly")?;
    encoder.set_property_from_str("tune", "zerolatency");
    encoder.set_property_from_str("speed-preset", "superfast");
    encoder.set_property("bitrate", bitrate.div_ceil(1000));
    encoder.set_property("vbv-buf-capacity", VBV_MILLIS);
    encoder.set_property("key-int-max", MAX_KEYFRAME_DISTANCE);
    encoder.set_property("aud", false);
    encoder.set_property("threads", 2u32);
    encoder.set_property("sliced-threads", true);
    encoder.set_property("option-string", "scenecut=0");
    let caps = gst::Caps::builder("video/x-h264")
        .field("profile", "constrained-baseline")
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .build();
    let filter = make("capsfilter", "libgstreamer1.0-0")?;
    filter.set_property("caps", caps);
    Ok([encoder, filter])
}
