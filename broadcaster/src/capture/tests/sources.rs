//! Cameras of all kinds, and what becomes of those that fail.

use std::{
    fs::File,
    io::Write,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::*;
use crate::{
    capture::{
        Choice, Chooser, Pipeline, check,
        source::OpenSource,
        verdict::{Verdict, judge_camera},
    },
    config::{Crop, Encoder, SoundSystem, Turn},
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
async fn a_camera_that_takes_seconds_to_begin_is_waited_for() {
    let late = "videotestsrc timestamp-offset=5000000000 ! video/x-raw,width=160,height=80,framerate=10/1 ! clocksync";
    let mut camera = Watched::watch(own(late), &[]);
    camera.run([BEST]);
    let first = camera.next_of(BEST).await;
    assert!(first.keyframe && first.captured.media > Duration::from_secs(4), "{first:?}");
    assert_eq!((camera.lost.recv().await, camera.lost.try_recv().ok()), (Some(false), None));
    camera.stop().await;
}

/// A pipe that nobody writes into and nobody closes keeps whoever reads from it.
#[tokio::test]
async fn viewers_hear_that_a_camera_is_lost_before_it_has_stopped() {
    const PICTURE: usize = 160 * 80 * 3 / 2;
    let path = std::env::temp_dir().join(format!("panocast-camera-{}", std::process::id()));
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.is_ok_and(|ended| ended.success()), "mkfifo");
    let mut pipe = File::options().read(true).write(true).open(&path).expect("it is there");
    let raw = format!(
        "filesrc location={} blocksize={PICTURE} ! rawvideoparse format=i420 width=160 height=80 framerate=10/1",
        path.display()
    );
    let mut camera = Watched::watch(own(&raw), &[]);
    let pipe = tokio::task::spawn_blocking(move || pipe.write_all(&[128; 20 * PICTURE]).map(|()| pipe));
    let pipe = pipe.await.expect("it does not panic").expect("it is read");
    assert_eq!(camera.lost.recv().await, Some(false));
    tokio::select! {
        lost = camera.lost.recv() => assert_eq!(lost, Some(true)),
        ended = camera.capture.join_next() => panic!("nobody was told: {ended:?}"),
    }
    camera.cancel.cancel();
    drop(pipe);
    camera.stop().await;
    std::fs::remove_file(path).expect("it is there");
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
fn film(pictures: usize) -> PathBuf {
    filmed("film", pictures, "x264enc", false)
}

/// The same, with an encoder's settings, and perhaps without its first picture.
fn filmed(name: &str, pictures: usize, encoder: &str, beheaded: bool) -> PathBuf {
    gst::init().expect("GStreamer starts");
    let path = std::env::temp_dir().join(format!("panocast-{name}-{}.mkv", std::process::id()));
    let description = format!(
        "videotestsrc num-buffers={pictures} ! video/x-raw,format=I420,width=160,height=80,framerate=10/1 ! {encoder} \
         ! identity name=encoded ! h264parse ! matroskamux ! filesink location={}",
        path.display()
    );
    let pipeline = gst::parse::launch(&description).expect("it can be built");
    let pad = pipeline.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("encoded")?.static_pad("sink"));
    let first = AtomicBool::new(beheaded);
    pad.expect("it is in the description").add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        if first.swap(false, Ordering::Relaxed) { gst::PadProbeReturn::Handled } else { gst::PadProbeReturn::Ok }
    });
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends).expect("it ends");
    assert_eq!(end.type_(), gst::MessageType::Eos);
    pipeline.set_state(gst::State::Null).expect("it stops");
    path
}

#[tokio::test]
async fn a_stream_that_nobody_can_begin_with_is_refused() {
    let refreshing = "x264enc tune=zerolatency intra-refresh=true key-int-max=10 byte-stream=true";
    let path = filmed("refreshed", 300, refreshing, true);
    let encoded = format!("filesrc location={} ! matroskademux ! h264parse ! clocksync", path.display());
    let mut camera = Watched::watch(passthrough(&encoded), &[]);
    let ended = tokio::time::timeout(HANG, camera.capture.join_next()).await.expect("it is not shown for ever");
    let ended = ended.expect("one capture").expect("it does not panic");
    std::fs::remove_file(path).expect("it is there");
    let refused = ended.expect_err("it cannot be shown");
    assert!(matches!(refused, CaptureError::NoEntry { .. }), "{refused:?}");
    assert!(refused.to_string().contains("passthrough = false"), "{refused}");
}

