//! Encoders at work: their bitrates, and what becomes of those that fail.

use super::*;
use crate::{
    capture::encoder::{Chooser, tests::WEARING_OUT},
    config::Encoder,
};

const NOMINAL: u32 = 1_200_000;
const PICTURES: usize = 45;

/// Noise, which takes all that it is given.
fn noise(encoder: Encoder) -> Camera {
    let description = "videotestsrc is-live=true pattern=snow ! video/x-raw,framerate=30/1".to_owned();
    let source = Source::Pipeline { description, passthrough: false };
    Camera { fps: 30, bitrate: NOMINAL, encoder, ..small(source) }
}

/// Bits per second over some pictures, none of which is a keyframe.
async fn rate(camera: &mut Watched, encoding: Encoding) -> f64 {
    let mut last = camera.next_of(encoding).await.captured.media;
    // What changed has its effect by then.
    for _ in 0..20 {
        let unit = camera.next_of(encoding).await;
        assert!(!unit.keyframe, "nobody asked for one");
        last = unit.captured.media;
    }
    let (began, mut bytes) = (last, 0);
    for _ in 0..PICTURES {
        let unit = camera.next_of(encoding).await;
        assert!(!unit.keyframe, "nobody asked for one");
        bytes += unit.data.len();
        last = unit.captured.media;
    }
    bytes as f64 * 8.0 / (last - began).as_secs_f64()
}

async fn follows(encoder: Encoder, encoding: Encoding) {
    let mut camera = Watched::watch(noise(encoder), &[]);
    let set = |camera: &Watched, bitrate| camera.running.send_replace([(encoding, bitrate)].into());
    set(&camera, None);
    assert!(camera.next_of(encoding).await.keyframe);
    let whole = rate(&mut camera, encoding).await;
    set(&camera, Some(NOMINAL * 2 / 5));
    let less = rate(&mut camera, encoding).await;
    set(&camera, None);
    let again = rate(&mut camera, encoding).await;
    camera.stop().await;
    let seen = format!("{encoder} {encoding:?}: {whole:.0}, {less:.0}, {again:.0}");
    assert!((0.7..1.4).contains(&(whole / f64::from(NOMINAL))), "{seen}");
    assert!((0.3..0.5).contains(&(less / whole)), "{seen}");
    assert!((0.7..1.4).contains(&(again / whole)), "{seen}");
}

#[tokio::test]
async fn x264_follows_a_new_bitrate_without_a_keyframe() {
    follows(Encoder::X264, BEST).await;
}

#[tokio::test]
async fn openh264_follows_a_new_bitrate_without_a_keyframe() {
    follows(Encoder::Openh264, BEST).await;
}

#[tokio::test]
async fn vp8_follows_a_new_bitrate_without_a_keyframe() {
    follows(Encoder::Auto, Encoding::Video { rung: 0, codec: VideoCodec::Vp8 }).await;
}

#[tokio::test]
async fn openh264_makes_a_keyframe_where_it_is_asked_for() {
    let mut camera = Watched::watch(Camera { encoder: Encoder::Openh264, ..small(Source::Test) }, &[]);
    camera.run([BEST]);
    let first = camera.next_of(BEST).await;
    assert!(first.keyframe && !is_by_x264(&first));
    for _ in 0..5 {
        assert!(!camera.next_of(BEST).await.keyframe);
    }
    camera.keyframes.send(BEST).await.expect("the capture runs");
    let mut keyframes = 0;
    for _ in 0..10 {
        keyframes += usize::from(camera.next_of(BEST).await.keyframe);
    }
    assert_eq!(keyframes, 1);
    camera.stop().await;
}

/// It signs its streams.
fn is_by_x264(first: &AccessUnit) -> bool {
    first.data.windows(4).any(|bytes| bytes == b"x264")
}

#[tokio::test]
async fn an_encoder_that_fails_twice_is_replaced_by_the_next() {
    let (feed, mut capture) = open(small(Source::Test), &[]);
    capture.chooser = Some(Chooser::among(&WEARING_OUT, Encoder::Auto));
    let mut camera = Watched::attend(feed, capture);
    camera.run([BEST]);
    let (mut runs, mut since) = (Vec::new(), 0);
    // More than the first would last.
    while since < 40 {
        let unit = camera.next_of(BEST).await;
        since += 1;
        if unit.keyframe {
            runs.push(is_by_x264(&unit));
            since = 0;
        }
    }
    assert_eq!(runs, [true, true, false]);
    camera.stop().await;
}

#[tokio::test]
async fn an_encoder_that_is_named_and_missing_ends_the_capture() {
    let (_feed, mut capture) = open(small(Source::Test), &[]);
    capture.chooser = Some(Chooser::among(&[], Encoder::Jetson));
    let error = capture.run(CancellationToken::new()).await.expect_err("there is none");
    assert!(error.to_string().contains("encoder is \"jetson\""), "{error}");
}
