//! One camera's pipeline: its pictures, to as many encoders as there are encodings.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gstreamer as gst;
use gstreamer::prelude::*;
use protocol::Rung;

use super::{
    CaptureError,
    branch::{Branch, Outlet},
    element::make,
    encoder::Kind,
    ending,
    scene::Scene,
    snapshot::Shutter,
    source::OpenSource,
    tape::Taker,
    verdict::failed,
};
use crate::{
    config::Camera,
    media::{Encoding, Running, VideoCodec},
};

pub(super) struct Pipeline {
    pipeline: gst::Pipeline,
    source: OpenSource,
    branches: Vec<Branch>,
    pictures: Arc<AtomicU64>,
    shutter: Shutter,
}

impl Pipeline {
    /// With a branch for each outlet, all of them resting. `h264` is the encoder, where pictures do not come encoded.
    pub(super) fn build(
        camera: &Camera,
        scene: Option<&Arc<Scene>>,
        rungs: &[Rung],
        outlets: &[Outlet],
        h264: Option<&Kind>,
    ) -> Result<Self, CaptureError> {
        let pipeline = gst::Pipeline::new();
        let source = OpenSource::open(&pipeline, camera, scene)?;
        let counter = Arc::new(AtomicU64::new(0));
        count(&source.end, counter.clone());
        ending::tell(&source.end);
        let pictures = make("tee", "libgstreamer1.0-0", &[("allow-not-linked", "true")])?;
        pipeline.add(&pictures).map_err(CaptureError::Link)?;
        source.end.link(&pictures).map_err(CaptureError::Link)?;
        let shutter = Shutter::at(&pictures.static_pad("sink").expect("a tee has one"), camera.source.is_passthrough());
        let mut branches = Vec::new();
        for outlet in outlets {
            let outlet = outlet.clone();
            branches.push(match outlet.encoding {
                Encoding::Video { codec: VideoCodec::H264, .. } if h264.is_none() => {
                    Branch::passthrough(&pipeline, &pictures, outlet)?
                }
                Encoding::Video { rung, codec } => {
                    let kind = h264.filter(|_| codec == VideoCodec::H264);
                    Branch::video(&pipeline, &pictures, camera, &rungs[usize::from(rung)], kind, outlet)?
                }
                // That has a pipeline of its own.
                Encoding::Audio => continue,
            });
        }
        Ok(Self { pipeline, source, branches, pictures: counter, shutter })
    }

    pub(super) fn start(&mut self) -> Result<(), CaptureError> {
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        let started = self.pipeline.set_state(gst::State::Playing);
        started.map_err(|error| failed(&bus).unwrap_or(CaptureError::Start(error)))?;
        self.source.start();
        Ok(())
    }

    /// How many pictures the camera has given.
    pub(super) fn pictures(&self) -> u64 {
        self.pictures.load(Ordering::Relaxed)
    }

    /// How many of them a decoder can begin with, where they come encoded.
    pub(super) fn entries(&self) -> Option<u64> {
        self.source.entries.as_ref().map(|entries| entries.load(Ordering::Relaxed))
    }

    pub(super) fn messages(&self) -> gst::bus::BusStream {
        self.pipeline.bus().expect("a pipeline has a bus").stream()
    }

    /// Waits so long for its next message.
    pub(super) fn message_within(&self, most: Duration) -> Option<gst::Message> {
        let most = gst::ClockTime::try_from(most).expect("people do not wait for centuries");
        self.pipeline.bus().expect("a pipeline has a bus").timed_pop(most)
    }

    pub(super) fn shutter(&self) -> &Shutter {
        &self.shutter
    }

    /// This taker wants these encodings and no others, each at its bitrate. An encoder runs while anybody wants what it
    /// makes.
    pub(super) fn run_only(&mut self, taker: Taker, wanted: &Running) {
        for branch in &mut self.branches {
            let wish = wanted.get(&branch.encoding()).copied();
            // What costs nothing always flows: who comes next finds a keyframe that is there already.
            let always = taker == Taker::Viewers && branch.is_passthrough();
            branch.set_wanted(taker, if always { Some(None) } else { wish });
        }
    }

