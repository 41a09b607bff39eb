//! What it takes to capture: the product's own way, and beside it the encoders alone.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use tokio_util::sync::CancellationToken;

use crate::{
    capture::{self, bench as inside},
    config::Camera,
    media::{Encoding, Running, VideoCodec},
};

/// Pictures of the scene that the encoders alone are fed with, over and over: as much memory as they can be given.
const PICTURES: usize = 30;

/// A camera that is captured, with all of its rungs in H.264 and nobody to send them to.
pub struct Captured {
    pictures: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    cancel: CancellationToken,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Captured {
    pub fn start(camera: Camera) -> anyhow::Result<Self> {
        let (feed, capture) = capture::open(camera, &[]);
        let [pictures, bytes] = [0; 2].map(|count| Arc::new(AtomicU64::new(count)));
        let cancel = CancellationToken::new();
        let (counter, sum, cancelled) = (pictures.clone(), bytes.clone(), cancel.clone());
        let run = async move {
            let is_wanted = |encoding| matches!(encoding, Encoding::Video { codec: VideoCodec::H264, .. });
            let mut takers = tokio::task::JoinSet::new();
            let mut running = Running::new();
            for (encoding, mut units) in feed.units {
                if is_wanted(encoding) {
                    running.insert(encoding, None);
                }
                let (counter, sum) = (counter.clone(), sum.clone());
                takers.spawn(async move {
                    while let Some(unit) = units.recv().await {
                        counter.fetch_add(1, Ordering::Relaxed);
                        sum.fetch_add(unit.data.len() as u64, Ordering::Relaxed);
                    }
                });
            }
            feed.running.send_replace(running);
            Ok(capture.run(cancelled).await?)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("capture".to_owned()).spawn(move || runtime.block_on(run))?;
        Ok(Self { pictures, bytes, cancel, thread })
    }

    /// Pictures and bytes that have come, of all encodings together.
    pub fn count(&self) -> (u64, u64) {
        (self.pictures.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    pub fn stop(self) -> anyhow::Result<()> {
        self.cancel.cancel();
        self.thread.join().ok().context("the capture panicked")?
    }
}

/// The same encoders, set the same, and nothing else: fed with pictures of the same scene, which are in memory in each
/// one's size, at the same pace.
pub struct Encoders {
    pipelines: Vec<gst::Pipeline>,
    pictures: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    feeder: JoinHandle<()>,
}

impl Encoders {
    pub fn start(camera: &Camera) -> anyhow::Result<Self> {
        gst::init()?;
        let rungs = camera.info(&[]).video.rungs;
        let pictures = Arc::new(AtomicU64::new(0));
        let (mut pipelines, mut sources) = (Vec::new(), Vec::new());
        for rung in &rungs {
            let film = inside::film(camera, rung, PICTURES);
            let source = gst_app::AppSrc::builder()
                .caps(&inside::caps(rung.width, rung.height, rung.fps))
                .format(gst::Format::Time)
                .is_live(true)
                .build();
            let sink = gst::ElementFactory::make("fakesink").property("sync", false).build()?;
            let pipeline = gst::Pipeline::new();
            let mut elements = vec![source.clone().upcast::<gst::Element>()];
            elements.extend(inside::x264(rung)?);
            elements.push(sink.clone());
            pipeline.add_many(&elements)?;
            gst::Element::link_many(&elements)?;
            let counter = pictures.clone();
            let pad = sink.static_pad("sink").context("a sink has a pad")?;
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                counter.fetch_add(1, Ordering::Relaxed);
                gst::PadProbeReturn::Ok
            });
            pipeline.set_state(gst::State::Playing)?;
            pipelines.push(pipeline);
            sources.push((source, film));
        }
        let ends = Arc::new(AtomicBool::new(false));
        let over = ends.clone();
        let period = Duration::from_secs(1) / camera.fps;
        let feed = move || {
            let (mut time, began) = (Duration::ZERO, super::now());
            for turn in 0.. {
                for (source, film) in &sources {
                    // The pixels are shared, not copied.
                    let mut buffer = film[turn % film.len()].copy();
                    if let Some(buffer) = buffer.get_mut() {
                        buffer.set_pts(gst::ClockTime::try_from(time).ok());
                    }
                    if over.load(Ordering::Relaxed) || source.push_buffer(buffer).is_err() {
                        return;
                    }
                }
                time += period;
                thread::sleep((began + time).saturating_duration_since(super::now()));
            }
        };
        let feeder = thread::Builder::new().name("feeder".to_owned()).spawn(feed)?;
        Ok(Self { pipelines, pictures, ends, feeder })
    }

    /// Pictures that were encoded, by all of them together.
    pub fn count(&self) -> u64 {
        self.pictures.load(Ordering::Relaxed)
    }

    pub fn stop(self) -> anyhow::Result<()> {
        self.ends.store(true, Ordering::Relaxed);
        self.feeder.join().ok().context("the feeder panicked")?;
        for pipeline in self.pipelines {
            pipeline.set_state(gst::State::Null)?;
        }
        Ok(())
    }
}

/// Makes a film of that many seconds, of noise and bars that move, which take the whole of its bitrate.
pub fn make_film(path: &Path, camera: &Camera, seconds: u32) -> anyhow::Result<()> {
    gst::init()?;
    let Camera { width, height, fps, bitrate, .. } = camera;
    let description = format!(
        "videotestsrc pattern=smpte horizontal-speed=8 num-buffers={} ! video/x-raw,format=I420,width={width},height={height},framerate={fps}/1 \
         ! x264enc tune=zerolatency speed-preset=ultrafast bitrate={} key-int-max=60 ! h264parse ! matroskamux \
         ! filesink name=file",
        fps * seconds,
        bitrate / 1000,
    );
    let pipeline = gst::parse::launch(&description)?.downcast::<gst::Pipeline>().ok().context("a pipeline")?;
    pipeline.by_name("file").context("it has a name")?.set_property("location", path.to_str().context("a path")?);
    pipeline.set_state(gst::State::Playing)?;
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().context("a bus")?.timed_pop_filtered(gst::ClockTime::NONE, &ends);
    pipeline.set_state(gst::State::Null)?;
    anyhow::ensure!(end.is_some_and(|end| end.type_() == gst::MessageType::Eos), "the film could not be made");
    Ok(())
}
