//! What a viewer has received, counted packet by packet.

use std::time::Duration;

use protocol::Notice;
use serde::Serialize;

/// NAL unit types of an IDR slice, of several units together, and of a fragment (RFC 6184, section 5.2).
const IDR: u8 = 5;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const NAL_TYPE: u8 = 0x1f;
const FU_START: u8 = 0x80;

/// Durations are counted from the moment at which the viewer started to join.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reception {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Notice>,
    pub notices: Vec<Notice>,
    /// Offers that were answered; more than one when the robot or the viewer had to begin again.
    pub offers: u32,
    /// Resumptions of a session that went on.
    pub resumed: u32,
    #[serde(serialize_with = "millis")]
    pub admitted: Option<Duration>,
    #[serde(serialize_with = "millis")]
    pub first_packet: Option<Duration>,
    /// The last packet of the first whole picture, a keyframe.
    #[serde(serialize_with = "millis")]
    pub first_frame: Option<Duration>,
    pub packets: u64,
    pub bytes: u64,
    /// Packets that had not come when a later one came.
    pub missed: u64,
    pub frames: u64,
    pub keyframes: u64,
    #[serde(skip)]
    last_sequence: Option<u16>,
}

fn millis<S: serde::Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3),
        None => serializer.serialize_none(),
    }
}

impl Reception {
    pub(crate) fn count(&mut self, packet: &rtc::rtp::Packet, since_start: Duration) {
        self.packets += 1;
        self.bytes += packet.payload.len() as u64;
        self.first_packet.get_or_insert(since_start);
        if let Some(last) = self.last_sequence {
            let step = packet.header.sequence_number.wrapping_sub(last);
            // A copy of the one before: robots send them where much is lost.
            if step == 0 {
                return;
            }
            // A step of half the range or more is a packet that came late.
            if step >= 1 << 15 {
                self.missed = self.missed.saturating_sub(1);
                return;
            }
            self.missed += u64::from(step).saturating_sub(1);
        }
        self.last_sequence = Some(packet.header.sequence_number);
        self.keyframes += u64::from(starts_keyframe(&packet.payload));
        if packet.header.marker {
            self.frames += 1;
            if self.keyframes > 0 {
                self.first_frame.get_or_insert(since_start);
            }
        }
    }

    /// The next session numbers its packets anew.
    pub(crate) fn new_session(&mut self) {
        self.offers += 1;
        self.last_sequence = None;
    }
}

/// Pictures are cut into slices; the first packet of the first one counts.
fn starts_keyframe(payload: &[u8]) -> bool {
    // first_mb_in_slice is 0 in a picture's first slice: the first bit of its header is set.
    match payload {
        [header, fragment, slice, ..] if header & NAL_TYPE == FU_A => {
            fragment & FU_START != 0 && fragment & NAL_TYPE == IDR && slice & 0x80 != 0
        }
        [header, together @ ..] if header & NAL_TYPE == STAP_A => aggregated(together).any(starts_keyframe),
        [header, slice, ..] => header & NAL_TYPE == IDR && slice & 0x80 != 0,
        _ => false,
    }
}

/// The NAL units that share a packet (RFC 6184, section 5.7.1).
fn aggregated(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let [high, low, tail @ ..] = rest else { return None };
        let (nal, next) = tail.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        rest = next;
        Some(nal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence_number: u16, marker: bool) -> rtc::rtp::Packet {
        let header = rtc::rtp::Header { sequence_number, marker, ..Default::default() };
        rtc::rtp::Packet { header, payload: vec![0x65, 0x88].into() }
    }

    #[test]
    fn gaps_count_and_late_packets_fill_them() {
        let mut reception = Reception::default();
        for sequence in [65_534, 65_535, 0, 3, 1, 4] {
            reception.count(&packet(sequence, sequence == 4), Duration::from_millis(1));
        }
        assert_eq!((reception.packets, reception.missed, reception.frames), (6, 1, 1));
    }

    #[test]
    fn a_keyframe_is_seen_however_it_is_packed() {
        let together = [24, 0, 2, 0x67, 1, 0, 1, 0x68, 0, 2, 0x65, 0x88];
        assert!(starts_keyframe(&[0x65, 0x88]) && starts_keyframe(&[0x7c, 0x85, 0x88]) && starts_keyframe(&together));
        assert!(
            !starts_keyframe(&[0x41, 0x88])
                && !starts_keyframe(&[0x7c, 0x05, 0x88])
                && !starts_keyframe(&together[..8])
        );
    }
}
