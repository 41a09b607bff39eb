//! What goes from whom to whom, and what goes nowhere.

use super::*;
use crate::turn::message::{split_channel_data, write_channel_data};

/// Who got it, from where, and what.
fn told(sent: Option<(Flow, Vec<u8>)>) -> Option<(Flow, SocketAddr, Vec<u8>)> {
    let (to, bytes) = sent?;
    let message = Message::parse(&bytes).expect("a message");
    assert_eq!((message.class, message.method), (Class::Indication, Method::Data));
    let from = message.peers().next().flatten().expect("from somebody");
    Some((to, from, message.find(attribute::DATA).expect("something").to_vec()))
}

fn channel(number: u16, payload: &[u8], padded: bool) -> Vec<u8> {
    let mut out = Vec::new();
    write_channel_data(&mut out, number, payload, padded);
    out
}

#[test]
fn robot_and_viewer_hear_each_other_in_the_long_form_and_in_the_short_one() {
    let mut world = World::new();
    let (mut robot, mut viewer) = world.couple();
    let (robots, viewers) = (robot.relayed(), viewer.relayed());
    let there = told(robot.say(&mut world, viewers, b"picture"));
    assert_eq!(there, Some((viewer.flow, robots, b"picture".to_vec())));
    assert!(robot.bind(&mut world, 0x4000, viewers).is_success());
    let there = told(world.send(robot.flow, &channel(0x4000, b"picture", false)));
    assert_eq!(there, Some((viewer.flow, robots, b"picture".to_vec())), "the viewer has no channel");
    assert_eq!(viewer.say(&mut world, robots, b"report"), Some((robot.flow, channel(0x4000, b"report", false))));
    assert!(viewer.bind(&mut world, 0x7fff, robots).is_success());
    let there = world.send(robot.flow, &channel(0x4000, b"picture", false)).expect("there");
    assert_eq!(there, (viewer.flow, channel(0x7fff, b"picture", false)));
    let counters = world.counters();
    assert_eq!((counters.relayed_packets, counters.relayed_bytes, counters.stray_packets), (4, 27, 0));
}

#[test]
fn what_leaves_by_stream_is_padded_and_what_came_by_one_may_be() {
    let mut world = World::new();
    let (robot, _) = world.couple();
    let flow = Flow::Tcp { connection: 1, client: address("192.0.2.9:9") };
    let mut viewer = Client::on(flow, mint(&secret(), &self::viewer("demo", 2), UNIX + HOLDS));
    viewer.allocate(&mut world);
    assert!(viewer.bind(&mut world, 0x4001, robot.relayed()).is_success());
    let there = robot.say(&mut world, viewer.relayed(), b"odd").expect("there");
    assert_eq!(there, (flow, channel(0x4001, b"odd", true)));
    assert_eq!((there.1.len(), split_channel_data(&there.1)), (8, Some((0x4001, &b"odd"[..]))));
    let back = told(world.send(flow, &channel(0x4001, b"odd", true)));
    assert_eq!(back.map(|(.., payload)| payload), Some(b"odd".to_vec()), "without the padding");
}

#[test]
fn forbidden_peers_are_refused_and_nothing_is_sent() {
    let mut world = World::new();
    let (mut robot, viewer) = world.couple();
    let forbidden = [
        "127.0.0.1:80",
        "127.0.0.1:50000",
        "127.8.9.1:22",
        "0.0.0.0:80",
        "0.0.0.0:50000",
        "10.0.0.1:80",
        "10.255.255.254:50000",
        "100.64.0.1:80",
        "169.254.169.254:80",
        "169.254.1.1:50000",
        "172.16.0.1:443",
        "172.31.255.1:443",
        "192.168.0.1:80",
        "192.168.1.1:50000",
        "192.0.0.8:80",
        "198.18.0.1:80",
        "224.0.0.251:5353",
        "239.255.255.250:1900",
        "255.255.255.255:67",
        "8.8.8.8:53",
        "203.0.113.4:50000",
        "203.0.113.5:22",
        "203.0.113.5:3478",
        "203.0.113.5:49151",
        "[::1]:50000",
        "[::]:50000",
        "[fe80::1]:50000",
        "[fc00::1]:50000",
        "[ff02::1]:50000",
        "[fd00:ec2::254]:80",
        "[2001:4860:4860::8888]:53",
        "[::ffff:127.0.0.1]:80",
        "[::ffff:169.254.169.254]:80",
        "[::ffff:203.0.113.5]:50000",
        "[::127.0.0.1]:80",
        "[64:ff9b::7f00:1]:80",
        "[2002:7f00:1::]:80",
    ];
    for (number, peer) in (0x4100..).zip(forbidden) {
        let peer = address(peer);
        assert_eq!(robot.permit(&mut world, peer), Answer::Error(403), "{peer}");
        assert_eq!(robot.bind(&mut world, number, peer), Answer::Error(403), "{peer}");
        assert_eq!(robot.say(&mut world, peer, b"hello"), None, "{peer}");
        assert_eq!(world.send(robot.flow, &channel(number, b"hello", false)), None, "{peer}");
    }
    let count = u64::try_from(forbidden.len()).expect("small");
    assert_eq!(world.counters().refused.forbidden_peer, 2 * count);
    assert_eq!((world.counters().relayed_packets, world.counters().stray_packets), (0, 2 * count));
    // One bad address among good ones spoils them.
    let viewers = viewer.relayed();
    let both = robot.ask(&mut world, Method::CreatePermission, |request| {
        request
            .add_address(attribute::XOR_PEER_ADDRESS, viewers)
            .add_address(attribute::XOR_PEER_ADDRESS, address("127.0.0.1:1"));
    });
    assert_eq!(both, Answer::Error(403));
    assert!(robot.say(&mut world, viewers, b"hello").is_some());
}

