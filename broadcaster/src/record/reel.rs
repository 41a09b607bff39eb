//! One camera's units become files: where one ends and the next begins, and what is written when. Pure: it names no file and
//! no clock.
//!
//! A file begins with a keyframe and is written fragment by fragment, each a quarter of a second: what a process that is
//! killed takes with it is what it had not written yet.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::mp4::{Closing, Film, PICTURE_CLOCK, ParameterSets, Picture, SOUND_CLOCK, Sample};
use crate::media::{AccessUnit, Moment, ticks64};

/// How much is written at once.
const FRAGMENT: Duration = Duration::from_millis(250);

/// When nothing comes to end a fragment with, it is written so much later as it is.
const SILENCE: Duration = Duration::from_millis(100);

/// Pictures this far apart belong into two files: the name of the second says when it went on.
const GAP: Duration = Duration::from_secs(2);

/// A wall clock that has been set by more makes the file's name wrong for what follows.
const CLOCK_STEP: Duration = Duration::from_secs(1);

/// The encoder is asked so often to begin anew when a file is long enough.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// A packet of Opus.
const PACKET: u32 = SOUND_CLOCK / 50;

/// How long a file may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) duration: Duration,
    pub(super) bytes: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// A file begins, whose first picture was taken so long after 1970.
    Open(Duration),
    Append(Vec<u8>),
    /// It ends well.
    Close(Closing),
    /// The file is long enough: the next could begin with a keyframe.
    Keyframe,
}

pub(super) struct Reel {
    limits: Limits,
    with_sound: bool,
    running: Option<Running>,
    out: VecDeque<Output>,
    unreadable: bool,
}

/// A file that is being written.
struct Running {
    film: Film,
    picture: Picture,
    began: Moment,
    last: Duration,
    /// What goes before the first fragment.
    header: Option<Vec<u8>>,
    pictures: Track,
    sounds: Track,
    due: Option<Instant>,
    asked: Option<Instant>,
}

/// Samples that wait to be written.
struct Track {
    clock: u32,
    waiting: Vec<Sample>,
    /// Where those end that are written.
    ends: u64,
    usual: u32,
}

impl Reel {
    pub(super) fn new(limits: Limits, with_sound: bool) -> Self {
        Self { limits, with_sound, running: None, out: VecDeque::new(), unreadable: false }
    }

    pub(super) fn handle_picture(&mut self, unit: &AccessUnit, now: Instant) {
        let (sets, data) = ParameterSets::split(&unit.data);
        if unit.keyframe {
            if let Some(running) = &mut self.running {
                // What it ends is written whole.
                running.flush(Some(unit.captured.media), &mut self.out);
                if running.must_end(unit, &sets, self.limits) {
                    self.stop();
                }
            }
            if self.running.is_none() {
                self.begin(sets, unit.captured);
            }
        }
        let Some(running) = &mut self.running else { return };
        if running.due.is_some_and(|due| due <= now) {
            running.flush(Some(unit.captured.media), &mut self.out);
        }
        let at = unit.captured.media.saturating_sub(running.began.media);
        running.last = unit.captured.media;
        running.pictures.push(data, at, unit.keyframe);
        running.due.get_or_insert(now + FRAGMENT);
        let long_enough = at >= self.limits.duration || running.film.len() >= self.limits.bytes;
        if long_enough && running.asked.is_none_or(|asked| now >= asked + ASK_AGAIN) {
            running.asked = Some(now);
            self.out.push_back(Output::Keyframe);
        }
    }

    pub(super) fn handle_sound(&mut self, unit: &AccessUnit, now: Instant) {
        // What was heard before the first picture was seen belongs to no file.
        if let Some(running) = &mut self.running
            && let Some(at) = unit.captured.media.checked_sub(running.began.media)
        {
            running.sounds.push(unit.data.to_vec(), at, true);
            running.due.get_or_insert(now + FRAGMENT);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.running.as_ref()?.due.map(|due| due + SILENCE)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| at <= now)
            && let Some(running) = &mut self.running
        {
            running.flush(None, &mut self.out);
        }
    }

