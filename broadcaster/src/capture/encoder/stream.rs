//! Whether a stream is one that every browser decodes. Pure.

use crate::media::{is_bidirectional, nal_units};

const NAL_TYPE: u8 = 0x1f;
const SLICE: u8 = 1;
const KEY_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
const PICTURE_PARAMETERS: u8 = 8;

/// Baseline, main and high (ITU-T H.264, annex A.2).
const PROFILES: [u8; 3] = [66, 77, 100];

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::capture) enum Flaw {
    #[error("its first picture does not begin with parameter sets and a keyframe")]
    Beginning,
    #[error("its profile is number {0}, which browsers do not decode")]
    Profile(u8),
    #[error("it refers to pictures that are still to come (B-frames)")]
    BFrames,
}

/// Looks at the first picture.
pub(super) fn check_first(unit: &[u8]) -> Result<(), Flaw> {
    let needed = [SEQUENCE_PARAMETERS, PICTURE_PARAMETERS, KEY_SLICE];
    let mut kinds = nal_units(unit).map(kind);
    // Whatever else is between them.
    if !needed.iter().all(|needed| kinds.any(|kind| kind == *needed)) || nal_units(unit).any(|nal| kind(nal) == SLICE) {
        return Err(Flaw::Beginning);
    }
    let parameters = nal_units(unit).find(|nal| kind(nal) == SEQUENCE_PARAMETERS);
    match parameters.and_then(|nal| nal.get(1)) {
        Some(profile) if PROFILES.contains(profile) => Ok(()),
        Some(profile) => Err(Flaw::Profile(*profile)),
        None => Err(Flaw::Beginning),
    }
}

/// Looks at any picture.
pub(super) fn check(unit: &[u8]) -> Result<(), Flaw> {
    if is_bidirectional(unit) { Err(Flaw::BFrames) } else { Ok(()) }
}

fn kind(nal: &[u8]) -> u8 {
    nal[0] & NAL_TYPE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter().flat_map(|nal| [&[0, 0, 0, 1], *nal].concat()).collect()
    }

    const BASELINE: &[u8] = &[0x67, 66, 0xc0, 40];
    const PARAMETERS: &[u8] = &[0x68, 0xce];
    const NOTE: &[u8] = &[0x06, 5, 1];
    const KEY: &[u8] = &[0x65, 0b1000_1000];

    #[test]
    fn a_stream_begins_with_all_that_it_takes_to_decode_it() {
        assert_eq!(check_first(&unit(&[BASELINE, PARAMETERS, NOTE, KEY, KEY])), Ok(()));
        let wrong: [&[&[u8]]; 5] = [
            &[KEY],
            &[BASELINE, KEY],
            &[PARAMETERS, BASELINE, KEY],
            &[BASELINE, PARAMETERS],
            &[BASELINE, PARAMETERS, KEY, &[0x41, 0x9a]],
        ];
        for nals in wrong {
            assert_eq!(check_first(&unit(nals)), Err(Flaw::Beginning), "{nals:?}");
        }
        assert_eq!(check_first(&unit(&[&[0x67, 110], PARAMETERS, KEY])), Err(Flaw::Profile(110)));
    }

    #[test]
    fn b_frames_are_known() {
        let picture = unit(&[&[0x41, 0b1100_0000]]);
        assert_eq!((check(&picture), check(&unit(&[&[0x01, 0b1010_0000]]))), (Ok(()), Err(Flaw::BFrames)));
    }
}
