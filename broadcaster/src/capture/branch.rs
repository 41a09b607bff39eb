//! One encoding's way through the pipeline: valve → queue → encoder → sink.
//!
//! While it rests the valve is shut, and nothing behind it runs. A picture waits before the encoder at most, never behind
//! it: what is encoded leaves at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use protocol::Rung;
use tokio::sync::mpsc;

use super::{
    CaptureError,
    element::{filter, make, signed},
    encoder::{self, Chain, Control, Kind},
    gate::Gate,
    moment::Timeline,
    pace,
    sink::{self, Handover},
    tape::Taker,
};
use crate::{
    config::Camera,
    media::{AccessUnit, Encoding},
};

const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";
const CORE: &str = "libgstreamer1.0-0";

/// A run of opusenc begins with a packet that is cut short, or, after a rest, with the rest of the run before.
const AUDIO_RUN_IN: u8 = 1;

/// A newer picture takes an older one's place; sound, which has no newer version of the same, may wait for 200 ms.
const PICTURES_WAITING: &str = "1";
const SOUNDS_WAITING: &str = "10";

pub(super) struct Branch {
    encoding: Encoding,
    valve: gst::Element,
    sink: gst_app::AppSink,
    /// Where it encodes pictures.
    encoder: Option<Encoder>,
    ways: BTreeMap<Taker, Way>,
}

struct Encoder {
    control: Control,
    /// Bits per second, if nobody says otherwise.
    nominal: u32,
}

/// One taker's way out.
struct Way {
    gate: Arc<Gate>,
    wanted: bool,
    /// Bits per second, if it would do with less than the config says.
    bitrate: Option<u32>,
}

/// Where a branch's units go, and how it asks for keyframes.
#[derive(Clone)]
pub(super) struct Outlet {
    pub(super) encoding: Encoding,
    /// To the viewers.
    pub(super) units: mpsc::Sender<AccessUnit>,
    /// To the recorder, if it has use for them.
    pub(super) tape: Option<mpsc::Sender<AccessUnit>>,
    pub(super) keyframes: mpsc::Sender<Encoding>,
    pub(super) timeline: Arc<Timeline>,
    /// Units of the camera that nobody got.
    pub(super) left_out: Arc<AtomicU64>,
}

impl Branch {
    /// `kind` makes H.264 of the pictures; without one it is VP8.
    pub(super) fn video(
        pipeline: &gst::Pipeline,
        pictures: &gst::Element,
        camera: &Camera,
        rung: &Rung,
        kind: Option<&Kind>,
        outlet: Outlet,
    ) -> Result<Self, CaptureError> {
        let mut steps = adapt(camera, rung)?;
        let Chain { elements, control } = match kind {
            Some(kind) => kind.build(rung)?,
            None => encoder::vp8(rung)?,
        };
        steps.extend(elements);
        let mut branch = Self::build(pipeline, pictures, &waiting(PICTURES_WAITING), steps, outlet)?;
        branch.encoder = Some(Encoder { control, nominal: rung.bitrate });
        if rung.fps < camera.fps {
            let pad = branch.valve.static_pad("src").expect("a valve has one");
            pace::slow_down(&pad, camera.fps, rung.fps);
        }
        Ok(branch)
    }

    pub(super) fn audio(pipeline: &gst::Pipeline, sounds: &gst::Element, outlet: Outlet) -> Result<Self, CaptureError> {
        Self::build(pipeline, sounds, &waiting(SOUNDS_WAITING), encoder::opus()?, outlet)
    }

    /// Pictures that are encoded already: none can be left out without the others.
    pub(super) fn passthrough(
        pipeline: &gst::Pipeline,
        pictures: &gst::Element,
        outlet: Outlet,
    ) -> Result<Self, CaptureError> {
        Self::build(pipeline, pictures, &[], Vec::new(), outlet)
    }