#[tokio::test]
async fn a_film_is_played_at_its_pace_over_and_over() {
    const PICTURES: usize = 15;
    let path = film(PICTURES);
    let mut camera = Watched::watch(small(Source::File { path: path.clone() }), &[]);
    camera.run([BEST]);
    let first = camera.next_of(BEST).await;
    assert!(first.keyframe);
    let mut shown = vec![first.captured];
    for _ in 0..4 * PICTURES {
        let next = camera.next_of(BEST).await;
        let last = shown[shown.len() - 1];
        assert!(next.captured.media > last.media && next.captured.ntp.0 > last.ntp.0, "{next:?} after {last:?}");
        assert!(!next.keyframe, "the encoder goes on as if nothing had been");
        shown.push(next.captured);
    }
    // A busy machine is later, never earlier.
    let whole = shown[shown.len() - 1].media - shown[0].media;
    assert!(whole > FRAME * 4 * (PICTURES as u32 - 1), "{whole:?}");
    // So many in a row have a seam between two of them, and a busy machine is not busy at each.
    let rounds = shown.windows(PICTURES + 1).map(|round| round[PICTURES].media - round[0].media);
    let seam = rounds.min().expect("there are four") - FRAME * (PICTURES as u32 - 1);
    assert!(seam <= Duration::from_millis(500), "{seam:?}");
    // It never was another pipeline.
    assert_eq!((camera.lost.recv().await, camera.lost.try_recv().ok()), (Some(false), None));
    camera.stop().await;
    std::fs::remove_file(path).expect("it is there");
}

#[test]
fn a_source_that_ends_says_so_though_nobody_watches() {
    gst::init().expect("GStreamer starts");
    let encoded = "videotestsrc num-buffers=15 ! video/x-raw,width=160,height=80,framerate=10/1 \
                   ! x264enc tune=zerolatency";
    for camera in [own("videotestsrc num-buffers=15 ! video/x-raw,framerate=10/1"), passthrough(encoded)] {
        let (_feed, capture) = open(Camera { encoder: Encoder::X264, ..camera }, &[]);
        let Capture { camera, rungs, outlets, chooser, .. } = capture;
        let candidates = chooser.as_ref().map(Chooser::candidates);
        let h264 = candidates.map(|some| some.first_that_works(|_| Ok(())).expect("it is taken at its word"));
        let kind = h264.as_ref().map(Choice::kind);
        let mut pipeline = Pipeline::build(&camera, None, &rungs, &outlets, kind).expect("it can be built");
        pipeline.start().expect("it starts");
        let ended = std::iter::from_fn(|| pipeline.message_within(HANG))
            .find(|message| !matches!(judge_camera(message, &camera), Verdict::Fine))
            .expect("it ends");
        assert!(matches!(judge_camera(&ended, &camera), Verdict::Ended), "{ended:?}");
    }
}

#[test]
fn what_cannot_be_built_is_named() {
    let refused = |camera: Camera| {
        let error = check(&camera, &[]).expect_err("refused");
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {cause}")
    };
    assert!(refused(own("v4l2srcc ! queue")).contains("no element v4l2srcc"));
    let slip = refused(own("videotestsrc patern=ball"));
    assert!(slip.contains("pipeline cannot be built") && slip.contains("patern"), "{slip}");
    assert!(refused(own("videotestsrc ! x264enc")).contains("pipeline does not end in raw pictures"));
    assert!(refused(own("audiotestsrc")).contains("pipeline does not end in raw pictures"));
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
    assert!(matches!(ended, Err(CaptureError::Bidirectional { .. })), "{ended:?}");
}

