//! What `make bench-capture` needs of the inside.

use std::time::Duration;

use gstreamer as gst;
use protocol::Rung;

use super::{
    CaptureError,
    encoder::{Chain, Chooser},
    scene::Scene,
    synthetic,
};
use crate::config::{Camera, Encoder};

/// The encoder as the product sets it, with what it needs around it.
pub(crate) fn x264(rung: &Rung) -> Result<Vec<gst::Element>, CaptureError> {
    let choice = Chooser::new(Encoder::X264).candidates().first_that_works(|_| Ok(()))?;
    let Chain { elements, .. } = choice.kind().build(rung)?;
    Ok(elements)
}

/// The synthetic camera's pictures.
pub(crate) fn caps(width: u32, height: u32, fps: u32) -> gst::Caps {
    synthetic::caps(width, height, fps)
}

/// So many pictures of a drawn camera's scene in a quality's size, one after the other, in memory.
pub(crate) fn film(camera: &Camera, rung: &Rung, pictures: usize) -> Vec<gst::Buffer> {
    let sized = Camera { width: rung.width, height: rung.height, ..camera.clone() };
    let scene = Scene::of(&sized);
    let period = Duration::from_secs(1) / rung.fps;
    let frames = scene.iter().flat_map(|scene| (0..).map(|turn| scene.frame(period * turn).into_bytes()));
    frames.take(pictures).map(gst::Buffer::from_mut_slice).collect()
}
