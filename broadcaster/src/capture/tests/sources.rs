//! Cameras of all kinds, and what becomes of those that fail.

use std::path::PathBuf;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::*;
use crate::{
    capture::{check, source::OpenSource},
    config::{Crop, SoundSystem, Turn},
};

fn own(description: &str) -> Camera {
    small(Source::Pipeline { description: description.to_owned(), passthrough: false })
}

fn passthrough(description: &str) -> Camera {
    small(Source::Pipeline { description: description.to_owned(), passthrough: true })
}

/// Takes pictures until the camera has begun so often, and expects each run to begin with a keyframe and time to go on.
async fn begins(camera: &mut Watched, times: usize) {
    let (mut last, mut runs) = (Duration::ZERO, 0);
    while runs < times {
        let unit = camera.next_of(BEST).await;
        let media = unit.captured.media;
        assert!(media > last, "{media:?} after {last:?}");
        // Pictures of one run are a tenth of a second apart.
        if runs == 0 || media - last > 4 * FRAME {
            assert!(unit.keyframe, "a decoder cannot begin with anything else");
            runs += 1;
        }
        last = media;
    }
}

#[tokio::test]
async fn a_camera_that_ends_begins_again() {
    let mut camera = Watched::watch(own("videotestsrc is-live=true num-buffers=15 ! video/x-raw,framerate=10/1"), &[]);
    camera.run([BEST]);
    begins(&mut camera, 3).await;
    camera.stop().await;
}

#[tokio::test]
async fn a_camera_that_falls_silent_begins_again() {
    let silent = "videotestsrc is-live=true num-buffers=15 ! video/x-raw,framerate=10/1 ! concat name=all \
                  videotestsrc is-live=true ! valve drop=true ! all. all. ! identity";
    let mut camera = Watched::watch(own(silent), &[]);
    camera.run([BEST]);
    begins(&mut camera, 2).await;
    camera.stop().await;
}

#[tokio::test]
async fn an_operators_pipeline_may_end_in_a_sink_named_video() {
    let sink = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! appsink name=video";
    let mut camera = Watched::watch(own(sink), &[]);
    camera.run([BEST]);
    assert!(camera.next_of(BEST).await.keyframe);
    camera.only(BEST, 5).await;
    camera.stop().await;
}

#[tokio::test]
async fn what_comes_encoded_is_sent_on_as_it_is() {
    let encoded = "videotestsrc is-live=true ! video/x-raw,width=160,height=80,framerate=10/1 \
                   ! x264enc tune=zerolatency key-int-max=10";
    let mut camera = Watched::watch(passthrough(encoded), &[]);
    camera.run([BEST]);
    let first = camera.next_of(BEST).await;
    assert!(first.keyframe && first.data.starts_with(&[0, 0, 0, 1]), "with start codes");
    let parameter_sets = first.data.windows(5).filter(|bytes| bytes[..4] == [0, 0, 0, 1] && bytes[4] & 0x1f == 7);
    assert_eq!(parameter_sets.count(), 1, "each keyframe brings what a decoder needs");
    camera.only(BEST, 20).await;
    camera.stop().await;
}

/// Makes a film of so many pictures, and says where it is.
fn film(pictures: u32) -> PathBuf {
    gst::init().expect("GStreamer starts");
    let path = std::env::temp_dir().join(format!("panocast-film-{}.mkv", std::process::id()));
    let description = format!(
        "videotestsrc num-buffers={pictures} ! video/x-raw,format=I420,width=160,height=80,framerate=10/1 ! x264enc ! matroskamux \
         ! filesink location={}",
        path.display()
    );
    let pipeline = gst::parse::launch(&description).expect("it can be built");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends).expect("it ends");
    assert_eq!(end.type_(), gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).expect("it stops");
    path
}

#[tokio::test]
async fn a_film_is_played_at_its_pace_over_and_over() {
    let path = film(15);
    let mut camera = Watched::watch(small(Source::File { path: path.clone() }), &[]);
    camera.run([BEST]);
    let first = camera.next_of(BEST).await;
    assert!(first.keyframe);
    let mut last = first.captured;
    for _ in 0..40 {
        let next = camera.next_of(BEST).await.captured;
        assert!(next.media > last.media, "{next:?} after {last:?}");
        last = next;
    }
    // A busy machine is later, never earlier.
    assert!(last.media - first.captured.media > 30 * FRAME, "{:?}", last.media - first.captured.media);
    camera.stop().await;
    std::fs::remove_file(path).expect("it is there");
}

