//! What every camera is inside a pipeline: an element whose pictures are as the config says.

use std::sync::{Arc, atomic::AtomicU64};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::{
    CaptureError,
    element::{filter, make, missing, signed},
    film,
    passthrough::{mark_entries, refuse_bidirectional, refuse_other_sizes},
    scene::Scene,
    shape,
    synthetic::SyntheticSource,
};
use crate::config::{Camera, Crop, Source, Turn, V4l2Format};

/// Encoded pictures as the sinks take them.
const H264: &str =
    "h264parse config-interval=-1 ! capsfilter caps=\"video/x-h264,stream-format=byte-stream,alignment=au\"";

/// Whatever it is, as pictures; sound is left where it is.
const DECODED: &str = "decodebin ! videoconvert";

/// The element in each description that is told where to find its camera.
const NAMED: &str = "source";

/// What gives a film's pictures before the clock makes a camera of it.
const NAMED_FILM: &str = "film";

/// Where an operator's own pipeline may end.
const NAMED_SINK: &str = "video";

pub(super) struct OpenSource {
    /// Has a source pad, from which pictures come.
    pub(super) end: gst::Element,
    /// How many of its pictures a decoder can begin with, where they come encoded.
    pub(super) entries: Option<Arc<AtomicU64>>,
    painter: Option<SyntheticSource>,
}

impl OpenSource {
    /// Adds the camera to the pipeline, or the scene that is drawn in its stead. It does nothing before that plays.
    pub(super) fn open(
        pipeline: &gst::Pipeline,
        camera: &Camera,
        scene: Option<&Arc<Scene>>,
    ) -> Result<Self, CaptureError> {
        if let Some(scene) = scene {
            let painter = SyntheticSource::new(camera, Arc::clone(scene));
            let end = painter.element().clone();
            pipeline.add(&end).map_err(CaptureError::Link)?;
            return Ok(Self { end, entries: None, painter: Some(painter) });
        }
        is_there(&camera.source)?;
        let bin = describe(camera)?;
        let mut elements = vec![bin.upcast::<gst::Element>()];
        let mut entries = None;
        if camera.source.is_passthrough() {
            entries = Some(mark_entries(&elements[0]));
            refuse_bidirectional(&elements[0]);
            refuse_other_sizes(&elements[0], camera);
        } else {
            elements.extend(conform(camera)?);
        }
        pipeline.add_many(&elements).map_err(CaptureError::Link)?;
        let is_own = matches!(camera.source, Source::Pipeline { .. });
        gst::Element::link_many(&elements)
            .map_err(|error| if is_own { CaptureError::NotRaw } else { CaptureError::Link(error) })?;
        let end = elements.pop().expect("there is the bin");
        Ok(Self { end, entries, painter: None })
    }

    /// The pipeline plays.
    pub(super) fn start(&mut self) {
        if let Some(painter) = &mut self.painter {
            painter.start();
        }
    }

    /// The pipeline has stopped.
    pub(super) fn join(&mut self) {
        if let Some(painter) = &mut self.painter {
            painter.join();
        }
    }
}

