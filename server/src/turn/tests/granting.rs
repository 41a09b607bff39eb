//! Who gets an address, for how long, and what strangers are told.

use super::*;

fn stream(connection: u64) -> Flow {
    Flow::Tcp { connection, client: address("192.0.2.1:9") }
}

#[test]
fn everybody_is_told_where_they_are_in_few_bytes() {
    let mut world = World::new();
    for (client, length) in [("192.0.2.7:1234", 32), ("[2001:db8::7]:1234", 44)] {
        let client = address(client);
        let flow = Flow::Udp { socket: 0, local: RELAY.parse().expect("an address"), client };
        let mut request = Vec::new();
        Writer::new(&mut request, Method::Binding, Class::Request, &[9; 12]);
        let (to, bytes) = world.send(flow, &request).expect("answered");
        let answer = Message::parse(&bytes).expect("a message");
        assert_eq!((to, answer.class, bytes.len()), (flow, Class::Success, length), "an address, and nothing else");
        assert_eq!(answer.address_of(attribute::XOR_MAPPED_ADDRESS), Some(client));
    }
}

#[test]
fn strangers_get_little_and_leave_nothing() {
    let mut world = World::new();
    let mut client = Client::new(1, &robot("demo"), UNIX + HOLDS);
    let request = client.request(Method::Allocate, |request| {
        request.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    });
    let (_, challenge) = world.send(client.flow, &request).expect("answered");
    assert!(challenge.len() <= 60 && request.len() == 28, "{} for {}", challenge.len(), request.len());
    for method in [Method::Allocate, Method::Refresh, Method::CreatePermission, Method::ChannelBind] {
        let request = client.request(method, |_| {});
        let (_, refusal) = world.send(client.flow, &request).expect("answered");
        assert!(refusal.len() <= 28, "{method:?}: {}", refusal.len());
    }
    assert_eq!(world.counters().allocations, 0);
    assert!(!world.relay.serves(client.flow));
}

#[test]
fn whoever_shows_credentials_gets_an_address_of_the_relay() {
    let mut world = World::new();
    let mut client = Client::new(1, &robot("demo"), UNIX + HOLDS);
    let mapped = Some(client.flow.client());
    assert_eq!(client.allocate(&mut world), Answer::Success { lifetime: Some(600), mapped });
    assert_eq!(client.relayed().ip().to_string(), RELAY);
    assert!(client.relayed().port() >= 49152);
    assert_eq!(client.allocate(&mut world), Answer::Error(437), "it has one");
    assert_eq!(client.refresh(&mut world, 1800), Answer::Success { lifetime: Some(1800), mapped: None });
    assert_eq!(client.refresh(&mut world, 0), Answer::Success { lifetime: Some(0), mapped: None });
    assert_eq!(client.refresh(&mut world, 600), Answer::Error(437));
    assert_eq!((world.counters().allocations, world.counters().granted), (0, 1));
}

#[test]
fn an_even_port_is_given_to_those_who_ask_for_one() {
    let mut world = World::new();
    for tag in 1..10 {
        let mut client = Client::new(u16::try_from(tag).expect("small"), &viewer("demo", tag), UNIX + HOLDS);
        let answer = client.ask(&mut world, Method::Allocate, |request| {
            request.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]).add(attribute::EVEN_PORT, &[0]);
        });
        assert!(answer.is_success() && client.relayed().port().is_multiple_of(2));
    }
}

#[test]
fn an_answer_that_was_lost_is_given_again() {
    let mut world = World::new();
    let mut client = world.client(1, &robot("demo"));
    client.refresh(&mut world, 0);
    let request = client.request(Method::Allocate, |request| {
        request.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    });
    let first = world.send(client.flow, &request).expect("answered");
    assert_eq!(world.send(client.flow, &request), Some(first));
    assert_eq!(world.counters().allocations, 1);
}

#[test]
fn an_allocation_that_is_not_refreshed_ends() {
    let mut world = World::new();
    let mut client = world.client(1, &robot("demo"));
    world.pass(599 * SECOND);
    assert!(client.refresh(&mut world, 600).is_success());
    world.pass(599 * SECOND);
    assert_eq!(world.counters().allocations, 1);
    world.pass(SECOND);
    assert_eq!(world.counters().allocations, 0);
    assert_eq!(client.refresh(&mut world, 600), Answer::Error(437));
    assert!(client.allocate(&mut world).is_success());
}

