//! Where a viewer stands in the rings: what it gets now, and what it waits for. Changes only at keyframes.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use crate::media::{Encoding, Frame, FrameNumber, Moment, PacketNumber, Rings};

/// A keyframe this old brings little along.
const NEW: Duration = Duration::from_millis(100);

/// What has waited longer than this for its path is not sent any more: who looks at a robot wants to see what is, and goes
/// on with the next keyframe.
const MAX_LAG: Duration = Duration::from_millis(400);

/// But who begins with a keyframe that is seconds old, for want of a newer one, gets what came since as fast as the path takes
/// it, and is given so long to catch up.
const CATCHES_UP_WITHIN: Duration = Duration::from_secs(3);

/// In ticks of the video's clock, ten seconds: what is further behind has another clock, and the stream's clock follows it.
const MAX_CATCH_UP: u32 = 900_000;

#[derive(Debug)]
pub(super) struct Position {
    playing: Option<Cursor>,
    awaited: Option<Awaited>,
    /// From the capture's clock to the stream's. It stays: sender reports tell when a picture was captured by it.
    timestamp_offset: u32,
    /// That of the picture which is being sent.
    picture_offset: u32,
    last_timestamp: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Cursor {
    encoding: Encoding,
    frame: FrameNumber,
    packet: usize,
    /// When this encoding began to play: what is older was not late then.
    since: Instant,
}

/// An encoding that is to be played from its first keyframe at or after a frame.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    encoding: Encoding,
    from: FrameNumber,
}

/// What is left of the picture that is next.
pub(super) struct Next<'a> {
    pub(super) encoding: Encoding,
    pub(super) frame: &'a Frame,
    /// The ring's number of the picture's first packet.
    pub(super) first_packet: PacketNumber,
    /// Those that have not been sent.
    pub(super) packets: Range<usize>,
    pub(super) timestamp: u32,
    pub(super) timestamp_offset: u32,
}

impl Position {
    pub(super) fn new(timestamp_offset: u32) -> Self {
        let picture_offset = timestamp_offset;
        Self { playing: None, awaited: None, timestamp_offset, picture_offset, last_timestamp: None }
    }

    /// Plays this encoding as soon as it can be. True: that takes a keyframe which is not there.
    pub(super) fn play(&mut self, encoding: Encoding, rings: &Rings, now: Instant) -> bool {
        if self.playing.is_some_and(|cursor| cursor.encoding == encoding) {
            self.awaited = None;
            return false;
        }
        if self.awaited.is_some_and(|awaited| awaited.encoding == encoding) {
            return false;
        }
        let ring = rings.get(encoding);
        let keyframe = ring.fresh_keyframe(now);
        self.awaited = Some(Awaited { encoding, from: keyframe.unwrap_or(ring.next()) });
        keyframe.is_none()
    }

    /// Plays what is awaited from a keyframe that is new or still to come: time has passed. Returns what takes a keyframe
    /// which is not there.
    pub(super) fn renew(&mut self, rings: &Rings, now: Instant) -> Option<Encoding> {
        let awaited = self.awaited.as_mut()?;
        let ring = rings.get(awaited.encoding);
        let keyframe = ring.keyframe_within(NEW, now);
        awaited.from = keyframe.unwrap_or(ring.next());
        keyframe.is_none().then_some(awaited.encoding)
    }

    /// Sends nothing more of what plays, and goes on with a keyframe: the path is full.
    pub(super) fn stop(&mut self, rings: &Rings) {
        if let Some(Cursor { encoding, .. }) = self.playing.take() {
            let from = rings.get(encoding).next();
            self.awaited.get_or_insert(Awaited { encoding, from });
        }
    }

    /// The encoding whose keyframe is waited for.
    pub(super) fn awaits(&self) -> Option<Encoding> {
        self.awaited.map(|awaited| awaited.encoding)
    }

    pub(super) fn plays(&self) -> Option<Encoding> {
        self.playing.map(|cursor| cursor.encoding)
    }

