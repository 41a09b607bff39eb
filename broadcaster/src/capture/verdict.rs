//! What a pipeline's messages mean for it.

use gstreamer as gst;

use super::{CaptureError, ending, passthrough, shape, source};
use crate::config::Camera;

/// What a pipeline's message means for it.
pub(super) enum Verdict {
    Fine,
    Ended,
    Failed(CaptureError),
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "GStreamer has dozens of other messages, and more with each version"
)]
pub(super) fn judge_camera(message: &gst::Message, camera: &Camera) -> Verdict {
    match message.view() {
        gst::MessageView::Error(error) if source::is_refused(error) => {
            Verdict::Failed(CaptureError::refused(camera).unwrap_or_else(|| error.into()))
        }
        gst::MessageView::Error(error) if error.error().matches(gst::ResourceError::Busy) => {
            Verdict::Failed(CaptureError::Busy)
        }
        gst::MessageView::Application(word) if !ending::is_told(word) => {
            Verdict::Failed(shape::misfit(word, camera).unwrap_or_else(|| passthrough::misfit(word, camera)))
        }
        gst::MessageView::Error(error) if camera.source.is_passthrough() && source::is_unlinked(error) => {
            Verdict::Failed(CaptureError::NotEncoded { instead: camera.source.instead_of_passthrough() })
        }
        // What a network camera says when the other end has hung up; the end of its stream may never come through.
        gst::MessageView::Warning(warning)
            if camera.source.is_remote() && warning.error().matches(gst::ResourceError::Read) =>
        {
            Verdict::Failed(CaptureError::Ended)
        }
        _ => judge(message),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "GStreamer has dozens of other messages, and more with each version"
)]
pub(super) fn judge(message: &gst::Message) -> Verdict {
    match message.view() {
        gst::MessageView::Error(error) => Verdict::Failed(error.into()),
        gst::MessageView::Eos(_) => Verdict::Ended,
        gst::MessageView::Application(word) if ending::is_told(word) => Verdict::Ended,
        gst::MessageView::Warning(warning) => {
            tracing::warn!(error = %warning.error(), "pipeline");
            Verdict::Fine
        }
        _ => Verdict::Fine,
    }
}

/// What a pipeline says went wrong, if it says anything.
pub(super) fn failed(bus: &gst::Bus) -> Option<CaptureError> {
    let message = bus.pop_filtered(&[gst::MessageType::Error])?;
    let gst::MessageView::Error(error) = message.view() else { return None };
    Some(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn camera(source: &str) -> Camera {
        let text = format!("[[cameras]]\nid = \"main\"\nwidth = 640\nheight = 480\n{source}");
        let config: Config = toml::from_str(&text).expect("a config");
        config.cameras.into_iter().next().expect("a camera")
    }

    /// What comes of an error with these last words in its debug text.
    fn said(source: &str, debug: &str) -> (String, bool) {
        gst::init().expect("GStreamer starts");
        let error = gst::message::Error::builder(gst::StreamError::Failed, "Internal data stream error.");
        let Verdict::Failed(error) = judge_camera(&error.debug(debug).build(), &camera(source)) else {
            panic!("it is an error")
        };
        (error.to_string(), error.is_misfit())
    }

    #[test]
    fn who_asks_a_camera_for_what_it_does_not_give_hears_what_to_set() {
        let refused = |source| said(source, "streaming stopped, reason not-negotiated (-4)");
        let none = "the camera gives no pictures of 640×480 at 30 fps in this format: set ";
        let listed = "to what `broadcaster devices` lists for it";
        let webcam = refused("source = \"v4l2\"\ndevice = \"/dev/video0\"");
        assert_eq!(webcam, (format!("{none}width, height, fps and format {listed}"), true));
        let ribbon = refused("source = \"libcamera\"");
        assert_eq!(ribbon, (format!("{none}width, height and fps {listed}"), true), "it has no format to set");
        assert!(refused("source = \"nvargus\"").0.ends_with("`v4l2-ctl --list-formats-ext` lists for its sensor"));
        assert!(refused("source = \"pipeline\"\npipeline = \"a\"").0.starts_with("pipeline has elements that"));
        // Nothing of what it is asked for can be refused: it is tried again.
        let network = refused("source = \"rtsp\"\nurl = \"rtsp://h/s\"");
        assert!(network.0.contains("Internal data stream error") && !network.1, "{network:?}");
    }

    #[test]
    fn what_is_said_about_passthrough_can_be_done() {
        let unlinked = |source| said(source, "streaming stopped, reason not-linked (-1)");
        let webcam = unlinked("source = \"v4l2\"\ndevice = \"/dev/video0\"\nformat = \"h264\"").0;
        assert!(webcam.contains("set format = \"auto\"") && !webcam.contains("passthrough"), "{webcam}");
        let network = unlinked("source = \"rtsp\"\nurl = \"rtsp://h/s\"\npassthrough = true").0;
        assert!(network.contains("set passthrough = false"), "{network}");
    }
}
