//! GStreamer's elements by name.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::CaptureError;

/// An element with these properties, whose values are written as for `gst-launch-1.0`.
pub(super) fn make(
    element: &'static str,
    package: &'static str,
    properties: &[(&'static str, &str)],
) -> Result<gst::Element, CaptureError> {
    let made = gst::ElementFactory::make(element)
        .build()
        .map_err(|_| CaptureError::MissingElement { element: element.to_owned(), package })?;
    for &(property, value) in properties {
        let parsed =
            made.find_property(property).and_then(|spec| gst::glib::Value::deserialize_with_pspec(value, &spec).ok());
        made.set_property_from_value(property, &parsed.ok_or(CaptureError::Property { element, property })?);
    }
    Ok(made)
}

/// The same, but an element that lacks some of the properties, or does not know these values, goes without.
pub(super) fn make_tolerant(
    element: &'static str,
    package: &'static str,
    properties: &[(&'static str, &str)],
) -> Result<gst::Element, CaptureError> {
    let made = make(element, package, &[])?;
    for &(property, value) in properties {
        let spec = made.find_property(property);
        match spec.and_then(|spec| gst::glib::Value::deserialize_with_pspec(value, &spec).ok()) {
            Some(value) => made.set_property_from_value(property, &value),
            None => tracing::debug!(element, property, value, "the element has no such property or value"),
        }
    }
    Ok(made)
}

/// An element that somebody else's description names, and where Debian has it, as far as is known.
pub(super) fn missing(element: &str) -> CaptureError {
    let element = element.trim_matches('"').to_owned();
    let package = PACKAGES.iter().find(|(prefixes, _)| prefixes.iter().any(|prefix| element.starts_with(prefix)));
    match package {
        Some((_, package)) => CaptureError::MissingElement { element, package },
        None => CaptureError::UnknownElement { element },
    }
}

/// Elements that people use for cameras, by how their names begin.
const PACKAGES: [(&[&str], &str); 9] = [
    (&["video", "decodebin", "uridecodebin", "audio", "opus", "tcp", "giosrc"], "gstreamer1.0-plugins-base"),
    (
        &["v4l2", "rtsp", "rtp", "jpeg", "vp8", "vp9", "qtdemux", "matroska", "souphttp", "udp"],
        "gstreamer1.0-plugins-good",
    ),
    (&["h264parse", "h265parse", "openh264", "va", "nv", "msdk", "qsv", "srt"], "gstreamer1.0-plugins-bad"),
    (&["x264"], "gstreamer1.0-plugins-ugly"),
    (&["av"], "gstreamer1.0-libav"),
    (&["libcamera"], "gstreamer1.0-libcamera"),
    (&["alsa"], "gstreamer1.0-alsa"),
    (&["pulse"], "gstreamer1.0-pulseaudio"),
    (&["pipewire"], "gstreamer1.0-pipewire"),
];

pub(super) fn signed(value: u32) -> i32 {
    i32::try_from(value).expect("the config bounds it")
}

/// Lets only these caps pass.
pub(super) fn filter(caps: gst::Caps) -> Result<gst::Element, CaptureError> {
    let filter = make("capsfilter", "libgstreamer1.0-0", &[])?;
    filter.set_property("caps", caps);
    Ok(filter)
}
