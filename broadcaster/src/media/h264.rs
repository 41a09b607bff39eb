//! Cuts H.264 access units into RTP payloads (RFC 6184, packetization-mode 1).
//!
//! Small NAL units share a packet, large ones become fragments of equal size, and where that costs a few bytes of padding
//! all packets but the last are equally long: then the whole frame leaves in one segmented send.

use super::frame::Builder;

pub(super) const NAL_TYPE: u8 = 0x1f;
const NAL_REFERENCE: u8 = 0x60;
const ACCESS_UNIT_DELIMITER: u8 = 9;
/// What a unit may be: the other types are those of packets' own structure (RFC 6184, section 5.2).
const TYPES: std::ops::RangeInclusive<u8> = 1..=23;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
const FU_HEADER_LEN: usize = 2;
const STAP_HEADER_LEN: usize = 1;
const STAP_LENGTH_LEN: usize = 2;

/// What becomes of the next NAL units.
enum Plan<'a> {
    /// One packet for all of them.
    Together(Vec<&'a [u8]>),
    /// Fragments whose share of the NAL unit is `size` bytes; the frame's first is `shortage` shorter.
    Apart { nal: &'a [u8], size: usize, shortage: usize },
}

pub(super) fn packetise(stream: &[u8], frame: &mut Builder) {
    let plans = plan(stream, frame.max(), frame.shortage());
    let length = plans.iter().map(Plan::longest).max().unwrap_or_default();
    let mut plans = plans.iter().peekable();
    while let Some(plan) = plans.next() {
        let last = plans.peek().is_none();
        match plan {
            Plan::Together(nals) => together(nals, length, last, frame),
            Plan::Apart { nal, size, shortage } => apart(nal, *size, *shortage, length, last, frame),
        }
    }
}

fn plan(stream: &[u8], max: usize, shortage: usize) -> Vec<Plan<'_>> {
    let mut plans = Vec::new();
    let mut room = 0;
    let is_sent = |kind: u8| TYPES.contains(&kind) && kind != ACCESS_UNIT_DELIMITER;
    for nal in nal_units(stream).filter(|nal| is_sent(nal[0] & NAL_TYPE)) {
        let shortage = if plans.is_empty() { shortage } else { 0 };
        let need = STAP_LENGTH_LEN + nal.len();
        match plans.last_mut() {
            Some(Plan::Together(nals)) if need <= room => {
                nals.push(nal);
                room -= need;
            }
            _ if nal.len() <= max - shortage => {
                room = (max - shortage).saturating_sub(STAP_HEADER_LEN + need);
                plans.push(Plan::Together(vec![nal]));
            }
            _ => {
                let body = nal.len() - 1 + shortage;
                let count = body.div_ceil(max - FU_HEADER_LEN);
                plans.push(Plan::Apart { nal, size: body.div_ceil(count), shortage });
            }
        }
    }
    plans
}

impl Plan<'_> {
    /// The longest packet that may come of it, were it not the frame's first.
    fn longest(&self) -> usize {
        match self {
            // A short packet must not make the others longer, and a long one is no longer than `max`.
            Self::Together(_) => 0,
            Self::Apart { size, .. } => FU_HEADER_LEN + size,
        }
    }
}

fn together(nals: &[&[u8]], length: usize, last: bool, frame: &mut Builder) {
    let length = if last { 0 } else { length.saturating_sub(frame.shortage()) };
    if let [nal] = nals {
        return frame.padded_packet(&[nal], length);
    }
    let reference = nals.iter().map(|nal| nal[0] & NAL_REFERENCE).max().unwrap_or_default();
    let header = [reference | STAP_A];
    let lengths: Vec<[u8; 2]> =
        nals.iter().map(|nal| u16::try_from(nal.len()).expect("it fits into a packet").to_be_bytes()).collect();
    let mut parts: Vec<&[u8]> = vec![&header];
    for (nal, length) in nals.iter().zip(&lengths) {
        parts.extend([&length[..], nal]);
    }
    frame.padded_packet(&parts, length);
}

