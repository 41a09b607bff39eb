//! Where a viewer stands in the rings: what it gets now, and what it waits for. Changes only at keyframes.

use std::time::{Duration, Instant};

use crate::media::{Encoding, Frame, FrameNumber, Moment, Rings};

/// What has waited longer than this for its path is not sent any more: who looks at a robot wants to see what is, and goes
/// on with the next keyframe.
const MAX_LAG: Duration = Duration::from_millis(400);

#[derive(Debug)]
pub(super) struct Position {
    playing: Option<Cursor>,
    awaited: Option<Awaited>,
    timestamp_offset: u32,
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

/// The packets that are next.
pub(super) struct Next<'a> {
    pub(super) encoding: Encoding,
    pub(super) frame: &'a Frame,
    pub(super) first_packet: crate::media::PacketNumber,
    pub(super) packet: usize,
    pub(super) timestamp: u32,
    pub(super) timestamp_offset: u32,
}

impl Position {
    pub(super) fn new(timestamp_offset: u32) -> Self {
        Self { playing: None, awaited: None, timestamp_offset, last_timestamp: None }
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

    /// Sends nothing more of what plays: its path is full.
    pub(super) fn stop(&mut self) {
        if self.awaited.is_some() {
            self.playing = None;
        }
    }

    /// Which encodings have to run for this viewer.
    pub(super) fn watches(&self) -> impl Iterator<Item = Encoding> {
        let (playing, awaited) = (self.playing, self.awaited);
        playing.map(|cursor| cursor.encoding).into_iter().chain(awaited.map(|awaited| awaited.encoding))
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
        let lags = match ring.frame(frame) {
            Some(kept) => now.saturating_duration_since(kept.at.max(since)) > MAX_LAG,
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
        let timestamp = kept.frame.timestamp.wrapping_add(self.timestamp_offset);
        Some(Next {
            encoding,
            frame: &kept.frame,
            first_packet: kept.first_packet,
            packet,
            timestamp,
            timestamp_offset: self.timestamp_offset,
        })
    }

    /// Two encodings of one picture bear one timestamp; to a receiver they must be two pictures, one after the other.
    fn offset(&mut self, frame: u32) {
        let Some(last) = self.last_timestamp else { return };
        let ahead = frame.wrapping_add(self.timestamp_offset).wrapping_sub(last);
        if ahead == 0 || ahead > u32::MAX / 2 {
            self.timestamp_offset = last.wrapping_add(1).wrapping_sub(frame);
        }
    }

    /// The packet that was next is sent.
    pub(super) fn sent(&mut self, next: &Next<'_>) {
        let Some(cursor) = &mut self.playing else { return };
        self.last_timestamp = Some(next.timestamp);
        cursor.packet += 1;
        if cursor.packet >= next.frame.packets() {
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