#[test]
fn unknown_foreign_and_expired_credentials_are_refused() {
    let mut world = World::new();
    let flow = Client::new(1, &robot("demo"), 0).flow;
    let good = mint(&secret(), &robot("demo"), UNIX + HOLDS);
    let foreign = mint(&Secret::from("another secret than ours".to_owned()), &robot("demo"), UNIX + HOLDS);
    let longer = Credentials { username: format!("{}:demo", UNIX + 2 * HOLDS), ..good.clone() };
    let another = Credentials { username: good.username.replace("demo", "other"), ..good.clone() };
    let named = Credentials { username: "admin".to_owned(), password: "admin".to_owned() };
    let bare = Credentials { password: credentials::password(&secret(), "admin"), ..named.clone() };
    for bad in [foreign, longer, another, named, bare] {
        assert_eq!(Client::on(flow, bad.clone()).allocate(&mut world), Answer::Error(401), "{bad:?}");
    }
    assert_eq!(world.counters().refused.unauthorized, 5);
    let expired = mint(&secret(), &robot("demo"), UNIX);
    assert_eq!(Client::on(flow, expired).allocate(&mut world), Answer::Error(401));
    assert_eq!(world.counters().refused.expired, 1);

    let mut client = Client::on(flow, good);
    assert!(client.allocate(&mut world).is_success());
    client.credentials = mint(&secret(), &robot("demo"), UNIX);
    assert_eq!(client.refresh(&mut world, 600), Answer::Error(401), "as for a refresh");
    client.credentials.password.push('x');
    assert_eq!(client.refresh(&mut world, 600), Answer::Error(401));
}

#[test]
fn an_allocation_ends_with_its_credentials_however_often_it_was_refreshed() {
    let mut world = World::new();
    let (mut robot, mut viewer) = world.couple();
    let viewers = viewer.relayed();
    for _ in 0..7 {
        world.pass(500 * SECOND);
        assert!(robot.refresh(&mut world, 3600).is_success() && viewer.refresh(&mut world, 3600).is_success());
        assert!(robot.permit(&mut world, viewers).is_success());
        let robots = robot.relayed();
        assert!(viewer.permit(&mut world, robots).is_success());
    }
    world.pass(99 * SECOND);
    assert!(robot.say(&mut world, viewers, b"picture").is_some());
    // As packets see it, which do not wait for a sweep.
    world.now.instant += SECOND;
    world.now.unix += 1;
    assert!(robot.say(&mut world, viewers, b"picture").is_none());
    assert_eq!(robot.refresh(&mut world, 600), Answer::Error(401));
    world.pass(Duration::ZERO);
    assert_eq!(world.counters().allocations, 0);
}

#[test]
fn credentials_that_are_taken_back_end_at_once_with_all_that_was_granted_by_them() {
    let mut world = World::new();
    let (mut robot, mut viewer) = world.couple();
    let (robots, viewers) = (robot.relayed(), viewer.relayed());
    let mut second = world.client(3, &self::viewer("demo", 1));
    let mut other = world.client(4, &self::viewer("demo", 2));
    world.relay.bar(self::viewer("demo", 1).to_string(), UnixTime::MAX);
    assert!(robot.say(&mut world, viewers, b"picture").is_none() && viewer.say(&mut world, robots, b"x").is_none());
    assert_eq!(world.counters().allocations, 2);
    assert_eq!(viewer.refresh(&mut world, 600), Answer::Error(401));
    assert_eq!(viewer.allocate(&mut world), Answer::Error(401), "nor once more");
    assert_eq!(second.allocate(&mut world), Answer::Error(401));
    assert_eq!(world.counters().refused.expired, 3);
    assert!(other.refresh(&mut world, 600).is_success(), "another's are");

    world.relay.bar(self::robot("demo").to_string(), UNIX + HOLDS);
    assert_eq!(robot.allocate(&mut world), Answer::Error(401));
    robot.credentials = mint(&secret(), &self::robot("demo"), UNIX + HOLDS + 1);
    assert!(robot.allocate(&mut world).is_success(), "a robot that has a new key is given others");
}

#[test]
fn the_relay_would_be_missed_only_while_it_carries() {
    let mut world = World::new();
    let (robot, viewer) = world.couple();
    let carries = |world: &World| world.relay.is_carrying(world.now.instant);
    assert!(!carries(&world), "who may speak says nothing yet");
    assert!(robot.say(&mut world, viewer.relayed(), b"picture").is_some());
    world.pass(2 * SECOND);
    assert!(carries(&world));
    world.pass(SECOND);
    assert!(!carries(&world));
    assert!(robot.say(&mut world, viewer.relayed(), b"picture").is_some() && carries(&world));
    world.relay.bar(self::robot("demo").to_string(), UnixTime::MAX);
    assert!(!carries(&world), "what has ended carries nothing");
}

