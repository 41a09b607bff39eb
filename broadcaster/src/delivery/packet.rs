//! RTP headers as we write them: always of two lengths, so that all of a frame's packets are equally long.

use std::num::NonZeroU8;

use crate::media::{FIRST_EXTRA, NtpTime};

/// The fixed header (RFC 3550, section 5.1), without the extensions that nobody asked for.
const BARE: usize = 12;
/// With the extensions that every packet bears …
const REST: usize = BARE + 4 + 8;
/// … and with those of a frame's first.
const FIRST: usize = REST + FIRST_EXTRA;

const VERSION: u8 = 0x80;
const PADDED: u8 = 0x20;
const EXTENDED: u8 = 0x10;
const MARKER: u8 = 0x80;
/// One-byte extension headers (RFC 8285, section 4.2).
const ONE_BYTE: u16 = 0xbede;

/// Twelve bits each for the least and the most delay, in hundredths of a second: 0, which shows a picture as soon as it is
/// decoded, and as much as receivers hold it back for its sound. More than half a second would make Chromium buffer always.
const PLAYOUT_DELAY: [u8; 3] = [0, 0, 50];

/// The header extensions that a viewer takes, and under which ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    pub(crate) transport_cc: Option<ExtensionId>,
    pub(crate) abs_send_time: Option<ExtensionId>,
    pub(crate) abs_capture_time: Option<ExtensionId>,
    pub(crate) playout_delay: Option<ExtensionId>,
}

/// The id of a header extension of one byte: 1 to 14 (RFC 8285, section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExtensionId(NonZeroU8);

impl ExtensionId {
    pub(crate) const fn new(id: u8) -> Option<Self> {
        match NonZeroU8::new(id) {
            Some(id) if id.get() < 15 => Some(Self(id)),
            _ => None,
        }
    }

    pub(crate) const fn get(self) -> u8 {
        self.0.get()
    }
}

/// The ids of header extensions in our offers.
pub(crate) mod id {
    pub(crate) const ABS_SEND_TIME: u8 = 1;
    pub(crate) const TRANSPORT_CC: u8 = 2;
    pub(crate) const ABS_CAPTURE_TIME: u8 = 3;
    pub(crate) const PLAYOUT_DELAY: u8 = 4;
}

/// What a header says, but for number and SSRC, which sealing sets.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    pub(super) padded: bool,
    pub(super) timestamp: u32,
    /// The capture instant, in a frame's first packet.
    pub(super) first: Option<NtpTime>,
    pub(super) transport_sequence: u16,
    /// When it leaves, where that is known.
    pub(super) sent: Option<NtpTime>,
}

impl Extensions {
    const NONE: Self = Self { transport_cc: None, abs_send_time: None, abs_capture_time: None, playout_delay: None };

    /// All of them, as our offers have them.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) const ALL: Self = Self {
        transport_cc: ExtensionId::new(id::TRANSPORT_CC),
        abs_send_time: ExtensionId::new(id::ABS_SEND_TIME),
        abs_capture_time: ExtensionId::new(id::ABS_CAPTURE_TIME),
        playout_delay: ExtensionId::new(id::PLAYOUT_DELAY),
    };

    pub(super) fn header_len(self, first: bool) -> usize {
        match (self == Self::NONE, first) {
            (true, _) => BARE,
            (false, true) => FIRST,
            (false, false) => REST,
        }
    }
}

