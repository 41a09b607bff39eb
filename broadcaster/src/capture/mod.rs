//! From a camera to access units. The only place that names GStreamer.
//!
//! One task owns one camera, and replaces its pipeline when that fails. GStreamer's own threads hand over what they have and
//! return; they never wait for anybody, and nobody's slowness reaches them: when the receiver is behind, whole pictures are
//! left out up to the next keyframe, and counted.

#[cfg(feature = "bench")]
pub(crate) mod bench;
mod branch;
mod devices;
mod element;
mod encoder;
mod ending;
mod error;
mod film;
mod gate;
mod microphone;
mod moment;
mod pace;
mod passthrough;
mod pipeline;
mod pulse;
mod scene;
mod shape;
mod sink;
mod snapshot;
mod sound;
mod source;
mod supervision;
mod synthetic;
mod tape;
mod task;
#[cfg(test)]
mod tests;
mod tone;
mod trial;
mod verdict;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use gstreamer as gst;
use tokio::sync::{mpsc, watch};

use crate::{
    config::{self, Camera, Sound},
    media::{AccessUnit, Encoding, Running, VideoCodec},
    report::Health,
};
use branch::Outlet;
pub(crate) use devices::{Api, Device, DeviceKind, Devices, Mode, PixelFormat, devices};
pub use encoder::{Choice, NoEncoder};
use encoder::{Chooser, Kind};
pub use error::CaptureError;
use moment::Timeline;
use pipeline::Pipeline;
use pulse::Pulse;
use scene::Scene;
pub(crate) use snapshot::{Shutter, SnapshotError};
use sound::SoundCapture;
pub(crate) use tape::Tape;
pub(crate) use trial::{Trial, try_out};

/// Pictures between an encoder and the fan-out.
///
/// A healthy fan-out has taken one before the next is there; two more cover a scheduling hiccup without losing a picture.
const PICTURES_IN_FLIGHT: usize = 3;

/// As long, for packets of 20 ms.
const SOUNDS_IN_FLIGHT: usize = 5;

/// More than all encodings can want between two turns of the capture task.
const KEYFRAMES_WANTED: usize = 32;

/// Losses and returns that nobody has been told of yet.
const LOSSES: usize = 8;

/// How often a camera's pictures are counted.
const WATCH: Duration = Duration::from_millis(500);

/// Network cameras are connected to later; this is for drivers, some of which start a sensor first.
const STARTS_WITHIN: Duration = Duration::from_secs(15);

/// A driver that does not let go of its camera for so long never does: only the end of the process helps.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// One camera, as the fan-out sees it.
pub(crate) struct Feed {
    pub(crate) info: protocol::CameraInfo,
    /// Its pictures are encoded here: their bitrate can be changed, and keyframes come when they are asked for.
    pub(crate) adjusts: bool,
    /// Every encoding that the camera can make: each rung in H.264, best first, then each in VP8, then sound if it has any.
    pub(crate) units: Vec<(Encoding, mpsc::Receiver<AccessUnit>)>,
    /// Which encoders are to run, and how; initially none.
    pub(crate) running: watch::Sender<Running>,
    /// A message asks for a keyframe of that encoding.
    pub(crate) keyframes: mpsc::Sender<Encoding>,
    /// Says that the camera is lost, or that it has pictures again.
    pub(crate) lost: mpsc::Receiver<bool>,
    /// Told anew twice a second.
    pub(crate) health: watch::Receiver<Health>,
}

/// The same camera's other half, from the lens to the [`Feed`].
pub(crate) struct Capture {
    camera: Camera,
    rungs: Vec<protocol::Rung>,
    outlets: Vec<Outlet>,
    running: watch::Receiver<Running>,
    recorded: watch::Receiver<Running>,
    shutter: watch::Sender<Option<Shutter>>,
    keyframes: mpsc::Receiver<Encoding>,
    lost: mpsc::Sender<bool>,
    sound: Option<SoundCapture>,
    /// Where there is something to encode.
    chooser: Option<Chooser>,
    pulse: Pulse,
}

/// Finds out whether a camera could run with all of its encoders, without running it. Returns what makes H.264 of its
/// pictures, if they do not come as that.
pub fn check(camera: &Camera, rungs: &[config::Rung]) -> Result<Option<Choice>, CaptureError> {
    init()?;
    let (_feed, capture) = open(camera.clone(), rungs);
    capture.sound.as_ref().map_or(Ok(()), SoundCapture::check)?;
    let choice = match &capture.chooser {
        Some(chooser) => Some(chooser.candidates().first_that_works(|kind| encoder::try_out(kind, &capture.rungs))?),
        None => None,
    };
    put_together(camera, &capture.rungs, &capture.outlets, choice.as_ref().map(Choice::kind)).map(|()| choice)
}

