//! Another path for a session that goes on: asked for, and found missing.

use rtc_stun::{
    attributes::ATTR_USERNAME,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, Message, Setter, TransactionId},
    textattrs::TextAttribute,
};

use super::{
    stage::{ROBOT, Stage, Viewer, address, video},
    *,
};

const ELSEWHERE: &str = "10.0.0.77:40000";
const TICK: Duration = Duration::from_millis(20);

/// Shows pictures for that long, and answers what offers come meanwhile. Returns how many did.
fn watch(stage: &mut Stage, viewer: &mut Viewer, time: Duration) -> usize {
    let (until, mut offers) = (stage.now + time, 0);
    while stage.now < until {
        let keyframe = stage.session.take_wanted().is_some();
        stage.capture(video(0), 3000, keyframe);
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

/// What a browser asks the robot from there without being told to.
fn check(viewer: &Viewer, from: SocketAddr) -> Datagram {
    let provider = rtc_crypto::default_provider().expect("cryptography");
    let robots = &viewer.connection.remote_description().expect("set").sdp;
    let ours = viewer.connection.local_description().expect("set").sdp;
    let name = [robots, &ours].map(|sdp| ufrag(sdp).expect("a name")).join(":");
    let password = robots.lines().find_map(|line| line.strip_prefix("a=ice-pwd:")).expect("a password");
    let integrity = MessageIntegrity::new_short_term_integrity_with_provider(password.to_owned(), provider.crypto());
    let name = TextAttribute::new(ATTR_USERNAME, name);
    let setters: [Box<dyn Setter>; 4] =
        [Box::new(BINDING_REQUEST), Box::new(TransactionId::new()), Box::new(name), Box::new(integrity)];
    let mut message = Message::new();
    message.build(&setters).expect("a message");
    Datagram { data: bytes::BytesMut::from(&message.raw[..]), from, to: address(ROBOT) }
}

/// Waits for a picture, and for no offer. What was sent into the silence is of no use to it: it begins with a keyframe.
fn found(stage: &mut Stage, viewer: &mut Viewer, within: Duration) {
    let (before, moved) = (viewer.packets.len(), stage.now);
    while viewer.packets.len() == before {
        assert!(stage.now < moved + within, "it takes {:?}", stage.now - moved);
        assert_eq!(watch(stage, viewer, TICK), 0, "the server cannot be reached");
    }
    assert!(starts_keyframe(&viewer.packets[before].payload), "{:?}", viewer.packets[before].payload);
}

/// The first fragment of a keyframe (RFC 6184, section 5.8).
fn starts_keyframe(payload: &[u8]) -> bool {
    matches!(payload, [indicator, header, ..] if indicator & 0x1f == 28 && *header == 0x80 | 5)
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

#[test]
fn a_viewer_that_asks_from_elsewhere_by_itself_is_followed_without_a_word_from_the_server() {
    let (mut stage, mut viewer) = Stage::connected();
    watch(&mut stage, &mut viewer, Duration::from_millis(1500));
    viewer.wander_to(ELSEWHERE);
    // It asks, and is silent where it was.
    watch(&mut stage, &mut viewer, Duration::from_secs(1));
    stage.receive(check(&viewer, address(ELSEWHERE)));
    found(&mut stage, &mut viewer, Duration::from_millis(500));
    assert_eq!(watch(&mut stage, &mut viewer, Duration::from_secs(20)), 0);
    assert_eq!(stage.session.transport.path().expect("a path").remote, address(ELSEWHERE));
}

#[test]
fn a_robot_that_has_moved_shows_itself_from_there_without_a_word_from_the_server() {
    let (mut stage, mut viewer) = Stage::connected();
    watch(&mut stage, &mut viewer, Duration::from_millis(1500));
    viewer.loses(ROBOT);
    stage.addresses = Addresses { local: vec![Local::Host(address("10.0.0.99:8190"))], reflexive: Vec::new() };
    let (addresses, now) = (stage.addresses.clone(), stage.now);
    stage.session.relocate(&addresses, &[], now);
    found(&mut stage, &mut viewer, Duration::from_secs(2));
    assert_eq!(watch(&mut stage, &mut viewer, Duration::from_secs(20)), 0);
    assert_eq!(stage.session.transport.path().expect("a path").local, address("10.0.0.99:8190"));
}

#[test]
fn a_network_that_is_gone_for_a_moment_costs_no_viewer() {
    let (mut stage, mut viewer) = Stage::connected();
    watch(&mut stage, &mut viewer, Duration::from_secs(1));
    let home = stage.addresses.clone();
    for others in [vec![], vec![Local::Host(address("10.0.0.99:8190"))]] {
        stage.addresses = Addresses { local: others, reflexive: Vec::new() };
        let (gone, now) = (stage.addresses.clone(), stage.now);
        stage.session.relocate(&gone, &[], now);
        // Wherever the robot looks from, nobody hears it.
        viewer.loses("10.0.0.99:8190");
        watch(&mut stage, &mut viewer, Duration::from_secs(2));
        stage.addresses = home.clone();
        let now = stage.now;
        stage.session.relocate(&home, &[], now);
        let before = viewer.packets.len();
        assert_eq!(watch(&mut stage, &mut viewer, Duration::from_secs(40)), 0, "the server is not needed");
        assert!(stage.session.is_live() && viewer.packets.len() > before + 1000);
    }
}
