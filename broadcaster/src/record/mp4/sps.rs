//! What an H.264 stream says of itself: its parameter sets (ITU-T H.264, section 7.3.2).

use super::boxes::Bytes;
use crate::media::nal_units;

const NAL_TYPE: u8 = 0x1f;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;

/// Profiles whose parameter sets say how colours are sampled.
const WITH_CHROMA: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// The parameter sets of one keyframe, as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ParameterSets {
    sequence: Vec<Vec<u8>>,
    picture: Vec<Vec<u8>>,
}

/// What a file's header says of the pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: u16,
    pub(crate) height: u16,
    chroma: Option<Chroma>,
    sets: ParameterSets,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chroma {
    format: u8,
    luma_depth: u8,
    depth: u8,
}

impl ParameterSets {
    /// Takes an access unit apart: its parameter sets, and the rest as files have it, each NAL unit after its length.
    pub(crate) fn split(stream: &[u8]) -> (Self, Vec<u8>) {
        let (mut sets, mut rest) = (Self::default(), Bytes::default());
        for nal in nal_units(stream) {
            match nal[0] & NAL_TYPE {
                SPS => sets.sequence.push(nal.to_vec()),
                PPS => sets.picture.push(nal.to_vec()),
                DELIMITER => {}
                _ => {
                    rest.u32(super::boxes::length(nal.len())).raw(nal);
                }
            }
        }
        (sets, rest.0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sequence.is_empty() && self.picture.is_empty()
    }
}

impl Picture {
    /// Nothing when the sets cannot be read.
    pub(crate) fn read(sets: ParameterSets) -> Option<Self> {
        if sets.picture.is_empty() {
            return None;
        }
        let (width, height, chroma) = read_sequence(sets.sequence.first()?)?;
        Some(Self { width, height, chroma, sets })
    }

    pub(crate) fn sets(&self) -> &ParameterSets {
        &self.sets
    }

