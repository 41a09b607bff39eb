use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_crypto::default_provider;
use rtc_stun::message::{
    METHOD_ALLOCATE, METHOD_BINDING, METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION, METHOD_REFRESH, Method,
};

use super::fake::FakeServer;
use crate::{
    reach::{CandidateKind, Credentials, LocalCandidate, Reach, ReachEvent, Server, ServerId, Transmit, Transport},
    transport::Datagram,
};

const SECOND: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
fn start() -> Instant {
    Instant::now()
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn credentials(password: &str) -> Credentials {
    Credentials { username: format!("robot-{password}"), password: password.to_owned() }
}

/// A robot with one server, and everything that goes between them.
struct World {
    now: Instant,
    reach: Reach,
    id: ServerId,
    server: FakeServer,
    local: SocketAddr,
    events: Vec<ReachEvent>,
    /// What came out for sessions.
    received: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
}

impl World {
    fn new(transport: Transport) -> Self {
        let crypto = default_provider().expect("a provider");
        let server = FakeServer::new(crypto.clone(), credentials("first"), address("203.0.113.9:40000"));
        let id = ServerId { address: address("198.51.100.1:3478"), transport };
        let (events, received) = (Vec::new(), Vec::new());
        let local = address("192.168.1.2:8190");
        Self { now: start(), reach: Reach::new(crypto), id, server, local, events, received }
    }

    /// With a relay that serves us.
    fn with_relay(transport: Transport) -> Self {
        let mut world = Self::new(transport);
        world.reach.set_servers(world.listed("first"), world.now);
        if transport != Transport::Udp {
            world.reach.handle_stream_up(world.id, world.now);
        }
        world.settle();
        world.events.clear();
        world.server.asked.clear();
        world
    }

    fn listed(&self, password: &str) -> Vec<Server> {
        vec![Server { id: self.id, relay: Some(credentials(password)) }]
    }

    /// Everything that is due now happens.
    fn settle(&mut self) {
        loop {
            if self.reach.poll_timeout().is_some_and(|due| due <= self.now) {
                self.reach.handle_timeout(self.now);
            }
            let mut quiet = true;
            while let Some(transmit) = self.reach.poll_transmit() {
                quiet = false;
                let data = match transmit {
                    Transmit::Udp(datagram) => {
                        assert_eq!((datagram.to, self.id.transport), (self.id.address, Transport::Udp));
                        datagram.data.freeze()
                    }
                    Transmit::Stream(server, data) => {
                        assert_eq!(server, self.id);
                        assert!(data.len().is_multiple_of(4), "the next message would not be found");
                        data
                    }
                };
                if let Some(answer) = self.server.handle(&data, self.now) {
                    self.feed(answer);
                }
            }
            while let Some(event) = self.reach.poll_event() {
                self.events.push(event);
            }
            if quiet && self.reach.poll_timeout().is_none_or(|due| due > self.now) {
                return;
            }
        }
    }

    fn feed(&mut self, data: BytesMut) {
        let received = match self.id.transport {
            Transport::Udp => {
                self.reach.handle_datagram(Datagram { data, from: self.id.address, to: self.local }, self.now)
            }
            Transport::Tcp | Transport::Tls => self.reach.handle_stream(self.id, data, self.now),
        };
        self.received.extend(received.map(|Datagram { data, from, to }| (from, to, data.to_vec())));
    }

    /// Time passes, and what falls due in it happens.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.reach.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = end;
    }

    fn relayed(&self) -> Option<SocketAddr> {
        self.reach.candidates().find(|candidate| candidate.kind == CandidateKind::Relay).map(|relay| relay.address)
    }

    fn send(&mut self, to: SocketAddr, payload: &[u8]) {
        let from = self.relayed().expect("a relay serves us");
        assert!(self.reach.is_relay(from));
        self.reach.wrap(Datagram { data: BytesMut::from(payload), from, to }, self.now);
        self.settle();
    }

    fn hear(&mut self, from: SocketAddr, payload: &[u8]) {
        if let Some(data) = self.server.relay(from, payload, self.now) {
            self.feed(data);
        }
        self.settle();
    }

    fn count(&self, method: Method) -> usize {
        self.server.asked.iter().filter(|asked| **asked == method).count()
    }
}