/// The camera's own elements, as a bin with one source pad.
fn describe(camera: &Camera) -> Result<gst::Bin, CaptureError> {
    let ((width, height), fps) = (camera.given_size(), camera.fps);
    let size = format!("width={width},height={height},framerate={fps}/1");
    let (description, setting) = match &camera.source {
        Source::Test
        | Source::TestFlat
        | Source::TestFisheye
        | Source::TestDualFisheye
        | Source::TestCubeMap
        | Source::TestEquiangular => unreachable!("these are drawn"),
        Source::V4l2 { device, format } => {
            let way = match format {
                V4l2Format::Auto => format!("capsfilter caps=\"video/x-raw,{size};image/jpeg,{size}\" ! {DECODED}"),
                V4l2Format::Raw => format!("capsfilter caps=\"video/x-raw,{size}\""),
                V4l2Format::Mjpeg => format!("image/jpeg,{size} ! jpegdec"),
                V4l2Format::H264 => format!("video/x-h264,{size} ! {H264}"),
            };
            (format!("v4l2src name={NAMED} ! {way}"), Some(("device", device.to_string_lossy().into_owned())))
        }
        Source::Libcamera { device } => {
            let caps = format!("video/x-raw,format=NV12,colorimetry=bt709,interlace-mode=progressive,{size}");
            let setting = device.clone().map(|device| ("camera-name", device));
            (format!("libcamerasrc name={NAMED} ! {caps} ! identity"), setting)
        }
        Source::Nvargus { sensor } => {
            let caps = format!("video/x-raw(memory:NVMM),format=NV12,{size}");
            let description = format!(
                "nvarguscamerasrc name={NAMED} sensor-id={sensor} ! {caps} ! nvvidconv ! video/x-raw,format=I420 ! identity"
            );
            (description, None)
        }
        Source::Theta { passthrough } => {
            // It has two sizes.
            let mode = if width > 1920 { "4K" } else { "2K" };
            let way = if *passthrough { H264 } else { DECODED };
            (format!("thetauvcsrc name={NAMED} mode={mode} ! {way}"), None)
        }
        Source::Rtsp { url, passthrough } => {
            // A camera may name its sound first.
            let decoded = || format!("application/x-rtp,media=video ! {DECODED}");
            let way = if *passthrough { format!("rtph264depay ! {H264}") } else { decoded() };
            let source =
                format!("rtspsrc name={NAMED} protocols=tcp latency=0 drop-on-latency=true tcp-timeout=3000000");
            (format!("{source} ! {way}"), Some(("location", url.as_str().to_owned())))
        }
        // A file is read as fast as it can be; the clock makes a camera of it.
        Source::File { path } => (
            format!("filesrc name={NAMED} ! {DECODED} name={NAMED_FILM} ! clocksync"),
            Some(("location", path.to_string_lossy().into_owned())),
        ),
        Source::Pipeline { description, passthrough } => {
            return own(description, *passthrough);
        }
    };
    let bin = parse(&description, false)?;
    // What appears only when the camera is found out about is linked then; the end is there from the beginning.
    let last = bin.find_unlinked_pad(gst::PadDirection::Src).expect("every description has an end");
    open_end(&bin, &last)?;
    if let Some((property, value)) = setting {
        let source = bin.by_name(NAMED).expect("it is in every description");
        source.set_property(property, value);
    }
    if let Some(film) = bin.by_name(NAMED_FILM) {
        film::repeat(&film, camera.fps);
    }
    if matches!(camera.source, Source::Theta { .. }) {
        let source = bin.by_name(NAMED).and_then(|source| source.static_pad("src"));
        stamp_on_arrival(&source.expect("a source has one"));
    }
    Ok(bin)
}

/// Finds out what GStreamer says less clearly.
fn is_there(source: &Source) -> Result<(), CaptureError> {
    match source {
        Source::V4l2 { device, .. } => match std::fs::metadata(device) {
            Ok(_) => Ok(()),
            Err(error) => Err(CaptureError::NoDevice { device: device.display().to_string(), error: error.kind() }),
        },
        Source::File { path } => match std::fs::File::open(path) {
            Ok(_) => Ok(()),
            Err(error) => Err(CaptureError::NoFile { path: path.display().to_string(), error: error.kind() }),
        },
        Source::Test
        | Source::TestFlat
        | Source::TestFisheye
        | Source::TestDualFisheye
        | Source::TestCubeMap
        | Source::TestEquiangular
        | Source::Libcamera { .. }
        | Source::Nvargus { .. }
        | Source::Theta { .. }
        | Source::Rtsp { .. }
        | Source::Pipeline { .. } => Ok(()),
    }
}

/// The camera does not give what the config asks it for.
pub(super) fn is_refused(error: &gst::message::Error) -> bool {
    // The one error that GStreamer tells in its debug text only.
    error.debug().is_some_and(|debug| debug.contains("not-negotiated"))
}

/// What a source gives is nothing that the next element takes.
pub(super) fn is_unlinked(error: &gst::message::Error) -> bool {
    error.debug().is_some_and(|debug| debug.contains("not-linked"))
}

/// Its own time stamps count pictures, whatever time it took them.
fn stamp_on_arrival(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        let now = pad.parent_element().and_then(|element| element.current_running_time());
        if let Some(buffer) = info.buffer_mut() {
            let buffer = buffer.make_mut();
            buffer.set_pts(now);
            buffer.set_dts(now);
        }
        gst::PadProbeReturn::Ok
    });
}

