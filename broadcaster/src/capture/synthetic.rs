//! The synthetic camera: draws its scene at its own pace and pushes it into the pipeline.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::{element::signed, scene::Scene};
use crate::config::Camera;

pub(super) struct SyntheticSource {
    app: gst_app::AppSrc,
    scene: Arc<Scene>,
    fps: u32,
    painter: Option<std::thread::JoinHandle<()>>,
}

impl SyntheticSource {
    pub(super) fn new(camera: &Camera, scene: Arc<Scene>) -> Self {
        let (width, height, fps) = (camera.width, camera.height, camera.fps);
        let caps = caps(width, height, fps);
        // One picture may wait for the encoder; an older one is worth nothing once the next is there.
        let app = gst_app::AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            .is_live(true)
            .max_buffers(1)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        Self { app, scene, fps, painter: None }
    }

    pub(super) fn element(&self) -> &gst::Element {
        self.app.upcast_ref()
    }

    /// The pipeline must be playing: its clock sets the pace.
    pub(super) fn start(&mut self) {
        let app = self.app.clone();
        let (scene, fps) = (Arc::clone(&self.scene), self.fps);
        let painter = std::thread::Builder::new().name("scene".to_owned());
        let started = painter.spawn(move || paint(&app, &scene, fps));
        self.painter = Some(started.expect("the system gives a thread"));
    }

    /// Waits for the painter, which ends with its first push into a stopped pipeline.
    pub(super) fn join(&mut self) {
        if self.painter.take().is_some_and(|painter| painter.join().is_err()) {
            tracing::error!("the scene's painter panicked");
        }
    }
}

pub(super) fn caps(width: u32, height: u32, fps: u32) -> gst::Caps {
    gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::I420)
        .width(signed(width))
        .height(signed(height))
        .framerate(gst::Fraction::new(signed(fps), 1))
        .pixel_aspect_ratio(gst::Fraction::new(1, 1))
        .field("colorimetry", "bt709")
        .build()
}

fn paint(app: &gst_app::AppSrc, scene: &Scene, fps: u32) {
    let (Some(clock), Some(base)) = (app.clock(), app.base_time()) else {
        tracing::error!("the pipeline plays without a clock; there will be no pictures");
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
