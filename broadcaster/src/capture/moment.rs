//! When something was captured, on every clock that somebody reads it from.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::media::{Moment, NtpTime};

/// From NTP's epoch, 1900, to Unix's, 1970 (RFC 5905, figure 4).
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// When this running time was, or nothing while the element's pipeline has no clock.
pub(super) fn at(element: &impl IsA<gst::Element>, running_time: gst::ClockTime) -> Option<Moment> {
    let age = element.current_running_time()?.saturating_sub(running_time);
    let now = tokio::time::Instant::now().into_std();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(moment(running_time.into(), age.into(), now, unix))
}

fn moment(media: Duration, age: Duration, now: Instant, unix: Duration) -> Moment {
    Moment { media, instant: now.checked_sub(age).unwrap_or(now), ntp: ntp(unix.saturating_sub(age)) }
}

/// The era ends in 2036, where the seconds begin anew.
fn ntp(unix: Duration) -> NtpTime {
    let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
    NtpTime((unix.as_secs() + NTP_TO_UNIX) << 32 | fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_era_wraps() {
        let last = Duration::from_millis(((1 << 32) - NTP_TO_UNIX) * 1000 - 500);
        assert_eq!(ntp(last), NtpTime(0xffff_ffff_8000_0000));
        assert_eq!(ntp(last + Duration::from_secs(1)), NtpTime(0x8000_0000));
    }
}
