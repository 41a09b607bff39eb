//! Encoders, set for pictures and sound that are followed while they happen: what each is told in the beginning and while it
//! runs, and which of those for H.264 this machine has.

mod choice;
mod control;
mod h264;
mod opus;
mod stream;
#[cfg(test)]
pub(super) mod tests;
mod trial;
mod vp8;

use gstreamer as gst;

pub(super) use choice::Chooser;
pub use choice::{Choice, NoEncoder};
pub(super) use control::Control;
pub(super) use h264::{Kind, is_part};
pub(super) use opus::opus;
pub(super) use trial::try_out;
pub(super) use vp8::vp8;

/// Keyframes come when a viewer joins; this many frames is only the limit for a receiver that lost one unnoticed.
const MAX_KEYFRAME_DISTANCE: &str = "300";

/// From raw pictures to encoded ones: elements to be linked in this order, and a hand on the one that encodes.
pub(super) struct Chain {
    pub(super) elements: Vec<gst::Element>,
    pub(super) control: Control,
}