#[test]
fn an_allocation_goes_on_with_credentials_that_follow_its_own() {
    let mut world = World::new();
    let (mut robot, mut viewer) = world.couple();
    let (robots, viewers) = (robot.relayed(), viewer.relayed());
    world.pass(500 * SECOND);
    let former = std::mem::replace(&mut robot.credentials, mint(&secret(), &self::robot("demo"), UNIX + 5 * HOLDS));
    viewer.credentials = mint(&secret(), &self::viewer("demo", 1), UNIX + 5 * HOLDS);
    assert!(robot.refresh(&mut world, 3600).is_success() && viewer.refresh(&mut world, 3600).is_success());
    // What was under way with the former ones is not refused, and takes nothing back.
    let latter = std::mem::replace(&mut robot.credentials, former);
    assert!(robot.refresh(&mut world, 3600).is_success());
    robot.credentials = latter;
    world.pass(3300 * SECOND);
    assert!(robot.permit(&mut world, viewers).is_success() && viewer.permit(&mut world, robots).is_success());
    assert!(robot.say(&mut world, viewers, b"picture").is_some());

    robot.credentials = mint(&secret(), &self::robot("other"), UNIX + 5 * HOLDS);
    assert_eq!(robot.refresh(&mut world, 600), Answer::Error(441), "somebody else's");
}

#[test]
fn a_nonce_that_is_too_old_is_replaced() {
    let mut world = World::new();
    let mut client = Client::new(1, &robot("demo"), UNIX + 5 * HOLDS);
    assert!(client.allocate(&mut world).is_success());
    for _ in 0..12 {
        world.pass(500 * SECOND);
        assert!(client.refresh(&mut world, 600).is_success());
    }
    assert_eq!(world.counters().refused.challenged, 2);
    let stolen = client.nonce.clone();
    let mut thief = Client::new(2, &robot("demo"), UNIX + 5 * HOLDS);
    thief.nonce = stolen;
    assert!(thief.allocate(&mut world).is_success());
    assert_eq!(world.counters().refused.challenged, 3, "it was another's");
}

#[test]
fn the_third_allocation_of_a_user_is_refused() {
    let mut world = World::new();
    let clients: Vec<Answer> =
        (1..=3).map(|port| Client::new(port, &robot("demo"), UNIX + HOLDS).allocate(&mut world)).collect();
    assert!(clients[0].is_success() && clients[1].is_success());
    assert_eq!(clients[2], Answer::Error(486));
    assert_eq!(world.counters().refused.user_quota, 1);
    world.client(4, &viewer("demo", 1));
}

#[test]
fn credentials_that_are_renewed_give_nobody_more_allocations() {
    let mut world = World::new();
    for (holder, port) in [(robot("demo"), 1), (viewer("demo", 1), 11)] {
        let answers = [0, 1, 2].map(|number| {
            let renewed = UNIX + HOLDS + 10 * u64::from(number);
            Client::new(port + number, &holder, renewed).allocate(&mut world)
        });
        assert!(answers[0].is_success() && answers[1].is_success());
        assert_eq!(answers[2], Answer::Error(486), "{holder}");
    }
}

#[test]
fn viewers_leave_room_for_robots() {
    let mut world = World::with(|settings| settings.max_allocations = 20);
    let elsewhere = |last, holder| {
        let client = SocketAddr::from(([198, 51, 100, last], 1));
        let flow = Flow::Udp { socket: 0, local: RELAY.parse().expect("an address"), client };
        Client::on(flow, mint(&secret(), &holder, UNIX + HOLDS))
    };
    let crowd = |last: u8| elsewhere(last, viewer("demo", u64::from(last)));
    let answers: Vec<Answer> = (1..=30).map(|last| crowd(last).allocate(&mut world)).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_success()).count(), 18);
    assert_eq!(answers[29], Answer::Error(508));
    for (last, name) in [(100, "demo"), (101, "other")] {
        assert!(elsewhere(last, robot(name)).allocate(&mut world).is_success(), "{name}");
    }
    assert_eq!(elsewhere(102, robot("third")).allocate(&mut world), Answer::Error(508));

    // At one address, too: a robot may stand where its viewers sit.
    let mut world = World::new();
    for tag in 1..=9 {
        world.client(u16::try_from(tag).expect("small"), &viewer("demo", tag));
    }
    assert_eq!(Client::new(10, &viewer("demo", 10), UNIX + HOLDS).allocate(&mut world), Answer::Error(486));
    world.client(11, &robot("demo"));
    assert_eq!(Client::new(12, &robot("demo"), UNIX + HOLDS).allocate(&mut world), Answer::Error(486));
}

