//! From a camera to access units. The only place that names GStreamer.
//!
//! One task owns one camera, and replaces its pipeline when that fails. GStreamer's own threads hand over what they have and return; they never wait for
//! anybody, and nobody's slowness reaches them: when the receiver is behind, whole pictures are left out up to the next
//! keyframe, and counted.

#[cfg(feature = "bench")]
pub(crate) mod bench;
mod branch;
mod devices;
mod element;
mod encoder;
mod gate;
mod microphone;
mod moment;
mod pace;
mod pipeline;
mod pulse;
mod scene;
mod sink;
mod snapshot;
mod sound;
mod source;
mod supervision;
mod synthetic;
mod tape;
#[cfg(test)]
mod tests;
mod tone;
mod trial;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use futures_util::StreamExt;
use gstreamer as gst;
use gstreamer::prelude::*;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{self, Camera, Sound},
    media::{AccessUnit, Encoding, Running, VideoCodec},
    report::Health,
};
use branch::Outlet;
pub(crate) use devices::{Api, Device, DeviceKind, Devices, Mode, PixelFormat, devices};
pub use encoder::{Choice, NoEncoder};
use encoder::{Chooser, Kind};
use moment::Timeline;
use pipeline::Pipeline;
use pulse::Pulse;
use scene::Scene;
pub(crate) use snapshot::{Shutter, SnapshotError};
use sound::SoundCapture;
use supervision::{Supervision, Watchdog};
use tape::Taker;
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

/// A driver that does not let go of its camera for so long never does: only the end of the process helps.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

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
    #[error("the pipeline's pictures are not H.264, which passthrough needs: set passthrough = false, or encode them")]
    NotEncoded,
    #[error("element {element} has no property {property}, or not that value for it")]
    Property { element: &'static str, property: &'static str },
    #[error("the elements of the pipeline do not fit together")]
    Link(#[source] gst::glib::BoolError),
    #[error("the pipeline did not start")]
    Start(#[source] gst::StateChangeError),
    #[error("the pipeline does not go back to its beginning")]
    Rewind(#[source] gst::glib::BoolError),
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
        "the pipeline has not stopped within {STOPS_WITHIN:?}: its driver hangs, and this process ends to be rid of it"
    )]
    Stuck,
}

impl CaptureError {
    /// Waiting does not help: camera and config do not go together.
    fn is_misfit(&self) -> bool {
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
            | Self::Bidirectional => true,
            Self::Init(_)
            | Self::NoDevice { .. }
            | Self::NoFile { .. }
            | Self::NoSound
            | Self::NoMicrophone
            | Self::Start(_)
            | Self::Rewind(_)
            | Self::Pipeline { .. }
            | Self::Encoder { .. }
            | Self::Busy
            | Self::Ended
            | Self::Silent
            | Self::Stuck => false,
        }
    }
}

/// One camera, as the fan-out sees it.
pub(crate) struct Feed {
    pub(crate) info: protocol::CameraInfo,
    /// Its encoders' bitrates can be changed.
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
    let (scene, kind) = (Scene::of(camera).map(Arc::new), choice.as_ref().map(Choice::kind));
    Pipeline::build(&capture.camera, scene.as_ref(), &capture.rungs, &capture.outlets, kind).map(|_| choice)
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

/// What became of one pipeline.
enum End {
    Cancelled,
    Failed(CaptureError),
}

impl Capture {
    /// Captures until cancelled, with one pipeline after the other.
    ///
    /// Fails when the camera cannot be had in the beginning, unless it is one that may come later; and when its driver hangs.
    pub(crate) async fn run(mut self, cancel: CancellationToken) -> Result<(), CaptureError> {
        init()?;
        let Some(sound) = self.sound.take() else { return self.take_pictures(&cancel).await };
        sound.check()?;
        let quiet = cancel.child_token();
        let pictures = async {
            let ended = self.take_pictures(&cancel).await;
            quiet.cancel();
            ended
        };
        let (pictures, sound) = tokio::join!(pictures, sound.run(quiet.clone()));
        pictures.and(sound)
    }

    async fn take_pictures(mut self, cancel: &CancellationToken) -> Result<(), CaptureError> {
        // Drawn once for all pipelines.
        let camera = self.camera.clone();
        let scene = tokio::task::spawn_blocking(move || Scene::of(&camera)).await;
        let scene = scene.expect("drawing does not panic").map(Arc::new);
        let mut supervision = Supervision::default();
        let mut seen = false;
        loop {
            let encoder = self.encoder().await;
            let began = moment::now();
            let started = encoder.and_then(|kind| self.start(scene.as_ref(), kind));
            let (end, pictures) = match started {
                Ok(mut pipeline) => {
                    let end = self.attend(&mut pipeline, cancel).await;
                    self.shutter.send_replace(None);
                    let pictures = pipeline.pictures();
                    self.pulse.close(pictures);
                    stop(pipeline).await?;
                    (end, pictures)
                }
                Err(error) => (End::Failed(error), 0),
            };
            let End::Failed(error) = end else { return Ok(()) };
            let misfit = error.is_misfit();
            seen |= pictures > 0 && !misfit;
            // An encoder has shown that it works, and there may be another.
            let by_encoder = matches!(error, CaptureError::Encoder { .. });
            if !seen && !by_encoder && (misfit || !self.camera.source.is_remote()) {
                return Err(error);
            }
            // Who does not listen any more has no viewers to tell.
            let _ = self.lost.send(true).await;
            let ran = moment::now().saturating_duration_since(began);
            if let Some(chooser) = &mut self.chooser
                && chooser.failed(by_encoder, ran)
            {
                tracing::warn!(camera = %self.camera.id, "the encoder fails again and again; another one is looked for");
            }
            let delay = supervision.failed(pictures, rand::random());
            tracing::warn!(
                camera = %self.camera.id, error = &error as &dyn std::error::Error, again_in = ?delay, "camera lost"
            );
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = tokio::time::sleep(delay) => {}
                never = self.pulse.rest() => match never {},
            }
        }
    }