fn relay(transport: Transport, address: SocketAddr) -> LocalCandidate {
    LocalCandidate { kind: CandidateKind::Relay, address, base: address, transport }
}

#[test]
fn the_outside_address_is_found_watched_and_lost() {
    let mut world = World::new(Transport::Udp);
    let listed = vec![Server { id: world.id, relay: None }];
    world.reach.set_servers(listed, world.now);
    world.settle();
    let (kind, transport, base) = (CandidateKind::ServerReflexive, Transport::Udp, world.local);
    let seen = |address| LocalCandidate { kind, address, base, transport };
    let (first, second) = (seen(address("203.0.113.9:40000")), seen(address("203.0.113.9:40001")));
    assert_eq!(world.events, [ReachEvent::Found(first)]);

    world.pass(100 * SECOND);
    assert_eq!((world.events.len(), world.count(METHOD_BINDING)), (1, 5), "kept open every 25 seconds");
    world.server.mapped = second.address;
    world.pass(25 * SECOND);
    assert_eq!(world.events[1..], [ReachEvent::Lost(first), ReachEvent::Found(second)]);

    world.server.is_silent = true;
    world.pass(60 * SECOND);
    assert_eq!(world.events[3..], [ReachEvent::Lost(second)]);
    assert_eq!(world.reach.candidates().count(), 0);
}

#[test]
fn an_address_that_is_ours_anyway_and_one_that_two_servers_see_are_not_told_twice() {
    let mut world = World::new(Transport::Udp);
    world.server.mapped = world.local;
    world.reach.set_servers(vec![Server { id: world.id, relay: None }], world.now);
    world.settle();
    assert_eq!(world.events, []);

    let crypto = default_provider().expect("a provider");
    let mut reach = Reach::new(crypto);
    let servers = [1, 2].map(|port| ServerId { address: address(&format!("198.51.100.1:{port}")), ..world.id });
    reach.set_servers(servers.map(|id| Server { id, relay: None }).to_vec(), world.now);
    world.server.mapped = address("203.0.113.9:40000");
    reach.handle_timeout(world.now);
    let mut answered = 0;
    while let Some(Transmit::Udp(Datagram { data, to, .. })) = reach.poll_transmit() {
        let data = world.server.handle(&data, world.now).expect("answered");
        assert!(reach.handle_datagram(Datagram { data, from: to, to: world.local }, world.now).is_none());
        answered += 1;
    }
    assert_eq!((answered, reach.candidates().count()), (2, 1));
    assert!(reach.poll_event().is_some() && reach.poll_event().is_none());
}

#[test]
fn a_viewer_is_spoken_to_through_the_relay_and_soon_the_short_way() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = World::new(transport);
        world.reach.set_servers(world.listed("first"), world.now);
        if transport == Transport::Tcp {
            world.settle();
            assert_eq!(world.server.asked, [], "there is no line yet");
            world.reach.handle_stream_up(world.id, world.now);
        }
        world.settle();
        assert_eq!(world.count(METHOD_ALLOCATE), 2, "once to learn the nonce");
        let relayed = world.relayed().expect("allocated");
        assert!(world.events.contains(&ReachEvent::Found(relay(transport, relayed))));

        let viewer = address("192.0.2.77:51000");
        world.reach.permit(viewer, world.now);
        world.send(viewer, b"check");
        assert_eq!(world.server.delivered, [(viewer, b"check".to_vec())]);
        assert_eq!(world.count(METHOD_CHANNEL_BIND), 0, "nobody has answered");
        world.hear(viewer, b"answer");
        assert_eq!(world.received, [(viewer, relayed, b"answer".to_vec())]);
        assert_eq!((world.count(METHOD_CREATE_PERMISSION), world.count(METHOD_CHANNEL_BIND)), (1, 1));

        let from = relayed;
        world.reach.wrap(Datagram { data: BytesMut::from(&b"video"[..]), from, to: viewer }, world.now);
        let sent = world.reach.poll_transmit().expect("sent");
        let data = match sent {
            Transmit::Udp(datagram) => datagram.data.freeze(),
            Transmit::Stream(_, data) => data,
        };
        let padding = if transport == Transport::Udp { 0 } else { 3 };
        assert_eq!(data.len(), 4 + 5 + padding, "in the short form");
        world.server.handle(&data, world.now);
        assert_eq!(world.server.delivered[1..], [(viewer, b"video".to_vec())]);
        world.hear(viewer, b"feedback");
        assert_eq!(world.received[1..], [(viewer, relayed, b"feedback".to_vec())]);
    }
}

