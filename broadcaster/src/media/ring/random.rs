//! The ring beside a list of all that was ever put into it, through long random histories.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::*;
use crate::media::{AccessUnit, Encoding, Moment, NtpTime, PacketSize, VideoCodec};

/// All that was put in, in order, with the number of its first packet.
struct Everything {
    frames: Vec<(Arc<Frame>, u64, Instant)>,
    packets: u64,
}

#[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
fn start() -> Instant {
    Instant::now()
}

fn frame(random: &mut SmallRng, now: Instant) -> Arc<Frame> {
    let length = match random.random_range(0..20) {
        0 => 0,
        1 => random.random_range(0..3 << 20),
        _ => random.random_range(1..20_000),
    };
    let captured = Moment { media: Duration::ZERO, instant: now, ntp: NtpTime(0) };
    let unit = AccessUnit { data: vec![7; length].into(), keyframe: random.random_bool(0.1), captured };
    Arc::new(Encoding::Video { rung: 0, codec: VideoCodec::Vp8 }.packetise(&unit, PacketSize::on_wire(1200)))
}

/// Holds the ring to what it may keep, and to giving back what was put in.
fn check(ring: &Ring, all: &Everything, now: Instant, random: &mut SmallRng) {
    let first = ring.first.0 as usize;
    assert_eq!((ring.next().0 as usize, ring.next_packet.0), (all.frames.len(), all.packets), "numbers go on");
    for (number, (frame, first_packet, at)) in all.frames.iter().enumerate().skip(first.saturating_sub(3)) {
        let kept = ring.frame(FrameNumber(number as u64));
        assert_eq!(kept.is_some(), number >= first, "the last are kept, and all of them");
        if let Some(kept) = kept {
            assert!(Arc::ptr_eq(&kept.frame, frame) && kept.first_packet.0 == *first_packet && kept.at == *at);
        }
    }
    let kept = &all.frames[first..];
    assert_eq!(ring.bytes, kept.iter().map(|(frame, ..)| frame.len()).sum::<usize>());
    if let [(_, _, oldest), .., (_, _, latest)] = kept {
        let most = if ring.rare_keyframes { RARE_KEPT } else { KEPT };
        assert!(kept.len() <= MAX_FRAMES && ring.bytes <= MAX_BYTES && *latest - *oldest <= most);
    }
    let number = random.random_range(0..all.packets + 3);
    let place = all.frames.partition_point(|(_, first_packet, _)| *first_packet <= number);
    let found = ring.packet(PacketNumber(number)).map(|(frame, index)| (std::ptr::from_ref(frame), index));
    let expected = place.checked_sub(1).filter(|place| *place >= first && number < all.packets);
    let expected = expected.map(|place| &all.frames[place]);
    let expected = expected.map(|(frame, first_packet, _)| (Arc::as_ptr(frame), (number - first_packet) as usize));
    assert_eq!(found, expected, "packet {number}");
    let keyframes = all.frames.iter().enumerate().rev().filter(|(_, (frame, ..))| frame.keyframe);
    let last = keyframes.map(|(number, (_, _, at))| (number, now - *at)).next();
    let age = if ring.rare_keyframes { RARE_KEPT } else { FRESH };
    let fresh = last.filter(|(number, old)| *number >= first && *old <= age);
    assert_eq!(ring.fresh_keyframe(now), fresh.map(|(number, _)| FrameNumber(number as u64)));
}

#[test]
fn whatever_is_put_in_the_last_of_it_is_there_and_within_bounds() {
    for seed in 0..24 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut ring = if seed % 2 == 0 { Ring::default() } else { Ring::with_rare_keyframes() };
        let (mut all, mut now) = (Everything { frames: Vec::new(), packets: 0 }, start());
        // Some come so fast that they are too many before they are too old.
        let most = [40, 2][usize::from(seed % 8 == 7)];
        for _ in 0..1200 {
            now += Duration::from_millis(random.random_range(0..most));
            let frame = frame(&mut random, now);
            ring.push(frame.clone(), now);
            if frame.packets() > 0 {
                let first_packet = all.packets;
                all.packets += frame.packets() as u64;
                all.frames.push((frame, first_packet, now));
            }
            check(&ring, &all, now, &mut random);
        }
        assert!(ring.first > FrameNumber(0), "seed {seed}: some have left");
    }
}