impl Capture {
    /// Finds out whether the camera is there, and GStreamer has all that it takes, before anything of the broadcaster runs. The
    /// encoder that is found is kept.
    pub(crate) async fn rehearse(&mut self) -> Result<(), CaptureError> {
        init()?;
        self.sound.as_ref().map_or(Ok(()), SoundCapture::check)?;
        let kind = self.encoder().await?;
        let (camera, rungs, outlets) = (self.camera.clone(), self.rungs.clone(), self.outlets.clone());
        let build = tokio::task::spawn_blocking(move || put_together(&camera, &rungs, &outlets, kind));
        match tokio::time::timeout(STARTS_WITHIN, build).await {
            Ok(built) => built.expect("building does not panic"),
            Err(_) => Err(CaptureError::Stuck),
        }
    }
}

/// Builds all of a camera's pipeline and throws it away: nothing of it is started.
fn put_together(
    camera: &Camera,
    rungs: &[protocol::Rung],
    outlets: &[Outlet],
    h264: Option<&Kind>,
) -> Result<(), CaptureError> {
    // Nobody looks at it: the smallest is drawn soonest.
    let scene = Scene::of(&Camera { width: 64, height: 64, ..camera.clone() }).map(Arc::new);
    Pipeline::build(camera, scene.as_ref(), rungs, outlets, h264).map(drop).map_err(|error| error.of(camera))
}

/// Makes a camera's two halves. Nothing is captured before [`Capture::run`].
pub(crate) fn open(camera: Camera, rungs: &[config::Rung]) -> (Feed, Capture) {
    let info = camera.info(rungs);
    let rungs = info.video.rungs.clone();
    let (keyframes, wanted) = mpsc::channel(KEYFRAMES_WANTED);
    let (running, to_run) = watch::channel(Running::new());
    // Without a tape nothing is ever said on this one.
    let (_, recorded) = watch::channel(Running::new());
    let (lose, lost) = mpsc::channel(LOSSES);
    let timeline = Timeline::begin();
    let left_out = Arc::new(AtomicU64::new(0));
    let (pulse, health) = Pulse::new(left_out.clone());
    let (outlets, units): (Vec<_>, _) = encodings(&camera, rungs.len())
        .into_iter()
        .map(|encoding| {
            let (units, taken) = mpsc::channel(match encoding {
                Encoding::Video { .. } => PICTURES_IN_FLIGHT,
                Encoding::Audio => SOUNDS_IN_FLIGHT,
            });
            let timeline = match encoding {
                Encoding::Video { .. } => timeline.clone(),
                Encoding::Audio => timeline.beside(),
            };
            let (keyframes, left_out) = (keyframes.clone(), left_out.clone());
            (Outlet { encoding, units, tape: None, keyframes, timeline, left_out }, (encoding, taken))
        })
        .unzip();
    let of_sound = outlets.iter().find(|outlet: &&Outlet| outlet.encoding == Encoding::Audio);
    let sound = of_sound.map(|outlet| SoundCapture::new(&camera, outlet.clone(), to_run.clone(), recorded.clone()));
    let feed = Feed { info, adjusts: !camera.source.is_passthrough(), units, running, keyframes, lost, health };
    let chooser = (!camera.source.is_passthrough()).then(|| Chooser::new(camera.encoder));
    let (running, keyframes, lost) = (to_run, wanted, lose);
    let shutter = watch::Sender::new(None);
    (feed, Capture { camera, rungs, outlets, running, recorded, shutter, keyframes, lost, sound, chooser, pulse })
}

fn encodings(camera: &Camera, rungs: usize) -> Vec<Encoding> {
    let rungs = u8::try_from(rungs).expect("the config bounds it");
    let codecs: &[VideoCodec] =
        if camera.source.is_passthrough() { &[VideoCodec::H264] } else { &[VideoCodec::H264, VideoCodec::Vp8] };
    let video = codecs.iter().flat_map(|codec| (0..rungs).map(move |rung| Encoding::Video { rung, codec: *codec }));
    match camera.sound {
        Sound::None => video.collect(),
        Sound::Tone | Sound::Auto | Sound::Microphone { .. } => video.chain([Encoding::Audio]).collect(),
    }
}

fn init() -> Result<(), CaptureError> {
    gst::init().map_err(CaptureError::Init)
}
