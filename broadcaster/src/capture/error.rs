//! Why a camera gives no pictures.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    STARTS_WITHIN, STOPS_WITHIN,
    encoder::{self, NoEncoder},
    supervision::{BEGINS_WITHIN, ENTERED_WITHIN},
};
use crate::config::{Camera, Source};

/// Why a camera gives no pictures.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("GStreamer did not start")]
    Init(#[source] gst::glib::Error),
    #[error("GStreamer has no element {element}: install the Debian package {package}")]
    MissingElement { element: String, package: &'static str },
    #[error(
        "GStreamer has no element {element}: it comes with the package {package}, and is there only where that finds the \
         hardware and its driver"
    )]
    MissingHardware { element: String, package: &'static str },
    #[error("GStreamer has no element {element}: is its name right, and its plugin installed?")]
    UnknownElement { element: String },
    #[error("pipeline cannot be built: mend it, and try it with gst-launch-1.0")]
    Description(#[source] gst::glib::Error),
    #[error("GStreamer cannot build what the camera needs: are its plugins all of one version, 1.22 or later?")]
    Elements(#[source] gst::glib::Error),
    #[error("pipeline gives no pictures: let its last element be open, or an appsink named video")]
    NoOutput,
    #[error(
        "pipeline does not end in raw pictures: let it end in video/x-raw, or set passthrough = true if it gives H.264"
    )]
    NotRaw,
    #[error(
        "pipeline has elements that do not agree on what they pass on: put videoconvert or other caps between them, and \
         try it with gst-launch-1.0"
    )]
    Disagreement,
    #[error("device {device} cannot be opened ({error}): plug it in, or name one that `broadcaster devices` lists")]
    NoDevice { device: String, error: std::io::ErrorKind },
    #[error("path {path} cannot be read ({error}): put the film there, or correct the path")]
    NoFile { path: String, error: std::io::ErrorKind },
    #[error(
        "the camera gives no pictures of {width}×{height} at {fps} fps in this format: set {keys} to what {listed}"
    )]
    Unfit { width: u32, height: u32, fps: u32, keys: &'static str, listed: &'static str },
    #[error(
        "its pictures refer to later ones (B-frames), which passthrough cannot send: switch them off in the camera \
         (profile Baseline), or set {instead}"
    )]
    Bidirectional { instead: &'static str },
    #[error(
        "none of the pictures of {ENTERED_WITHIN:?} was a keyframe (IDR), without which no viewer can begin: let the camera \
         give one every second or two, and neither an open GOP nor intra refresh, or set {instead}"
    )]
    NoEntry { instead: &'static str },
    #[error(
        "the stream is {}×{}, but width is {} and height is {}, and it is sent on as it comes: set width = {0} and height = {1}, \
         or the camera to what the config says", .given.0, .given.1, .set.0, .set.1
    )]
    Mismatch { given: (u32, u32), set: (u32, u32) },
    #[error(
        "the source's pictures, cut and turned, are {}×{}, which is not the shape of width = {} and height = {}: set width = {} \
         and height = {}, or cut off what is too much with crop", .given.0, .given.1, .set.0, .set.1, .fitting.0, .fitting.1
    )]
    Misshapen { given: (u32, u32), set: (u32, u32), fitting: (u32, u32) },
    #[error(
        "its pictures are not H.264, without which they cannot be sent on as they come: set {instead}, or encode them so"
    )]
    NotEncoded { instead: &'static str },
    #[error("element {element} has no property {property}, or not that value for it")]
    Property { element: &'static str, property: &'static str },
    #[error("GStreamer's elements do not fit together: are its plugins all of one version, 1.22 or later?")]
    Link(#[source] gst::glib::BoolError),
    #[error("it did not start, and no element says why: GST_DEBUG=3 in the environment makes them tell more")]
    Start(#[source] gst::StateChangeError),
    #[error("{element} failed: {message}")]
    Pipeline { element: String, message: String },
    #[error("{0}")]
    At(String, #[source] Box<CaptureError>),
    #[error("the encoder {element} failed: {message}")]
    Encoder { element: String, message: String },
    #[error(transparent)]
    NoEncoder(#[from] NoEncoder),
    #[error("another program has the camera: end it, if it is not a broadcaster that is to run")]
    Busy,
    #[error("the source ended")]
    Ended,
    #[error("no picture has come within {BEGINS_WITHIN:?} of its start")]
    NotBegun,
    #[error("no picture has come for three seconds")]
    Silent,
    #[error("no sound has come for three seconds, or for {BEGINS_WITHIN:?} in the beginning")]
    NoSound,
    #[error("neither pulse nor pipewire nor alsa has a microphone that can be opened")]
    NoMicrophone,
    #[error(
        "the sound system has not started within {STARTS_WITHIN:?}, or not stopped within {STOPS_WITHIN:?}: it hangs, and is \
         left alone; end what else has the microphone, or restart the sound system"
    )]
    SoundStuck,
    #[error(
        "the pipeline has not started within {STARTS_WITHIN:?}, or not stopped within {STOPS_WITHIN:?}: its driver hangs, \
         and this process ends to be rid of it"
    )]
    Stuck,
}