    /// Ends the file that is being written, if one is.
    pub(super) fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.flush(None, &mut self.out);
            // Nobody has seen a file in which nothing is.
            if running.header.is_none() {
                self.out.push_back(Output::Close(running.film.end()));
            }
        }
    }

    /// The file is lost: what was to be written into it is of no use.
    pub(super) fn abandon(&mut self) {
        self.running = None;
        self.out.clear();
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn begin(&mut self, sets: ParameterSets, began: Moment) {
        let Some(picture) = Picture::read(sets) else {
            if !std::mem::replace(&mut self.unreadable, true) {
                tracing::warn!("the camera's H.264 does not say what it is; nothing can be recorded of it so far");
            }
            return;
        };
        self.unreadable = false;
        let (film, header) = Film::begin(&picture, self.with_sound);
        self.out.push_back(Output::Open(began.ntp.since_1970()));
        self.running = Some(Running {
            film,
            picture,
            began,
            last: began.media,
            header: Some(header),
            pictures: Track::new(PICTURE_CLOCK, PICTURE_CLOCK / 30),
            sounds: Track::new(SOUND_CLOCK, PACKET),
            due: None,
            asked: None,
        });
    }
}

impl Running {
    /// Whether this keyframe is the first picture of another file.
    fn must_end(&self, unit: &AccessUnit, sets: &ParameterSets, limits: Limits) -> bool {
        let Moment { media, ntp, .. } = unit.captured;
        let age = media.saturating_sub(self.began.media);
        let clock = (self.began.ntp.since_1970() + age).abs_diff(ntp.since_1970());
        let other = !sets.is_empty() && sets != self.picture.sets();
        let long_enough = age >= limits.duration || self.film.len() >= limits.bytes;
        long_enough || other || clock >= CLOCK_STEP || media.saturating_sub(self.last) >= GAP
    }

    /// Writes what waits. The last picture lasts until the `next` one, or as long as usual.
    fn flush(&mut self, next: Option<Duration>, out: &mut VecDeque<Output>) {
        self.due = None;
        let next = next.filter(|next| next.saturating_sub(self.last) < GAP);
        let pictures = self.pictures.take(next.map(|next| next.saturating_sub(self.began.media)));
        let sounds = self.sounds.take(None);
        if pictures.is_empty() && sounds.is_empty() {
            return;
        }
        let fragment = self.film.fragment(&pictures, &sounds);
        out.push_back(Output::Append(match self.header.take() {
            Some(mut header) => {
                header.extend_from_slice(&fragment);
                header
            }
            None => fragment,
        }));
    }
}

impl Track {
    fn new(clock: u32, usual: u32) -> Self {
        Self { clock, waiting: Vec::new(), ends: 0, usual }
    }

    fn push(&mut self, data: Vec<u8>, at: Duration, keyframe: bool) {
        let earliest = match self.waiting.last() {
            Some(last) => last.begins,
            None => self.ends,
        };
        let begins = ticks64(at, self.clock).max(earliest);
        if let Some(last) = self.waiting.last_mut() {
            last.lasts = u32::try_from(begins - last.begins).unwrap_or(u32::MAX);
            self.usual = last.lasts;
        }
        self.waiting.push(Sample { data, begins, lasts: self.usual, keyframe });
    }

    fn take(&mut self, next: Option<Duration>) -> Vec<Sample> {
        if let Some(last) = self.waiting.last_mut() {
            // Without a next one: no longer than it is known to have lasted, lest the next begins before that.
            let limit = u32::try_from(ticks64(FRAGMENT, self.clock)).unwrap_or(u32::MAX);
            let lasts = next.map(|next| ticks64(next, self.clock).saturating_sub(last.begins));
            last.lasts = lasts.map_or(self.usual.min(limit), |lasts| u32::try_from(lasts).unwrap_or(u32::MAX));
            self.ends = last.begins + u64::from(last.lasts);
        }
        std::mem::take(&mut self.waiting)
    }
}
