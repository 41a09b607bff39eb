//! Finds out whether an encoder works here, by encoding a few pictures that are thrown away.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use protocol::Rung;

use super::{
    super::{
        CaptureError,
        element::{filter, make, signed},
        moment,
        verdict::failed,
    },
    Chain, Kind,
    stream::{self, Flaw},
};
use crate::media::is_entry;

/// Opening a graphics processor may take seconds on a small machine, and a picture a tenth of one.
const PATIENCE: Duration = Duration::from_secs(10);

/// And then it has to let go of it.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// So many pictures come before a keyframe is asked for …
const BEFORE: usize = 4;
/// … and after so many more it must be there: some encoders work on several at a time.
const ANSWERED_WITHIN: usize = 24;

/// Why an encoder will not do.
#[derive(Debug, thiserror::Error)]
pub(in crate::capture) enum Unfit {
    #[error(transparent)]
    Broken(#[from] CaptureError),
    #[error(transparent)]
    Stream(#[from] Flaw),
    #[error("it gave nothing for {PATIENCE:?}")]
    Silent,
    #[error("it does not answer when it is asked for a keyframe")]
    NoKeyframe,
    #[error("it does not stop again")]
    Stuck,
}

/// Tries an encoder at all of a camera's sizes. Blocks, but not for ever: one that hangs is left to itself.
pub(in crate::capture) fn try_out(kind: &'static Kind, rungs: &[Rung]) -> Result<(), Unfit> {
    let rungs = rungs.to_vec();
    let (tell, told) = mpsc::sync_channel(1);
    let trial = thread::Builder::new().name("encoder-trial".to_owned()).spawn(move || {
        // Who does not wait any more has given up on this one.
        let _ = tell.send(rungs.iter().try_for_each(|rung| encode(kind, rung)));
    });
    trial.expect("the system gives a thread");
    match told.recv_timeout(PATIENCE + STOPS_WITHIN) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(Unfit::Stuck),
    }
}

fn encode(kind: &Kind, rung: &Rung) -> Result<(), Unfit> {
    let deadline = moment::now() + PATIENCE;
    let Chain { elements, control } = kind.build(rung)?;
    let run = Run::start(elements, rung, "ball")?;
    for picture in 0..=BEFORE + ANSWERED_WITHIN {
        let unit = run.next(deadline).ok_or_else(|| run.failed().map_or(Unfit::Silent, Unfit::Broken))?;
        let unit = unit.into_mapped_buffer_readable().map_err(|_| Unfit::Silent)?;
        if picture == 0 {
            stream::check_first(&unit)?;
        }
        stream::check(&unit)?;
        if picture == BEFORE {
            control.request_keyframe(&run.sink);
        } else if picture > BEFORE && is_entry(&unit) {
            return Ok(());
        }
    }
    Err(Unfit::NoKeyframe)
}

/// An encoder at work on pictures that are made for it, one at a time, each as soon as the one before was taken: nothing is
/// timed, nothing piles up, and how fast the machine is changes nothing. It stops when it is not needed any more.
pub(super) struct Run {
    pipeline: gst::Pipeline,
    pub(super) sink: gst_app::AppSink,
}

impl Run {
    pub(super) fn start(encoder: Vec<gst::Element>, rung: &Rung, pattern: &str) -> Result<Self, CaptureError> {
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", signed(rung.width))
            .field("height", signed(rung.height))
            .field("framerate", gst::Fraction::new(signed(rung.fps), 1))
            .build();
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(1).build();
        let mut all = vec![make("videotestsrc", "gstreamer1.0-plugins-base", &[("pattern", pattern)])?, filter(caps)?];
        all.extend(encoder);
        all.push(sink.clone().upcast());
        let run = Self { pipeline: gst::Pipeline::new(), sink };
        run.pipeline.add_many(&all).map_err(CaptureError::Link)?;
        gst::Element::link_many(&all).map_err(CaptureError::Link)?;
        let started = run.pipeline.set_state(gst::State::Playing);
        started.map_err(|error| run.failed().unwrap_or(CaptureError::Start(error)))?;
        Ok(run)
    }

    /// The next encoded picture, if it comes in time.
    pub(super) fn next(&self, deadline: Instant) -> Option<gst::Buffer> {
        let left = deadline.saturating_duration_since(moment::now());
        self.sink.try_pull_sample(gst::ClockTime::try_from(left).unwrap_or_default())?.buffer_owned()
    }

    fn failed(&self) -> Option<CaptureError> {
        failed(&self.pipeline.bus().expect("a pipeline has a bus"))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::debug!(%error, "the trial's pipeline did not stop");
        }
    }
}
