//! A camera's pictures on their way to a viewer over links that are not perfect, in invented time.

use std::collections::BTreeMap;

use super::{
    link::{Conditions, Link},
    stage::{Abilities, Stage, Viewer, video},
    *,
};
use crate::media::Running;
use rand::{RngExt, SeedableRng, rngs::StdRng};

const FPS: u64 = 30;
/// IP and UDP.
const HEADERS: usize = 28;
const ENCODING: Duration = Duration::from_millis(20);
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);
/// A viewer that has missed packets for good asks for a keyframe.
const PATIENCE: Duration = Duration::from_millis(500);
/// Who waits longer for a missed packet sees the picture stand.
const LATE: Duration = Duration::from_millis(150);

pub(super) struct Journey {
    pub(super) stage: Stage,
    pub(super) viewer: Viewer,
    pub(super) down: Link<Datagram>,
    pub(super) up: Link<Datagram>,
    encoders: Vec<Encoder>,
    random: StdRng,
    began: Instant,
    next_tick: Instant,
    ticks: u64,
    missing: BTreeMap<u16, Instant>,
    highest: Option<u16>,
    asked: Instant,
    /// Packets that came too late to be of use, or not at all.
    pub(super) late: usize,
    /// What came, as of now.
    pub(super) notes: Vec<Note>,
    longest_queue: Duration,
    /// Nobody else watches.
    alone: bool,
}

struct Encoder {
    nominal: f64,
    bitrate: f64,
    last_keyframe: Option<Instant>,
    asked: Option<Instant>,
}

/// One tick's end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    /// Since the journey began.
    pub(super) at: Duration,
    /// Of the last packet that came.
    pub(super) rung: Option<usize>,
    /// The link's longest queue since the tick before.
    pub(super) queue: Duration,
    /// How old the last packet's picture was when it came.
    pub(super) age: Duration,
}

impl Journey {
    /// A viewer that has just joined; nothing was sent yet.
    pub(super) fn begin(rungs: &[f64], conditions: Conditions, seed: u64) -> Self {
        Self::begin_with(Abilities::ALL, rungs, conditions, seed)
    }

    pub(super) fn begin_with(abilities: Abilities, rungs: &[f64], conditions: Conditions, seed: u64) -> Self {
        let mut stage = Stage::with_rungs(rungs);
        let (mut viewer, sdp) = Viewer::able(abilities, &stage.offered(), stage.now);
        stage.answer(&sdp);
        stage.exchange(&mut viewer, |event, _| matches!(event, SessionEvent::Connected));
        // The last word of the handshake.
        stage.deliver(&mut viewer);
        let up = Conditions { rate: None, jitter: Duration::ZERO, loss: 0.0, ..conditions };
        let encoder =
            |bitrate: &f64| Encoder { nominal: *bitrate, bitrate: *bitrate, last_keyframe: None, asked: None };
        let now = stage.now;
        Self {
            viewer,
            down: Link::new(conditions, seed),
            up: Link::new(up, seed + 1),
            encoders: rungs.iter().map(encoder).collect(),
            random: StdRng::seed_from_u64(seed + 2),
            began: now,
            next_tick: now,
            ticks: 0,
            missing: BTreeMap::new(),
            highest: None,
            asked: now,
            late: 0,
            notes: Vec::new(),
            longest_queue: Duration::ZERO,
            alone: false,
            stage,
        }
    }

    /// From now on nobody else watches: the lowest quality is encoded at what this viewer can take.
    pub(super) fn leave_alone(&mut self) {
        self.alone = true;
    }

    /// Bits per second of the lowest quality.
    pub(super) fn lowest(&self) -> f64 {
        self.encoders.last().map_or(0.0, |encoder| encoder.bitrate)
    }

    fn follow(&mut self) {
        let lowest = video((self.encoders.len() - 1) as u8);
        let limit = self.stage.session.watches().limit(lowest);
        self.stage.rings.set_bitrates(&Running::from([(lowest, limit)]));
        if let Some(encoder) = self.encoders.last_mut() {
            encoder.bitrate = limit.map_or(encoder.nominal, f64::from);
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.stage.now - self.began
    }

    /// The way to the viewer is another from now on.
    pub(super) fn change(&mut self, conditions: Conditions) {
        self.down.change(conditions, self.stage.now);
    }

    /// Lets invented time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.stage.now + time;
        loop {
            self.carry();
            let deadlines = [
                self.down.due(),
                self.up.due(),
                self.stage.session.poll_timeout(&self.stage.rings),
                self.viewer.connection.poll_timeout(),
            ];
            // Timers of both stacks may lie in the past; a tenth of a millisecond is fine enough.
            let next = deadlines.into_iter().flatten().min().unwrap_or(until);
            let next = next.max(self.stage.now + Duration::from_micros(100)).min(self.next_tick).min(until);
            self.stage.now = next;
            self.stage.handle_timeout();
            self.viewer.connection.handle_timeout(next).expect("time passes");
            if next == self.next_tick {
                self.tick();
            }
            if next == until {
                return;
            }
        }
    }

