//! The pipeline's end: encoded buffers become access units and leave for Rust, without being copied.

use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer_app as gst_app;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::media::AccessUnit;

pub(super) fn build(units: mpsc::Sender<AccessUnit>) -> gst_app::AppSink {
    let mut handover = Handover { units, lost: 0 };
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            handover.take(&sample)
        })
        .build();
    // Never wait for a clock: what is encoded leaves at once.
    gst_app::AppSink::builder().sync(false).callbacks(callbacks).build()
}

/// Passes units on and, when the receiver is behind, leaves out everything up to the next keyframe.
struct Handover {
    units: mpsc::Sender<AccessUnit>,
    /// Units left out since the last one that was passed on.
    lost: u64,
}

impl Handover {
    fn take(&mut self, sample: &gst::Sample) -> Result<gst::FlowSuccess, gst::FlowError> {
        let Some(unit) = access_unit(sample) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        if self.lost > 0 && !unit.keyframe {
            self.lost += 1;
            return Ok(gst::FlowSuccess::Ok);
        }
        match self.units.try_send(unit) {
            Ok(()) if self.lost > 0 => {
                tracing::warn!(pictures = self.lost, "the sender was behind; pictures left out");
                self.lost = 0;
                Ok(gst::FlowSuccess::Ok)
            }
            Ok(()) => Ok(gst::FlowSuccess::Ok),
            Err(TrySendError::Full(_)) => {
                self.lost += 1;
                Ok(gst::FlowSuccess::Ok)
            }
            Err(TrySendError::Closed(_)) => Err(gst::FlowError::Eos),
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