impl Header {
    /// Fills the header; `out` is as long as [`Extensions::header_len`] says.
    pub(super) fn write(&self, extensions: Extensions, out: &mut [u8]) {
        let extended = if out.len() > BARE { EXTENDED } else { 0 };
        let padded = if self.padded { PADDED } else { 0 };
        let marker = if self.marker { MARKER } else { 0 };
        out[0] = VERSION | padded | extended;
        out[1] = marker | self.payload_type;
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        let Some(room) = out.get_mut(BARE..).filter(|room| !room.is_empty()) else {
            return;
        };
        let words = u16::try_from(room.len() / 4 - 1).expect("a few words");
        room[..2].copy_from_slice(&ONE_BYTE.to_be_bytes());
        room[2..4].copy_from_slice(&words.to_be_bytes());
        let mut writer = Writer(&mut room[4..]);
        if let Some(id) = extensions.transport_cc {
            writer.put(id, &self.transport_sequence.to_be_bytes());
        }
        if let Some((id, sent)) = extensions.abs_send_time.zip(self.sent) {
            // Seconds with 6 bits, their fraction with 18.
            let fixed = ((sent.0 >> 14) as u32).to_be_bytes();
            writer.put(id, &fixed[1..]);
        }
        if let Some(captured) = self.first {
            if let Some(id) = extensions.playout_delay {
                writer.put(id, &PLAYOUT_DELAY);
            }
            if let Some(id) = extensions.abs_capture_time {
                writer.put(id, &captured.0.to_be_bytes());
            }
        }
        // Zeros are padding; the buffer may hold an earlier packet.
        writer.0.fill(0);
    }
}

struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put(&mut self, id: ExtensionId, value: &[u8]) {
        let (head, rest) = std::mem::take(&mut self.0).split_at_mut(1 + value.len());
        head[0] = id.get() << 4 | u8::try_from(value.len() - 1).expect("at most 16 bytes");
        head[1..].copy_from_slice(value);
        self.0 = rest;
    }
}

#[cfg(test)]
mod tests {
    use rtc_shared::marshal::{MarshalSize, Unmarshal};

    use super::*;

    fn written(header: Header, extensions: Extensions) -> (Vec<u8>, rtc_rtp::Header) {
        let mut out = vec![0xff; extensions.header_len(header.first.is_some())];
        out[2..4].fill(0);
        out[8..12].fill(0);
        header.write(extensions, &mut out);
        let read = rtc_rtp::Header::unmarshal(&mut &out[..]).expect("a header");
        assert_eq!(read.marshal_size(), out.len(), "a receiver finds the payload where it is");
        (out, read)
    }

    #[test]
    fn the_stacks_parser_reads_what_is_written() {
        let first = Header {
            payload_type: 102,
            marker: true,
            padded: true,
            timestamp: 0xdead_beef,
            first: Some(NtpTime(0x0102_0304_0506_0708)),
            transport_sequence: 0xabcd,
            sent: Some(NtpTime(0x0000_0001_8000_0000)),
        };
        let (_, read) = written(first, Extensions::ALL);
        assert_eq!((read.payload_type, read.marker, read.padding, read.timestamp), (102, true, true, 0xdead_beef));
        let value = |id| read.get_extension(id).map(|value| value.to_vec());
        assert_eq!(value(id::TRANSPORT_CC), Some(vec![0xab, 0xcd]));
        assert_eq!(value(id::PLAYOUT_DELAY), Some(vec![0, 0, 50]));
        assert_eq!(value(id::ABS_CAPTURE_TIME), Some(vec![1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(value(id::ABS_SEND_TIME), Some(vec![0x06, 0, 0]), "1.5 seconds in 1/2^18");
    }

    #[test]
    fn all_lengths_are_the_same_whatever_is_asked_for() {
        let header = Header {
            payload_type: 96,
            marker: false,
            padded: false,
            timestamp: 1,
            first: None,
            transport_sequence: 7,
            sent: None,
        };
        let some = Extensions { transport_cc: ExtensionId::new(14), ..Extensions::NONE };
        let (rest, read) = written(header, some);
        assert_eq!((rest.len(), read.extensions.len()), (REST, 1));
        let (first, _) = written(Header { first: Some(NtpTime(1)), ..header }, some);
        assert_eq!(first.len(), REST + FIRST_EXTRA);
        let (bare, read) = written(header, Extensions::NONE);
        assert_eq!((bare.len(), read.extension), (BARE, false));
    }
}
