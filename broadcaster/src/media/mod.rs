//! What a frame is after capture: an access unit, then the RTP payloads that all viewers share, kept for a while in a ring.

mod frame;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod h264;
mod ring;
mod rings;
mod slice;
mod vp8;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;

pub(crate) use frame::{FIRST_EXTRA, Frame, PacketSize};
pub(crate) use h264::nal_units;
pub(crate) use ring::{FrameNumber, PacketNumber, Ring};
pub(crate) use rings::Rings;
pub(crate) use slice::{is_bidirectional, is_entry};

/// RTP's clock for video, ticks per second (RFC 6184, section 8.2.1).
const VIDEO_CLOCK: u32 = 90_000;

/// RTP's clock for Opus, whatever it samples at (RFC 7587, section 4.1).
const AUDIO_CLOCK: u32 = 48_000;

/// From NTP's epoch, 1900, to Unix's, 1970 (RFC 5905, figure 4).
pub(crate) const NTP_TO_UNIX: u64 = 2_208_988_800;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum VideoCodec {
    H264,
    Vp8,
}

/// What one encoder of a camera makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Encoding {
    /// `rung` is the place in the camera's list of qualities, the best being 0.
    Video { rung: u8, codec: VideoCodec },
    /// Opus, in packets of 20 ms.
    Audio,
}

/// The encoders of a camera that are to run, and each one's bits per second; none is what the config says.
pub(crate) type Running = BTreeMap<Encoding, Option<u32>>;

impl Encoding {
    /// Ticks of RTP's clock per second.
    pub(crate) fn clock_rate(self) -> u32 {
        match self {
            Self::Video { .. } => VIDEO_CLOCK,
            Self::Audio => AUDIO_CLOCK,
        }
    }

    /// Cuts an access unit into packets.
    pub(crate) fn packetise(self, unit: &AccessUnit, size: PacketSize) -> Frame {
        let mut frame = frame::Builder::new(unit, self.clock_rate(), size);
        match self {
            Self::Video { codec: VideoCodec::H264, .. } => h264::packetise(&unit.data, &mut frame),
            Self::Video { codec: VideoCodec::Vp8, .. } => vp8::packetise(&unit.data, &mut frame),
            Self::Audio => frame.packet(&[&unit.data]),
        }
        frame.build()
    }
}

/// A wall clock's instant in NTP's format: seconds since 1900 in the upper half, their fraction in the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NtpTime(pub(crate) u64);

impl NtpTime {
    /// That much later.
    pub(crate) fn after(self, time: Duration) -> Self {
        Self(self.0.wrapping_add(((time.as_nanos() << 32) / 1_000_000_000) as u64))
    }

    /// That long after 1970. The era ends in 2036, where the seconds begin anew.
    pub(crate) fn of_unix(unix: Duration) -> Self {
        let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
        Self((unix.as_secs() + NTP_TO_UNIX) << 32 | fraction)
    }

    /// The same since 1970, up to 2106: seconds before 1970 are those of the era that follows.
    pub(crate) fn since_1970(self) -> Duration {
        let seconds = ((self.0 >> 32) as u32).wrapping_sub(NTP_TO_UNIX as u32);
        let nanos = ((self.0 & u64::from(u32::MAX)) * 1_000_000_000).div_ceil(1 << 32);
        Duration::from_secs(seconds.into()) + Duration::from_nanos(nanos)
    }
}

/// One instant of capture, on every clock that somebody reads it from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Since the pipeline started. All of a camera's encodings share this clock, and RTP's timestamps come from it.
    pub(crate) media: Duration,
    pub(crate) instant: Instant,
    pub(crate) ntp: NtpTime,
}

/// One encoded picture or piece of sound, as the encoder made it: H.264 as a byte stream with start codes, VP8 and Opus as
/// one frame each.
#[derive(Clone, Debug)]
pub(crate) struct AccessUnit {
    pub(crate) data: Bytes,
    /// Decoding can start here.
    pub(crate) keyframe: bool,
    pub(crate) captured: Moment,
}

/// A time on one of RTP's clocks, modulo 2³².
pub(crate) fn ticks(time: Duration, clock_rate: u32) -> u32 {
    (ticks64(time, clock_rate) & u64::from(u32::MAX)) as u32
}

/// The same on a clock that does not wrap.
pub(crate) fn ticks64(time: Duration, clock_rate: u32) -> u64 {
    (time.as_nanos() * u128::from(clock_rate) / 1_000_000_000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_wrap_and_do_not_saturate() {
        let late = Duration::from_secs(60 * 60 * 24);
        assert_eq!(u64::from(ticks(late, VIDEO_CLOCK)), late.as_secs() * 90_000 % (1 << 32));
    }

    #[test]
    fn wall_time_leads_back_to_1970_in_both_eras() {
        let seconds = |ntp: u64| NtpTime(ntp).since_1970().as_secs_f64();
        assert_eq!(seconds((1_700_000_000 + NTP_TO_UNIX) << 32 | 1 << 30), 1_700_000_000.25);
        assert_eq!(seconds(7 << 32), ((1u64 << 32) - NTP_TO_UNIX + 7) as f64);
    }

    #[test]
    fn half_a_second_is_half_of_ntps_lower_word() {
        assert_eq!(NtpTime(7 << 32).after(Duration::from_millis(1500)).0, 8 << 32 | 1 << 31);
    }
}
