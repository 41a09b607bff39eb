//! The pipeline's end: encoded buffers become access units and leave for Rust, without being copied.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_app as gst_app;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{
    branch::Outlet,
    gate::Gate,
    moment::{self, Timeline},
    tape::Taker,
};
use crate::media::{AccessUnit, Encoding};

pub(super) fn build(mut handovers: Vec<Handover>, timeline: Arc<Timeline>) -> gst_app::AppSink {
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            if let Some(unit) = access_unit(sink, &sample, &timeline) {
                for handover in &mut handovers {
                    handover.pass(unit.clone());
                }
            }
            // Whatever became of it: an error would reach the source, and end the camera's other encodings as well.
            Ok(gst::FlowSuccess::Ok)
        })
        .build();
    // Never wait for a clock: what is encoded leaves at once. Nor for a first picture: a resting encoding gives none.
    gst_app::AppSink::builder().sync(false).async_(false).callbacks(callbacks).build()
}

/// Passes units on and, when the receiver is behind, leaves out everything up to the next keyframe.
pub(super) struct Handover {
    taker: Taker,
    encoding: Encoding,
    units: mpsc::Sender<AccessUnit>,
    keyframes: mpsc::Sender<Encoding>,
    left_out: Arc<AtomicU64>,
    gate: Arc<Gate>,
    /// Units left out since the last one that was passed on.
    lost: u64,
    /// The keyframe that mends the loss has been asked for.
    asked: bool,
}

impl Handover {
    /// One for each taker of what this outlet gives.
    pub(super) fn all(outlet: &Outlet, gate: impl Fn() -> Arc<Gate>) -> Vec<Self> {
        let takers = [(Taker::Viewers, Some(&outlet.units)), (Taker::Recorder, outlet.tape.as_ref())];
        let handover = |(taker, units): (Taker, Option<&mpsc::Sender<AccessUnit>>)| {
            Some(Self {
                taker,
                encoding: outlet.encoding,
                units: units?.clone(),
                keyframes: outlet.keyframes.clone(),
                left_out: Arc::clone(&outlet.left_out),
                gate: gate(),
                lost: 0,
                asked: false,
            })
        };
        takers.into_iter().filter_map(handover).collect()
    }

    pub(super) fn taker(&self) -> Taker {
        self.taker
    }

    pub(super) fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    fn pass(&mut self, mut unit: AccessUnit) {
        let keyframe = unit.keyframe;
        if !self.gate.admits(keyframe) {
            return;
        }
        if self.lost > 0 && !keyframe {
            return self.lose();
        }
        if self.taker == Taker::Recorder {
            // A disk may be seconds behind; a driver's buffers are few, and it wants them back.
            unit.data = Bytes::copy_from_slice(&unit.data);
        }
        match self.units.try_send(unit) {
            Ok(()) => {
                if self.lost > 0 {
                    let (encoding, taker) = (self.encoding, self.taker);
                    tracing::warn!(?encoding, ?taker, units = self.lost, "the taker was behind; units left out");
                }
                (self.lost, self.asked) = (0, false);
            }
            Err(TrySendError::Full(_)) => {
                // The keyframe that was to mend an earlier loss is lost as well.
                self.asked &= !keyframe;
                self.lose();
            }
            // The taker has ended, and the camera will be told.
            Err(TrySendError::Closed(_)) => {}
        }
    }

    fn lose(&mut self) {
        self.lost += 1;
        let patient = match self.taker {
            Taker::Viewers => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                false
            }
            // Its keyframes are the viewers', too: none while there is hardly room for what comes after it.
            Taker::Recorder => self.units.capacity() < self.units.max_capacity() / 2,
        };
        if !self.asked && !patient {
            self.asked = self.keyframes.try_send(self.encoding).is_ok();
        }
    }
}

fn access_unit(sink: &gst_app::AppSink, sample: &gst::Sample, timeline: &Timeline) -> Option<AccessUnit> {
    let buffer = sample.buffer_owned()?;
    // x264enc starts its time stamps at a thousand hours; only the segment knows what they mean.
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let captured = moment::at(sink, segment.to_running_time(buffer.pts()?)?, timeline)?;
    let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
    let mapped = buffer.into_mapped_buffer_readable().ok()?;
    Some(AccessUnit { data: Bytes::from_owner(mapped), keyframe, captured })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::media::{Moment, NtpTime};

    #[expect(clippy::disallowed_methods, reason = "an instant that nobody looks at")]
    fn unit(keyframe: bool) -> AccessUnit {
        let captured = Moment { media: Duration::ZERO, instant: Instant::now(), ntp: NtpTime(0) };
        AccessUnit { data: Bytes::from_static(&[0, 0, 1, 0x65]), keyframe, captured }
    }

    /// A handover that runs, with room for one unit and one request.
    fn handover() -> (Handover, mpsc::Receiver<AccessUnit>, mpsc::Receiver<Encoding>) {
        let (units, taken) = mpsc::channel(1);
        let (keyframes, asked) = mpsc::channel(1);
        let gate = Arc::new(Gate::closed(0));
        gate.open();
        let (timeline, left_out) = (Timeline::begin(), Arc::default());
        let outlet = Outlet { encoding: Encoding::Audio, units, tape: None, keyframes, timeline, left_out };
        let handover = Handover::all(&outlet, || gate.clone()).pop().expect("the viewers'");
        (handover, taken, asked)
    }

    #[test]
    fn a_receiver_that_falls_behind_goes_on_with_a_keyframe_that_is_asked_for() {
        let (mut handover, mut taken, mut asked) = handover();
        let mut pass = |keyframe| handover.pass(unit(keyframe));
        pass(true);
        pass(false);
        assert_eq!(asked.try_recv(), Ok(Encoding::Audio), "a keyframe is asked for");
        pass(false);
        assert!(asked.try_recv().is_err(), "once");
        pass(true);
        assert!(asked.try_recv().is_ok(), "the keyframe was lost, too");
        assert!(taken.try_recv().is_ok());
        pass(false);
        assert!(taken.try_recv().is_err(), "what cannot be decoded is not passed on");
        pass(true);
        assert!(taken.try_recv().is_ok_and(|unit| unit.keyframe));
        pass(false);
        assert!(taken.try_recv().is_ok_and(|unit| !unit.keyframe), "and all is well again");
        assert_eq!(handover.left_out.load(Ordering::Relaxed), 4);
        assert!(asked.try_recv().is_err());
    }

    #[test]
    fn a_request_that_finds_no_room_is_made_again() {
        let (mut handover, _taken, mut asked) = handover();
        handover.keyframes.try_send(Encoding::Audio).expect("room");
        handover.pass(unit(true));
        handover.pass(unit(false));
        assert!(asked.try_recv().is_ok(), "somebody else's");
        handover.pass(unit(false));
        assert!(asked.try_recv().is_ok());
    }
}
