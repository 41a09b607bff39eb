//! A camera that is recorded, whether somebody watches or not.

use super::*;
use crate::capture::Tape;

async fn recorded(tape: &mut Tape) -> AccessUnit {
    let unit = tokio::time::timeout(HANG, tape.pictures.recv()).await.expect("it does not hang");
    unit.expect("the capture runs")
}

#[tokio::test]
async fn a_recorder_and_viewers_share_an_encoder_and_each_begins_with_a_keyframe() {
    let (feed, mut capture) = open(Camera { sound: Sound::Tone, ..small(Source::Test) }, &[]);
    let mut tape = capture.tape().expect("there is H.264");
    let mut camera = Watched::attend(feed, capture);
    tape.running.send_replace([(BEST, None), (Encoding::Audio, None)].into());
    assert!(recorded(&mut tape).await.keyframe);
    for _ in 0..5 {
        assert!(!recorded(&mut tape).await.keyframe);
    }
    assert!(tape.sounds.as_mut().is_some_and(|sounds| sounds.try_recv().is_ok()), "and it hears");
    assert!(camera.units.try_recv().is_err(), "nobody watches");

    camera.run([BEST]);
    let first = camera.next_of(BEST).await;
    assert!(first.keyframe, "viewers begin with one of their own");
    tape.running.send_replace(Running::new());
    camera.only(BEST, 5).await;

    while tape.pictures.try_recv().is_ok() {}
    tape.running.send_replace([(BEST, None)].into());
    assert!(recorded(&mut tape).await.keyframe, "so does a recorder that comes back");
    camera.run([]);
    for _ in 0..5 {
        recorded(&mut tape).await;
    }
    camera.stop().await;
    // What had been made is there to be written, and then it is over.
    while tape.pictures.recv().await.is_some() {}
}
