//! What every camera is inside a pipeline: an element whose pictures are as the config says.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::{
    CaptureError,
    element::{filter, make, missing, signed},
    synthetic::SyntheticSource,
};
use crate::config::{Camera, Source, V4l2Format};

/// Encoded pictures as the sinks take them.
const H264: &str =
    "h264parse config-interval=-1 ! capsfilter caps=\"video/x-h264,stream-format=byte-stream,alignment=au\"";

/// Whatever it is, as pictures; sound is left where it is.
const DECODED: &str = "decodebin ! videoconvert";

/// The element in each description that is told where to find its camera.
const NAMED: &str = "source";

/// Where an operator's own pipeline may end.
const NAMED_SINK: &str = "video";

pub(super) struct OpenSource {
    /// Has a source pad, from which pictures come.
    pub(super) end: gst::Element,
    painter: Option<SyntheticSource>,
}

impl OpenSource {
    /// Adds the camera to the pipeline. It does nothing before that plays.
    pub(super) fn open(pipeline: &gst::Pipeline, camera: &Camera) -> Result<Self, CaptureError> {
        if let Some(painter) = SyntheticSource::new(camera) {
            let end = painter.element().clone();
            pipeline.add(&end).map_err(CaptureError::Link)?;
            return Ok(Self { end, painter: Some(painter) });
        }
        let bin = describe(camera)?;
        let mut elements = vec![bin.upcast::<gst::Element>()];
        if !camera.source.is_passthrough() {
            elements.extend(conform(camera)?);
        }
        pipeline.add_many(&elements).map_err(CaptureError::Link)?;
        gst::Element::link_many(&elements).map_err(CaptureError::Link)?;
        let end = elements.pop().expect("there is the bin");
        Ok(Self { end, painter: None })
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
    let Camera { width, height, fps, .. } = camera;
    let size = format!("width={width},height={height},framerate={fps}/1");
    let (description, setting) = match &camera.source {
        Source::Test | Source::TestFlat => unreachable!("these are drawn"),
        Source::V4l2 { device, format } => {
            let way = match format {
                V4l2Format::Auto => format!("capsfilter caps=\"video/x-raw,{size};image/jpeg,{size}\" ! {DECODED}"),
                V4l2Format::Raw => format!("capsfilter caps=\"video/x-raw,{size}\""),
                V4l2Format::Mjpeg => format!("image/jpeg,{size} ! jpegdec"),
                V4l2Format::H264 => format!("video/x-h264,{size} ! {H264}"),
            };
            (format!("v4l2src name={NAMED} ! {way}"), Some(("device", device.to_string_lossy().into_owned())))
        }
        Source::Rtsp { url, passthrough } => {
            let way = if *passthrough { format!("rtph264depay ! {H264}") } else { DECODED.to_owned() };
            let source =
                format!("rtspsrc name={NAMED} protocols=tcp latency=0 drop-on-latency=true tcp-timeout=3000000");
            (format!("{source} ! {way}"), Some(("location", url.as_str().to_owned())))
        }
        // A file is read as fast as it can be; the clock makes a camera of it.
        Source::File { path } => (
            format!("filesrc name={NAMED} ! {DECODED} ! clocksync"),
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
    Ok(bin)
}

/// The operator's elements, up to an `appsink name=video` if there is one, or else up to the end.
fn own(description: &str, passthrough: bool) -> Result<gst::Bin, CaptureError> {
    let named = description.contains(&format!("name={NAMED_SINK}"));
    // So that it may also end in caps.
    let bin = parse(&format!("{description}{}", if named { "" } else { " ! identity" }), false)?;
    let last = match bin.by_name(NAMED_SINK).filter(|element| element.is::<gst_app::AppSink>()) {
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
        last.link(&into.expect("it has one")).map_err(|_| CaptureError::NotEncoded)?;
        last = out.expect("it has one");
    }
    open_end(&bin, &last)?;
    Ok(bin)
}

fn open_end(bin: &gst::Bin, last: &gst::Pad) -> Result<(), CaptureError> {
    let ghost = gst::GhostPad::builder_with_target(last).map_err(CaptureError::Link)?.name("src").build();
    bin.add_pad(&ghost).map_err(CaptureError::Link)
}

fn parse(description: &str, ghost: bool) -> Result<gst::Bin, CaptureError> {
    let mut context = gst::ParseContext::new();
    let flags = gst::ParseFlags::FATAL_ERRORS;
    let parsed = gst::parse::bin_from_description_full(description, ghost, Some(&mut context), flags);
    let parsed = parsed.map_err(|error| {
        // It names those with wrong properties as well.
        let is_missing = |element: &String| gst::ElementFactory::find(element).is_none();
        match context.missing_elements().into_iter().find(is_missing) {
            Some(element) => missing(&element),
            None => CaptureError::Description(error),
        }
    })?;
    Ok(parsed.downcast().expect("what was asked for is a bin"))
}

/// Makes pictures of any kind those that the config promises.
fn conform(camera: &Camera) -> Result<[gst::Element; 4], CaptureError> {
    const BASE: &str = "gstreamer1.0-plugins-base";
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", signed(camera.width))
        .field("height", signed(camera.height))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build();
    Ok([
        make("videorate", BASE, &[("drop-only", "true"), ("max-rate", &camera.fps.to_string())])?,
        make("videoconvert", BASE, &[])?,
        make("videoscale", BASE, &[])?,
        filter(caps)?,
    ])
}
