//! From a camera to access units. The only place that names GStreamer.
//!
//! One task owns one camera's pipeline. GStreamer's own threads hand over what they have and return; they never wait for
//! anybody, and nobody's slowness reaches them: when the receiver is behind, whole pictures are left out up to the next
//! keyframe, and counted.

mod element;
mod encoder;
mod pipeline;
mod scene;
mod sink;
mod synthetic;

use futures_util::StreamExt;
use gstreamer as gst;
use gstreamer::prelude::*;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{config::Camera, media::AccessUnit};
use pipeline::Pipeline;

/// Access units between the encoder and the fan-out.
///
/// A healthy fan-out has taken one before the next is there; two more cover a scheduling hiccup without losing a picture.
pub(crate) const UNITS_IN_FLIGHT: usize = 3;

/// Why a camera gives no pictures.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("GStreamer did not start")]
    Init(#[source] gst::glib::Error),
    #[error("GStreamer has no element {element}: install the Debian package {package}")]
    MissingElement { element: &'static str, package: &'static str },
    #[error("element {element} has no property {property}, or not that value for it")]
    Property { element: &'static str, property: &'static str },
    #[error("the elements of the pipeline do not fit together")]
    Link(#[source] gst::glib::BoolError),
    #[error("the pipeline did not start")]
    Start(#[source] gst::StateChangeError),
    #[error("{element} failed: {message}")]
    Pipeline { element: String, message: String },
    #[error("the source ended")]
    Ended,
}

/// Finds out whether a camera could run, without running it.
pub fn check(camera: &Camera) -> Result<(), CaptureError> {
    init()?;
    Pipeline::build(camera, mpsc::channel(1).0, mpsc::channel(1).0).map(drop)
}

/// Captures until cancelled. A message in `keyframes` makes the encoder's next picture a keyframe.
pub(crate) async fn run(
    camera: Camera,
    units: mpsc::Sender<AccessUnit>,
    mut keyframes: mpsc::Receiver<()>,
    cancel: CancellationToken,
) -> Result<(), CaptureError> {
    init()?;
    let (losses, mut lost) = mpsc::channel(1);
    let mut pipeline = Pipeline::build(&camera, units, losses)?;
    pipeline.start()?;
    tracing::info!(
        camera = %camera.id, width = camera.width, height = camera.height, fps = camera.fps, bitrate = camera.bitrate,
        "camera started"
    );
    let mut messages = pipeline.messages();
    let ended = loop {
        tokio::select! {
            () = cancel.cancelled() => break Ok(()),
            Some(()) = keyframes.recv() => pipeline.request_keyframe(),
            Some(()) = lost.recv() => pipeline.request_keyframe(),
            message = messages.next() => match message {
                Some(message) => if let Err(error) = judge(&message) { break Err(error) },
                None => break Err(CaptureError::Ended),
            },
        }
    };
    drop(messages);
    // Stopping blocks, which this thread must not.
    if let Err(error) = tokio::task::spawn_blocking(move || drop(pipeline)).await {
        tracing::error!(%error, "stopping the pipeline panicked");
    }
    ended
}

fn init() -> Result<(), CaptureError> {
    gst::init().map_err(CaptureError::Init)
}

/// Whether the pipeline can go on after this message.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "GStreamer has dozens of other messages, and more with each version"
)]
fn judge(message: &gst::Message) -> Result<(), CaptureError> {
    match message.view() {
        gst::MessageView::Error(error) => Err(CaptureError::Pipeline {
            element: error.src().map(|source| source.path_string().to_string()).unwrap_or_default(),
            message: error.error().to_string(),
        }),
        gst::MessageView::Eos(_) => Err(CaptureError::Ended),
        gst::MessageView::Warning(warning) => {
            tracing::warn!(error = %warning.error(), "pipeline");
            Ok(())
        }
        _ => Ok(()),
    }
}
