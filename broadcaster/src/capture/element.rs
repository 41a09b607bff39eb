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
    let made = gst::ElementFactory::make(element).build().map_err(|_| absent(element.to_owned(), package))?;
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
        Some((_, package)) => absent(element, package),
        None => CaptureError::UnknownElement { element },
    }
}

/// An element that is not there, but would be where this package is.
pub(super) fn absent(element: String, package: &'static str) -> CaptureError {
    if BY_HARDWARE.iter().any(|prefix| element.starts_with(prefix)) {
        CaptureError::MissingHardware { element, package }
    } else {
        CaptureError::MissingElement { element, package }
    }
}

/// Elements that their plugins have only where they find what it takes, which may be some time after the machine has started.
const BY_HARDWARE: [&str; 13] = [
    "nv",
    "msdk",
    "qsv",
    "v4l2convert",
    "v4l2h26",
    "v4l2jpeg",
    "v4l2sl",
    "v4l2vp",
    "vaav1",
    "vah26",
    "vajpeg",
    "vapostproc",
    "vavp",
];

/// Elements that people use for cameras, by how their names begin.
const PACKAGES: [(&[&str], &str); 12] = [
    // What begins otherwise than its plugin's others comes first.
    (&["v4l2sl", "jpegparse", "opusparse"], "gstreamer1.0-plugins-bad"),
    (&["videobox", "videocrop", "videoflip", "videomixer"], "gstreamer1.0-plugins-good"),
    (&["video", "decodebin", "uridecodebin", "audio", "opus", "tcp", "giosrc"], "gstreamer1.0-plugins-base"),
    (
        &["v4l2", "rtsp", "rtp", "jpeg", "vp8", "vp9", "qtdemux", "matroska", "souphttp", "udp"],
        "gstreamer1.0-plugins-good",
    ),
    // NVIDIA's own for Jetsons; those for graphics cards are GStreamer's.
    (&["nvarguscamera", "nvv4l2", "nvvidconv", "nvjpeg", "nvcompositor", "nvivafilter", "nv3dsink", "nvegl"], JETPACK),
    (
        &[
            "h264parse",
            "h265parse",
            "openh264",
            "vaav1",
            "vah26",
            "vajpeg",
            "vapostproc",
            "vavp",
            "nvh26",
            "nvcuda",
            "nvautogpu",
            "nvav1",
            "nvvp",
            "msdk",
            "qsv",
            "srt",
        ],
        "gstreamer1.0-plugins-bad",
    ),
    (&["x264"], "gstreamer1.0-plugins-ugly"),
    (&["avdec", "avenc", "avdemux", "avmux"], "gstreamer1.0-libav"),
    (&["libcamera"], "gstreamer1.0-libcamera"),
    (&["alsa"], "gstreamer1.0-alsa"),
    (&["pulse"], "gstreamer1.0-pulseaudio"),
    (&["pipewire"], "gstreamer1.0-pipewire"),
];

/// Where Jetsons have NVIDIA's elements.
pub(super) const JETPACK: &str = "nvidia-l4t-gstreamer";

pub(super) fn signed(value: u32) -> i32 {
    i32::try_from(value).expect("the config bounds it")
}

/// Lets only these caps pass.
pub(super) fn filter(caps: gst::Caps) -> Result<gst::Element, CaptureError> {
    let filter = make("capsfilter", "libgstreamer1.0-0", &[])?;
    filter.set_property("caps", caps);
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_an_element_hears_where_it_is() {
        let said = |element: &str| missing(element).to_string();
        for element in ["nvarguscamerasrc", "nvvidconv", "nvv4l2h264enc", "nvjpegdec"] {
            assert!(said(element).contains("package nvidia-l4t-gstreamer"), "{}", said(element));
        }
        for element in ["nvh264enc", "nvh264dec", "vah264enc", "qsvh264enc", "v4l2slh264dec"] {
            assert!(
                said(element).contains("package gstreamer1.0-plugins-bad, and is there only where"),
                "{}",
                said(element)
            );
        }
        assert!(said("v4l2src").contains("install the Debian package gstreamer1.0-plugins-good"));
        assert!(said("videotestsrc").contains("plugins-base") && said("videocrop").contains("plugins-good"));
        // It is somebody else's.
        assert!(said("nvinfer").contains("is its name right"), "{}", said("nvinfer"));
    }

    /// Whoever installs the broadcaster is offered all that it may tell to install.
    #[test]
    fn the_debian_package_knows_each_package_that_is_named_here() {
        let manifest: toml::Table = toml::from_str(include_str!("../../Cargo.toml")).expect("a manifest");
        let deb = &manifest["package"]["metadata"]["deb"];
        let listed = ["depends", "recommends", "suggests"].map(|key| deb[key].as_str().expect("a list").to_owned());
        let listed: Vec<&str> = listed.iter().flat_map(|list| list.split(',')).map(str::trim).collect();
        for (_, package) in PACKAGES.iter().filter(|(_, package)| *package != JETPACK) {
            assert!(listed.contains(package), "{package} is not in {listed:?}");
        }
    }
}
