//! Tells that a source has ended, whether or not anybody takes its pictures: a resting encoding's valve lets nothing through,
//! so that the sink behind it never hears of the end, nor does the pipeline before all sinks have.

use gstreamer as gst;
use gstreamer::prelude::*;

/// The word on the bus.
const ENDED: &str = "ended";

/// Says so on the bus when what comes out of this element ends.
pub(super) fn tell(source: &gst::Element) {
    let pad = source.static_pad("src").expect("a source has one");
    let source = source.downgrade();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.event().is_some_and(|event| event.type_() == gst::EventType::Eos)
            && let Some(source) = source.upgrade()
        {
            let message = gst::message::Application::builder(gst::Structure::new_empty(ENDED)).src(&source).build();
            // A pipeline that has stopped does not mind.
            let _ = source.post_message(message);
        }
        gst::PadProbeReturn::Ok
    });
}

pub(super) fn is_told(word: &gst::message::Application) -> bool {
    word.structure().is_some_and(|structure| structure.name() == ENDED)
}
