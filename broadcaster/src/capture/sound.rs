//! A camera's sound, in a pipeline of its own: a microphone that fails takes no picture with it, and is opened again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures_util::StreamExt;
use gstreamer as gst;
use gstreamer::prelude::*;
use protocol::CameraId;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    CaptureError, STARTS_WITHIN, STOPS_WITHIN, WATCH,
    branch::{Branch, Outlet},
    ending, microphone, moment,
    pipeline::{count, link},
    supervision::{Supervision, Watchdog},
    tape::Taker,
    task::End,
    tone,
    verdict::{Verdict, judge},
};
use crate::{
    config::{Camera, Sound},
    media::{AccessUnit, Encoding, Running},
};

/// Threads that drivers may keep: one for each sound system.
const HUNG_AT_MOST: usize = 3;

pub(super) struct SoundCapture {
    camera: CameraId,
    sound: Sound,
    outlet: Outlet,
    running: watch::Receiver<Running>,
    recorded: watch::Receiver<Running>,
    /// Which of the sound systems comes next, where any will do.
    attempt: usize,
}

struct Pipeline {
    pipeline: gst::Pipeline,
    branch: Branch,
    pieces: Arc<AtomicU64>,
    attempt: usize,
}

impl SoundCapture {
    pub(super) fn new(
        camera: &Camera,
        outlet: Outlet,
        running: watch::Receiver<Running>,
        recorded: watch::Receiver<Running>,
    ) -> Self {
        Self { camera: camera.id.clone(), sound: camera.sound.clone(), outlet, running, recorded, attempt: 0 }
    }

    /// Opens the way to a recorder, before the capture runs.
    pub(super) fn tape(&mut self, sounds: mpsc::Sender<AccessUnit>, recorded: watch::Receiver<Running>) {
        self.outlet.tape = Some(sounds);
        self.recorded = recorded;
    }

    /// Finds out whether GStreamer has what it takes, without opening a microphone.
    pub(super) fn check(&self) -> Result<(), CaptureError> {
        Pipeline::build(elements_of(&self.sound, || microphone::unopened(&self.sound))?, 0, self.outlet.clone())
            .map(drop)
    }

    /// Captures until cancelled, with one pipeline after the other. Fails only when the driver hangs in the end.
    ///
    /// A driver that hangs before that is left behind with its thread: to end the process for it would take the pictures from
    /// everybody, again and again where it hangs each time. There is another attempt, perhaps with another sound system.
    pub(super) async fn run(mut self, cancel: CancellationToken) -> Result<(), CaptureError> {
        let mut supervision = Supervision::default();
        let mut hung = JoinSet::new();
        loop {
            let (sound, outlet, attempt) = (self.sound.clone(), self.outlet.clone(), self.attempt);
            // Opening takes as long as the sound system likes.
            let mut start = tokio::task::spawn_blocking(move || Pipeline::start(&sound, attempt, outlet));
            let started = tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                started = tokio::time::timeout(STARTS_WITHIN, &mut start) => started,
            };
            let (end, pieces) = match started.map(|started| started.expect("starting does not panic")) {
                Ok(Ok(mut pipeline)) => {
                    self.attempt = pipeline.attempt + 1;
                    let end = self.attend(&mut pipeline, &cancel).await;
                    let pieces = pipeline.pieces.load(Ordering::Relaxed);
                    match (stop(pipeline, &mut hung).await, end) {
                        (Err(stuck), End::Cancelled) => return Err(stuck),
                        (Err(stuck), End::Failed(_)) => (End::Failed(stuck), pieces),
                        (Ok(()), end) => (end, pieces),
                    }
                }
                Ok(Err(error)) => (End::Failed(error), 0),
                Err(_) => {
                    self.attempt += 1;
                    hung.spawn(async move {
                        if let Ok(Ok(late)) = start.await {
                            // It ends with that, whatever becomes of it.
                            let _ = tokio::task::spawn_blocking(move || drop(late)).await;
                        }
                    });
                    (End::Failed(CaptureError::SoundStuck), 0)
                }
            };
            let End::Failed(error) = end else { return Ok(()) };
            let delay = supervision.failed(pieces, rand::random());
            tracing::warn!(
                camera = %self.camera, error = &error as &dyn std::error::Error, again_in = ?delay, "sound lost"
            );
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = tokio::time::sleep(delay) => {}
            }
            while hung.try_join_next().is_some() {}
            if hung.len() >= HUNG_AT_MOST {
                tracing::error!(
                    camera = %self.camera,
                    "there is no sound until the sound system lets go of what hangs, or the broadcaster is restarted"
                );
                tokio::select! {
                    () = cancel.cancelled() => return Ok(()),
                    _ = hung.join_next() => {}
                }
            }
        }
    }

    /// Serves a pipeline until it ends or fails.
    async fn attend(&mut self, pipeline: &mut Pipeline, cancel: &CancellationToken) -> End {
        let mut messages = pipeline.pipeline.bus().expect("a pipeline has a bus").stream();
        let mut watchdog = Watchdog::new(moment::now());
        let mut watch = tokio::time::interval(WATCH);
        let mut announced = false;
        // What was said before now is not a change any more.
        self.running.mark_changed();
        self.recorded.mark_changed();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return End::Cancelled,
                Ok(()) = self.running.changed() => {
                    let wish = self.running.borrow_and_update().get(&Encoding::Audio).copied();
                    pipeline.branch.set_wanted(Taker::Viewers, wish);
                }
                Ok(()) = self.recorded.changed() => {
                    let wish = self.recorded.borrow_and_update().get(&Encoding::Audio).copied();
                    pipeline.branch.set_wanted(Taker::Recorder, wish);
                }
                _ = watch.tick() => {
                    let pieces = pipeline.pieces.load(Ordering::Relaxed);
                    if watchdog.is_silent(pieces, moment::now()) {
                        return End::Failed(CaptureError::NoSound);
                    }
                    if pieces > 0 && !announced {
                        announced = true;
                        tracing::info!(camera = %self.camera, sound = %self.sound, "sound runs");
                    }
                }
                message = messages.next() => match message.as_ref().map(judge) {
                    Some(Verdict::Fine) => {}
                    Some(Verdict::Ended) | None => return End::Failed(CaptureError::Ended),
                    Some(Verdict::Failed(error)) => return End::Failed(error),
                },
            }
        }
    }
}