#[test]
fn what_cannot_be_built_is_named() {
    let refused = |camera: Camera| {
        let error = check(&camera, &[]).expect_err("refused");
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {cause}")
    };
    assert!(refused(own("v4l2srcc ! queue")).contains("no element v4l2srcc"));
    assert!(refused(own("videotestsrc patern=ball")).contains("patern"));
    assert!(refused(own("videotestsrc ! fakesink")).contains("fakesink"));
    assert!(refused(own("videotestsrc ! fakesink name=video")).contains("no pictures"));
    let raw = "videotestsrc ! video/x-raw,format=I420";
    assert!(refused(passthrough(raw)).contains("not H.264"));
}

#[tokio::test]
async fn a_microphone_that_is_not_there_is_looked_for_while_pictures_come() {
    let device = Some("nobody".to_owned());
    let sound = Sound::Microphone { system: SoundSystem::Alsa, device };
    let mut camera = Watched::watch(Camera { sound, ..small(Source::Test) }, &[]);
    camera.run([BEST, Encoding::Audio]);
    camera.only(BEST, 3 * FPS as usize).await;
    camera.stop().await;
}

#[tokio::test]
async fn a_camera_that_is_not_there_in_the_beginning_ends_the_capture() {
    let gone = Source::V4l2 { device: "/dev/video-nobody".into(), format: Default::default() };
    for camera in [small(gone), small(Source::File { path: "/nowhere/tour.mp4".into() })] {
        let (_feed, capture) = open(camera, &[]);
        let error = capture.run(CancellationToken::new()).await.expect_err("there is none").to_string();
        assert!(error.contains("/dev/video-nobody") || error.contains("/nowhere/tour.mp4"), "{error}");
    }
}

#[tokio::test]
async fn pictures_that_refer_to_later_ones_are_not_sent_on() {
    let encoded = "videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=80,framerate=10/1 \
                   ! x264enc bframes=2 b-adapt=false key-int-max=30 speed-preset=ultrafast";
    let mut camera = Watched::watch(passthrough(encoded), &[]);
    camera.run([BEST]);
    let ended = camera.capture.join_next().await.expect("one capture").expect("it does not panic");
    assert!(matches!(ended, Err(CaptureError::Bidirectional)), "{ended:?}");
}

#[tokio::test]
async fn pictures_of_another_size_than_was_promised_are_not_sent_on() {
    let encoded = "videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=160,framerate=10/1 \
                   ! x264enc tune=zerolatency";
    let mut camera = Watched::watch(passthrough(encoded), &[]);
    camera.run([BEST]);
    let ended = camera.capture.join_next().await.expect("one capture").expect("it does not panic");
    assert!(matches!(ended, Err(CaptureError::Mismatch(320, 160))), "{ended:?}");
}

/// The luma of a camera's first picture at its four sides' middles: left, right, top, bottom.
fn sides(crop: Crop, rotate: Turn, (width, height): (u32, u32)) -> [u8; 4] {
    gst::init().expect("GStreamer starts");
    // A ramp from top to bottom.
    let ramp =
        "videotestsrc is-live=true pattern=gradient ! video/x-raw,format=I420,width=200,height=100,framerate=10/1";
    let source = Source::Pipeline { description: ramp.to_owned(), passthrough: false };
    let camera = Camera { crop, rotate, width, height, ..small(source) };
    let pipeline = gst::Pipeline::new();
    let source = OpenSource::open(&pipeline, &camera, None).expect("it can be built");
    let sink = gst_app::AppSink::builder().build();
    pipeline.add(&sink).expect("it is new");
    source.end.link(&sink).expect("they fit");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let sample = sink.try_pull_sample(gst::ClockTime::from_seconds(60)).expect("a picture comes");
    pipeline.set_state(gst::State::Null).expect("it stops");
    let picture = sample.buffer().expect("it has one").map_readable().expect("it is in memory");
    let (width, height) = (width as usize, height as usize);
    [(1, height / 2), (width - 2, height / 2), (width / 2, 1), (width / 2, height - 2)]
        .map(|(x, y)| picture[y * width + x])
}

#[test]
fn pictures_are_cut_and_then_turned_clockwise() {
    let crop = Crop { top: 50, ..Crop::default() };
    let [_, _, top, bottom] = sides(Crop::default(), Turn::None, (200, 100));
    let middle = sides(crop, Turn::None, (200, 50));
    assert!(middle[2].abs_diff(top / 2 + bottom / 2) < 8 && middle[3].abs_diff(bottom) < 4, "{middle:?}");
    let alike = |a: [u8; 2], b: [u8; 2]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 8);
    for (turn, size, [low, high]) in [
        (Turn::Quarter, (100, 200), [1, 0]),
        (Turn::Half, (200, 100), [3, 2]),
        (Turn::ThreeQuarters, (100, 200), [0, 1]),
    ] {
        let turned = sides(Crop::default(), turn, size);
        assert!(alike([turned[low], turned[high]], [top, bottom]), "{turn:?}: {turned:?}, {top} {bottom}");
    }
}
