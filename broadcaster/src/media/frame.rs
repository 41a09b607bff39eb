//! One picture or piece of sound, cut into RTP payloads in one buffer that all viewers share.

use bytes::{BufMut, Bytes, BytesMut};

use super::{AccessUnit, Moment, ticks};

/// Bytes of header extensions that only a frame's first packet bears: its payload is that much shorter, so that all of the
/// frame's packets are equally long on the wire and leave in one segmented send.
pub(crate) const FIRST_EXTRA: usize = 12;

/// What surrounds a payload on its way: IPv6 and UDP (48), a TURN channel's header (4), RTP's header with extensions (24),
/// the original sequence number of a retransmission (2), and the tag of AES-GCM (16).
const OVERHEAD: usize = 48 + 4 + 24 + 2 + 16;

/// How large a packet may be, counted as its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PacketSize(usize);

impl PacketSize {
    /// The smallest packet that every IPv4 network must carry (RFC 791) …
    pub(crate) const MIN_WIRE: usize = 576;
    /// … and the largest that an Ethernet carries whole.
    pub(crate) const MAX_WIRE: usize = 1500;

    /// The payload that fits into this many bytes on the wire, IP's header included.
    pub(crate) fn on_wire(bytes: usize) -> Self {
        Self(bytes.clamp(Self::MIN_WIRE, Self::MAX_WIRE) - OVERHEAD)
    }

    #[cfg(feature = "fuzz")]
    pub(super) fn payload(self) -> usize {
        self.0
    }
}

#[derive(Debug)]
pub(crate) struct Frame {
    data: Bytes,
    packets: Box<[Packet]>,
    /// Decoding can start here.
    pub(crate) keyframe: bool,
    pub(crate) captured: Moment,
    /// On the encoding's RTP clock.
    pub(crate) timestamp: u32,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    end: u32,
    padded: bool,
}

/// One packet's share of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload<'a> {
    pub(crate) data: &'a [u8],
    /// The data ends in padding, whose last byte says how much (RFC 3550, section 5.1).
    pub(crate) padded: bool,
}

impl Frame {
    pub(crate) fn packets(&self) -> usize {
        self.packets.len()
    }

    /// Panics when there is no such packet.
    pub(crate) fn payload(&self, index: usize) -> Payload<'_> {
        let start = index.checked_sub(1).map_or(0, |before| self.packets[before].end);
        let Packet { end, padded } = self.packets[index];
        Payload { data: &self.data[start as usize..end as usize], padded }
    }

    /// The same payload without its padding, for those who keep it for themselves.
    pub(crate) fn share(&self, index: usize) -> Bytes {
        let Payload { data, padded } = self.payload(index);
        let padding = data.last().filter(|_| padded).copied().unwrap_or_default();
        self.data.slice_ref(&data[..data.len() - usize::from(padding)])
    }

    /// Bytes of payload.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }
}

/// Collects a frame's payloads, copying each byte once.
pub(super) struct Builder {
    buffer: BytesMut,
    packets: Vec<Packet>,
    max: usize,
    keyframe: bool,
    captured: Moment,
    timestamp: u32,
}

impl Builder {
    pub(super) fn new(unit: &AccessUnit, clock_rate: u32, size: PacketSize) -> Self {
        let room = unit.data.len() + unit.data.len() / 16 + size.0;
        Self {
            buffer: BytesMut::with_capacity(room),
            packets: Vec::with_capacity(room / size.0 + 2),
            max: size.0,
            keyframe: unit.keyframe,
            captured: unit.captured,
            timestamp: ticks(unit.captured.media, clock_rate),
        }
    }

    /// The longest payload that a packet may have which is not the first.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// By how much the next packet's payload is to be shorter than the others.
    pub(super) fn shortage(&self) -> usize {
        if self.is_empty() { FIRST_EXTRA } else { 0 }
    }

    pub(super) fn packet(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.buffer.put_slice(part);
        }
        self.end(false);
    }

    /// A packet that is filled up to `length`, if it is not that long already.
    pub(super) fn padded_packet(&mut self, parts: &[&[u8]], length: usize) {
        let missing = length.saturating_sub(parts.iter().map(|part| part.len()).sum());
        if missing == 0 {
            return self.packet(parts);
        }
        for part in parts {
            self.buffer.put_slice(part);
        }
        // One byte can name no more than 255: a packet that misses more is sent as it is.
        let Ok(count) = u8::try_from(missing) else {
            return self.end(false);
        };
        self.buffer.put_bytes(0, missing - 1);
        self.buffer.put_u8(count);
        self.end(true);
    }

    fn end(&mut self, padded: bool) {
        let end = u32::try_from(self.buffer.len()).expect("a frame is smaller than 4 GiB");
        self.packets.push(Packet { end, padded });
    }

    pub(super) fn build(self) -> Frame {
        Frame {
            data: self.buffer.freeze(),
            packets: self.packets.into(),
            keyframe: self.keyframe,
            captured: self.captured,
            timestamp: self.timestamp,
        }
    }
}
