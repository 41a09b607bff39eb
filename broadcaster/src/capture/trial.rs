//! A camera, opened for some seconds to see what it gives and what that costs.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Capture, CaptureError, Choice, Feed,
    encoder::Kind,
    init, moment, open,
    pipeline::Pipeline,
    scene::Scene,
    supervision::BEGINS_WITHIN,
    tape::Taker,
    verdict::{Verdict, judge_camera},
};
use crate::{
    config::{Camera, Rung},
    media::Running,
};

/// How long pictures are counted, without an encoder and with one.
const COUNTED_FOR: Duration = Duration::from_secs(2);

/// Less than the time from picture to picture, so that none is left out for want of somebody who takes it.
const TURN: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trial {
    pub(crate) first_picture: Duration,
    pub(crate) fps: f64,
    pub(crate) encoded_fps: f64,
    /// What encoding the best quality costs for each picture, in processor time, beside what taking it in costs.
    pub(crate) encoding: Duration,
}

/// What was counted for a while.
#[derive(Clone, Copy)]
struct Count {
    took: Duration,
    pictures: u64,
    units: u64,
    processor: Duration,
}

/// Tries a camera at its best quality, with the encoder that was chosen if it needs one. A driver that hangs is left behind
/// with its thread.
pub(crate) async fn try_out(camera: Camera, rungs: &[Rung], encoder: Option<&Choice>) -> Result<Trial, CaptureError> {
    let kind = encoder.map(Choice::kind);
    let (feed, capture) = open(camera, rungs);
    let (tell, told) = oneshot::channel();
    let attempt = move || {
        // Nobody may wait any more.
        let _ = tell.send(attempt(feed, capture, kind));
    };
    thread::Builder::new().name("trial".to_owned()).spawn(attempt).expect("a thread can be started");
    let limit = BEGINS_WITHIN + 4 * COUNTED_FOR + super::STOPS_WITHIN;
    match tokio::time::timeout(limit, told).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(_)) | Err(_) => Err(CaptureError::Stuck),
    }
}

fn attempt(mut feed: Feed, mut capture: Capture, h264: Option<&Kind>) -> Result<Trial, CaptureError> {
    init()?;
    let Capture { camera, rungs, outlets, .. } = &mut capture;
    let scene = Scene::of(camera).map(Arc::new);
    let began = moment::now();
    let mut pipeline = Pipeline::build(camera, scene.as_ref(), rungs, outlets, h264)?;
    if let Err(error) = pipeline.start() {
        // The element that did not start has said why.
        return Err(complaint(&pipeline, camera).unwrap_or(error));
    }
    let mut trial = Attempt { pipeline, feed: &mut feed, camera };
    trial.until(began + BEGINS_WITHIN, |pictures, _| pictures > 0)?;
    if trial.pipeline.pictures() == 0 {
        return Err(CaptureError::NotBegun);
    }
    let first_picture = moment::now().saturating_duration_since(began);
    let idle = trial.count()?;
    let best: Running = trial.feed.units.first().map(|(encoding, _)| (*encoding, None)).into_iter().collect();
    trial.pipeline.run_only(Taker::Viewers, &best);
    trial.until(moment::now() + COUNTED_FOR, |_, units| units > 0)?;
    let busy = trial.count()?;
    let share = |count: Count| count.processor.as_secs_f64() / count.took.as_secs_f64();
    let encoded_fps = per_second(busy.units, busy.took);
    let encoding = if encoded_fps > 0.0 { (share(busy) - share(idle)).max(0.0) / encoded_fps } else { 0.0 };
    let fps = per_second(idle.pictures, idle.took);
    Ok(Trial { first_picture, fps, encoded_fps, encoding: Duration::from_secs_f64(encoding) })
}

struct Attempt<'a> {
    pipeline: Pipeline,
    feed: &'a mut Feed,
    camera: &'a Camera,
}

impl Attempt<'_> {
    fn count(&mut self) -> Result<Count, CaptureError> {
        let (began, processor, pictures) = (moment::now(), processor_time(), self.pipeline.pictures());
        let units = self.until(began + COUNTED_FOR, |_, _| false)?;
        let took = moment::now().saturating_duration_since(began);
        let processor = processor_time().saturating_sub(processor);
        Ok(Count { took, pictures: self.pipeline.pictures() - pictures, units, processor })
    }

    /// Takes what is encoded until a moment, or until so many pictures and units are enough. Returns the units.
    fn until(&mut self, end: Instant, enough: impl Fn(u64, u64) -> bool) -> Result<u64, CaptureError> {
        let mut units = 0;
        while moment::now() < end && !enough(self.pipeline.pictures(), units) {
            match self.pipeline.message_within(TURN).map(|message| judge_camera(&message, self.camera)) {
                Some(Verdict::Failed(error)) => return Err(error),
                Some(Verdict::Ended) => return Err(CaptureError::Ended),
                Some(Verdict::Fine) | None => {}
            }
            for (_, taken) in &mut self.feed.units {
                while taken.try_recv().is_ok() {
                    units += 1;
                }
            }
        }
        Ok(units)
    }
}

fn complaint(pipeline: &Pipeline, camera: &Camera) -> Option<CaptureError> {
    let messages = std::iter::from_fn(|| pipeline.message_within(Duration::ZERO));
    let mut failures = messages.filter_map(|message| match judge_camera(&message, camera) {
        Verdict::Failed(error) => Some(error),
        Verdict::Fine | Verdict::Ended => None,
    });
    failures.next()
}

#[expect(clippy::cast_precision_loss, reason = "some seconds' worth")]
fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// Of all of this process's threads.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{
        capture::check,
        config::{Source, V4l2Format},
    };

    fn camera(source: Source) -> Camera {
        Camera { source, width: 320, height: 160, fps: 10, ..Camera::synthetic("main".parse().expect("an id")) }
    }

    #[tokio::test]
    async fn a_camera_that_works_is_measured() {
        let camera = camera(Source::Test);
        let encoder = check(&camera, &[]).expect("there is one");
        let trial = try_out(camera, &[], encoder.as_ref()).await.expect("it works");
        assert!(trial.fps > 0.0 && trial.encoded_fps > 0.0, "{trial:?}");
    }

    #[tokio::test]
    async fn a_camera_that_does_not_open_says_why() {
        let device = PathBuf::from("/dev/nonexistent");
        let source = Source::V4l2 { device, format: V4l2Format::Auto };
        let error = try_out(camera(source), &[], None).await.expect_err("it does not");
        assert!(error.to_string().contains("/dev/nonexistent"), "{error}");
    }
}
