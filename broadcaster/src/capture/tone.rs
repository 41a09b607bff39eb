//! The synthetic sound: a beep with each second of the wall clock.
//!
//! The scene's time stamp shows the same clock, so that a probe that sees one and hears the other knows how far apart they
//! are: a beep's first sample belongs to the picture whose stamp is a whole second.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    CaptureError,
    element::{filter, make},
    moment,
};
use crate::media::NtpTime;

/// As Opus works inside: nothing is left to resample.
const RATE: u64 = 48_000;
const SAMPLE_BYTES: usize = 2;
const SECOND: u64 = 1_000_000_000;
const BEEP: u64 = SECOND / 10;

pub(super) fn source() -> Result<[gst::Element; 2], CaptureError> {
    let properties =
        [("is-live", "true"), ("wave", "sine"), ("freq", "1000"), ("volume", "0.5"), ("samplesperbuffer", "960")];
    let sine = make("audiotestsrc", "gstreamer1.0-plugins-base", &properties)?;
    let caps = gst::Caps::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("layout", "interleaved")
        .field("rate", RATE as i32)
        .field("channels", 1i32)
        .build();
    let filter = filter(caps)?;
    let pad = filter.static_pad("src").expect("a filter has one");
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        let begins =
            info.buffer().and_then(|buffer| buffer.pts()).and_then(|pts| moment::instant(&pad.parent_element()?, pts));
        if let (Some(begins), Some(buffer)) = (begins, info.buffer_mut())
            && let Ok(mut samples) = buffer.make_mut().map_writable()
        {
            silence_between_beeps(&mut samples, into_second(begins.ntp));
        }
        gst::PadProbeReturn::Ok
    });
    Ok([sine, filter])
}

/// Nanoseconds since the last whole second.
fn into_second(NtpTime(ntp): NtpTime) -> u64 {
    ((ntp & u64::from(u32::MAX)) * SECOND) >> 32
}

fn silence_between_beeps(samples: &mut [u8], begins: u64) {
    for (index, sample) in (0..).zip(samples.chunks_exact_mut(SAMPLE_BYTES)) {
        if (begins + index * SECOND / RATE) % SECOND >= BEEP {
            sample.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sounding(begins_millis: u64) -> Vec<bool> {
        let mut samples = [1; 960 * SAMPLE_BYTES];
        silence_between_beeps(&mut samples, begins_millis * 1_000_000);
        samples.chunks_exact(SAMPLE_BYTES).map(|sample| sample != [0, 0]).collect()
    }

    #[test]
    fn a_beep_lasts_the_first_tenth_of_each_second() {
        assert!(sounding(0).iter().all(|sounds| *sounds));
        assert!(sounding(500).iter().all(|sounds| !sounds));
        let (beginning, end) = (sounding(990), sounding(90));
        assert!((0..960).all(|index| beginning[index] == (index >= 480) && end[index] == (index < 480)));
    }

    #[test]
    fn the_lower_half_of_ntp_time_is_the_way_into_the_second() {
        assert_eq!(into_second(NtpTime(0x1234_5678_4000_0000)), SECOND / 4);
    }
}