#[test]
fn strangers_datagrams_are_left_to_the_sessions() {
    let mut world = World::with_relay(Transport::Udp);
    let (from, to) = (address("192.0.2.77:51000"), world.local);
    let datagram = Datagram { data: BytesMut::from(&b"\x16\xfe\xfd"[..]), from, to };
    let left = world.reach.handle_datagram(datagram, world.now).expect("not ours");
    assert_eq!((left.from, &left.data[..]), (from, &b"\x16\xfe\xfd"[..]));
    assert!(!world.reach.is_relay(world.local));
    world.reach.wrap(Datagram { data: BytesMut::new(), from: world.local, to: from }, world.now);
    assert!(world.reach.poll_transmit().is_none(), "that is no relay's");
}

#[test]
fn a_nonce_that_has_gone_stale_is_replaced_whatever_was_asked() {
    let mut world = World::with_relay(Transport::Udp);
    let relayed = world.relayed();
    let viewer = address("192.0.2.77:51000");
    world.server.change_nonce();
    world.send(viewer, b"1");
    assert!(world.server.is_permitted(viewer, world.now));
    world.server.change_nonce();
    world.hear(viewer, b"2");
    assert_eq!(world.server.allocation.as_ref().map(|granted| granted.channels.len()), Some(1));
    world.server.change_nonce();
    let crowd: Vec<SocketAddr> = (1..=50).map(|n| SocketAddr::from(([192, 0, 2, n], 1))).collect();
    crowd.iter().for_each(|peer| world.reach.permit(*peer, world.now));
    world.settle();
    assert!(crowd.iter().all(|peer| world.server.is_permitted(*peer, world.now)), "all were asked with the old one");
    for _ in 0..20 {
        world.server.change_nonce();
        world.pass(31 * SECOND);
    }
    assert_eq!((world.relayed(), world.events.len()), (relayed, 0), "nothing was lost");
}

#[test]
fn what_is_used_is_kept_for_hours_and_what_is_not_is_let_go() {
    for lifetime in [600, 20, 2] {
        let mut world = World::new(Transport::Udp);
        world.server.lifetime = Duration::from_secs(lifetime);
        world.reach.set_servers(world.listed("first"), world.now);
        world.settle();
        let relayed = world.relayed();
        let (watching, gone) = (address("192.0.2.77:51000"), address("192.0.2.78:51000"));
        world.send(gone, b"check");
        for second in 0..3600 {
            world.pass(SECOND);
            if second % 5 == 0 {
                world.send(watching, b"consent");
                world.hear(watching, b"granted");
            }
        }
        assert_eq!(world.relayed(), relayed, "lifetime {lifetime}");
        assert_eq!((world.server.delivered.len(), world.received.len()), (721, 720));
        assert!(world.server.is_permitted(watching, world.now) && !world.server.is_permitted(gone, world.now));
        assert_eq!(world.count(METHOD_CHANNEL_BIND), 3600 / 480 + 1);
    }
}