impl Pipeline {
    fn start(sound: &Sound, attempt: usize, outlet: Outlet) -> Result<Self, CaptureError> {
        let mut taken = attempt;
        let elements = elements_of(sound, || {
            let (microphone, which) = microphone::open(sound, attempt)?;
            taken = which;
            Ok(microphone)
        })?;
        let started = Self::build(elements, taken, outlet)?;
        match started.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(started),
            Err(error) => Err(started.why().unwrap_or(CaptureError::Start(error))),
        }
    }

    fn build(elements: Vec<gst::Element>, attempt: usize, outlet: Outlet) -> Result<Self, CaptureError> {
        let pipeline = gst::Pipeline::new();
        // Microphones bring clocks of their own, which are not the picture's.
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        link(&pipeline, &elements.iter().collect::<Vec<_>>())?;
        let end = elements.last().expect("there is the source");
        let pieces = Arc::new(AtomicU64::new(0));
        count(end, pieces.clone());
        ending::tell(end);
        let branch = Branch::audio(&pipeline, end, outlet)?;
        Ok(Self { pipeline, branch, pieces, attempt })
    }

    /// What the pipeline itself says was wrong.
    fn why(&self) -> Option<CaptureError> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match judge(&message) {
            Verdict::Failed(error) => Some(error),
            Verdict::Fine | Verdict::Ended => None,
        }
    }
}

impl Drop for Pipeline {
    /// Blocks for as long as the microphone's driver likes.
    fn drop(&mut self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::warn!(%error, "the pipeline did not stop");
        }
    }
}

/// All elements up to the encoder.
fn elements_of(
    sound: &Sound,
    microphone: impl FnOnce() -> Result<gst::Element, CaptureError>,
) -> Result<Vec<gst::Element>, CaptureError> {
    Ok(match sound {
        Sound::Tone | Sound::None => tone::source()?.to_vec(),
        Sound::Auto | Sound::Microphone { .. } => [microphone()?].into_iter().chain(microphone::conform()?).collect(),
    })
}

/// Stopping blocks, and with some drivers for ever.
async fn stop(pipeline: Pipeline, hung: &mut JoinSet<()>) -> Result<(), CaptureError> {
    let mut stop = tokio::task::spawn_blocking(move || drop(pipeline));
    if tokio::time::timeout(STOPS_WITHIN, &mut stop).await.is_ok() {
        return Ok(());
    }
    hung.spawn(async move {
        // It ends with that, whatever becomes of it.
        let _ = stop.await;
    });
    Err(CaptureError::SoundStuck)
}