    fn build(
        pipeline: &gst::Pipeline,
        source: &gst::Element,
        waiting: &[(&'static str, &str)],
        steps: Vec<gst::Element>,
        outlet: Outlet,
    ) -> Result<Self, CaptureError> {
        let encoding = outlet.encoding;
        let run_in = match encoding {
            Encoding::Video { .. } => 0,
            Encoding::Audio => AUDIO_RUN_IN,
        };
        let timeline = Arc::clone(&outlet.timeline);
        let handovers = Handover::all(&outlet, || Arc::new(Gate::closed(run_in)));
        let way = |handover: &Handover| (handover.taker(), Way { gate: handover.gate(), wanted: false, bitrate: None });
        let ways = handovers.iter().map(way).collect();
        let sink = sink::build(handovers, timeline);
        let valve = make("valve", CORE, &[("drop", "true")])?;
        let mut elements = vec![valve.clone(), make("queue", CORE, waiting)?];
        elements.extend(steps);
        elements.push(sink.clone().upcast());
        pipeline.add_many(&elements).map_err(CaptureError::Link)?;
        gst::Element::link_many(&elements).map_err(CaptureError::Link)?;
        source.link(&valve).map_err(CaptureError::Link)?;
        Ok(Self { encoding, valve, sink, encoder: None, ways })
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Opens a taker's way, perhaps at less than the config's bitrate, or closes it. What comes on it then begins with a
    /// keyframe; the encoder rests while nobody wants anything of it.
    pub(super) fn set_wanted(&mut self, taker: Taker, wish: Option<Option<u32>>) {
        let Some(way) = self.ways.get_mut(&taker) else { return };
        let changed = way.wanted != wish.is_some();
        (way.wanted, way.bitrate) = (wish.is_some(), wish.flatten());
        let gate = Arc::clone(&way.gate);
        self.set_bitrate();
        if !changed {
            return;
        }
        tracing::debug!(encoding = ?self.encoding, ?taker, wanted = wish.is_some(), "encoder");
        if wish.is_some() {
            gate.open();
            // The encoder remembers it, and would otherwise go on from the last picture of its run before, or of another's.
            self.request_keyframe();
        }
        self.valve.set_property("drop", !self.is_running());
        if wish.is_none() {
            gate.close();
        }
    }

    /// Its pictures come encoded.
    pub(super) fn is_passthrough(&self) -> bool {
        self.encoder.is_none() && self.encoding != Encoding::Audio
    }

    fn is_running(&self) -> bool {
        self.ways.values().any(|way| way.wanted)
    }

    /// What the viewers' paths carry, while they watch: a recording takes what it gets.
    fn set_bitrate(&mut self) {
        let viewers = self.ways.get(&Taker::Viewers).filter(|way| way.wanted);
        let wish = viewers.and_then(|way| way.bitrate);
        if let Some(Encoder { control, nominal }) = &mut self.encoder {
            control.set_bitrate(wish.unwrap_or(*nominal));
        }
    }

    pub(super) fn request_keyframe(&self) {
        // What a resting encoder remembers is one keyframe for each request, when it runs again.
        if !self.is_running() {
            return;
        }
        if let Some(Encoder { control, .. }) = &self.encoder {
            control.request_keyframe(&self.sink);
        } else if self.is_passthrough() {
            // Some cameras hear it. Those that do not have nothing against it.
            let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
            self.sink.send_event(event);
        }
    }
}

/// A queue that holds so many, and lets a new one take the oldest's place.
fn waiting(most: &str) -> [(&'static str, &str); 4] {
    [
        ("leaky", "downstream"),
        ("max-size-buffers", most),
        // A single picture can be larger than the default.
        ("max-size-bytes", "0"),
        ("max-size-time", "0"),
    ]
}

/// What makes the camera's pictures the rung's, besides leaving some out.
fn adapt(camera: &Camera, rung: &Rung) -> Result<Vec<gst::Element>, CaptureError> {
    let mut steps = Vec::new();
    if rung.fps < camera.fps {
        // Encoders share out their bitrate by what the caps say.
        let caps = format!("video/x-raw,framerate={}/1", rung.fps);
        steps.push(make("capssetter", GOOD, &[("caps", &caps)])?);
    }
    if (rung.width, rung.height) != (camera.width, camera.height) {
        let caps = gst::Caps::builder("video/x-raw")
            .field("width", signed(rung.width))
            .field("height", signed(rung.height))
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .build();
        // The height is rounded; borders would bend a panorama more than that.
        steps.extend([make("videoscale", BASE, &[("add-borders", "false")])?, filter(caps)?]);
    }
    Ok(steps)
}
