//! What a decoder needs to be given, whatever the viewer wishes and its path does, through long random histories.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::*;
use crate::media::{AccessUnit, NtpTime, PacketSize, VideoCodec};

const ENCODINGS: [Encoding; 3] = [rung(0), rung(1), rung(2)];

const fn rung(rung: u8) -> Encoding {
    Encoding::Video { rung, codec: VideoCodec::Vp8 }
}

/// What the decoder was given last.
#[derive(Clone, Copy)]
struct Given {
    encoding: Encoding,
    /// By the ring's numbers.
    packet: u64,
    /// Packets of the picture that have not come.
    left: usize,
    timestamp: u32,
}

struct Decoder {
    last: Option<Given>,
    /// The picture that it is given may stay without its end.
    cut: bool,
    switches: usize,
    pictures: usize,
}

impl Decoder {
    fn take(&mut self, next: &Next<'_>) {
        let packet =
            next.first_packet.plus(next.packets.start as u64).since(PacketNumber::default()).expect("a number");
        let begins = next.packets.start == 0;
        let goes_on = self.last.is_some_and(|last| (last.encoding, last.packet + 1) == (next.encoding, packet));
        assert!(goes_on || begins && next.frame.keyframe, "it goes on, or begins with a keyframe");
        if let Some(last) = self.last {
            assert!(goes_on || last.left == 0 || self.cut, "a picture in the midst of another");
            let ahead = next.timestamp.wrapping_sub(last.timestamp);
            assert!(if begins { (1..1 << 31).contains(&ahead) } else { ahead == 0 }, "by {ahead} later");
            self.switches += usize::from(last.encoding != next.encoding);
        }
        self.pictures += usize::from(begins);
        let left = next.packets.len() - 1;
        self.last = Some(Given { encoding: next.encoding, packet, left, timestamp: next.timestamp });
        self.cut = false;
    }
}

struct World {
    rings: Rings,
    position: Position,
    decoder: Decoder,
    began: Instant,
    now: Instant,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn new(random: &mut SmallRng) -> Self {
        let rings = if random.random() { Rings::new(ENCODINGS) } else { Rings::as_they_come(ENCODINGS) };
        let decoder = Decoder { last: None, cut: false, switches: 0, pictures: 0 };
        let now = Instant::now();
        Self { rings, position: Position::new(random.random()), decoder, began: now, now }
    }

    /// A picture in each encoding that runs.
    fn capture(&mut self, random: &mut SmallRng) {
        self.now += Duration::from_millis(random.random_range(15..50));
        let captured = Moment { media: self.now - self.began, instant: self.now, ntp: NtpTime(0) };
        for encoding in ENCODINGS {
            if random.random_bool(0.05) {
                continue;
            }
            let data = vec![0; random.random_range(1..9000)].into();
            let unit = AccessUnit { data, keyframe: random.random_bool(0.12), captured };
            let frame = encoding.packetise(&unit, PacketSize::on_wire(1200));
            self.rings.get_mut(encoding).expect("a ring").push(frame.into(), self.now);
        }
    }

    fn send(&mut self, packets: usize) {
        for _ in 0..packets {
            self.decoder.cut |= self.is_late();
            self.position.advance(&self.rings, self.now);
            let Some(next) = self.position.next(&self.rings) else { break };
            self.decoder.take(&next);
            self.position.sent(next.frame, next.timestamp, 1);
        }
        let plays = self.position.plays();
        assert!(plays.is_none() || plays != self.position.awaits(), "nobody waits for what is there");
    }

    /// Whether what is next has waited for so long that it is left out.
    fn is_late(&self) -> bool {
        let Some(Cursor { encoding, frame, since, .. }) = self.position.playing else { return false };
        let kept = self.rings.get(encoding).frame(frame);
        kept.is_none_or(|kept| self.now.saturating_duration_since(kept.at.max(since)) > MAX_LAG)
    }

    fn step(&mut self, random: &mut SmallRng) {
        match random.random_range(0..24) {
            0 => {
                let encoding = ENCODINGS[random.random_range(0..ENCODINGS.len())];
                let missing = self.position.play(encoding, &self.rings, self.now);
                assert!(!missing || self.position.awaits() == Some(encoding));
                assert!([self.position.plays(), self.position.awaits()].contains(&Some(encoding)));
            }
            1 => {
                self.position.stop(&self.rings);
                self.decoder.cut = true;
                assert_eq!(self.position.plays(), None);
            }
            2 => {
                self.position.renew(&self.rings, self.now);
            }
            // The path is shut for a while, perhaps for longer than the ring.
            3 => self.now += Duration::from_millis(random.random_range(0..3000)),
            4..=13 => self.capture(random),
            _ => self.send(random.random_range(0..20)),
        }
    }
}

#[test]
fn a_decoder_gets_whole_stretches_that_begin_with_keyframes() {
    let (mut switches, mut pictures) = (0, 0);
    for seed in 0..40 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut world = World::new(&mut random);
        for _ in 0..3000 {
            world.step(&mut random);
        }
        switches += world.decoder.switches;
        pictures += world.decoder.pictures;
    }
    assert!(switches > 100 && pictures > 10_000, "{switches} switches, {pictures} pictures");
}
