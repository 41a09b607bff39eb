//! That the server is told of a viewer what the viewer knows, too.

use super::{
    stage::{Stage, Viewer, video},
    *,
};

const TICK: Duration = Duration::from_millis(33);

/// Pictures for five seconds, of which every so many-th packet gets lost. Returns the bits per second that came.
fn watch(stage: &mut Stage, viewer: &mut Viewer, lost: Option<usize>) -> f64 {
    let (first, begun, mut number) = (viewer.packets.len(), stage.now, 0);
    for tick in 0..150 {
        stage.capture(video(0), 5000, tick % 30 == 0);
        for datagram in stage.sent() {
            number += 1;
            if lost.is_none_or(|lost| number % lost != 0) {
                viewer.take(datagram, stage.now);
            }
        }
        while let Some(datagram) = viewer.says() {
            stage.receive(datagram);
        }
        stage.pass(TICK, viewer);
    }
    let bytes: usize = viewer.packets[first..].iter().map(|packet| packet.payload.len()).sum();
    bytes as f64 * 8.0 / (stage.now - begun).as_secs_f64()
}

#[test]
fn the_server_is_told_what_a_viewer_gets_and_loses() {
    let mut stage = Stage::new();
    assert_eq!(stage.session.report(stage.now), None, "it gets nothing yet");
    let (mut stage, mut viewer) = stage.connect();
    stage.session.report(stage.now);
    let came = watch(&mut stage, &mut viewer, None);
    let told = stage.session.report(stage.now).expect("it lives");
    assert_eq!((told.session.as_str(), told.rung, told.loss.get()), ("s1", Some(0), 0.0));
    // Headers, extensions and the cipher's mark come on top.
    assert!((1.0..1.12).contains(&(told.bitrate.get() / came)), "{told:?}, and {came} came");
    assert!(told.round_trip.is_some_and(|time| time.get() < 50.0), "{told:?}");

    watch(&mut stage, &mut viewer, Some(5));
    let told = stage.session.report(stage.now).expect("it lives");
    assert!((0.1..0.4).contains(&told.loss.get()), "{told:?}");

    stage.session.end(SessionEnd::Shutdown, stage.now);
    assert_eq!(stage.session.report(stage.now), None);
}
