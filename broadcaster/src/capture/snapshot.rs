//! One picture as a JPEG, when somebody asks for one.
//!
//! Nothing runs meanwhile: a [`Shutter`] keeps a picture that passes when it is asked to, and a pipeline of its own, which
//! lives for that one picture, makes a file of it. Of pictures that come encoded the last keyframe is kept, as a decoder can
//! begin with nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use tokio::sync::watch;

use super::{Capture, CaptureError, init, moment::now};

/// A camera may give one picture a second.
const EXPOSED_WITHIN: Duration = Duration::from_millis(1200);

/// A keyframe this old is as good as a new one; else the camera is asked for one, which not all can make.
const FRESH: Duration = Duration::from_secs(1);

/// A picture takes milliseconds, a decoder that has to be loaded some more.
const DEVELOPED_WITHIN: Duration = Duration::from_millis(1500);

const RAW: &str = "appsrc name=in format=time ! videoconvert ! ";
const ENCODED: &str = "appsrc name=in format=time ! h264parse ! decodebin ! videoconvert ! ";
/// What readers of JPEG take a picture's colours for: from black, 0, to white, 255. The way through RGB makes them so, where
/// the converter would take the short one and leave them as they are.
const FILE: &str = "video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=I420,colorimetry=(string)1:4:0:0 \
                    ! jpegenc quality=85 ! appsink name=out sync=false";

/// Why there is no snapshot. Meant for those who asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("The camera gives no pictures at the moment.")]
    NoPicture,
    #[error("The robot has no decoder for this camera's H.264: the Debian package gstreamer1.0-libav has one.")]
    NoDecoder,
    #[error("The picture could not be made.")]
    Pipeline(#[source] CaptureError),
    #[error("The picture could not be made: {0}.")]
    Failed(String),
    #[error("The picture was not ready in time.")]
    Slow,
}

/// Takes pictures of what passes through one pad.
#[derive(Clone, Debug)]
pub(crate) struct Shutter {
    encoded: bool,
    open: Arc<AtomicBool>,
    exposed: watch::Sender<Option<Exposure>>,
    pad: gst::glib::WeakRef<gst::Pad>,
}

#[derive(Clone, Debug)]
struct Exposure {
    sample: gst::Sample,
    at: Instant,
}

impl Capture {
    /// The shutter of the pipeline that runs, if one does.
    pub(crate) fn shutter(&self) -> watch::Receiver<Option<Shutter>> {
        self.shutter.subscribe()
    }
}

impl Shutter {
    pub(super) fn at(pad: &gst::Pad, encoded: bool) -> Self {
        let open = Arc::new(AtomicBool::new(false));
        let exposed = watch::Sender::new(None);
        let shutter = Self { encoded, open: open.clone(), exposed: exposed.clone(), pad: pad.downgrade() };
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let Some(buffer) = info.buffer() {
                let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
                let wanted = if encoded { keyframe } else { open.swap(false, Ordering::Relaxed) };
                if wanted && let Some(caps) = pad.current_caps() {
                    let sample = gst::Sample::builder().buffer(buffer).caps(&caps).build();
                    exposed.send_replace(Some(Exposure { sample, at: now() }));
                }
            }
            gst::PadProbeReturn::Ok
        });
        shutter
    }

    /// Takes a picture.
    pub(crate) async fn picture(&self) -> Result<Bytes, SnapshotError> {
        let sample = self.expose().await.ok_or(SnapshotError::NoPicture)?;
        let encoded = self.encoded;
        let developed = tokio::task::spawn_blocking(move || develop(&sample, encoded)).await;
        developed.unwrap_or_else(|panic| Err(SnapshotError::Failed(panic.to_string())))
    }

    async fn expose(&self) -> Option<gst::Sample> {
        let mut exposed = self.exposed.subscribe();
        let fresh_since = if self.encoded { now().checked_sub(FRESH) } else { Some(now()) };
        let is_fresh = |exposure: &Option<Exposure>| exposure.as_ref().map(|exposure| exposure.at) >= fresh_since;
        if !is_fresh(&exposed.borrow()) {
            if let (true, Some(pad)) = (self.encoded, self.pad.upgrade()) {
                // A camera that cannot make one has its own pace of keyframes.
                pad.push_event(gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
            }
            self.open.store(true, Ordering::Relaxed);
        }
        // When none comes in time, the last keyframe will do.
        let came = tokio::time::timeout(EXPOSED_WITHIN, exposed.wait_for(is_fresh)).await.is_ok();
        if !came && !self.encoded {
            // What came hours later would be taken for what is.
            self.open.store(false, Ordering::Relaxed);
            return None;
        }
        let exposure = exposed.borrow().clone();
        if !self.encoded {
            // A driver may want its buffer back.
            self.exposed.send_replace(None);
        }
        exposure.map(|exposure| exposure.sample)
    }
}

/// Makes a file of a picture. Blocks.
fn develop(sample: &gst::Sample, encoded: bool) -> Result<Bytes, SnapshotError> {
    init().map_err(SnapshotError::Pipeline)?;
    let description = format!("{}{FILE}", if encoded { ENCODED } else { RAW });
    let failed = |error: &dyn std::fmt::Display| SnapshotError::Failed(error.to_string());
    let pipeline = gst::parse::launch(&description).map_err(|error| failed(&error))?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("several elements make a pipeline");
    let source = pipeline.by_name("in").and_then(|element| element.downcast::<gst_app::AppSrc>().ok());
    let sink = pipeline.by_name("out").and_then(|element| element.downcast::<gst_app::AppSink>().ok());
    let (source, sink) = (source.expect("it is in the description"), sink.expect("it is in the description"));
    let developed = pipeline.set_state(gst::State::Playing).map_err(|error| failed(&error)).and_then(|_| {
        // Some decoders give a picture only when the next has come.
        for _ in 0..if encoded { 2 } else { 1 } {
            source.push_sample(sample).map_err(|error| failed(&error))?;
        }
        source.end_of_stream().map_err(|error| failed(&error))?;
        let limit = gst::ClockTime::try_from(DEVELOPED_WITHIN).expect("it is short");
        let picture = sink.try_pull_sample(limit).and_then(|sample| sample.buffer_owned());
        picture.and_then(|buffer| buffer.into_mapped_buffer_readable().ok()).ok_or_else(|| complaint(&pipeline))
    });
    // What it waits for is its own threads, which have nothing more to do.
    if let Err(error) = pipeline.set_state(gst::State::Null) {
        tracing::debug!(%error, "a snapshot's pipeline did not stop");
    }
    developed.map(Bytes::from_owner)
}

/// What a pipeline that gave nothing has to say about it.
fn complaint(pipeline: &gst::Pipeline) -> SnapshotError {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let message = bus.pop_filtered(&[gst::MessageType::Error]);
    let Some(gst::MessageView::Error(error)) = message.as_ref().map(|message| message.view()) else {
        return SnapshotError::Slow;
    };
    let error = error.error();
    if error.matches(gst::CoreError::MissingPlugin) || error.matches(gst::StreamError::CodecNotFound) {
        return SnapshotError::NoDecoder;
    }
    SnapshotError::Failed(error.to_string())
}
