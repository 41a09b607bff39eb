//! When something was captured, on every clock that somebody reads it from.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::media::{Moment, NtpTime};

/// A pipeline's running time may be this far from where it should be before another has begun: clocks are read one after the
/// other.
const MAX_DRIFT: Duration = Duration::from_millis(100);

/// One camera's media time, as one of its pipelines sees it, which goes on when that begins anew.
#[derive(Debug)]
pub(super) struct Timeline {
    began: Instant,
    /// What to add to the pipeline's running time. Asked by its threads, once a picture, for a sum.
    offset: Mutex<Option<Duration>>,
}

impl Timeline {
    pub(super) fn begin() -> Arc<Self> {
        Arc::new(Self { began: now(), offset: Mutex::new(None) })
    }

    /// For another pipeline of the same camera.
    pub(super) fn beside(&self) -> Arc<Self> {
        Arc::new(Self { began: self.began, offset: Mutex::new(None) })
    }

    /// The media time of what was captured at `instant`, by the pipeline at `running_time`.
    fn media(&self, instant: Instant, running_time: Duration) -> Duration {
        let should_be = instant.saturating_duration_since(self.began);
        let mut offset = self.offset.lock().unwrap_or_else(PoisonError::into_inner);
        let is = offset.map(|offset| offset + running_time);
        if let Some(is) = is.filter(|is| is.abs_diff(should_be) <= MAX_DRIFT) {
            return is;
        }
        *offset = Some(should_be.saturating_sub(running_time));
        should_be
    }
}

/// When this running time was, or nothing while the element's pipeline has no clock.
pub(super) fn at(
    element: &impl IsA<gst::Element>,
    running_time: gst::ClockTime,
    timeline: &Timeline,
) -> Option<Moment> {
    let mut moment = instant(element, running_time)?;
    moment.media = timeline.media(moment.instant, moment.media);
    Some(moment)
}

/// The same on the pipeline's own time.
pub(super) fn instant(element: &impl IsA<gst::Element>, running_time: gst::ClockTime) -> Option<Moment> {
    let age = element.current_running_time()?.saturating_sub(running_time);
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(moment(running_time.into(), age.into(), now(), unix))
}

/// The capture's one clock.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn moment(media: Duration, age: Duration, now: Instant, unix: Duration) -> Moment {
    Moment { media, instant: now.checked_sub(age).unwrap_or(now), ntp: NtpTime::of_unix(unix.saturating_sub(age)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::NTP_TO_UNIX;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn an_age_leads_back_to_the_same_instant_on_both_clocks() {
        let now = Instant::now();
        let (media, age) = (Duration::from_secs(7), Duration::from_millis(250));
        let moment = moment(media, age, now, Duration::from_millis(1_700_000_000_000));
        assert_eq!((moment.media, now - moment.instant), (media, age));
        assert_eq!(moment.ntp, NtpTime((1_699_999_999 + NTP_TO_UNIX) << 32 | 0xc000_0000));
    }

    #[test]
    fn media_time_goes_on_when_a_pipeline_begins_anew() {
        let timeline = Timeline::begin();
        let media = |millis, running| {
            let instant = timeline.began + Duration::from_millis(millis);
            timeline.media(instant, Duration::from_millis(running)).as_millis()
        };
        assert_eq!([media(500, 100), media(533, 133), media(570, 166)], [500, 533, 566], "even, as the pipeline says");
        assert_eq!([media(9000, 40), media(9030, 73)], [9000, 9033]);
    }

    #[test]
    fn the_era_wraps() {
        let last = Duration::from_millis(((1 << 32) - NTP_TO_UNIX) * 1000 - 500);
        assert_eq!(NtpTime::of_unix(last), NtpTime(0xffff_ffff_8000_0000));
        assert_eq!(NtpTime::of_unix(last + Duration::from_secs(1)), NtpTime(0x8000_0000));
    }
}
