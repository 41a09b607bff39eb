//! Another path for a session that goes on: asked for, and found missing.

use super::{
    stage::{Stage, Viewer, address, video},
    *,
};

const ELSEWHERE: &str = "10.0.0.77:40000";
const TICK: Duration = Duration::from_millis(20);

/// Shows pictures for that long, and answers what offers come meanwhile. Returns how many did.
fn watch(stage: &mut Stage, viewer: &mut Viewer, time: Duration) -> usize {
    let (until, mut offers) = (stage.now + time, 0);
    let mut tick = 0;
    while stage.now < until {
        stage.capture(video(0), 3000, tick % 50 == 0);
        tick += 1;
        stage.deliver(viewer);
        stage.deliver(viewer);
        stage.pass(TICK, viewer);
        while let Some(event) = stage.session.poll_event() {
            match event {
                SessionEvent::Say(ToServer::Offer { description: Some(offer), about, .. }) => {
                    assert_eq!(about.map(|about| about.session), Some("s1".parse().expect("id")));
                    let answer = viewer.renegotiate(&offer.sdp.into_string(), stage.now);
                    stage.answer(&answer);
                    offers += 1;
                }
                SessionEvent::Ended(end) => panic!("it ended: {end}"),
                SessionEvent::Connected => panic!("it was connected all the time"),
                SessionEvent::Say(_)
                | SessionEvent::Named(_)
                | SessionEvent::Proven(_)
                | SessionEvent::Name(_)
                | SessionEvent::Peer(_)
                | SessionEvent::Listens => {}
            }
        }
    }
    offers
}

fn ask_for_restart(stage: &mut Stage) {
    let wishes = Wishes { restart: true, ..Wishes::default() };
    let viewer = "v2".parse().expect("id");
    stage.session.resume(viewer, wishes, &stage.addresses, &stage.rings, stage.now);
}

/// Steps between the sequence numbers of what came to the viewer's door. Its stack lets nothing in while it has no path,
/// unlike a browser, and forgets what it missed.
fn gaps(viewer: &Viewer) -> Vec<u16> {
    let steps = viewer.knocked.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    steps.filter(|step| *step != 1).collect()
}

#[test]
fn a_viewer_that_asks_gets_another_path_and_misses_nothing() {
    let (mut stage, mut viewer) = Stage::connected();
    watch(&mut stage, &mut viewer, Duration::from_secs(1));
    for _ in 0..3 {
        let before = viewer.packets.len();
        ask_for_restart(&mut stage);
        assert_eq!(watch(&mut stage, &mut viewer, Duration::from_secs(6)), 1);
        assert!(viewer.packets.len() > before + 100);
    }
    assert_eq!(gaps(&viewer), Vec::<u16>::new());
    // What it missed meanwhile comes once more.
    assert!(viewer.knocked.len() < viewer.packets.len() + 3 * 20, "its stack was without a path for long");
}

#[test]
fn a_viewer_that_asks_from_elsewhere_sees_on() {
    let (mut stage, mut viewer) = Stage::connected();
    watch(&mut stage, &mut viewer, Duration::from_secs(1));
    let before = viewer.packets.len();
    viewer.move_to(ELSEWHERE);
    ask_for_restart(&mut stage);
    let moved = stage.now;
    while viewer.packets.len() == before {
        assert!(stage.now < moved + Duration::from_secs(2), "it takes {:?}", stage.now - moved);
        watch(&mut stage, &mut viewer, TICK);
    }
    assert_eq!(watch(&mut stage, &mut viewer, Duration::from_secs(20)), 0, "and that is all");
    let path = stage.session.transport.path().expect("a path");
    assert_eq!(path.remote, address(ELSEWHERE));
    assert!(gaps(&viewer).len() <= 1, "what was sent to the old address: {:?}", gaps(&viewer));
}

#[test]
fn a_viewer_that_is_silent_is_looked_for_and_found_elsewhere() {
    let (mut stage, mut viewer) = Stage::connected();
    watch(&mut stage, &mut viewer, Duration::from_secs(1));
    let before = viewer.packets.len();
    viewer.move_to(ELSEWHERE);
    let moved = stage.now;
    while viewer.packets.len() == before {
        assert!(stage.now < moved + Duration::from_secs(10), "it takes {:?}", stage.now - moved);
        watch(&mut stage, &mut viewer, TICK);
    }
    assert!(stage.now > moved + Duration::from_secs(3), "a short silence is nothing");
    let number = viewer.packets.len();
    watch(&mut stage, &mut viewer, Duration::from_secs(20));
    assert!(viewer.packets.len() > number + 500);
    assert!(stage.session.is_live());
}