#[test]
fn a_relay_that_forgot_us_gives_us_another_address() {
    let mut world = World::with_relay(Transport::Udp);
    let viewer = address("192.0.2.77:51000");
    let first = world.relayed().expect("allocated");
    world.send(viewer, b"1");
    world.server.allocation = None;
    world.pass(31 * SECOND);
    let second = world.relayed().expect("allocated again");
    assert_ne!(first, second);
    let [lost, found] = [first, second].map(|address| relay(Transport::Udp, address));
    assert_eq!(world.events, [ReachEvent::Lost(lost), ReachEvent::Found(found)]);
    assert!(!world.reach.is_relay(first) && world.reach.is_relay(second));
    world.send(viewer, b"2");
    assert_eq!(world.server.delivered.len(), 2);

    world.server.allocation = None;
    world.send(address("192.0.2.78:51000"), b"3");
    assert_eq!(world.relayed(), None, "the next request finds out, too");
    world.pass(31 * SECOND);
    assert!(world.relayed().is_some());
}

#[test]
fn a_server_that_does_not_answer_is_asked_ever_more_rarely() {
    let mut world = World::with_relay(Transport::Udp);
    world.server.is_silent = true;
    let mut sent = 0;
    let end = world.now + Duration::from_secs(3600);
    while let Some(due) = world.reach.poll_timeout().filter(|due| *due <= end) {
        world.now = due;
        world.reach.handle_timeout(due);
        sent += std::iter::from_fn(|| world.reach.poll_transmit()).count();
    }
    assert_eq!(world.relayed(), None);
    assert!(sent < 1000, "{sent} datagrams in an hour");
    world.server.is_silent = false;
    world.pass(90 * SECOND);
    assert!(world.relayed().is_some());
}

#[test]
fn wrong_credentials_are_not_tried_without_end_and_right_ones_at_once() {
    let mut world = World::new(Transport::Udp);
    world.reach.set_servers(world.listed("wrong"), world.now);
    world.pass(600 * SECOND);
    assert_eq!(world.relayed(), None);
    assert!(world.count(METHOD_ALLOCATE) < 150, "{}", world.count(METHOD_ALLOCATE));
    world.reach.set_servers(world.listed("first"), world.now);
    world.settle();
    assert!(world.relayed().is_some());
}

#[test]
fn new_credentials_serve_the_next_allocation() {
    let mut world = World::with_relay(Transport::Udp);
    let first = world.relayed();
    world.reach.set_servers(world.listed("second"), world.now);
    world.pass(600 * SECOND);
    assert_eq!(world.relayed(), first, "the old ones keep what they got");
    world.server.accepts = credentials("second");
    world.pass(40 * SECOND);
    assert_eq!(world.relayed(), None, "the server does not know them any more, but still what they got");
    world.server.allocation = None;
    world.pass(90 * SECOND);
    assert!(world.relayed().is_some_and(|second| Some(second) != first));
}

#[test]
fn a_relay_goes_on_with_credentials_that_follow_its_own() {
    let mut world = World::with_relay(Transport::Udp);
    let first = world.relayed();
    let viewer = address("192.0.2.77:51000");
    world.server.renews = true;
    world.server.accepts = credentials("second");
    world.reach.set_servers(world.listed("second"), world.now);
    world.settle();
    world.send(viewer, b"check");
    world.pass(1200 * SECOND);
    assert_eq!((world.relayed(), world.events.len()), (first, 0));
    assert_eq!(world.count(METHOD_ALLOCATE), 0, "nothing had to be asked for again");
}

#[test]
fn a_server_that_leaves_the_list_gets_its_address_back() {
    let mut world = World::with_relay(Transport::Udp);
    let relayed = world.relayed().expect("allocated");
    world.reach.set_servers(vec![Server { id: world.id, relay: None }], world.now);
    world.settle();
    assert!(world.server.allocation.is_none());
    assert_eq!(world.events, [ReachEvent::Lost(relay(Transport::Udp, relayed))]);
    assert_eq!(world.reach.candidates().count(), 1, "what it sees us as is still good");
    world.reach.set_servers(Vec::new(), world.now);
    world.settle();
    assert_eq!((world.reach.candidates().count(), world.reach.poll_timeout()), (0, None));
    assert_eq!(world.server.asked, [METHOD_REFRESH]);
}

