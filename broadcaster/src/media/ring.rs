//! The last moments of one encoding, packet by packet, shared by all of its viewers: each of them is a place in here.
//!
//! Frames and packets are numbered without end from the ring's beginning. What a viewer has not fetched when it leaves the
//! ring is lost to it.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::Frame;

/// What a retransmission may still be asked for: beyond this, a receiver has long gone on from a keyframe.
const KEPT: Duration = Duration::from_secs(2);

/// A keyframe this old is as good as a new one: what came after it is sent along.
const FRESH: Duration = Duration::from_millis(500);

/// Where keyframes cannot be asked for, the last one is kept that long with all that came after it: longer than cameras
/// usually make one wait for the next.
const RARE_KEPT: Duration = Duration::from_secs(10);

/// A stream of tiny frames at a high rate is bounded by number, one of giant frames by size.
const MAX_FRAMES: usize = 512;
const MAX_BYTES: usize = 16 << 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FrameNumber(u64);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PacketNumber(u64);

impl FrameNumber {
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl PacketNumber {
    pub(crate) fn plus(self, packets: u64) -> Self {
        Self(self.0 + packets)
    }

    /// Packets since `earlier`, if that is not later.
    pub(crate) fn since(self, earlier: Self) -> Option<u64> {
        self.0.checked_sub(earlier.0)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ring {
    kept: VecDeque<Kept>,
    /// The number of the first frame that is kept, or that will be.
    first: FrameNumber,
    next_packet: PacketNumber,
    keyframe: Option<FrameNumber>,
    bytes: usize,
    /// Keyframes come when the camera likes. Who joins begins with the last one and catches up, instead of waiting.
    rare_keyframes: bool,
    /// Bits per second at which it is encoded now; none is what the config says.
    pub(super) bitrate: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) frame: Arc<Frame>,
    pub(crate) first_packet: PacketNumber,
    /// When it came here.
    pub(crate) at: Instant,
}

impl Ring {
    pub(super) fn with_rare_keyframes() -> Self {
        Self { rare_keyframes: true, ..Self::default() }
    }

    pub(crate) fn has_rare_keyframes(&self) -> bool {
        self.rare_keyframes
    }

    pub(crate) fn push(&mut self, frame: Arc<Frame>, now: Instant) {
        // Nobody would get past a picture of which there is nothing to send.
        if frame.packets() == 0 {
            return;
        }
        if frame.keyframe {
            self.keyframe = Some(self.next());
        }
        self.bytes += frame.len();
        let first_packet = self.next_packet;
        self.next_packet = first_packet.plus(frame.packets() as u64);
        self.kept.push_back(Kept { frame, first_packet, at: now });
        while self.kept.len() > 1 && self.is_over(now) {
            self.bytes -= self.kept.pop_front().map_or(0, |kept| kept.frame.len());
            self.first = self.first.next();
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        let needed = self.rare_keyframes && self.keyframe.is_some_and(|keyframe| keyframe <= self.first);
        let most = if needed { RARE_KEPT } else { KEPT };
        let old = self.kept.front().is_some_and(|kept| now.saturating_duration_since(kept.at) > most);
        old || self.kept.len() > MAX_FRAMES || self.bytes > MAX_BYTES
    }

    /// The number of the frame that will come next.
    pub(crate) fn next(&self) -> FrameNumber {
        FrameNumber(self.first.0 + self.kept.len() as u64)
    }

    pub(crate) fn frame(&self, number: FrameNumber) -> Option<&Kept> {
        let index = number.0.checked_sub(self.first.0)?;
        self.kept.get(usize::try_from(index).ok()?)
    }

    /// The last keyframe, if it is a fresh one.
    pub(crate) fn fresh_keyframe(&self, now: Instant) -> Option<FrameNumber> {
        self.keyframe_within(FRESH, now)
    }

    /// The last keyframe, if it is no older than that, or if the next may be long in coming.
    pub(crate) fn keyframe_within(&self, age: Duration, now: Instant) -> Option<FrameNumber> {
        let number = self.keyframe?;
        let age = if self.rare_keyframes { RARE_KEPT } else { age };
        self.frame(number).filter(|kept| now.saturating_duration_since(kept.at) <= age).map(|_| number)
    }

    /// The frame that a packet belongs to, and its place therein.
    pub(crate) fn packet(&self, number: PacketNumber) -> Option<(&Frame, usize)> {
        let after = self.kept.partition_point(|kept| kept.first_packet <= number);
        let kept = self.kept.get(after.checked_sub(1)?)?;
        let index = usize::try_from(number.since(kept.first_packet)?).ok()?;
        (index < kept.frame.packets()).then_some((&kept.frame, index))
    }

    pub(crate) fn latest(&self) -> Option<&Kept> {
        self.kept.back()
    }
}

#[cfg(test)]
mod random;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{AccessUnit, Encoding, Moment, NtpTime, PacketSize, VideoCodec};

    fn frame(length: usize, keyframe: bool, now: Instant) -> Arc<Frame> {
        let captured = Moment { media: Duration::ZERO, instant: now, ntp: NtpTime(0) };
        let unit = AccessUnit { data: vec![7; length].into(), keyframe, captured };
        Arc::new(Encoding::Video { rung: 0, codec: VideoCodec::Vp8 }.packetise(&unit, PacketSize::on_wire(1200)))
    }

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn every_packet_that_is_kept_is_found_and_no_other() {
        let (mut ring, mut now) = (Ring::default(), start());
        for index in 0..300_u64 {
            ring.push(frame(1 + (index as usize * 977) % 6000, index % 30 == 0, now), now);
            now += Duration::from_millis(33);
        }
        let first = ring.kept.front().expect("kept").first_packet;
        assert!(first > PacketNumber::default(), "old frames have left");
        for number in 0..ring.next_packet.0 + 10 {
            let expected = PacketNumber(number) >= first && number < ring.next_packet.0;
            let found = ring.packet(PacketNumber(number));
            assert_eq!(found.is_some(), expected, "{number}");
        }
        let mut counted = first;
        for kept in &ring.kept {
            for index in 0..kept.frame.packets() {
                let (frame, place) = ring.packet(counted).expect("kept");
                assert!(std::ptr::eq(frame, &*kept.frame) && place == index);
                counted = counted.plus(1);
            }
        }
    }

    #[test]
    fn pictures_with_nothing_in_them_are_nobodys() {
        let (mut ring, t0) = (Ring::default(), start());
        ring.push(frame(0, true, t0), t0);
        assert_eq!((ring.next(), ring.fresh_keyframe(t0)), (FrameNumber(0), None));
    }

    #[test]
    fn a_keyframe_is_fresh_for_a_while() {
        let (mut ring, t0) = (Ring::default(), start());
        ring.push(frame(10, true, t0), t0);
        ring.push(frame(10, false, t0), t0 + Duration::from_millis(33));
        assert_eq!(ring.fresh_keyframe(t0 + FRESH), Some(FrameNumber(0)));
        assert_eq!(ring.fresh_keyframe(t0 + FRESH + Duration::from_millis(1)), None);
    }

    #[test]
    fn the_ring_is_bounded_by_time_number_and_size() {
        let (mut ring, t0) = (Ring::default(), start());
        for _ in 0..2000 {
            ring.push(frame(1, false, t0), t0);
        }
        assert_eq!(ring.kept.len(), MAX_FRAMES);
        for _ in 0..100 {
            ring.push(frame(1 << 20, false, t0), t0);
        }
        assert!(ring.bytes <= MAX_BYTES && ring.kept.len() < 20);
        ring.push(frame(1, false, t0), t0 + KEPT + Duration::from_millis(1));
        assert_eq!((ring.kept.len(), ring.bytes), (1, 2));
    }
}