    /// Moves on to what can be sent now. Returns an encoding whose keyframe is needed because what was next has been
    /// left behind.
    pub(super) fn advance(&mut self, rings: &Rings, now: Instant) -> Option<Encoding> {
        self.switch(rings, now);
        let Cursor { encoding, frame, since, .. } = self.playing?;
        let ring = rings.get(encoding);
        let catches_up = ring.has_rare_keyframes() && now.saturating_duration_since(since) < CATCHES_UP_WITHIN;
        let lags = match ring.frame(frame) {
            Some(kept) => !catches_up && now.saturating_duration_since(kept.at.max(since)) > MAX_LAG,
            // It has left the ring, or is not there yet.
            None => frame != ring.next(),
        };
        if !lags {
            return None;
        }
        self.playing = None;
        let awaited = *self.awaited.get_or_insert(Awaited { encoding, from: ring.next() });
        self.switch(rings, now);
        self.playing.is_none().then_some(awaited.encoding)
    }

    /// Goes over to what is awaited, if its keyframe is there and no picture is half sent.
    fn switch(&mut self, rings: &Rings, now: Instant) {
        let between = self.playing.is_none_or(|cursor| cursor.packet == 0);
        let Some(awaited) = self.awaited.as_mut().filter(|_| between) else { return };
        let ring = rings.get(awaited.encoding);
        while awaited.from < ring.next() {
            if ring.frame(awaited.from).is_some_and(|kept| kept.frame.keyframe) {
                self.playing = Some(Cursor { encoding: awaited.encoding, frame: awaited.from, packet: 0, since: now });
                self.awaited = None;
                return;
            }
            awaited.from = awaited.from.next();
        }
    }

    pub(super) fn has_packets(&self, rings: &Rings) -> bool {
        self.playing.is_some_and(|cursor| cursor.frame < rings.get(cursor.encoding).next())
    }

    pub(super) fn next<'a>(&mut self, rings: &'a Rings) -> Option<Next<'a>> {
        let Cursor { encoding, frame: number, packet, .. } = self.playing?;
        let kept = rings.get(encoding).frame(number)?;
        if packet == 0 {
            self.offset(kept.frame.timestamp);
        }
        let timestamp = kept.frame.timestamp.wrapping_add(self.picture_offset);
        Some(Next {
            encoding,
            frame: &kept.frame,
            first_packet: kept.first_packet,
            packets: packet..kept.frame.packets(),
            timestamp,
            timestamp_offset: self.picture_offset,
        })
    }

    /// Two encodings of one picture bear one timestamp; to a receiver they must be two pictures, one after the other. So what
    /// is not newer than what was shown follows right behind it, and catches up with the stream's clock.
    fn offset(&mut self, frame: u32) {
        self.picture_offset = self.timestamp_offset;
        let Some(last) = self.last_timestamp else { return };
        let behind = last.wrapping_sub(frame.wrapping_add(self.timestamp_offset));
        if behind <= u32::MAX / 2 {
            self.picture_offset = last.wrapping_add(1).wrapping_sub(frame);
            if behind > MAX_CATCH_UP {
                self.timestamp_offset = self.picture_offset;
            }
        }
    }

    /// So many packets of the picture that was next are sent, and bear this timestamp.
    pub(super) fn sent(&mut self, frame: &Frame, timestamp: u32, packets: usize) {
        let Some(cursor) = self.playing.as_mut().filter(|_| packets > 0) else { return };
        self.last_timestamp = Some(timestamp);
        cursor.packet += packets;
        if cursor.packet >= frame.packets() {
            (cursor.frame, cursor.packet) = (cursor.frame.next(), 0);
        }
    }

    /// An instant of the stream that is sent, and its timestamp.
    pub(super) fn instant(&self, rings: &Rings) -> Option<(Moment, u32)> {
        let ring = rings.get(self.playing?.encoding);
        let frame = &ring.latest()?.frame;
        Some((frame.captured, frame.timestamp.wrapping_add(self.timestamp_offset)))
    }
}

