//! Why a camera gives no pictures.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    STARTS_WITHIN, STOPS_WITHIN,
    encoder::{self, NoEncoder},
};

/// Why a camera gives no pictures.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("GStreamer did not start")]
    Init(#[source] gst::glib::Error),
    #[error("GStreamer has no element {element}: install the Debian package {package}")]
    MissingElement { element: String, package: &'static str },
    #[error("GStreamer has no element {element}: is its name right, and its plugin installed?")]
    UnknownElement { element: String },
    #[error("the pipeline's description is not right")]
    Description(#[source] gst::glib::Error),
    #[error("the pipeline gives no pictures: let its last element be open, or an appsink named video")]
    NoOutput,
    #[error("device {device} cannot be opened ({error}): plug it in, or name one that `broadcaster devices` lists")]
    NoDevice { device: String, error: std::io::ErrorKind },
    #[error("path {path} cannot be read ({error}): put the film there, or correct the path")]
    NoFile { path: String, error: std::io::ErrorKind },
    #[error(
        "the camera gives no pictures of {width}×{height} at {fps} fps in this format: set width, height, fps and format \
         to what `broadcaster devices` lists for it"
    )]
    Unfit { width: u32, height: u32, fps: u32 },
    #[error(
        "its pictures refer to later ones (B-frames), which passthrough cannot send: switch them off in the camera \
         (profile Baseline), or set passthrough = false"
    )]
    Bidirectional,
    #[error("the stream is {0}×{1}, but the config says another size: set width = {0} and height = {1}")]
    Mismatch(u32, u32),
    #[error("the pipeline's pictures are not H.264, which passthrough needs: set passthrough = false, or encode them")]
    NotEncoded,
    #[error("element {element} has no property {property}, or not that value for it")]
    Property { element: &'static str, property: &'static str },
    #[error("the elements of the pipeline do not fit together")]
    Link(#[source] gst::glib::BoolError),
    #[error("the pipeline did not start")]
    Start(#[source] gst::StateChangeError),
    #[error("{element} failed: {message}")]
    Pipeline { element: String, message: String },
    #[error("the encoder {element} failed: {message}")]
    Encoder { element: String, message: String },
    #[error(transparent)]
    NoEncoder(#[from] NoEncoder),
    #[error("another program has the camera: end it, if it is not a broadcaster that is to run")]
    Busy,
    #[error("the source ended")]
    Ended,
    #[error("no picture has come for three seconds")]
    Silent,
    #[error("no sound has come for three seconds")]
    NoSound,
    #[error("neither pulse nor pipewire nor alsa has a microphone that can be opened")]
    NoMicrophone,
    #[error(
        "the pipeline has not started within {STARTS_WITHIN:?}, or not stopped within {STOPS_WITHIN:?}: its driver hangs, \
         and this process ends to be rid of it"
    )]
    Stuck,
}

impl CaptureError {
    /// Waiting does not help: camera and config do not go together.
    pub(super) fn is_misfit(&self) -> bool {
        match self {
            Self::MissingElement { .. }
            | Self::UnknownElement { .. }
            | Self::Description(_)
            | Self::NoOutput
            | Self::NotEncoded
            | Self::Property { .. }
            | Self::Link(_)
            | Self::NoEncoder(_)
            | Self::Unfit { .. }
            | Self::Mismatch(..)
            | Self::Bidirectional => true,
            Self::Init(_)
            | Self::NoDevice { .. }
            | Self::NoFile { .. }
            | Self::NoSound
            | Self::NoMicrophone
            | Self::Start(_)
            | Self::Pipeline { .. }
            | Self::Encoder { .. }
            | Self::Busy
            | Self::Ended
            | Self::Silent
            | Self::Stuck => false,
        }
    }
}

impl From<&gst::message::Error> for CaptureError {
    fn from(error: &gst::message::Error) -> Self {
        let message = error.error().to_string();
        let element = error.src().map(|source| source.name().to_string()).unwrap_or_default();
        if error.src().is_some_and(encoder::is_part) {
            Self::Encoder { element, message }
        } else {
            Self::Pipeline { element, message }
        }
    }
}
