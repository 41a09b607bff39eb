//! The task that owns a camera: one pipeline after the other, for as long as the camera is wanted.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{
    Capture, CaptureError, STARTS_WITHIN, STOPS_WITHIN, WATCH,
    encoder::{self, Choice, Kind},
    init, moment,
    pipeline::Pipeline,
    scene::Scene,
    supervision::{Entrance, Entry, Supervision, Watchdog},
    tape::Taker,
    verdict::{Verdict, judge_camera},
};

/// What became of one pipeline.
pub(super) enum End {
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
        let mut taken_on = false;
        loop {
            let encoder = tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                encoder = self.encoder() => encoder,
            };
            let began = moment::now();
            let started = match encoder {
                Ok(kind) => tokio::select! {
                    () = cancel.cancelled() => return Ok(()),
                    started = self.start(scene.clone(), kind) => started,
                },
                Err(error) => Err(error),
            };
            let (end, pipeline) = match started {
                Ok(mut pipeline) => (self.attend(&mut pipeline, cancel).await, Some(pipeline)),
                Err(error) => (End::Failed(error), None),
            };
            if matches!(end, End::Failed(_)) {
                // Before the pipeline stops, which may take seconds. Who does not listen any more has no viewers to tell.
                let _ = self.lost.send(true).await;
            }
            self.shutter.send_replace(None);
            let pictures = pipeline.as_ref().map_or(0, Pipeline::pictures);
            self.pulse.close(pictures);
            if let Some(pipeline) = pipeline {
                stop(pipeline).await?;
            }
            let End::Failed(error) = end else { return Ok(()) };
            if matches!(error, CaptureError::Stuck) {
                return Err(error);
            }
            let misfit = error.is_misfit();
            // An encoder has shown that it works, and there may be another.
            let by_encoder = matches!(error, CaptureError::Encoder { .. });
            let hopeless = misfit || pictures == 0 && !self.camera.source.is_remote();
            if !taken_on && !by_encoder && hopeless {
                return Err(error);
            }
            // Who has once been waited for is not given up any more: others have viewers meanwhile.
            taken_on = true;
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
    pub(super) async fn encoder(&mut self) -> Result<Option<&'static Kind>, CaptureError> {
        let Self { chooser, pulse, .. } = self;
        let Some(chooser) = chooser else { return Ok(None) };
        if let Some(chosen) = chooser.chosen() {
            return Ok(Some(chosen));
        }
        let (candidates, rungs) = (chooser.candidates(), self.rungs.clone());
        let trials = move || candidates.first_that_works(|kind| encoder::try_out(kind, &rungs));
        let choice = tokio::select! {
            choice = tokio::task::spawn_blocking(trials) => choice.expect("trials do not panic"),
            never = pulse.rest() => match never {},
        };
        chooser.settle(choice.as_ref().ok().map(Choice::kind));
        let choice = choice?;
        tracing::info!(camera = %self.camera.id, encoder = %choice, others = %choice.refused(), "encoder chosen");
        Ok(Some(choice.kind()))
    }

    /// Opening takes as long as the driver likes, and with some for ever.
    async fn start(
        &mut self,
        scene: Option<Arc<Scene>>,
        h264: Option<&'static Kind>,
    ) -> Result<Pipeline, CaptureError> {
        let Self { camera, rungs, outlets, running, recorded, shutter, pulse, .. } = self;
        let (camera, rungs, outlets) = (camera.clone(), rungs.clone(), outlets.clone());
        let open = tokio::task::spawn_blocking(move || {
            let mut pipeline = Pipeline::build(&camera, scene.as_ref(), &rungs, &outlets, h264)?;
            pipeline.start().map(|()| pipeline)
        });
        let pipeline = tokio::select! {
            opened = tokio::time::timeout(STARTS_WITHIN, open) => match opened {
                Ok(opened) => opened.expect("opening does not panic")?,
                Err(_) => return Err(CaptureError::Stuck),
            },
            never = pulse.rest() => match never {},
        };
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
        let mut entrance = Entrance::default();
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
                        let never = pictures == 0;
                        return End::Failed(if never { CaptureError::NotBegun } else { CaptureError::Silent });
                    }
                    if let Some(entries) = pipeline.entries() {
                        match entrance.look(pictures, entries, moment::now()) {
                            Entry::There => {}
                            // Some cameras hear nothing before their pictures come.
                            Entry::Awaited => pipeline.request_keyframes(),
                            Entry::Missing => {
                                return End::Failed(CaptureError::NoEntry { instead: camera.source.instead_of_passthrough() });
                            }
                        }
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