/// The operator's elements, up to an `appsink name=video` if there is one, or else up to the end.
fn own(description: &str, passthrough: bool) -> Result<gst::Bin, CaptureError> {
    let sink = |bin: &gst::Bin| bin.by_name(NAMED_SINK).filter(|element| element.is::<gst_app::AppSink>());
    let build = |description: &str| {
        parse(description, false).map_err(|error| {
            if let CaptureError::Elements(error) = error { CaptureError::Description(error) } else { error }
        })
    };
    let bin = match build(description) {
        Ok(bin) if bin.by_name(NAMED_SINK).is_some() => bin,
        // So that it may also end in caps.
        Ok(_) | Err(_) => build(&format!("{description} ! identity"))?,
    };
    let last = match sink(&bin) {
        Some(sink) => {
            let peer = sink.static_pad("sink").and_then(|pad| pad.peer());
            bin.remove(&sink).map_err(CaptureError::Link)?;
            peer
        }
        None => bin.find_unlinked_pad(gst::PadDirection::Src),
    };
    let mut last = last.ok_or(CaptureError::NoOutput)?;
    if passthrough {
        let parser = parse(H264, true)?;
        bin.add(&parser).map_err(CaptureError::Link)?;
        let (into, out) = (parser.static_pad("sink"), parser.static_pad("src"));
        last.link(&into.expect("it has one"))
            .map_err(|_| CaptureError::NotEncoded { instead: "passthrough = false" })?;
        last = out.expect("it has one");
    }
    open_end(&bin, &last)?;
    Ok(bin)
}

fn open_end(bin: &gst::Bin, last: &gst::Pad) -> Result<(), CaptureError> {
    let ghost = gst::GhostPad::builder_with_target(last).map_err(CaptureError::Link)?.name("src").build();
    bin.add_pad(&ghost).map_err(CaptureError::Link)
}

pub(super) fn parse(description: &str, ghost: bool) -> Result<gst::Bin, CaptureError> {
    let mut context = gst::ParseContext::new();
    let flags = gst::ParseFlags::FATAL_ERRORS;
    let parsed = gst::parse::bin_from_description_full(description, ghost, Some(&mut context), flags);
    let parsed = parsed.map_err(|error| {
        // It names those with wrong properties as well.
        let is_missing = |element: &String| gst::ElementFactory::find(element).is_none();
        match context.missing_elements().into_iter().find(is_missing) {
            Some(element) => missing(&element),
            None => CaptureError::Elements(error),
        }
    })?;
    Ok(parsed.downcast().expect("what was asked for is a bin"))
}

/// Makes pictures of any kind those that the config promises.
fn conform(camera: &Camera) -> Result<Vec<gst::Element>, CaptureError> {
    const BASE: &str = "gstreamer1.0-plugins-base";
    const GOOD: &str = "gstreamer1.0-plugins-good";
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", signed(camera.width))
        .field("height", signed(camera.height))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build();
    let mut steps = vec![make("videorate", BASE, &[("drop-only", "true"), ("max-rate", &camera.fps.to_string())])?];
    let Crop { left, right, top, bottom } = camera.crop;
    if camera.crop != Crop::default() {
        let [left, right, top, bottom] = [left, right, top, bottom].map(|pixels| pixels.to_string());
        let properties = [("left", &left[..]), ("right", &right), ("top", &top), ("bottom", &bottom)];
        steps.push(make("videocrop", GOOD, &properties)?);
    }
    steps.push(make("videoconvert", BASE, &[])?);
    let way = match camera.rotate {
        Turn::None => None,
        Turn::Quarter => Some("clockwise"),
        Turn::Half => Some("rotate-180"),
        Turn::ThreeQuarters => Some("counterclockwise"),
    };
    if let Some(way) = way {
        steps.push(make("videoflip", GOOD, &[("method", way)])?);
    }
    let scaler = make("videoscale", BASE, &[("add-borders", "false")])?;
    shape::refuse_others(&scaler, camera);
    steps.extend([scaler, filter(caps)?]);
    Ok(steps)
}
