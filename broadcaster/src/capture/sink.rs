//! The pipeline's end: encoded buffers become access units and leave for Rust, without being copied.

use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_app as gst_app;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::media::AccessUnit;

pub(super) fn build(units: mpsc::Sender<AccessUnit>, losses: mpsc::Sender<()>) -> gst_app::AppSink {
    let mut handover = Handover { units, losses, lost: 0 };
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            match access_unit(&sample).map_or(Ok(()), |unit| handover.pass(unit)) {
                Ok(()) => Ok(gst::FlowSuccess::Ok),
                Err(Gone) => Err(gst::FlowError::Eos),
            }
        })
        .build();
    // Never wait for a clock: what is encoded leaves at once.
    gst_app::AppSink::builder().sync(false).callbacks(callbacks).build()
}

/// Passes units on and, when the receiver is behind, leaves out everything up to the next keyframe.
struct Handover {
    units: mpsc::Sender<AccessUnit>,
    losses: mpsc::Sender<()>,
    /// Units left out since the last one that was passed on.
    lost: u64,
}

/// Nobody takes units any more.
#[derive(Debug, PartialEq, Eq)]
struct Gone;

impl Handover {
    fn pass(&mut self, unit: AccessUnit) -> Result<(), Gone> {
        let keyframe = unit.keyframe;
        if self.lost > 0 && !keyframe {
            self.lost += 1;
            return Ok(());
        }
        match self.units.try_send(unit) {
            Ok(()) => {
                if self.lost > 0 {
                    tracing::warn!(pictures = self.lost, "the sender was behind; pictures left out");
                    self.lost = 0;
                }
                Ok(())
            }
            Err(TrySendError::Full(_)) => {
                // At the first loss, and again when the keyframe that was to mend it is lost as well.
                if self.lost == 0 || keyframe {
                    // A full channel holds a report that has not been acted on yet.
                    let _ = self.losses.try_send(());
                }
                self.lost += 1;
                Ok(())
            }
            Err(TrySendError::Closed(_)) => Err(Gone),
        }
    }
}

fn access_unit(sample: &gst::Sample) -> Option<AccessUnit> {
    let buffer = sample.buffer_owned()?;
    // x264enc starts its time stamps at a thousand hours; only the segment knows what they mean.
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let captured = segment.to_running_time(buffer.pts()?)?;
    let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
    let mapped = buffer.into_mapped_buffer_readable().ok()?;
    Some(AccessUnit { data: Bytes::from_owner(mapped), keyframe, captured: Duration::from_nanos(captured.nseconds()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(keyframe: bool) -> AccessUnit {
        AccessUnit { data: Bytes::from_static(&[0, 0, 1, 0x65]), keyframe, captured: Duration::ZERO }
    }

    #[test]
    fn a_receiver_that_falls_behind_goes_on_with_a_keyframe_that_is_asked_for() {
        let (units, mut taken) = mpsc::channel(1);
        let (losses, mut reported) = mpsc::channel(1);
        let mut handover = Handover { units, losses, lost: 0 };
        let mut pass = |keyframe| assert_eq!(handover.pass(unit(keyframe)), Ok(()));
        pass(true);
        pass(false);
        assert!(reported.try_recv().is_ok(), "the loss is reported");
        pass(false);
        assert!(reported.try_recv().is_err(), "once");
        pass(true);
        assert!(reported.try_recv().is_ok(), "the keyframe was lost, too");
        assert!(taken.try_recv().is_ok());
        pass(false);
        assert!(taken.try_recv().is_err(), "what cannot be decoded is not passed on");
        pass(true);
        assert!(taken.try_recv().is_ok_and(|unit| unit.keyframe));
        pass(false);
        assert!(taken.try_recv().is_ok_and(|unit| !unit.keyframe), "and all is well again");
        drop(taken);
        assert_eq!(handover.pass(unit(true)), Err(Gone));
    }
}
