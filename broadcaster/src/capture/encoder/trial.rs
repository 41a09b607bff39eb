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

/// A pipeline that is stopped when it is not needed any more.
struct Stopped(gst::Pipeline);

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Err(error) = self.0.set_state(gst::State::Null) {
            tracing::debug!(%error, "the trial's pipeline did not stop");
        }
    }
}

fn encode(kind: &Kind, rung: &Rung) -> Result<(), Unfit> {
    let deadline = moment::now() + PATIENCE;
    let Chain { elements, control } = kind.build(rung)?;
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", signed(rung.width))
        .field("height", signed(rung.height))
        .field("framerate", gst::Fraction::new(signed(rung.fps), 1))
        .build();
    // A picture at a time, each as soon as there is room: nothing is timed, and nothing piles up.
    let sink = gst_app::AppSink::builder().sync(false).max_buffers(1).build();
    let mut all = vec![make("videotestsrc", "gstreamer1.0-plugins-base", &[("pattern", "ball")])?, filter(caps)?];
    all.extend(elements);
    all.push(sink.clone().upcast());
    let pipeline = Stopped(gst::Pipeline::new());
    pipeline.0.add_many(&all).map_err(CaptureError::Link)?;
    gst::Element::link_many(&all).map_err(CaptureError::Link)?;
    let bus = pipeline.0.bus().expect("a pipeline has a bus");
    let failed = || failed(&bus);
    let started = pipeline.0.set_state(gst::State::Playing);
    started.map_err(|error| failed().unwrap_or(CaptureError::Start(error)))?;
    for picture in 0..=BEFORE + ANSWERED_WITHIN {
        let unit = next(&sink, deadline).ok_or_else(|| failed().map_or(Unfit::Silent, Unfit::Broken))?;
        if picture == 0 {
            stream::check_first(&unit)?;
        }
        stream::check(&unit)?;
        if picture == BEFORE {
            control.request_keyframe(&sink);
        } else if picture > BEFORE && stream::is_keyframe(&unit) {
            return Ok(());
        }
    }
    Err(Unfit::NoKeyframe)
}

fn next(sink: &gst_app::AppSink, deadline: Instant) -> Option<gst::MappedBuffer<gst::buffer::Readable>> {
    let left = deadline.saturating_duration_since(moment::now());
    let sample = sink.try_pull_sample(gst::ClockTime::try_from(left).unwrap_or_default())?;
    sample.buffer_owned()?.into_mapped_buffer_readable().ok()
}
