//! Cuts H.264 access units into RTP payloads (RFC 6184, packetization-mode 1).
//!
//! A NAL unit that fits goes alone; a larger one becomes FU-A fragments of equal size, so that a frame's packets can later
//! leave in one segmented send.

use bytes::{BufMut, Bytes, BytesMut};

use super::{AccessUnit, Frame, ticks};

/// Bytes of RTP payload in one packet: with RTP header, extensions, SRTP tag, UDP and IPv6 it stays below 1200.
const MAX_PAYLOAD: usize = 1100;

const NAL_TYPE: u8 = 0x1f;
const NAL_REFERENCE: u8 = 0x60;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const FU_A: u8 = 28;
const FU_START: u8 = 0x80;
const FU_END: u8 = 0x40;
const FU_HEADER_LEN: usize = 2;

/// Turns one camera's access units into frames.
#[derive(Debug)]
pub(crate) struct Packetiser {
    max_payload: usize,
}

impl Default for Packetiser {
    fn default() -> Self {
        Self { max_payload: MAX_PAYLOAD }
    }
}

impl Packetiser {
    /// Copies each payload once, into one buffer that all of the frame's payloads share.
    pub(crate) fn frame(&mut self, unit: &AccessUnit) -> Frame {
        let mut buffer = BytesMut::with_capacity(unit.data.len() + unit.data.len() / 64 + 64);
        let mut lengths = Vec::new();
        for nal in nal_units(&unit.data) {
            if nal[0] & NAL_TYPE != ACCESS_UNIT_DELIMITER {
                self.packetise(nal, &mut buffer, &mut lengths);
            }
        }
        let mut rest = buffer.freeze();
        let payloads: Vec<Bytes> = lengths.into_iter().map(|length| rest.split_to(length)).collect();
        Frame { payloads, keyframe: unit.keyframe, timestamp: ticks(unit.captured.media) }
    }

    fn packetise(&self, nal: &[u8], buffer: &mut BytesMut, lengths: &mut Vec<usize>) {
        if nal.len() <= self.max_payload {
            buffer.put_slice(nal);
            lengths.push(nal.len());
            return;
        }
        let (header, body) = (nal[0], &nal[1..]);
        let fragments = body.len().div_ceil(self.max_payload - FU_HEADER_LEN);
        let size = body.len().div_ceil(fragments);
        let last = body.len().div_ceil(size) - 1;
        for (index, fragment) in body.chunks(size).enumerate() {
            let position = match index {
                0 => FU_START,
                _ if index == last => FU_END,
                _ => 0,
            };
            buffer.put_u8(header & NAL_REFERENCE | FU_A);
            buffer.put_u8(position | header & NAL_TYPE);
            buffer.put_slice(fragment);
            lengths.push(FU_HEADER_LEN + fragment.len());
        }
    }
}

/// The NAL units between the start codes of a byte stream (ITU-T H.264, annex B), none of them empty.
fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
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
    use crate::media::{Moment, NtpTime};

    #[expect(clippy::disallowed_methods, reason = "an instant that nobody looks at")]
    fn unit(nals: &[&[u8]]) -> AccessUnit {
        let mut data = Vec::new();
        for nal in nals {
            data.extend_from_slice(&[0, 0, 0, 1]);
            data.extend_from_slice(nal);
        }
        let captured = Moment { media: Duration::from_millis(100), instant: Instant::now(), ntp: NtpTime(0) };
        AccessUnit { data: data.into(), keyframe: true, captured }
    }

    /// What a receiver does with the payloads (RFC 6184, sections 5.6 and 5.8).
    fn reassemble(frame: &Frame) -> Vec<Vec<u8>> {
        let mut nals: Vec<Vec<u8>> = Vec::new();
        let mut open = false;
        for payload in &frame.payloads {
            if payload[0] & NAL_TYPE != FU_A {
                assert!(!open, "a fragmented NAL unit was not finished");
                nals.push(payload.to_vec());
                continue;
            }
            if payload[1] & FU_START != 0 {
                assert!(!open);
                nals.push(vec![payload[0] & NAL_REFERENCE | payload[1] & NAL_TYPE]);
            }
            nals.last_mut().expect("fragments begin with a start").extend_from_slice(&payload[2..]);
            open = payload[1] & FU_END == 0;
        }
        assert!(!open);
        nals
    }

    #[test]
    fn a_receiver_gets_back_every_nal_unit_but_the_delimiter() {
        let slice: Vec<u8> = std::iter::once(0x65).chain((0..5000).map(|i| (i % 251 + 1) as u8)).collect();
        let nals: [&[u8]; 4] = [&[9, 0xf0], &[0x67, 1, 2, 3], &[0x68, 4], &slice];
        let frame = Packetiser::default().frame(&unit(&nals));
        assert_eq!(reassemble(&frame), [nals[1].to_vec(), nals[2].to_vec(), slice]);
        assert!(frame.payloads.iter().all(|payload| payload.len() <= MAX_PAYLOAD));
    }

    #[test]
    fn fragments_differ_only_in_the_last() {
        for length in [MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD, 36_000, 55_001] {
            let frame = Packetiser::default().frame(&unit(&[&vec![0x65; length]]));
            let (last, others) = frame.payloads.split_last().expect("payloads");
            assert!(others.iter().all(|payload| payload.len() == others[0].len()), "{length}");
            assert!(last.len() <= others[0].len() && !last.is_empty(), "{length}");
            assert_eq!(reassemble(&frame), [vec![0x65; length]]);
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

    #[test]
    fn the_timestamp_wraps_and_does_not_saturate() {
        let late = Duration::from_secs(60 * 60 * 24);
        assert_eq!(u64::from(ticks(late)), late.as_secs() * 90_000 % (1 << 32));
    }
}