#[test]
fn a_stream_that_breaks_takes_its_relay_along() {
    let mut world = World::with_relay(Transport::Tls);
    let first = world.relayed().expect("allocated");
    world.reach.handle_stream_down(world.id);
    world.settle();
    assert_eq!((world.relayed(), world.reach.poll_timeout()), (None, None));
    world.server.allocation = None;
    world.reach.handle_stream_up(world.id, world.now);
    world.settle();
    let second = world.relayed().expect("allocated again");
    let [lost, found] = [first, second].map(|address| relay(Transport::Tls, address));
    assert_eq!(world.events, [ReachEvent::Lost(lost), ReachEvent::Found(found)]);
}

#[test]
fn what_an_earlier_broadcaster_left_behind_is_given_back() {
    let mut world = World::with_relay(Transport::Udp);
    world.reach = Reach::new(default_provider().expect("a provider"));
    world.reach.set_servers(world.listed("first"), world.now);
    world.settle();
    assert_eq!(world.relayed(), None);
    world.pass(SECOND);
    assert!(world.relayed().is_some());
}

#[test]
fn a_crowd_of_addresses_pushes_out_only_those_that_are_not_used() {
    let mut world = World::with_relay(Transport::Udp);
    let watching = address("192.0.2.77:51000");
    world.send(watching, b"check");
    world.hear(watching, b"answer");
    for n in 0..1500u32 {
        let peer = SocketAddr::new(std::net::Ipv4Addr::from_bits(0xc633_0000 + n).into(), 1);
        world.send(peer, b"check");
        world.hear(peer, b"answer");
        world.send(watching, b"video");
        world.pass(Duration::from_millis(1));
    }
    assert_eq!(world.server.distinct_peers(), 1501);
    let bound = world.server.allocation.as_ref().map(|granted| granted.channels.len());
    assert!(bound.is_some_and(|bound| bound > 512), "numbers go round: {bound:?}");
    let before = world.server.asked.len();
    world.send(watching, b"video");
    assert_eq!(world.server.asked.len(), before, "its channel stands");
}

#[test]
fn a_peer_that_the_relay_forbids_is_asked_for_once_a_minute() {
    let mut world = World::with_relay(Transport::Udp);
    let forbidden = address("127.0.0.1:51000");
    for _ in 0..119 {
        world.send(forbidden, b"check");
        world.pass(SECOND);
    }
    assert_eq!((world.count(METHOD_CREATE_PERMISSION), world.server.delivered.len()), (2, 0));
    world.send(address("[2001:db8::1]:1"), b"check");
    assert_eq!(world.count(METHOD_CREATE_PERMISSION), 2, "the other family is out of its reach");
}

#[test]
fn no_bytes_from_anywhere_make_it_panic() {
    let mut world = World::with_relay(Transport::Udp);
    let viewer = address("192.0.2.77:51000");
    world.send(viewer, b"check");
    let mut samples = vec![
        world.server.relay(viewer, b"payload", world.now).expect("permitted"),
        BytesMut::from(&[0x40, 0, 0, 4, 1, 2, 3, 4][..]),
        BytesMut::from(&[0; 64][..]),
    ];
    // Answers to what is being asked reach furthest.
    for _ in 0..10_000 {
        world.pass(SECOND);
        if world.relayed().is_some() {
            let from = world.relayed().expect("just seen");
            let to = SocketAddr::new(viewer.ip(), rand::random_range(1..=u16::MAX));
            world.reach.wrap(Datagram { data: BytesMut::from(&b"x"[..]), from, to }, world.now);
        }
        while let Some(Transmit::Udp(datagram)) = world.reach.poll_transmit() {
            samples.extend(world.server.handle(&datagram.data, world.now));
        }
        if samples.len() > 64 {
            samples.drain(3..32);
        }
        let mut data = samples[rand::random_range(0..samples.len())].clone();
        for _ in 0..rand::random_range(0..4) {
            // Not the transaction's name: all would be thrown away at the door.
            let index = rand::random_range(0..data.len());
            if !(4..20).contains(&index) {
                data[index] = rand::random();
            }
        }
        data.truncate(rand::random_range(0..=data.len() * 2).min(data.len()));
        world.feed(data);
    }
}
