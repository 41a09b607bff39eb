//! Fragmented MP4 (ISO/IEC 14496-12 and -15): bytes that can be appended to a file, and that play up to the last of them.
//!
//! A header says what the tracks are; each fragment after it brings its own index, so that nothing in the file has to be
//! mended when the process dies. Pure: no file, no clock.

mod boxes;
mod film;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod sps;

pub(super) use film::{Closing, Film, PICTURE_CLOCK, SOUND_CLOCK, Sample};
pub(super) use sps::{ParameterSets, Picture};