#[cfg(test)]
mod random;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{AccessUnit, NtpTime, PacketSize, VideoCodec};

    /// Two encodings of one camera, whose pictures come every 33 ms.
    struct Stage {
        rings: Rings,
        position: Position,
        began: Instant,
        now: Instant,
    }

    const BEST: Encoding = Encoding::Video { rung: 0, codec: VideoCodec::Vp8 };
    const LOWER: Encoding = Encoding::Video { rung: 1, codec: VideoCodec::Vp8 };

    impl Stage {
        #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
        fn new() -> Self {
            let now = Instant::now();
            Self { rings: Rings::new([BEST, LOWER]), position: Position::new(u32::MAX - 5000), began: now, now }
        }

        /// One picture of each encoding; which of them are keyframes.
        fn capture(&mut self, keyframes: &[Encoding]) {
            self.now += Duration::from_millis(33);
            let captured = Moment { media: self.now - self.began, instant: self.now, ntp: NtpTime(0) };
            for encoding in [BEST, LOWER] {
                let keyframe = keyframes.contains(&encoding);
                let unit = AccessUnit { data: vec![0; 3000].into(), keyframe, captured };
                let frame = encoding.packetise(&unit, PacketSize::on_wire(1200));
                self.rings.get_mut(encoding).expect("a ring").push(frame.into(), self.now);
            }
        }

        /// Sends so many packets, if there are; of which encoding, of a keyframe or not, and its timestamp.
        fn send(&mut self, packets: usize) -> Vec<(Encoding, bool, u32)> {
            let mut sent = Vec::new();
            self.position.advance(&self.rings, self.now);
            while sent.len() < packets {
                let Some(next) = self.position.next(&self.rings) else { break };
                sent.push((next.encoding, next.frame.keyframe, next.timestamp));
                self.position.sent(next.frame, next.timestamp, 1);
                self.position.advance(&self.rings, self.now);
            }
            sent
        }

        fn play(&mut self, encoding: Encoding) -> bool {
            self.position.play(encoding, &self.rings, self.now)
        }
    }

    fn kinds(sent: &[(Encoding, bool, u32)]) -> Vec<(Encoding, bool)> {
        sent.iter().map(|(encoding, keyframe, _)| (*encoding, *keyframe)).collect()
    }

    #[test]
    fn play_begins_with_a_keyframe_and_a_fresh_one_is_replayed_with_what_came_after() {
        let mut stage = Stage::new();
        stage.capture(&[]);
        assert!(stage.play(BEST), "there is none");
        assert!(!stage.play(BEST), "and it was asked for");
        stage.capture(&[]);
        assert_eq!(stage.send(9), []);
        stage.capture(&[BEST]);
        stage.capture(&[]);
        assert_eq!(kinds(&stage.send(9)), [[(BEST, true); 3], [(BEST, false); 3]].concat());

        let mut late = Position::new(0);
        assert!(!late.play(BEST, &stage.rings, stage.now), "it is 33 ms old");
        late.advance(&stage.rings, stage.now);
        assert!(late.next(&stage.rings).is_some_and(|next| next.frame.keyframe));
        stage.now += Duration::from_millis(500);
        assert!(Position::new(0).play(BEST, &stage.rings, stage.now), "it was half a second ago");
    }

    #[test]
    fn where_keyframes_are_rare_play_begins_with_an_old_one_and_catches_up() {
        let mut stage = Stage { rings: Rings::as_they_come([BEST, LOWER]), ..Stage::new() };
        stage.capture(&[BEST]);
        for _ in 0..150 {
            stage.capture(&[]);
        }
        assert!(!stage.play(BEST), "it is five seconds old");
        let first = stage.send(3);
        assert_eq!(kinds(&first), [(BEST, true); 3]);
        // The path takes three pictures in the time of one.
        let mut sent = 1;
        while sent < stage.now.duration_since(stage.began).as_millis() / 33 {
            stage.capture(&[]);
            let more = stage.send(9);
            assert!(
                !more.is_empty() && kinds(&more).iter().all(|kind| *kind == (BEST, false)),
                "after {sent}: {more:?}"
            );
            sent += more.len() as u128 / 3;
        }
        stage.now += MAX_LAG + CATCHES_UP_WITHIN;
        stage.capture(&[]);
        stage.now += MAX_LAG + Duration::from_millis(1);
        assert_eq!(stage.send(9), [], "and then it is as late as anybody");
        stage.now += Duration::from_secs(10);
        stage.capture(&[]);
        assert!(Position::new(0).play(BEST, &stage.rings, stage.now), "by now that is another story");
    }

    #[test]
    fn the_encoding_changes_at_a_keyframe_and_between_pictures() {
        let mut stage = Stage::new();
        stage.play(BEST);
        stage.capture(&[BEST]);
        stage.send(9);
        stage.now += Duration::from_secs(1);
        assert!(stage.play(LOWER));
        assert_eq!((stage.position.plays(), stage.position.awaits()), (Some(BEST), Some(LOWER)));
        stage.capture(&[]);
        assert_eq!(kinds(&stage.send(1)), [(BEST, false)]);
        stage.capture(&[LOWER]);
        let rest = stage.send(99);
        assert_eq!(kinds(&rest), [vec![(BEST, false); 2], vec![(LOWER, true); 3]].concat(), "a picture is sent whole");
        assert_eq!((stage.position.plays(), stage.position.awaits()), (Some(LOWER), None));
    }

    #[test]
    fn a_change_of_mind_before_the_keyframe_comes_changes_nothing() {
        let mut stage = Stage::new();
        stage.play(BEST);
        stage.capture(&[BEST]);
        stage.send(9);
        stage.now += Duration::from_secs(1);
        stage.play(LOWER);
        assert!(!stage.play(BEST));
        stage.capture(&[LOWER]);
        assert_eq!(kinds(&stage.send(9)), [(BEST, false); 3]);
    }

    #[test]
    fn timestamps_grow_whatever_is_played() {
        let mut stage = Stage::new();
        stage.play(BEST);
        let mut timestamps = Vec::new();
        for picture in 0..60 {
            stage.capture(&[BEST, LOWER]);
            timestamps.extend(stage.send(99).into_iter().map(|(_, _, timestamp)| timestamp));
            // The keyframe that was just shown is fresh in the other encoding.
            stage.play(if picture % 2 == 0 { LOWER } else { BEST });
            timestamps.extend(stage.send(99).into_iter().map(|(_, _, timestamp)| timestamp));
        }
        timestamps.dedup();
        assert!(timestamps.len() > 60);
        assert!(
            timestamps.windows(2).all(|pair| (1..90_000).contains(&pair[1].wrapping_sub(pair[0]))),
            "{timestamps:?}"
        );
    }

    #[test]
    fn the_streams_clock_follows_a_camera_that_begins_anew() {
        let mut stage = Stage::new();
        stage.now += Duration::from_secs(3600);
        stage.play(BEST);
        stage.capture(&[BEST]);
        let before = stage.send(3)[0].2;
        stage.began = stage.now;
        stage.capture(&[BEST]);
        stage.capture(&[]);
        let after: Vec<u32> = stage.send(6).iter().map(|(_, _, timestamp)| timestamp.wrapping_sub(before)).collect();
        assert_eq!(after, [[1; 3], [1 + 2970; 3]].concat());
    }

    #[test]
    fn what_lags_is_left_behind_and_play_goes_on_with_a_keyframe() {
        let mut stage = Stage::new();
        stage.play(BEST);
        stage.capture(&[BEST]);
        assert_eq!(stage.send(2).len(), 2, "a picture is half sent");
        for _ in 0..20 {
            stage.capture(&[]);
        }
        assert_eq!(stage.position.advance(&stage.rings, stage.now), Some(BEST), "a keyframe is needed");
        assert_eq!(stage.position.advance(&stage.rings, stage.now), None, "once");
        assert_eq!(stage.send(9), []);
        stage.capture(&[]);
        assert_eq!(stage.send(9), []);
        stage.capture(&[BEST]);
        assert_eq!(kinds(&stage.send(9)), [(BEST, true); 3]);
    }

    #[test]
    fn what_lags_goes_on_with_a_keyframe_that_is_there_already() {
        let mut stage = Stage::new();
        stage.play(BEST);
        stage.capture(&[BEST]);
        stage.send(9);
        stage.now += Duration::from_secs(1);
        stage.play(LOWER);
        for _ in 0..20 {
            stage.capture(&[]);
        }
        stage.capture(&[LOWER]);
        assert_eq!(stage.position.advance(&stage.rings, stage.now), None);
        assert_eq!(kinds(&stage.send(9)), [(LOWER, true); 3]);
    }

    #[test]
    fn after_a_stop_and_a_while_only_a_new_keyframe_will_do() {
        let mut stage = Stage::new();
        stage.play(BEST);
        stage.capture(&[BEST]);
        stage.send(9);
        stage.position.stop(&stage.rings);
        assert!(!stage.play(LOWER) || stage.position.awaits() == Some(LOWER));
        stage.capture(&[LOWER]);
        stage.now += Duration::from_millis(200);
        assert_eq!(stage.position.renew(&stage.rings, stage.now), Some(LOWER));
        stage.capture(&[]);
        assert_eq!(stage.send(9), []);
        stage.capture(&[LOWER]);
        assert_eq!(stage.position.renew(&stage.rings, stage.now), None, "it has just come");
        assert_eq!(kinds(&stage.send(9)), [(LOWER, true); 3]);
    }
}
