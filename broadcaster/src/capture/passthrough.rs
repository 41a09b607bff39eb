//! What is sent on as it comes must be what viewers can be sent: pictures of the size that was promised, each told by those
//! before it. A source that gives others ends its pipeline with a word on the bus.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{CaptureError, element::signed};
use crate::{
    config::Camera,
    media::{is_bidirectional, is_entry},
};

/// The words.
const BIDIRECTIONAL: &str = "bidirectional";
const SIZE: &str = "size";

/// Ends the pipeline when what is sent on as it comes is of another size: calibrations and shapes would be wrong for it.
pub(super) fn refuse_other_sizes(source: &gst::Element, camera: &Camera) {
    let pad = source.static_pad("src").expect("it was opened");
    let (source, width, height) = (source.downgrade(), signed(camera.width), signed(camera.height));
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let size = info.event().and_then(|event| {
            let gst::EventView::Caps(caps) = event.view() else { return None };
            let caps = caps.caps().structure(0)?;
            Some((caps.get::<i32>("width").ok()?, caps.get::<i32>("height").ok()?))
        });
        if let Some((is_width, is_height)) = size.filter(|size| *size != (width, height))
            && let Some(source) = source.upgrade()
        {
            let structure = gst::Structure::builder(SIZE).field("width", is_width).field("height", is_height).build();
            // A pipeline that has stopped does not mind.
            let _ = source.post_message(gst::message::Application::builder(structure).src(&source).build());
        }
        gst::PadProbeReturn::Ok
    });
}

/// Ends the pipeline when its pictures come in another order than they are shown in: viewers' decoders do not put them
/// right, and those that do would wait for it.
pub(super) fn refuse_bidirectional(source: &gst::Element) {
    let pad = source.static_pad("src").expect("it was opened");
    let source = source.downgrade();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let picture = info.buffer().and_then(|buffer| buffer.map_readable().ok());
        if !picture.is_some_and(|picture| is_bidirectional(&picture)) {
            return gst::PadProbeReturn::Ok;
        }
        if let Some(source) = source.upgrade() {
            let structure = gst::Structure::new_empty(BIDIRECTIONAL);
            // A pipeline that has stopped does not mind.
            let _ = source.post_message(gst::message::Application::builder(structure).src(&source).build());
        }
        // Once is enough.
        gst::PadProbeReturn::Remove
    });
}

/// Lets nothing pass for a keyframe that a decoder cannot begin with: GStreamer takes what brings parameter sets, or is told
/// from itself alone, for one. Returns the count of those that are.
pub(super) fn mark_entries(source: &gst::Element) -> Arc<AtomicU64> {
    let pad = source.static_pad("src").expect("it was opened");
    let entries = Arc::new(AtomicU64::new(0));
    let counted = entries.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let claims = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        if claims && buffer.map_readable().is_ok_and(|picture| is_entry(&picture)) {
            counted.fetch_add(1, Ordering::Relaxed);
        } else if claims {
            buffer.make_mut().set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        gst::PadProbeReturn::Ok
    });
    entries
}

/// What such a message says.
pub(super) fn misfit(word: &gst::message::Application, camera: &Camera) -> CaptureError {
    let side = |structure: &gst::StructureRef, side: &str| {
        structure.get::<i32>(side).ok().and_then(|side| u32::try_from(side).ok()).unwrap_or_default()
    };
    match word.structure() {
        Some(structure) if structure.name() == SIZE => {
            let given = (side(structure, "width"), side(structure, "height"));
            CaptureError::Mismatch { given, set: (camera.width, camera.height) }
        }
        _ => CaptureError::Bidirectional { instead: camera.source.instead_of_passthrough() },
    }
}