impl CaptureError {
    /// Names the key that the camera is opened by, where that does not show from what is said.
    pub(crate) fn of(self, camera: &Camera) -> Self {
        let is_unnamed = matches!(self, Self::Pipeline { .. } | Self::Start(_) | Self::Link(_) | Self::Elements(_));
        if is_unnamed { Self::At(camera.source.origin(), Box::new(self)) } else { self }
    }

    /// What the camera was asked for and does not give, as its own elements tell without telling what.
    pub(super) fn refused(camera: &Camera) -> Option<Self> {
        let devices = "`broadcaster devices` lists for it";
        let (keys, listed) = match &camera.source {
            Source::V4l2 { .. } => ("width, height, fps and format", devices),
            Source::Libcamera { .. } => ("width, height and fps", devices),
            Source::Nvargus { .. } => ("width, height and fps", "`v4l2-ctl --list-formats-ext` lists for its sensor"),
            Source::Pipeline { .. } => return Some(Self::Disagreement),
            // They are not asked for anything.
            Source::Theta { .. } | Source::Rtsp { .. } | Source::File { .. } => return None,
            Source::Test
            | Source::TestFlat
            | Source::TestFisheye
            | Source::TestDualFisheye
            | Source::TestCubeMap
            | Source::TestEquiangular => return None,
        };
        let (width, height) = camera.given_size();
        Some(Self::Unfit { width, height, fps: camera.fps, keys, listed })
    }

    /// An element is not there, whyever.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::MissingElement { .. } | Self::MissingHardware { .. } | Self::UnknownElement { .. })
    }

    /// Waiting does not help: camera and config do not go together.
    pub fn is_misfit(&self) -> bool {
        match self {
            // Such trials also fail where a driver comes late, or the machine has much else to do.
            Self::NoEncoder(error) => error.is_misfit(),
            Self::MissingElement { .. }
            | Self::UnknownElement { .. }
            | Self::Description(_)
            | Self::NoOutput
            | Self::NotRaw
            | Self::Disagreement
            | Self::Elements(_)
            | Self::NotEncoded { .. }
            | Self::Property { .. }
            | Self::Link(_)
            | Self::Unfit { .. }
            | Self::Mismatch { .. }
            | Self::Misshapen { .. }
            | Self::Bidirectional { .. }
            | Self::NoEntry { .. } => true,
            Self::At(_, error) => error.is_misfit(),
            Self::Init(_)
            | Self::MissingHardware { .. }
            | Self::NoDevice { .. }
            | Self::NoFile { .. }
            | Self::NoSound
            | Self::NoMicrophone
            | Self::SoundStuck
            | Self::Start(_)
            | Self::Pipeline { .. }
            | Self::Encoder { .. }
            | Self::Busy
            | Self::Ended
            | Self::NotBegun
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
