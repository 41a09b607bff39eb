//! A film, played over and over.
//!
//! At its end it goes back to its beginning by itself. What follows sees one stream that never ends and whose time goes on:
//! encoders go on encoding, and nobody who watches is told anything.

use std::sync::{Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

/// Of events that are dropped, GStreamer before 1.24.8 says that they have been dropped already.
const LEFT_OUT: gst::PadProbeReturn = gst::PadProbeReturn::Handled;

/// Where a film's pictures are on the pipeline's time. Pure.
#[derive(Debug)]
struct Reel {
    /// How long a picture is shown that does not say it.
    period: gst::ClockTime,
    /// When the last picture so far has been shown.
    end: gst::ClockTime,
    /// The first picture of this showing: on the film's time, and on the pipeline's.
    began: Option<(gst::ClockTime, gst::ClockTime)>,
}

impl Reel {
    fn new(period: gst::ClockTime) -> Self {
        Self { period, end: gst::ClockTime::ZERO, began: None }
    }

    /// When a picture is to be shown. The first of a showing comes right after the last one before, or `now`, if that is
    /// later: what going back took is not made up for.
    fn place(
        &mut self,
        picture: Option<gst::ClockTime>,
        lasts: Option<gst::ClockTime>,
        now: Option<gst::ClockTime>,
    ) -> gst::ClockTime {
        let (next, first) = (self.end, picture.unwrap_or(gst::ClockTime::ZERO));
        let (first, began) = *self.began.get_or_insert_with(|| (first, now.map_or(next, |now| now.max(next))));
        let placed = picture.map_or(next.max(began), |picture| began.saturating_add(picture.saturating_sub(first)));
        self.end = self.end.max(placed.saturating_add(lasts.unwrap_or(self.period)));
        placed
    }

    /// The film has ended. Returns whether it had anything to show.
    fn rewind(&mut self) -> bool {
        self.began.take().is_some()
    }
}

/// Makes a film of what comes out of this element, at this rate if it does not say its own.
pub(super) fn repeat(source: &gst::Element, fps: u32) {
    let pad = source.static_pad("src").expect("it has one");
    // A probe may be called from any thread; this pad has one.
    let reel = Mutex::new((Reel::new(gst::ClockTime::SECOND / u64::from(fps)), None));
    let types = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::EVENT_FLUSH;
    pad.add_probe(types, move |pad, info| {
        let mut reel = reel.lock().unwrap_or_else(PoisonError::into_inner);
        let (reel, segment) = &mut *reel;
        if let Some(buffer) = info.buffer_mut() {
            let running = |segment: &gst::FormattedSegment<gst::ClockTime>| segment.to_running_time(buffer.pts());
            let picture = segment.as_ref().and_then(running);
            let placed = reel.place(picture, buffer.duration(), playing_time(pad));
            let buffer = buffer.make_mut();
            buffer.set_pts(placed);
            buffer.set_dts(None);
            return gst::PadProbeReturn::Ok;
        }
        let Some(event) = info.event() else { return gst::PadProbeReturn::Ok };
        if let gst::EventView::Segment(film) = event.view() {
            *segment = film.segment().downcast_ref::<gst::ClockTime>().cloned();
            let endless = gst::FormattedSegment::<gst::ClockTime>::new();
            info.data = Some(gst::PadProbeData::Event(gst::event::Segment::new(&endless)));
            return gst::PadProbeReturn::Ok;
        }
        // A film without a picture has an end.
        if event.type_() == gst::EventType::Eos && reel.rewind() {
            go_back(pad);
            return LEFT_OUT;
        }
        // What had been shown has been shown.
        let flushes = matches!(event.type_(), gst::EventType::FlushStart | gst::EventType::FlushStop);
        if flushes { LEFT_OUT } else { gst::PadProbeReturn::Ok }
    });
}

/// Goes back to the film's beginning. That waits for the thread in which this is called.
fn go_back(pad: &gst::Pad) {
    let Some(element) = pad.parent_element() else { return };
    element.call_async(|element| {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT;
        let beginning = (gst::SeekType::Set, gst::ClockTime::ZERO);
        let end = (gst::SeekType::None, gst::ClockTime::NONE);
        let seek = gst::event::Seek::new(1.0, flags, beginning.0, beginning.1, end.0, end.1);
        if !element.static_pad("src").is_some_and(|pad| pad.send_event(seek)) {
            gst::element_error!(element, gst::CoreError::Seek, ("it does not go back to its beginning"));
        }
    });
}

/// Before the pipeline plays, its time says nothing.
fn playing_time(pad: &gst::Pad) -> Option<gst::ClockTime> {
    let element = pad.parent_element()?;
    (element.current_state() == gst::State::Playing).then(|| element.current_running_time()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Option<gst::ClockTime> {
        Some(gst::ClockTime::from_mseconds(millis))
    }

    #[test]
    fn a_films_time_goes_on_when_it_begins_again() {
        let mut reel = Reel::new(gst::ClockTime::from_mseconds(100));
        let show = |reel: &mut Reel, picture, now| Some(reel.place(millis(picture), None, now));
        assert_eq!(show(&mut reel, 40, None), millis(0), "whatever it begins with");
        assert_eq!(show(&mut reel, 140, None), millis(100));
        assert!(reel.rewind());
        assert_eq!(show(&mut reel, 40, millis(150)), millis(200), "in its own pace");
        assert_eq!(show(&mut reel, 140, millis(290)), millis(300));
        assert!(reel.rewind());
        assert_eq!(show(&mut reel, 40, millis(5000)), millis(5000), "what took long is not made up for");
        assert_eq!(show(&mut reel, 140, millis(9000)), millis(5100), "the film's own time counts within it");
        assert!(reel.rewind() && !reel.rewind(), "and who shows nothing is not asked again");
    }

    #[test]
    fn pictures_that_do_not_say_when_come_one_after_the_other() {
        let mut reel = Reel::new(gst::ClockTime::from_mseconds(100));
        let shown = [None, None, millis(25), None].map(|lasts| reel.place(None, lasts, None).mseconds());
        assert_eq!(shown, [0, 100, 200, 225]);
        assert!(reel.rewind());
        assert_eq!(reel.place(None, None, millis(400)), gst::ClockTime::from_mseconds(400));
    }
}
