//! Bytes that mean nothing, or nearly something.

use super::*;

/// SplitMix64: a failing seed can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("a byte")
    }

    fn noise(&mut self) -> Vec<u8> {
        let length = self.below(120);
        let mut bytes: Vec<u8> = (0..length).map(|_| self.byte()).collect();
        // Most noise would be told from messages by its first bytes already.
        if length >= 20 && self.below(2) == 0 {
            bytes[0] &= 1;
            bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
            bytes[2..4].copy_from_slice(&u16::try_from(length - 20).expect("short").to_be_bytes());
        }
        bytes
    }

    fn spoil(&mut self, message: &mut Vec<u8>) {
        match self.below(4) {
            0 => message.truncate(self.below(message.len() + 1)),
            1 => message.extend((0..self.below(9)).map(|byte| byte as u8)),
            _ => {
                for _ in 0..=self.below(3) {
                    let at = self.below(message.len());
                    message[at] = self.byte();
                }
            }
        }
    }
}

#[test]
fn strangers_noise_grants_nothing_and_is_not_made_louder() {
    let (mut random, mut world) = (Random(1), World::new());
    let mut answered = 0;
    for round in 0..200_000u32 {
        // Each from somewhere else, so that none is left unanswered for asking too often.
        let client = SocketAddr::new(std::net::Ipv4Addr::from_bits(0x0a00_0000 + round).into(), 1);
        let flow = Flow::Udp { socket: 0, local: RELAY.parse().expect("an address"), client };
        let mut client = Client::on(flow, mint(&secret(), &robot("demo"), UNIX + HOLDS));
        client.nonce = vec![b'A'; random.below(2) * 16];
        let mut bytes = match random.below(3) {
            0 => random.noise(),
            1 => client.request(Method::Allocate, |request| {
                request.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
            }),
            _ => client.request(Method::Binding, |_| {}),
        };
        if random.below(4) > 0 && !bytes.is_empty() {
            random.spoil(&mut bytes);
        }
        if let Some((to, answer)) = world.send(flow, &bytes) {
            answered += 1;
            assert_eq!(to, flow);
            assert!(Message::parse(&answer).is_some());
            assert!(answer.len() <= 20 + 2 * bytes.len(), "{} for {}", answer.len(), bytes.len());
        }
        assert!(!world.relay.serves(flow));
    }
    assert!(answered > 50_000, "{answered} got far enough to be answered");
    assert_eq!((world.counters().allocations, world.counters().granted), (0, 0));
}

#[test]
fn clients_noise_reaches_nobody_but_their_own() {
    let (mut random, mut world) = (Random(2), World::new());
    let (mut robot, mut viewer) = world.couple();
    let stranger = world.client(3, &self::robot("other"));
    let flows = [robot.flow, viewer.flow];
    for _ in 0..200_000 {
        let (one, other) =
            if random.below(2) == 0 { (&mut robot, viewer.relayed()) } else { (&mut viewer, robot.relayed()) };
        let mut bytes = match random.below(6) {
            0 => random.noise(),
            1 => one.request(Method::Refresh, |_| {}),
            2 => one.request(Method::CreatePermission, |request| {
                request.add_address(attribute::XOR_PEER_ADDRESS, other);
            }),
            3 => one.request(Method::ChannelBind, |request| {
                request
                    .add(attribute::CHANNEL_NUMBER, &[0x40, random.byte() & 3, 0, 0])
                    .add_address(attribute::XOR_PEER_ADDRESS, other);
            }),
            4 => vec![0x40, random.byte() & 3, 0, 4, 1, 2, 3, 4],
            _ => {
                let mut out = Vec::new();
                Writer::new(&mut out, Method::Send, Class::Indication, &[1; 12])
                    .add_address(attribute::XOR_PEER_ADDRESS, other)
                    .add(attribute::DATA, b"data");
                out
            }
        };
        if random.below(2) == 0 && !bytes.is_empty() {
            random.spoil(&mut bytes);
        }
        if let Some((to, answer)) = world.send(one.flow, &bytes) {
            assert!(flows.contains(&to), "{to:?}");
            assert!(answer.len() <= bytes.len() + 80, "{} for {}", answer.len(), bytes.len());
        }
        if random.below(1000) == 0 {
            world.pass(SECOND / 10);
        }
    }
    assert!(world.relay.serves(stranger.flow) && world.counters().relayed_packets > 1000);
}