    /// Of whatever runs.
    pub(super) fn request_keyframes(&self) {
        self.branches.iter().for_each(Branch::request_keyframe);
    }

    pub(super) fn request_keyframe(&self, encoding: Encoding) {
        if let Some(branch) = self.branches.iter().find(|branch| branch.encoding() == encoding) {
            branch.request_keyframe();
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

pub(super) fn count(source: &gst::Element, counter: Arc<AtomicU64>) {
    let pad = source.static_pad("src").expect("a source has one");
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
}

pub(super) fn link(pipeline: &gst::Pipeline, elements: &[&gst::Element]) -> Result<(), CaptureError> {
    pipeline.add_many(elements).map_err(CaptureError::Link)?;
    gst::Element::link_many(elements).map_err(CaptureError::Link)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        capture::{encoder::Chooser, moment::Timeline},
        config::Encoder,
    };

    #[test]
    fn only_encoders_that_run_get_anything_to_encode_and_at_the_bitrate_that_is_asked_for() {
        gst::init().expect("GStreamer starts");
        let camera = Camera { width: 160, height: 80, ..Camera::synthetic("main".parse().expect("an id")) };
        let info = camera.info(&[]);
        let [running, resting] = [VideoCodec::H264, VideoCodec::Vp8].map(|codec| Encoding::Video { rung: 0, codec });
        let (units, mut taken) = mpsc::channel(10);
        let keyframes = mpsc::channel(1).0;
        let timeline = Timeline::begin();
        let outlet = |encoding| Outlet {
            encoding,
            units: units.clone(),
            tape: None,
            keyframes: keyframes.clone(),
            timeline: timeline.clone(),
            left_out: Arc::default(),
        };
        let outlets = [running, resting].map(outlet);
        let candidates = Chooser::new(Encoder::X264).candidates();
        let x264 = candidates.first_that_works(|_| Ok(())).expect("it is taken at its word").kind();
        let scene = Scene::of(&camera).map(Arc::new);
        let mut pipeline =
            Pipeline::build(&camera, scene.as_ref(), &info.video.rungs, &outlets, Some(x264)).expect("it can be built");
        let elements = |pipeline: &Pipeline, name| {
            let found = pipeline.pipeline.iterate_all_by_element_factory_name(name).into_iter();
            found.map(|element| element.expect("nobody changes the pipeline")).collect::<Vec<gst::Element>>()
        };
        let open = |pipeline: &Pipeline| {
            let valves = elements(pipeline, "valve").into_iter();
            valves.filter(|valve| !valve.property::<bool>("drop")).count()
        };
        assert_eq!(open(&pipeline), 0);
        pipeline.run_only(Taker::Viewers, &[(running, None)].into());
        pipeline.start().expect("it starts");
        for _ in 0..3 {
            taken.blocking_recv().expect("pictures come");
        }
        let fed = ["x264enc", "vp8enc"].map(|encoder| {
            let pad = elements(&pipeline, encoder)[0].static_pad("sink").expect("an encoder has one");
            pad.current_caps().is_some()
        });
        assert_eq!((fed, open(&pipeline)), ([true, false], 1));
        let bitrate = |pipeline: &Pipeline| elements(pipeline, "x264enc")[0].property::<u32>("bitrate");
        let nominal = bitrate(&pipeline);
        pipeline.run_only(Taker::Viewers, &[(running, Some(123_000)), (resting, None)].into());
        assert_eq!((open(&pipeline), bitrate(&pipeline)), (2, 123));
        pipeline.run_only(Taker::Viewers, &[(running, None), (resting, None)].into());
        assert_eq!(bitrate(&pipeline), nominal, "nobody asks for less any more");
        pipeline.run_only(Taker::Viewers, &Running::new());
        assert_eq!(open(&pipeline), 0);
    }
}
