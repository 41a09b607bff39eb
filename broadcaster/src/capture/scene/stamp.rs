//! The time stamp in the picture's top-left corner, by which any probe can measure latency.
//!
//! 44 blocks in a row: bits 1 0 1 0, then 32 bits of Unix milliseconds modulo 2³² (most significant first), then 8 bits of
//! checksum. `tests/` and everybody outside read it, so its form is fixed.

use std::time::Duration;

use super::picture::{Colour, Picture};

const BLOCKS: usize = 44;
const PREAMBLE: u64 = 0b1010;
const CHECKSUM_SEED: u8 = 0x5a;

/// Below this width 44 blocks of the larger size do not fit.
const NARROW: usize = 704;

pub(super) struct Stamp {
    block: usize,
}

impl Stamp {
    pub(super) fn for_width(width: usize) -> Self {
        Self { block: if width < NARROW { 8 } else { 16 } }
    }

    pub(super) fn paint(&self, picture: &mut Picture, unix: Duration) {
        let bits = bits(unix);
        for index in 0..BLOCKS {
            let set = bits >> (BLOCKS - 1 - index) & 1 == 1;
            let colour = if set { Colour::WHITE } else { Colour::BLACK };
            picture.fill(index * self.block, 0, self.block, self.block, colour);
        }
    }
}

fn bits(unix: Duration) -> u64 {
    let millis = (unix.as_millis() & u128::from(u32::MAX)) as u32;
    let checksum = millis.to_be_bytes().into_iter().fold(CHECKSUM_SEED, u8::wrapping_add);
    PREAMBLE << 40 | u64::from(millis) << 8 | u64::from(checksum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(picture: &Picture, block: usize) -> u64 {
        (0..BLOCKS).fold(0, |bits, index| {
            let set = picture.luma(index * block + block / 2, block / 2) > 125;
            bits << 1 | u64::from(set)
        })
    }

    #[test]
    fn a_probe_reads_the_instant_that_was_painted() {
        for (width, block) in [(1920, 16), (704, 16), (640, 8)] {
            let mut picture = Picture::new(width, 320);
            Stamp::for_width(width).paint(&mut picture, Duration::from_millis(0x0001_89ab_cdef));
            assert_eq!(read(&picture, block), 0b1010 << 40 | 0x89ab_cdef << 8 | 0x4a, "{width}");
        }
    }
}
