//! Encoders at work, and what becomes of those that fail.

use super::*;
use crate::{
    capture::encoder::{Chooser, tests::WEARING_OUT},
    config::Encoder,
};

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