    fn carry(&mut self) {
        loop {
            let now = self.stage.now;
            for datagram in self.stage.sent() {
                let length = datagram.data.len() + HEADERS;
                self.down.send(datagram, length, now);
            }
            self.longest_queue = self.longest_queue.max(self.down.queue(now));
            while let Some(datagram) = self.down.take(now) {
                self.viewer.take(datagram, now);
            }
            while let Some(datagram) = self.viewer.says() {
                let length = datagram.data.len() + HEADERS;
                self.up.send(datagram, length, now);
            }
            let mut heard = false;
            while let Some(datagram) = self.up.take(now) {
                self.stage.receive(datagram);
                heard = true;
            }
            if !heard {
                return;
            }
        }
    }

    /// The camera gives a picture, and all encoders make something of it.
    fn tick(&mut self) {
        let now = self.stage.now;
        self.note();
        if self.alone {
            self.follow();
        }
        if let Some(Encoding::Video { rung, .. }) = self.stage.session.take_wanted() {
            self.encoders[usize::from(rung)].asked.get_or_insert(now);
        }
        for (rung, encoder) in self.encoders.iter_mut().enumerate() {
            let due = encoder.asked.is_some_and(|asked| now >= asked + ENCODING)
                && encoder.last_keyframe.is_none_or(|last| now >= last + KEYFRAME_INTERVAL);
            let keyframe = due || encoder.last_keyframe.is_none();
            if keyframe {
                encoder.last_keyframe = Some(now);
                encoder.asked = None;
            }
            let noise = self.random.random_range(0.7..1.3);
            let length = if keyframe {
                3000.0 + 0.112 * encoder.bitrate / 8.0
            } else {
                encoder.bitrate / 8.0 / FPS as f64 * noise
            };
            let mark = (self.ticks % 4096) as u16 * 4 + rung as u16;
            // The upper byte is the one with its first bit set, wherever reading begins.
            let filling = [0x80 | (mark >> 7) as u8, mark as u8 & 0x7f];
            self.stage.capture_filled(video(rung as u8), length as usize, keyframe, filling);
        }
        self.ticks += 1;
        self.next_tick = self.began + Duration::from_secs(self.ticks) / FPS as u32;
    }

    /// A viewer that has missed something for good asks for a keyframe.
    fn look_for_gaps(&mut self) {
        let now = self.stage.now;
        for packet in self.viewer.packets.iter().skip(usize::from(self.highest.is_some())) {
            let number = packet.header.sequence_number;
            let highest = *self.highest.get_or_insert(number);
            let step = number.wrapping_sub(highest);
            if (1..1 << 15).contains(&step) {
                self.missing.extend((1..step).map(|step| (highest.wrapping_add(step), now)));
                self.highest = Some(number);
            }
            self.late += usize::from(self.missing.remove(&number).is_some_and(|since| now > since + LATE));
        }
        if self.missing.values().any(|since| now >= *since + PATIENCE) && now >= self.asked + PATIENCE {
            self.asked = now;
            self.late += self.missing.values().filter(|since| now > **since + LATE).count();
            self.missing.clear();
            self.viewer.ask_for_keyframe(now);
        }
    }

    fn note(&mut self) {
        self.look_for_gaps();
        let last = self.viewer.packets.last().map(|packet| {
            let [upper, lower] = match packet.payload[8..10] {
                [upper, lower] if upper & 0x80 != 0 => [upper, lower],
                [lower, upper] => [upper, lower],
                _ => unreachable!("two bytes"),
            };
            let mark = u64::from(upper & 0x7f) << 7 | u64::from(lower);
            let ticks = (self.ticks + 4096 - mark / 4) % 4096;
            (mark as usize % 4, Duration::from_secs(ticks) / FPS as u32)
        });
        let queue = std::mem::take(&mut self.longest_queue);
        let at = self.now();
        let (rung, age) = last.unzip();
        // Nothing is looked at twice.
        let last = self.viewer.packets.len().saturating_sub(1);
        self.viewer.packets.drain(..last);
        self.notes.push(Note { at, rung, queue, age: age.unwrap_or_default() });
    }
}