#[test]
fn a_robot_whose_address_has_changed_gets_new_allocations_for_those_it_cannot_give_back() {
    let mut world = World::new();
    let mut first = world.client(1, &robot("demo"));
    let mut second = world.client(2, &robot("demo"));
    world.pass(40 * SECOND);
    second.refresh(&mut world, 600);
    let mut third = Client::new(3, &robot("demo"), UNIX + HOLDS);
    assert_eq!(third.allocate(&mut world), Answer::Error(486));
    world.pass(40 * SECOND);
    assert!(third.allocate(&mut world).is_success());
    assert_eq!(first.refresh(&mut world, 600), Answer::Error(437), "it had been silent");
    assert!(second.refresh(&mut world, 600).is_success());
}

#[test]
fn an_address_and_the_relay_have_their_limits() {
    let mut world = World::with(|settings| settings.max_allocations = 15);
    for tag in 1..=9 {
        world.client(u16::try_from(tag).expect("small"), &viewer("demo", tag));
    }
    assert_eq!(Client::new(11, &viewer("demo", 11), UNIX + HOLDS).allocate(&mut world), Answer::Error(486));
    let elsewhere = |last, port| {
        let client = SocketAddr::from(([198, 51, 100, last], port));
        let flow = Flow::Udp { socket: 0, local: RELAY.parse().expect("an address"), client };
        Client::on(flow, mint(&secret(), &viewer("demo", 100 + u64::from(last)), UNIX + HOLDS))
    };
    for last in 1..=5 {
        assert!(elsewhere(last, 1).allocate(&mut world).is_success());
    }
    assert_eq!(elsewhere(6, 1).allocate(&mut world), Answer::Error(508));
    let refused = world.counters().refused;
    assert_eq!((refused.address_quota, refused.full), (1, 1));
    world.pass(600 * SECOND);
    assert!(elsewhere(6, 1).allocate(&mut world).is_success());
}

#[test]
fn what_cannot_be_granted_says_why() {
    let mut world = World::new();
    let mut client = Client::new(1, &robot("demo"), UNIX + HOLDS);
    let mut ask = |fill: fn(&mut Writer)| client.ask(&mut world, Method::Allocate, fill);
    let tcp = |request: &mut Writer| {
        request.add(attribute::REQUESTED_TRANSPORT, &[6, 0, 0, 0]);
    };
    assert_eq!(ask(tcp), Answer::Error(442));
    let v6 = |request: &mut Writer| {
        request
            .add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0])
            .add(attribute::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    };
    assert_eq!(ask(v6), Answer::Error(440));
    let even_port = |request: &mut Writer| {
        request.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]).add(0x0018, &[0x80, 0, 0, 0]);
    };
    assert_eq!(ask(even_port), Answer::Error(508));
    let without_fragments = |request: &mut Writer| {
        request.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]).add(0x001a, &[]);
    };
    assert_eq!(ask(without_fragments), Answer::Error(420));
    assert_eq!(client.refresh(&mut world, 600), Answer::Error(437));
    assert_eq!(client.bind(&mut world, 0x4000, address("203.0.113.5:50000")), Answer::Error(437));
}

#[test]
fn a_stream_that_has_gone_takes_its_allocation_along() {
    let mut world = World::new();
    let mut client = Client::on(stream(1), mint(&secret(), &robot("demo"), UNIX + HOLDS));
    assert!(client.allocate(&mut world).is_success() && world.relay.serves(stream(1)));
    world.relay.forget(stream(2));
    assert!(world.relay.serves(stream(1)));
    world.relay.forget(stream(1));
    assert!(!world.relay.serves(stream(1)));
    assert_eq!(world.counters().allocations, 0);
}

#[test]
fn strangers_who_ask_without_end_are_not_answered() {
    let mut world = World::new();
    let (robot, viewer) = world.couple();
    let mut request = Vec::new();
    Writer::new(&mut request, Method::Binding, Class::Request, &[9; 12]);
    let flood = Client::new(99, &self::robot("demo"), 0).flow;
    let answered = (0..5000).filter(|_| world.send(flood, &request).is_some()).count();
    assert!(answered <= 1001, "{answered}");
    assert_eq!(world.counters().refused.rate, 5000 - u64::try_from(answered).expect("small"));
    assert!(robot.say(&mut world, viewer.relayed(), b"picture").is_some(), "a neighbour's picture goes on");
}
