//! What an encoder is told while it runs, each in its own way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

/// How an encoder is told its bitrate.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dial {
    /// By a property that counts in so many bits per second.
    Property { name: &'static str, unit: u32 },
    /// By all of its driver's controls together: what is written replaces what was there.
    Controls(fn(u32) -> String),
}

/// How an encoder is asked for a keyframe.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keyframes {
    /// By GStreamer's own event, from behind.
    Event,
    /// By a signal, which must not be given before the encoder has given a picture.
    Signal(&'static str),
    /// By a control of its driver's: Linux before 6.2 and GStreamer before 1.24 do not carry the event through.
    Control(&'static str),
}

/// The name of the property that holds a driver's controls.
pub(super) const CONTROLS: &str = "extra-controls";

#[derive(Debug)]
pub(in crate::capture) struct Control {
    encoder: gst::Element,
    dial: Dial,
    keyframes: Keyframes,
    /// Bits per second.
    bitrate: u32,
    /// It has given a picture.
    gives: Arc<AtomicBool>,
}

impl Control {
    /// Of an encoder that was told this bitrate when it was made.
    pub(super) fn new(encoder: gst::Element, dial: Dial, keyframes: Keyframes, bitrate: u32) -> Self {
        let gives = Arc::new(AtomicBool::new(false));
        if let (Keyframes::Signal(_), Some(pad)) = (keyframes, encoder.static_pad("src")) {
            let gives = gives.clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                gives.store(true, Ordering::Relaxed);
                gst::PadProbeReturn::Remove
            });
        }
        Self { encoder, dial, keyframes, bitrate, gives }
    }

    /// From the next picture on; without a keyframe, but for encoders that know no better.
    pub(in crate::capture) fn set_bitrate(&mut self, bitrate: u32) {
        if bitrate == self.bitrate {
            return;
        }
        self.bitrate = bitrate;
        match self.dial {
            Dial::Property { name, unit } => {
                let value = bitrate.div_ceil(unit).to_string();
                self.set(name, &value);
            }
            Dial::Controls(controls) => self.set(CONTROLS, &controls(bitrate)),
        }
    }

    /// `behind` is an element behind the encoder, where events come from.
    pub(in crate::capture) fn request_keyframe(&self, behind: &impl IsA<gst::Element>) {
        match (self.keyframes, self.dial) {
            (Keyframes::Event, _) => {
                let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
                if !behind.send_event(event) {
                    tracing::debug!(encoder = %self.encoder.name(), "the encoder took no keyframe request");
                }
            }
            // Its first picture is a keyframe anyway.
            (Keyframes::Signal(_), _) if !self.gives.load(Ordering::Relaxed) => {}
            (Keyframes::Signal(signal), _) => self.encoder.emit_by_name::<()>(signal, &[]),
            (Keyframes::Control(control), Dial::Controls(controls)) => {
                self.set(CONTROLS, &format!("{},{control}", controls(self.bitrate)));
            }
            (Keyframes::Control(control), Dial::Property { .. }) => {
                self.set(CONTROLS, &format!("controls,{control}"));
            }
        }
    }

    /// An encoder of another version may lack a property, and is no worse without.
    fn set(&self, property: &str, value: &str) {
        let spec = self.encoder.find_property(property);
        match spec.and_then(|spec| gst::glib::Value::deserialize_with_pspec(value, &spec).ok()) {
            Some(value) => self.encoder.set_property_from_value(property, &value),
            None => tracing::debug!(encoder = %self.encoder.name(), property, "the encoder has no such property"),
        }
    }
}
