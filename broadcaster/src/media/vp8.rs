//! Cuts VP8 frames into RTP payloads (RFC 7741).
//!
//! The descriptor is its one mandatory byte: no picture id and no layers, so that frames of different encodings follow each
//! other in one stream without a gap that a receiver could take for a loss.

use super::frame::Builder;

/// S: the packet begins a partition. Frames are cut as if they had but one.
const START: u8 = 0x10;
const DESCRIPTOR_LEN: usize = 1;

pub(super) fn packetise(data: &[u8], frame: &mut Builder) {
    let shortage = frame.shortage();
    let count = (data.len() + shortage).div_ceil(frame.max() - DESCRIPTOR_LEN).max(1);
    let size = (data.len() + shortage).div_ceil(count);
    let (mut rest, mut descriptor, mut share) = (data, START, size.saturating_sub(shortage));
    while !rest.is_empty() {
        let (part, tail) = rest.split_at(share.clamp(1, rest.len()));
        frame.packet(&[&[descriptor], part]);
        (rest, descriptor, share) = (tail, 0, size);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::media::{AccessUnit, Encoding, FIRST_EXTRA, Moment, NtpTime, PacketSize, VideoCodec};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented time")]
    fn a_receiver_gets_back_the_frame_from_packets_of_one_length() {
        for length in [1, 1000, 1106, 1107, 5000, 40_001] {
            let data: Vec<u8> = (0..length).map(|i| (i % 253) as u8).collect();
            let captured = Moment { media: Duration::ZERO, instant: Instant::now(), ntp: NtpTime(0) };
            let unit = AccessUnit { data: data.clone().into(), keyframe: true, captured };
            let encoding = Encoding::Video { rung: 0, codec: VideoCodec::Vp8 };
            let frame = encoding.packetise(&unit, PacketSize::on_wire(1200));
            let payloads: Vec<&[u8]> = (0..frame.packets()).map(|index| frame.payload(index).data).collect();
            assert!(payloads.iter().enumerate().all(|(index, payload)| (payload[0] == START) == (index == 0)));
            assert_eq!(payloads.iter().flat_map(|payload| &payload[1..]).copied().collect::<Vec<_>>(), data);
            let lengths: Vec<usize> = payloads.iter().map(|payload| payload.len()).collect();
            let (last, others) = lengths.split_last().expect("packets");
            if let Some((first, middle)) = others.split_first() {
                assert!(middle.iter().all(|length| *length == first + FIRST_EXTRA), "{lengths:?}");
                assert!(*last <= first + FIRST_EXTRA, "{lengths:?}");
            }
            assert!(lengths.iter().all(|length| *length <= 1106));
        }
    }
}
