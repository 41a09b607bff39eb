//! One camera's pipeline: source → encoder → sink.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use tokio::sync::mpsc;

use super::{CaptureError, encoder, scene::Scene, sink};
use crate::{config::Camera, media::AccessUnit};

pub(super) struct Pipeline {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    source: SyntheticSource,
}

impl Pipeline {
    pub(super) fn build(camera: &Camera, units: mpsc::Sender<AccessUnit>) -> Result<Self, CaptureError> {
        let pipeline = gst::Pipeline::new();
        let source = SyntheticSource::new(camera);
        let [encoder, filter] = encoder::x264(camera.bitrate)?;
        let sink = sink::build(units);
        let elements = [source.app.upcast_ref(), &encoder, &filter, sink.upcast_ref()];
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

pub(super) fn make(element: &'static str, package: &'static str) -> Result<gst::Element, CaptureError> {
    gst::ElementFactory::make(element).build().map_err(|_| CaptureError::MissingElement { element, package })
}

/// Draws the test scene at its own pace and pushes it into the pipeline.
struct SyntheticSource {
    app: gst_app::AppSrc,
    width: u32,
    height: u32,
    fps: u32,
    painter: Option<std::thread::JoinHandle<()>>,
}

impl SyntheticSource {
    fn new(camera: &Camera) -> Self {
        let (width, height, fps) = (camera.width, camera.height, camera.fps);
        let caps = gst_video::VideoCapsBuilder::new()
            .format(gst_video::VideoFormat::I420)
            .width(i32::try_from(width).expect("the config bounds it"))
            .height(i32::try_from(height).expect("the config bounds it"))
            .framerate(gst::Fraction::new(i32::try_from(fps).expect("the config bounds it"), 1))
            .pixel_aspect_ratio(gst::Fraction::new(1, 1))
            .field("colorimetry", "bt709")
            .build();
        // One picture may wait for the encoder; an older one is worth nothing once the next is there.
        let app = gst_app::AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            .is_live(true)
            .max_buffers(1)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        Self { app, width, height, fps, painter: None }
    }

    fn start(&mut self) {
        let app = self.app.clone();
        let (width, height, fps) = (self.width as usize, self.height as usize, self.fps);
        let painter = std::thread::Builder::new().name("scene".to_owned());
        let started = painter.spawn(move || paint(&app, &Scene::new(width, height), fps));
        self.painter = Some(started.expect("the system gives a thread"));
    }

    /// Waits for the painter, which ends with its first push into a stopped pipeline.
    fn join(&mut self) {
        if self.painter.take().is_some_and(|painter| painter.join().is_err()) {
            tracing::error!("the scene's painter panicked");
        }
    }
}

fn paint(app: &gst_app::AppSrc, scene: &Scene, fps: u32) {
    let (Some(clock), Some(base)) = (app.clock(), app.base_time()) else {
        return;
    };
    let period = gst::ClockTime::SECOND / u64::from(fps);
    let mut due = clock.time();
    loop {
        // A wait for an instant that has passed returns at once.
        let _ = clock.new_single_shot_id(due).wait();
        let now = clock.time();
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let mut buffer = gst::Buffer::from_mut_slice(scene.frame(unix).into_bytes());
        let stamped = buffer.get_mut().expect("nobody else has it yet");
        stamped.set_pts(now.saturating_sub(base));
        stamped.set_duration(period);
        if app.push_buffer(buffer).is_err() {
            return;
        }
        // After a stall the pace goes on from now; pictures that were missed are not made up for.
        due = (due + period).max(now);
    }
}
