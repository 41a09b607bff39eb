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
    let made =
        gst::ElementFactory::make(element).build().map_err(|_| CaptureError::MissingElement { element, package })?;
    for &(property, value) in properties {
        let parsed =
            made.find_property(property).and_then(|spec| gst::glib::Value::deserialize_with_pspec(value, &spec).ok());
        made.set_property_from_value(property, &parsed.ok_or(CaptureError::Property { element, property })?);
    }
    Ok(made)
}

/// Lets only these caps pass.
pub(super) fn filter(caps: gst::Caps) -> Result<gst::Element, CaptureError> {
    let filter = make("capsfilter", "libgstreamer1.0-0", &[])?;
    filter.set_property("caps", caps);
    Ok(filter)
}
