//! One camera's pipeline: source → encoder → sink.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use tokio::sync::mpsc;

use super::{CaptureError, encoder, sink, synthetic::SyntheticSource};
use crate::{
    config::{Camera, Source},
    media::AccessUnit,
};

pub(super) struct Pipeline {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    source: SyntheticSource,
}

impl Pipeline {
    /// A message in `losses` says that pictures were left out, which only a keyframe mends.
    pub(super) fn build(
        camera: &Camera,
        units: mpsc::Sender<AccessUnit>,
        losses: mpsc::Sender<()>,
    ) -> Result<Self, CaptureError> {
        let pipeline = gst::Pipeline::new();
        let source = match camera.source {
            Source::Test => SyntheticSource::new(camera),
        };
        let [encoder, filter] = encoder::x264(camera.bitrate)?;
        let sink = sink::build(units, losses);
        let elements = [source.element(), &encoder, &filter, sink.upcast_ref()];
        pipeline.add_many(elements).map_err(CaptureError::Link)?;
        gst::Element::link_many(elements).map_err(CaptureError::Link)?;
        Ok(Self { pipeline, sink, source })
    }

    pub(super) fn start(&mut self) -> Result<(), CaptureError> {
        self.pipeline.set_state(gst::State::Playing).map_err(CaptureError::Start)?;
        self.source.start();
        Ok(())
    }

    pub(super) fn messages(&self) -> gst::bus::BusStream {
        self.pipeline.bus().expect("a pipeline has a bus").stream()
    }

    pub(super) fn request_keyframe(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        if !self.sink.send_event(event) {
            tracing::debug!("the encoder took no keyframe request");
        }
    }
}

impl Drop for Pipeline {
    /// Blocks for as long as the camera's driver likes.
    fn drop(&mut self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::warn!(%error, "the pipeline did not stop");
        }
        self.source.join();
    }
}
