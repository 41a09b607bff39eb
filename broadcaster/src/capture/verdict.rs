//! What a pipeline's messages mean for it.

use gstreamer as gst;

use super::{CaptureError, passthrough, source};
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
            let (width, height) = camera.given_size();
            Verdict::Failed(CaptureError::Unfit { width, height, fps: camera.fps })
        }
        gst::MessageView::Error(error) if error.error().matches(gst::ResourceError::Busy) => {
            Verdict::Failed(CaptureError::Busy)
        }
        gst::MessageView::Application(word) => Verdict::Failed(passthrough::misfit(word)),
        gst::MessageView::Error(error) if camera.source.is_passthrough() && source::is_unlinked(error) => {
            Verdict::Failed(CaptureError::NotEncoded)
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