fn apart(nal: &[u8], size: usize, shortage: usize, length: usize, last: bool, frame: &mut Builder) {
    let (header, mut body) = (nal[0], &nal[1..]);
    let mut position = FU_START;
    while !body.is_empty() {
        let share = if position == FU_START { size - shortage } else { size };
        let (fragment, rest) = body.split_at(share.min(body.len()));
        if rest.is_empty() {
            position |= FU_END;
        }
        let head = [header & NAL_REFERENCE | FU_A, position | header & NAL_TYPE];
        let length = if last && rest.is_empty() { 0 } else { length - frame.shortage() };
        frame.padded_packet(&[&head, fragment], length);
        (body, position) = (rest, 0);
    }
}

/// The NAL units between the start codes of a byte stream (ITU-T H.264, annex B), none of them empty.
pub(crate) fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream).unwrap_or_default();
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = start_code(rest).unwrap_or(rest.len());
            let nal = trim_zeros(&rest[..end]);
            rest = after_start_code(&rest[end..]).unwrap_or_default();
            if !nal.is_empty() {
                return Some(nal);
            }
        }
        None
    })
}

fn start_code(stream: &[u8]) -> Option<usize> {
    stream.windows(3).position(|window| window == [0, 0, 1])
}

fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    start_code(stream).map(|position| &stream[position + 3..])
}