#[test]
fn nobody_reaches_anybody_but_their_own() {
    let mut world = World::new();
    let mut clients: Vec<(Holder, Client)> =
        [robot("demo"), viewer("demo", 1), viewer("demo", 2), robot("other"), viewer("other", 1)]
            .into_iter()
            .zip(1..)
            .map(|(holder, port)| (holder.clone(), world.client(port, &holder)))
            .collect();
    let relayed: Vec<SocketAddr> = clients.iter().map(|(_, client)| client.relayed()).collect();
    for (_, client) in &mut clients {
        // Permissions are for the relay's one address, as some browsers expect.
        assert!(client.permit(&mut world, relayed[0]).is_success());
    }
    let of = |holder: &Holder| match holder {
        Holder::Robot(robot) => (robot.clone(), true),
        Holder::Viewer { robot, .. } => (robot.clone(), false),
    };
    for (from, client) in &mut clients {
        for (index, to) in
            [robot("demo"), viewer("demo", 1), viewer("demo", 2), robot("other"), viewer("other", 1)].iter().enumerate()
        {
            let ((from_robot, from_is_robot), (to_robot, to_is_robot)) = (of(from), of(to));
            let related = from_robot == to_robot && (from_is_robot || to_is_robot);
            let sent = client.say(&mut world, relayed[index], b"hello");
            assert_eq!(sent.is_some(), related, "{from} to {to}");
            let number = 0x4000 + u16::try_from(index).expect("small");
            assert_eq!(client.bind(&mut world, number, relayed[index]).is_success(), related, "{from} to {to}");
        }
    }
}

#[test]
fn both_must_want_it_and_go_on_wanting_it() {
    let mut world = World::new();
    let (mut robot, mut viewer) = (world.client(1, &robot("demo")), world.client(2, &viewer("demo", 1)));
    let (robots, viewers) = (robot.relayed(), viewer.relayed());
    assert_eq!(robot.say(&mut world, viewers, b"hello"), None);
    assert!(robot.permit(&mut world, viewers).is_success());
    assert_eq!(robot.say(&mut world, viewers, b"hello"), None, "the viewer has not permitted it");
    // A permission is for an address: some clients name no port.
    assert!(viewer.permit(&mut world, SocketAddr::new(robots.ip(), 0)).is_success());
    assert!(robot.say(&mut world, viewers, b"hello").is_some());
    assert!(robot.bind(&mut world, 0x4000, viewers).is_success());
    world.pass(299 * SECOND);
    assert!(viewer.permit(&mut world, robots).is_success());
    assert!(world.send(robot.flow, &channel(0x4000, b"hello", false)).is_some());
    world.pass(SECOND);
    assert_eq!(world.send(robot.flow, &channel(0x4000, b"hello", false)), None, "the robot's own has lapsed");
    assert!(robot.permit(&mut world, viewers).is_success());
    assert!(world.send(robot.flow, &channel(0x4000, b"hello", false)).is_some());
    for client in [&mut robot, &mut viewer] {
        assert!(client.refresh(&mut world, 3600).is_success());
    }
    world.pass(300 * SECOND);
    assert!(robot.permit(&mut world, viewers).is_success() && viewer.permit(&mut world, robots).is_success());
    assert_eq!(world.send(robot.flow, &channel(0x4000, b"hello", false)), None, "ten minutes are over");
    assert!(robot.say(&mut world, viewers, b"hello").is_some());
}

#[test]
fn a_channel_leads_to_one_peer_and_a_peer_has_one_channel() {
    let mut world = World::new();
    let (mut robot, viewer) = world.couple();
    let other = world.client(3, &self::viewer("demo", 2));
    let (viewers, others) = (viewer.relayed(), other.relayed());
    assert!(robot.bind(&mut world, 0x4000, viewers).is_success());
    assert!(robot.bind(&mut world, 0x4000, viewers).is_success(), "again, to keep it");
    assert_eq!(robot.bind(&mut world, 0x4000, others), Answer::Error(400));
    assert_eq!(robot.bind(&mut world, 0x4001, viewers), Answer::Error(400));
    assert_eq!(robot.bind(&mut world, 0x3fff, others), Answer::Error(400));
    assert_eq!(robot.bind(&mut world, 0x8000, others), Answer::Error(400));
    assert!(robot.bind(&mut world, 0x4001, others).is_success());
    world.pass(599 * SECOND);
    assert!(robot.refresh(&mut world, 600).is_success());
}

#[test]
fn an_allocation_sends_no_more_than_it_may() {
    let mut world = World::new();
    let (robot, viewer) = world.couple();
    let burst =
        |world: &mut World| (0..2000).filter(|_| robot.say(world, viewer.relayed(), &[0; 1000]).is_some()).count();
    assert_eq!(burst(&mut world), 1000);
    world.pass(SECOND / 2);
    assert_eq!(burst(&mut world), 500);
    assert_eq!(world.counters().throttled_packets, 2500);
    assert!(viewer.say(&mut world, robot.relayed(), b"report").is_some(), "others are not held up");
}