#[tokio::test]
async fn pictures_of_another_size_than_was_promised_are_not_sent_on() {
    let encoded = "videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=160,framerate=10/1 \
                   ! x264enc tune=zerolatency";
    let mut camera = Watched::watch(passthrough(encoded), &[]);
    camera.run([BEST]);
    let ended = camera.capture.join_next().await.expect("one capture").expect("it does not panic");
    let error = ended.expect_err("refused");
    assert!(error.is_misfit(), "{error:?}");
    let said = "the stream is 320×160, but width is 160 and height is 80, and it is sent on as it comes: set width = 320 and height = 160";
    assert!(error.to_string().contains(said), "{error}");
}

#[tokio::test]
async fn elements_that_do_not_agree_are_their_authors_to_mend() {
    let formats = "videotestsrc is-live=true ! video/x-raw,format=I420 ! concat ! video/x-raw,format=RGB";
    let mut camera = Watched::watch(own(formats), &[]);
    camera.run([BEST]);
    let ended = camera.capture.join_next().await.expect("one capture").expect("it does not panic");
    assert!(matches!(ended, Err(CaptureError::Disagreement)), "{ended:?}");
}

#[tokio::test]
async fn who_cannot_be_opened_is_named_by_its_key() {
    let path = std::env::temp_dir().join(format!("panocast-no-film-{}", std::process::id()));
    std::fs::write(&path, "this is no film").expect("it can be written");
    let camera = small(Source::File { path: path.clone() });
    let (_feed, capture) = open(camera.clone(), &[]);
    let error = capture.run(CancellationToken::new()).await.expect_err("it is no film").of(&camera);
    std::fs::remove_file(&path).expect("it is there");
    assert_eq!(error.to_string(), format!("path {}", path.display()), "{error:?}");
    assert!(std::error::Error::source(&error).is_some_and(|cause| cause.to_string().contains("failed: ")), "{error:?}");
}

#[tokio::test]
async fn pictures_of_another_shape_than_was_promised_are_not_bent() {
    let tall = "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=10/1";
    let lens = camera_of(tall, "projection = \"fisheye\"");
    for camera in [camera_of(tall, ""), lens] {
        let mut camera = Watched::watch(camera, &[]);
        camera.run([BEST]);
        let ended = camera.capture.join_next().await.expect("one capture").expect("it does not panic");
        let error = ended.expect_err("refused");
        assert!(error.is_misfit(), "{error:?}");
        let said =
            "are 320×240, which is not the shape of width = 160 and height = 80: set width = 160 and height = 120,";
        assert!(error.to_string().contains(said), "{error}");
        assert!(camera.units.try_recv().is_err(), "not one is sent");
    }
}

/// A small camera as a config has it.
fn camera_of(pipeline: &str, rest: &str) -> Camera {
    let text = format!(
        "[[cameras]]\nid = \"main\"\nsource = \"pipeline\"\npipeline = {pipeline:?}\nwidth = 160\nheight = 80\nfps = 10\n{rest}"
    );
    let config: crate::config::Config = toml::from_str(&text).expect("a config");
    config.cameras.into_iter().next().expect("a camera")
}

#[test]
fn a_picture_of_another_shape_fills_all_of_its_sides_where_directions_are_shares_of_them() {
    let bright =
        "videotestsrc is-live=true pattern=white ! video/x-raw,format=I420,width=320,height=240,framerate=10/1";
    for projection in ["equirectangular", "cube-map", "equiangular"] {
        let sides = sides_of(&camera_of(bright, &format!("projection = {projection:?}")));
        assert!(sides.iter().all(|luma| *luma > 200), "{projection}: {sides:?}");
    }
}

/// The luma of a camera's first picture at its four sides' middles: left, right, top, bottom.
fn sides(crop: Crop, rotate: Turn, (width, height): (u32, u32)) -> [u8; 4] {
    // A ramp from top to bottom.
    let ramp =
        "videotestsrc is-live=true pattern=gradient ! video/x-raw,format=I420,width=200,height=100,framerate=10/1";
    let source = Source::Pipeline { description: ramp.to_owned(), passthrough: false };
    sides_of(&Camera { crop, rotate, width, height, ..small(source) })
}

fn sides_of(camera: &Camera) -> [u8; 4] {
    gst::init().expect("GStreamer starts");
    let (width, height) = (camera.width, camera.height);
    let pipeline = gst::Pipeline::new();
    let source = OpenSource::open(&pipeline, camera, None).expect("it can be built");
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
