//! What is scaled keeps its shape. A source whose pictures have another than the config says ends its pipeline with a word on
//! the bus: stretched, they would bend what lenses are known to do, and borders would be somebody's surprise.

use std::sync::atomic::{AtomicBool, Ordering};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use protocol::Projection;

use super::CaptureError;
use crate::config::Camera;

/// The word.
const SHAPE: &str = "shape";

/// Sides are even, so that no size may have exactly the same shape.
const NEAR: f64 = 2.0;

type Size = (u32, u32);

/// Ends the pipeline when what comes to its scaler has another shape than it is to make of it.
pub(super) fn refuse_others(scaler: &gst::Element, camera: &Camera) {
    // Where directions are shares of the sides they stay where they are when these are stretched.
    match camera.projection {
        Projection::Equirectangular { .. } | Projection::CubeMap { .. } | Projection::Equiangular { .. } => return,
        Projection::Flat | Projection::Fisheye { .. } | Projection::DualFisheye { .. } => {}
    }
    let pad = scaler.static_pad("sink").expect("a scaler has one");
    let (scaler, size) = (scaler.downgrade(), (camera.width, camera.height));
    let refused = AtomicBool::new(false);
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(given) = info.event().and_then(shown) {
            let misfit = !is_alike(given, size);
            refused.store(misfit, Ordering::Relaxed);
            if misfit && let Some(scaler) = scaler.upgrade() {
                let structure = gst::Structure::builder(SHAPE).field("width", given.0).field("height", given.1).build();
                // A pipeline that has stopped does not mind.
                let _ = scaler.post_message(gst::message::Application::builder(structure).src(&scaler).build());
            }
        }
        // Not one of them is to be seen. Of what is dropped where it comes in, GStreamer 1.22 complains that it is gone already.
        let is_picture = info.buffer().is_some();
        if is_picture && refused.load(Ordering::Relaxed) {
            gst::PadProbeReturn::Handled
        } else {
            gst::PadProbeReturn::Ok
        }
    });
}

/// What such a message says.
pub(super) fn misfit(word: &gst::message::Application, camera: &Camera) -> Option<CaptureError> {
    let structure = word.structure().filter(|structure| structure.name() == SHAPE)?;
    let given = (structure.get("width").ok()?, structure.get("height").ok()?);
    let set = (camera.width, camera.height);
    Some(CaptureError::Misshapen { given, set, fitting: fitting(given, set) })
}

/// How large pictures are meant to be seen, where new ones are announced.
fn shown(event: &gst::Event) -> Option<Size> {
    let gst::EventView::Caps(caps) = event.view() else { return None };
    let video = gst_video::VideoInfo::from_caps(caps.caps()).ok()?;
    let (across, down) = (u32::try_from(video.par().numer()).ok()?, u32::try_from(video.par().denom()).ok()?);
    let width = u64::from(video.width()) * u64::from(across) / u64::from(down.max(1));
    Some((u32::try_from(width).ok()?, video.height()))
}

fn is_alike(given: Size, wanted: Size) -> bool {
    let [(width, height), (to_width, to_height)] = [given, wanted].map(|(x, y)| (f64::from(x), f64::from(y)));
    (to_width * height / width - to_height).abs() <= NEAR || (to_height * width / height - to_width).abs() <= NEAR
}

/// The size of that shape which is as wide as the config says; or as high, where that would be too high.
fn fitting((width, height): Size, wanted: Size) -> Size {
    let even = |side: u32, by: u32, to: u32| {
        let side = u64::from(side) * u64::from(by) / u64::from(to.max(1));
        u32::try_from(side / 2 * 2).unwrap_or(u32::MAX).max(2)
    };
    let high = even(wanted.0, height, width);
    if high <= Camera::MAX_SIDE { (wanted.0, high) } else { (even(wanted.1, width, height), wanted.1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_alike_as_far_as_even_sides_can_be() {
        assert!(is_alike((3840, 2160), (1920, 1080)) && is_alike((1280, 720), (854, 480)));
        assert!(is_alike((640, 480), (640, 480)) && is_alike((1366, 768), (640, 360)));
        assert!(!is_alike((1920, 1080), (1920, 960)) && !is_alike((1920, 1088), (1920, 1080)));
        assert!(!is_alike((1080, 1920), (1920, 1080)));
    }

    #[test]
    fn the_size_that_is_proposed_fits_and_is_not_refused_in_its_turn() {
        assert_eq!(fitting((1920, 1080), (1920, 960)), (1920, 1080));
        assert_eq!(fitting((1366, 768), (1000, 1000)), (1000, 562));
        assert_eq!(fitting((1080, 3840), (1920, 960)), (270, 960));
        for (given, wanted) in [((1366, 768), (1000, 1000)), ((1080, 3840), (1920, 960)), ((333, 111), (640, 640))] {
            assert!(is_alike(given, fitting(given, wanted)), "{given:?} {wanted:?}");
        }
    }
}
