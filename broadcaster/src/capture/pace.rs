//! Leaves out pictures where a rung has fewer per second than its camera.
//!
//! `videorate` does the same, but takes the time that an encoder rested for time to catch up on, at the camera's full pace.

use std::sync::{Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

#[derive(Debug)]
struct Pace {
    period: gst::ClockTime,
    /// A picture that is this much early is not a whole period early: no clock ticks evenly.
    early: gst::ClockTime,
    due: gst::ClockTime,
}

/// Lets through a pad's buffers in a slower pace than they come in, each as soon as it is there.
pub(super) fn slow_down(pad: &gst::Pad, from: u32, to: u32) {
    // A probe may be called from any thread; this pad has one.
    let pace = Mutex::new(Pace::new(from, to));
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
        match info.buffer().and_then(|buffer| buffer.pts()) {
            Some(pts) if !pace.takes(pts) => gst::PadProbeReturn::Drop,
            Some(_) | None => gst::PadProbeReturn::Ok,
        }
    });
}

impl Pace {
    fn new(from: u32, to: u32) -> Self {
        let period = |fps: u32| gst::ClockTime::SECOND / u64::from(fps);
        Self { period: period(to), early: period(from) / 2, due: gst::ClockTime::ZERO }
    }

    fn takes(&mut self, pts: gst::ClockTime) -> bool {
        if pts + self.early < self.due {
            return false;
        }
        let late = pts.saturating_sub(self.due) >= self.period;
        self.due = if late { pts } else { self.due } + self.period;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pictures are taken in ten seconds, when they come as evenly as a camera's do.
    fn taken(pace: &mut Pace, from: u64, begin: u64) -> usize {
        let jitter = [0, 700, 200, 1300].into_iter().cycle();
        let pictures = (begin * from..(begin + 10) * from).zip(jitter);
        let pts = pictures.map(|(index, jitter)| gst::ClockTime::from_useconds(index * 1_000_000 / from + jitter));
        pts.filter(|pts| pace.takes(*pts)).count()
    }

    #[test]
    fn the_pace_is_kept_and_a_rest_is_not_made_up_for() {
        for (from, to) in [(30, 15), (30, 20), (30, 10), (30, 7), (60, 24), (10, 5), (30, 29)] {
            let mut pace = Pace::new(from, to);
            assert_eq!(taken(&mut pace, from.into(), 0), 10 * to as usize, "{from} to {to}");
            assert_eq!(taken(&mut pace, from.into(), 1000), 10 * to as usize, "{from} to {to}");
        }
    }

    #[test]
    fn half_the_pace_is_every_other_picture() {
        let mut pace = Pace::new(30, 15);
        let taken: Vec<bool> = (0..6).map(|index| pace.takes(gst::ClockTime::from_mseconds(index * 100 / 3))).collect();
        assert_eq!(taken, [true, false, true, false, true, false]);
    }
}