/// A four-byte start code leaves its first zero with the NAL unit before it; a NAL unit itself never ends in zero.
fn trim_zeros(nal: &[u8]) -> &[u8] {
    let end = nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &nal[..end]
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::media::{AccessUnit, Encoding, FIRST_EXTRA, Frame, Moment, NtpTime, PacketSize, VideoCodec};

    const SIZE: usize = 1200;

    #[expect(clippy::disallowed_methods, reason = "an invented time")]
    fn unit(nals: &[&[u8]]) -> AccessUnit {
        let mut data = Vec::new();
        for nal in nals {
            data.extend_from_slice(&[0, 0, 0, 1]);
            data.extend_from_slice(nal);
        }
        let captured = Moment { media: Duration::from_millis(100), instant: Instant::now(), ntp: NtpTime(0) };
        AccessUnit { data: data.into(), keyframe: true, captured }
    }

    fn frame(nals: &[&[u8]]) -> Frame {
        Encoding::Video { rung: 0, codec: VideoCodec::H264 }.packetise(&unit(nals), PacketSize::on_wire(SIZE))
    }

    /// A NAL unit of the given length that does not end in zero.
    fn nal(header: u8, length: usize) -> Vec<u8> {
        std::iter::once(header).chain((1..length).map(|i| (i % 251 + 1) as u8)).collect()
    }

    /// Payloads as a receiver sees them: without padding.
    fn payloads(frame: &Frame) -> Vec<&[u8]> {
        let strip = |payload: crate::media::frame::Payload<'_>| {
            let padding = if payload.padded { usize::from(payload.data[payload.data.len() - 1]) } else { 0 };
            payload.data.len() - padding
        };
        (0..frame.packets()).map(|index| &frame.payload(index).data[..strip(frame.payload(index))]).collect()
    }

    /// What a receiver does with the payloads (RFC 6184, sections 5.6 to 5.8).
    fn reassemble(frame: &Frame) -> Vec<Vec<u8>> {
        let mut nals: Vec<Vec<u8>> = Vec::new();
        let mut open = false;
        for payload in payloads(frame) {
            match payload[0] & NAL_TYPE {
                FU_A => {
                    if payload[1] & FU_START != 0 {
                        assert!(!open);
                        nals.push(vec![payload[0] & NAL_REFERENCE | payload[1] & NAL_TYPE]);
                    }
                    nals.last_mut().expect("fragments begin with a start").extend_from_slice(&payload[2..]);
                    open = payload[1] & FU_END == 0;
                }
                STAP_A => {
                    assert!(!open, "a fragmented NAL unit was not finished");
                    let mut rest = &payload[1..];
                    while let [high, low, tail @ ..] = rest {
                        let (nal, next) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
                        nals.push(nal.to_vec());
                        rest = next;
                    }
                }
                _ => {
                    assert!(!open, "a fragmented NAL unit was not finished");
                    nals.push(payload.to_vec());
                }
            }
        }
        assert!(!open);
        nals
    }

    /// Segmented sends that the frame needs: packets of one length, the last of which may be shorter.
    fn sends(frame: &Frame) -> usize {
        let (mut sends, mut open) = (0, None);
        for index in 0..frame.packets() {
            let length = frame.payload(index).data.len() + if index == 0 { FIRST_EXTRA } else { 0 };
            match open {
                Some(segment) if length == segment => {}
                Some(segment) if length < segment => open = None,
                _ => (sends, open) = (sends + 1, Some(length)),
            }
        }
        sends
    }

    #[test]
    fn a_receiver_gets_back_every_nal_unit_but_the_delimiter() {
        let slice = nal(0x65, 5000);
        let nals: [&[u8]; 4] = [&[9, 0xf0], &[0x67, 1, 2, 3], &[0x68, 4], &slice];
        let frame = frame(&nals);
        assert_eq!(reassemble(&frame), [nals[1].to_vec(), nals[2].to_vec(), slice.clone()]);
    }

    #[test]
    fn what_would_be_taken_for_a_fragment_or_for_several_units_is_left_out() {
        let slice = nal(0x65, 50);
        let frame = frame(&[&[0x60, 1], &nal(0x78, 9), &nal(0x7c, 9), &slice, &nal(0x7f, 2000)]);
        assert_eq!(reassemble(&frame), [slice]);
    }

    #[test]
    fn small_nal_units_share_a_packet() {
        let (one, two) = (nal(0x41, 400), nal(0x41, 380));
        let frame = frame(&[&one, &two]);
        assert_eq!((frame.packets(), reassemble(&frame)), (1, vec![one, two]));
    }

    #[test]
    fn fragments_are_of_one_length_and_no_packet_is_too_long() {
        let max = SIZE - 94;
        for length in [max - FIRST_EXTRA, max - FIRST_EXTRA + 1, max + 1, 2 * max, 36_000, 55_001] {
            let whole = nal(0x65, length);
            let frame = frame(&[&whole]);
            assert_eq!(reassemble(&frame), [whole], "{length}");
            assert_eq!(sends(&frame), 1, "{length}");
            assert!(frame.payload(0).data.len() <= max - FIRST_EXTRA, "{length}");
            assert!((0..frame.packets()).all(|index| frame.payload(index).data.len() <= max), "{length}");
        }
    }

    #[test]
    fn a_picture_in_slices_leaves_in_one_send() {
        for (one, two) in [(7000, 7600), (5000, 5100), (20_000, 19_000), (1300, 1500), (3400, 9000)] {
            let (one, two) = (nal(0x41, one), nal(0x41, two));
            let frame = frame(&[&one, &two]);
            assert_eq!(reassemble(&frame), [one.clone(), two.clone()]);
            assert_eq!(sends(&frame), 1, "{} and {}", one.len(), two.len());
            assert!(frame.len() < (one.len() + two.len()) * 5 / 4, "{} and {}", one.len(), two.len());
        }
    }

    #[test]
    fn short_start_codes_and_rubbish_are_taken_as_they_are() {
        let nals: Vec<&[u8]> = nal_units(&[0, 0, 1, 0x67, 7, 0, 0, 0, 1, 0x68, 0, 0, 1, 0, 0, 1, 0x65]).collect();
        assert_eq!(nals, [&[0x67, 7][..], &[0x68], &[0x65]]);
        assert_eq!(nal_units(&[]).count(), 0);
        assert_eq!(nal_units(&[1, 2, 3]).count(), 0);
        assert_eq!(nal_units(&[0, 0, 1]).count(), 0);
    }
}
