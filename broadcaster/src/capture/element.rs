//! GStreamer's elements by name.

use gstreamer as gst;

use super::CaptureError;

pub(super) fn make(element: &'static str, package: &'static str) -> Result<gst::Element, CaptureError> {
    gst::ElementFactory::make(element).build().map_err(|_| CaptureError::MissingElement { element, package })
}
