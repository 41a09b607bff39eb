//! What an H.264 picture's first slice says of it.

use super::h264::{NAL_TYPE, nal_units};

const NON_IDR_SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;

/// Parameter sets and what else comes before a picture's slices is shorter than this.
const HEADERS: usize = 1024;

/// Whether a decoder can begin with a picture in a byte stream: not with any that is told from itself alone, since what follows
/// may still be told from what came before.
pub(crate) fn is_entry(stream: &[u8]) -> bool {
    nal_units(stream).any(|nal| nal[0] & NAL_TYPE == IDR_SLICE)
}

/// Whether a picture in a byte stream is told from one before and one after it.
pub(crate) fn is_bidirectional(stream: &[u8]) -> bool {
    let beginning = &stream[..stream.len().min(HEADERS)];
    let is_slice = |nal: &&[u8]| matches!(nal[0] & NAL_TYPE, NON_IDR_SLICE | IDR_SLICE);
    // It begins with the number 0, for the first macroblock, and then its type, 1 or 6, both in Exp-Golomb codes.
    let header = nal_units(beginning).find(is_slice).and_then(|nal| nal.get(1).copied());
    header.is_some_and(|byte| byte >> 4 == 0b1010 || byte >> 2 == 0b10_0111)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_begins_with_an_idr_picture_and_with_no_other() {
        let picture = |nal: u8| [&[0, 0, 0, 1, 0x67, 66, 0, 0, 1, 0x68, 1, 0, 0, 1, nal, 0b1011_1111, 9][..]].concat();
        assert!(is_entry(&picture(0x65)));
        assert!(!is_entry(&picture(0x41)), "an I picture that is no IDR picture");
        assert!(!is_entry(&[]));
    }

    #[test]
    fn a_picture_between_two_is_told_by_its_first_slice() {
        let picture = |header: u8| [&[0, 0, 0, 1, 0x67, 66, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x41, header, 9][..]].concat();
        assert!([0b1010_1111, 0b1001_1110].into_iter().all(|header| is_bidirectional(&picture(header))));
        // P, I, and both of them where all slices are of one kind.
        for header in [0b1111_1111, 0b1011_1111, 0b1001_1011, 0b1000_1000] {
            assert!(!is_bidirectional(&picture(header)), "{header:b}");
        }
        assert!(!is_bidirectional(&[]) && !is_bidirectional(&[0, 0, 1, 0x41]));
    }
}