    /// What makes H.264 of the pictures: chosen once, and anew only when it fails.
    async fn encoder(&mut self) -> Result<Option<&'static Kind>, CaptureError> {
        let Some(chooser) = &mut self.chooser else { return Ok(None) };
        if let Some(chosen) = chooser.chosen() {
            return Ok(Some(chosen));
        }
        let (candidates, rungs) = (chooser.candidates(), self.rungs.clone());
        let trials = move || candidates.first_that_works(|kind| encoder::try_out(kind, &rungs));
        let choice = tokio::task::spawn_blocking(trials).await.expect("trials do not panic");
        chooser.settle(choice.as_ref().ok().map(Choice::kind));
        let choice = choice?;
        tracing::info!(camera = %self.camera.id, encoder = %choice, others = %choice.refused(), "encoder chosen");
        Ok(Some(choice.kind()))
    }

    fn start(&mut self, scene: Option<&Arc<Scene>>, h264: Option<&Kind>) -> Result<Pipeline, CaptureError> {
        let Self { camera, rungs, outlets, running, recorded, shutter, .. } = self;
        let mut pipeline = Pipeline::build(camera, scene, rungs, outlets, h264)?;
        pipeline.start()?;
        shutter.send_replace(Some(pipeline.shutter().clone()));
        // What was said before now is not a change any more.
        running.mark_changed();
        recorded.mark_changed();
        Ok(pipeline)
    }

    /// Serves a pipeline until it ends or fails.
    async fn attend(&mut self, pipeline: &mut Pipeline, cancel: &CancellationToken) -> End {
        let Self { camera, running, recorded, keyframes, lost, pulse, .. } = self;
        let mut messages = pipeline.messages();
        let mut watchdog = Watchdog::new(moment::now());
        let mut watch = tokio::time::interval(WATCH);
        let mut announced = false;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return End::Cancelled,
                Ok(()) = running.changed() => pipeline.run_only(Taker::Viewers, &running.borrow_and_update()),
                Ok(()) = recorded.changed() => pipeline.run_only(Taker::Recorder, &recorded.borrow_and_update()),
                Some(encoding) = keyframes.recv() => pipeline.request_keyframe(encoding),
                _ = watch.tick() => {
                    let pictures = pipeline.pictures();
                    pulse.beat(pictures);
                    if watchdog.is_silent(pictures, moment::now()) {
                        return End::Failed(CaptureError::Silent);
                    }
                    if pictures > 0 && !announced {
                        announced = true;
                        let _ = lost.send(false).await;
                        tracing::info!(
                            camera = %camera.id, source = %camera.source, width = camera.width, height = camera.height,
                            fps = camera.fps, "camera runs"
                        );
                    }
                }
                message = messages.next() => match message.as_ref().map(|message| judge_camera(message, camera)) {
                    Some(Verdict::Fine) => {}
                    Some(Verdict::Ended) if camera.source.repeats() => {
                        if let Err(error) = pipeline.rewind() {
                            return End::Failed(error);
                        }
                    }
                    Some(Verdict::Ended) | None => return End::Failed(CaptureError::Ended),
                    Some(Verdict::Failed(error)) => return End::Failed(error),
                },
            }
        }
    }
}

/// Stopping blocks, which the runtime's threads must not, and with some drivers for ever.
async fn stop(pipeline: Pipeline) -> Result<(), CaptureError> {
    match tokio::time::timeout(STOPS_WITHIN, tokio::task::spawn_blocking(move || drop(pipeline))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            tracing::error!(%error, "stopping the pipeline panicked");
            Ok(())
        }
        Err(_) => Err(CaptureError::Stuck),
    }
}

/// What a pipeline says went wrong, if it says anything.
fn failed(bus: &gst::Bus) -> Option<CaptureError> {
    let message = bus.pop_filtered(&[gst::MessageType::Error])?;
    let gst::MessageView::Error(error) = message.view() else { return None };
    Some(error.into())
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

fn init() -> Result<(), CaptureError> {
    gst::init().map_err(CaptureError::Init)
}

/// What a pipeline's message means for it.
enum Verdict {
    Fine,
    Ended,
    Failed(CaptureError),
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "GStreamer has dozens of other messages, and more with each version"
)]
fn judge_camera(message: &gst::Message, camera: &Camera) -> Verdict {
    match message.view() {
        gst::MessageView::Error(error) if source::is_refused(error) => {
            let (width, height) = camera.given_size();
            Verdict::Failed(CaptureError::Unfit { width, height, fps: camera.fps })
        }
        gst::MessageView::Error(error) if error.error().matches(gst::ResourceError::Busy) => {
            Verdict::Failed(CaptureError::Busy)
        }
        gst::MessageView::Application(_) => Verdict::Failed(CaptureError::Bidirectional),
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
fn judge(message: &gst::Message) -> Verdict {
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
