//! What `make fuzz` reaches of pictures on their way into packets.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{AccessUnit, Encoding, FIRST_EXTRA, Moment, NtpTime, PacketSize, VideoCodec, h264, slice};

/// How much shorter the payload of a picture's first packet is, for the extensions that only it bears.
pub const FIRST_IS_SHORTER: usize = FIRST_EXTRA;

/// One packet's payload.
#[derive(Debug)]
pub struct Payload {
    pub data: Vec<u8>,
    /// It ends in padding, whose last byte says how much.
    pub padded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    H264,
    Vp8,
    Opus,
}

/// The largest payload of a packet that takes so many bytes on the wire.
pub fn most(wire: usize) -> usize {
    PacketSize::on_wire(wire).payload()
}

/// Cuts a picture, or a piece of sound, as for packets of so many bytes on the wire.
pub fn cut(codec: Codec, data: &[u8], wire: usize, now: Instant) -> Vec<Payload> {
    let captured = Moment { media: Duration::ZERO, instant: now, ntp: NtpTime(0) };
    let unit = AccessUnit { data: Bytes::copy_from_slice(data), keyframe: true, captured };
    let encoding = match codec {
        Codec::H264 => Encoding::Video { rung: 0, codec: VideoCodec::H264 },
        Codec::Vp8 => Encoding::Video { rung: 0, codec: VideoCodec::Vp8 },
        Codec::Opus => Encoding::Audio,
    };
    let frame = encoding.packetise(&unit, PacketSize::on_wire(wire));
    let payloads = (0..frame.packets()).map(|index| frame.payload(index));
    payloads.map(|payload| Payload { data: payload.data.to_vec(), padded: payload.padded }).collect()
}

pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    h264::nal_units(stream)
}

pub fn is_entry(stream: &[u8]) -> bool {
    slice::is_entry(stream)
}

pub fn is_bidirectional(stream: &[u8]) -> bool {
    slice::is_bidirectional(stream)
}
