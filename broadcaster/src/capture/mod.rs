//! From a camera to access units. The only place that names GStreamer.
//!
//! One task owns one camera's pipeline. GStreamer's own threads hand over what they have and return; they never wait for
//! anybody, and nobody's slowness reaches them: when the receiver is behind, whole pictures are left out up to the next
//! keyframe, and counted.

mod branch;
mod element;
mod encoder;
mod gate;
mod moment;
mod pace;
mod pipeline;
mod scene;
mod sink;
mod synthetic;
#[cfg(test)]
mod tests;
mod tone;

use std::collections::BTreeSet;

use futures_util::StreamExt;
use gstreamer as gst;
use gstreamer::prelude::*;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{self, Camera, Sound},
    media::{AccessUnit, Encoding, VideoCodec},
};
use branch::Outlet;
use pipeline::Pipeline;

/// Pictures between an encoder and the fan-out.
///
/// A healthy fan-out has taken one before the next is there; two more cover a scheduling hiccup without losing a picture.
const PICTURES_IN_FLIGHT: usize = 3;

/// As long, for packets of 20 ms.
const SOUNDS_IN_FLIGHT: usize = 5;

/// More than all encodings can want between two turns of the capture task.
const KEYFRAMES_WANTED: usize = 32;

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

/// One camera, as the fan-out sees it.
pub(crate) struct Feed {
    pub(crate) info: protocol::CameraInfo,
    /// Every encoding that the camera can make: each rung in H.264, best first, then each in VP8, then sound if it has any.
    pub(crate) units: Vec<(Encoding, mpsc::Receiver<AccessUnit>)>,
    /// Which encoders are to run; initially none.
    pub(crate) running: watch::Sender<BTreeSet<Encoding>>,
    /// A message asks for a keyframe of that encoding.
    pub(crate) keyframes: mpsc::Sender<Encoding>,
}

/// The same camera's other half, from the lens to the [`Feed`].
pub(crate) struct Capture {
    camera: Camera,
    rungs: Vec<protocol::Rung>,
    outlets: Vec<Outlet>,
    running: watch::Receiver<BTreeSet<Encoding>>,
    keyframes: mpsc::Receiver<Encoding>,
}

/// Finds out whether a camera could run with all of its encoders, without running it.
pub fn check(camera: &Camera, rungs: &[config::Rung]) -> Result<(), CaptureError> {
    init()?;
    let (_feed, capture) = open(camera.clone(), rungs);
    Pipeline::build(&capture.camera, &capture.rungs, capture.outlets).map(drop)
}

/// Makes a camera's two halves. Nothing is captured before [`Capture::run`].
pub(crate) fn open(camera: Camera, rungs: &[config::Rung]) -> (Feed, Capture) {
    let info = camera.info(rungs);
    let rungs = info.video.rungs.clone();
    let (keyframes, wanted) = mpsc::channel(KEYFRAMES_WANTED);
    let (running, to_run) = watch::channel(BTreeSet::new());
    let (outlets, units) = encodings(rungs.len(), camera.sound)
        .into_iter()
        .map(|encoding| {
            let (units, taken) = mpsc::channel(match encoding {
                Encoding::Video { .. } => PICTURES_IN_FLIGHT,
                Encoding::Audio => SOUNDS_IN_FLIGHT,
            });
            (Outlet { encoding, units, keyframes: keyframes.clone() }, (encoding, taken))
        })
        .unzip();
    let feed = Feed { info, units, running, keyframes };
    (feed, Capture { camera, rungs, outlets, running: to_run, keyframes: wanted })
}

fn encodings(rungs: usize, sound: Sound) -> Vec<Encoding> {
    let rungs = u8::try_from(rungs).expect("the config bounds it");
    let video = [VideoCodec::H264, VideoCodec::Vp8]
        .into_iter()
        .flat_map(|codec| (0..rungs).map(move |rung| Encoding::Video { rung, codec }));
    match sound {
        Sound::None => video.collect(),
        Sound::Tone => video.chain([Encoding::Audio]).collect(),
    }
}

impl Capture {
    /// Captures until cancelled.
    pub(crate) async fn run(self, cancel: CancellationToken) -> Result<(), CaptureError> {
        init()?;
        let Self { camera, rungs, outlets, mut running, mut keyframes } = self;
        let mut pipeline = Pipeline::build(&camera, &rungs, outlets)?;
        pipeline.start()?;
        tracing::info!(
            camera = %camera.id, width = camera.width, height = camera.height, fps = camera.fps, rungs = rungs.len(),
            "camera started"
        );
        // What was said before now is not a change any more.
        running.mark_changed();
        let mut messages = pipeline.messages();
        let ended = loop {
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                Ok(()) = running.changed() => pipeline.run_only(&running.borrow_and_update()),
                Some(encoding) = keyframes.recv() => pipeline.request_keyframe(encoding),
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