    /// The content of `avcC` (ISO/IEC 14496-15, section 5.3.3).
    pub(super) fn configuration(&self, out: &mut Bytes) {
        let sequence = &self.sets.sequence[0];
        out.u8(1).raw(&sequence[1..4]);
        // Lengths of NAL units take four bytes.
        out.u8(0xfc | 3);
        for (reserved, sets) in [(0xe0, &self.sets.sequence), (0, &self.sets.picture)] {
            let sets = &sets[..sets.len().min(31)];
            out.u8(reserved | sets.len() as u8);
            for set in sets {
                out.u16(u16::try_from(set.len()).unwrap_or(u16::MAX)).raw(&set[..set.len().min(u16::MAX.into())]);
            }
        }
        if let Some(Chroma { format, luma_depth, depth }) = self.chroma {
            out.u8(0xfc | format).u8(0xf8 | luma_depth).u8(0xf8 | depth).u8(0);
        }
    }
}

/// Width, height and colours of a sequence parameter set (section 7.3.2.1.1).
fn read_sequence(nal: &[u8]) -> Option<(u16, u16, Option<Chroma>)> {
    let profile = *nal.get(1)?;
    let mut bits = Bits::new(nal.get(4..)?);
    bits.golomb()?;
    let mut chroma = None;
    if WITH_CHROMA.contains(&profile) {
        let format = bits.golomb()?;
        if format == 3 {
            bits.bits(1)?;
        }
        let (luma_depth, depth) = (bits.golomb()?, bits.golomb()?);
        let narrow = |value: u32| u8::try_from(value).ok().filter(|value| *value < 8);
        chroma = Some(Chroma { format: narrow(format)?, luma_depth: narrow(luma_depth)?, depth: narrow(depth)? });
        bits.bits(1)?;
        if bits.bits(1)? == 1 {
            for index in 0..if format == 3 { 12 } else { 8 } {
                if bits.bits(1)? == 1 {
                    skip_scaling_list(&mut bits, if index < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.golomb()?;
    match bits.golomb()? {
        0 => {
            bits.golomb()?;
        }
        1 => {
            bits.bits(1)?;
            bits.golomb()?;
            bits.golomb()?;
            for _ in 0..bits.golomb()?.min(255) {
                bits.golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb()?;
    bits.bits(1)?;
    let (columns, rows) = (bits.golomb()?.checked_add(1)?, bits.golomb()?.checked_add(1)?);
    // Of interlaced pictures a row of the map is two of the picture.
    let fields = 2 - bits.bits(1)?;
    if fields == 2 {
        bits.bits(1)?;
    }
    bits.bits(1)?;
    let mut crop = [0; 4];
    if bits.bits(1)? == 1 {
        for side in &mut crop {
            *side = bits.golomb()?;
        }
    }
    let format = chroma.map_or(1, |chroma| chroma.format);
    let (across, down) = match format {
        1 => (2, 2 * fields),
        2 => (2, fields),
        _ => (1, fields),
    };
    let side = |blocks: u32, cropped: [u32; 2], unit: u32| {
        let cropped = cropped[0].checked_add(cropped[1])?.checked_mul(unit)?;
        u16::try_from(blocks.checked_mul(16)?.checked_sub(cropped)?).ok()
    };
    let height = side(rows.checked_mul(fields)?, [crop[2], crop[3]], down)?;
    Some((side(columns, [crop[0], crop[1]], across)?, height, chroma))
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..size {
        if next != 0 {
            let code = i64::from(bits.golomb()?);
            let delta = if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) };
            next = (last + delta).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// The bits of a NAL unit, without the bytes that keep start codes from appearing in it.
struct Bits<'a> {
    bytes: Box<dyn Iterator<Item = u8> + 'a>,
    current: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut zeros = 0;
        let plain = bytes.iter().copied().filter(move |byte| {
            let guard = zeros >= 2 && *byte == 3;
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
            !guard
        });
        Self { bytes: Box::new(plain), current: 0, left: 0 }
    }

    fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            if self.left == 0 {
                (self.current, self.left) = (self.bytes.next()?, 8);
            }
            self.left -= 1;
            value = value << 1 | u32::from(self.current >> self.left & 1);
        }
        Some(value)
    }

    /// An unsigned number in Exp-Golomb code (section 9.1).
    fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bits(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.bits(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As x264 writes it for 320×160 in constrained baseline, and for 1920×1080 in high profile, whole and interlaced.
    const SMALL: &[u8] = &[
        0x67, 0x42, 0xc0, 0x15, 0xd9, 0x01, 0x41, 0x5b, 0x01, 0x6a, 0x0c, 0x0c, 0x0d, 0x4a, 0x00, 0x00, 0x03, 0x00,
        0x02, 0x00, 0x00, 0x03, 0x00, 0x79, 0x1e, 0x2c, 0x5c, 0x90,
    ];
    const HIGH: &[u8] = &[
        0x67, 0x64, 0x00, 0x28, 0xac, 0xb2, 0x00, 0xf0, 0x04, 0x4f, 0xcb, 0x80, 0xb5, 0x01, 0x01, 0x01, 0x40, 0x00,
        0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0f, 0x23, 0xc6, 0x0c, 0x92,
    ];
    const INTERLACED: &[u8] = &[
        0x67, 0x64, 0x00, 0x28, 0xac, 0xe4, 0x01, 0xe0, 0x11, 0x3f, 0x78, 0x0b, 0x50, 0x10, 0x10, 0x14, 0x00, 0x00,
        0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xf2, 0x7c, 0x58, 0xb9, 0x20,
    ];

    #[test]
    fn size_and_colours_are_read() {
        assert_eq!(read_sequence(SMALL), Some((320, 160, None)));
        let chroma = Chroma { format: 1, luma_depth: 0, depth: 0 };
        assert_eq!(read_sequence(HIGH), Some((1920, 1080, Some(chroma))));
        assert_eq!(read_sequence(INTERLACED), Some((1920, 1080, Some(chroma))));
    }

    #[test]
    fn what_ends_early_is_not_read_and_nothing_panics() {
        for length in 0..12 {
            let _ = read_sequence(&HIGH[..length]);
            assert_eq!(read_sequence(&HIGH[..length.min(9)]), None);
        }
        for byte in 0..=255 {
            let _ = read_sequence(&[0x67, 100, 0, 40, byte, !byte, byte, byte ^ 0x55, 0, 0, 3, byte]);
        }
        assert!(Picture::read(ParameterSets::default()).is_none());
    }

    #[test]
    fn parameter_sets_leave_the_stream_and_lengths_take_the_place_of_start_codes() {
        let stream = [&[0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1][..], SMALL, &[0, 0, 1, 0x68, 1, 0, 0, 1, 0x65, 2, 3]].concat();
        let (sets, rest) = ParameterSets::split(&stream);
        assert_eq!(rest, [0, 0, 0, 3, 0x65, 2, 3]);
        let picture = Picture::read(sets).expect("readable");
        let mut out = Bytes::default();
        picture.configuration(&mut out);
        assert_eq!(out.0[..8], [1, 0x42, 0xc0, 0x15, 0xff, 0xe1, 0, 28]);
        assert_eq!(out.0[36..], [1, 0, 2, 0x68, 1]);
    }
}
