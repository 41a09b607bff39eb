//! All of one camera's rings.

use super::{Encoding, Ring, Running};

#[derive(Debug)]
pub(crate) struct Rings(Vec<(Encoding, Ring)>);

impl Rings {
    pub(crate) fn new(encodings: impl IntoIterator<Item = Encoding>) -> Self {
        Self(encodings.into_iter().map(|encoding| (encoding, Ring::default())).collect())
    }

    /// Of a camera whose pictures come encoded: nobody can ask it for a keyframe.
    pub(crate) fn as_they_come(encodings: impl IntoIterator<Item = Encoding>) -> Self {
        Self(encodings.into_iter().map(|encoding| (encoding, Ring::with_rare_keyframes())).collect())
    }

    pub(crate) fn has(&self, encoding: Encoding) -> bool {
        self.0.iter().any(|(other, _)| *other == encoding)
    }

    /// Panics when the camera has no such encoding.
    pub(crate) fn get(&self, encoding: Encoding) -> &Ring {
        let found = self.0.iter().find(|(other, _)| *other == encoding);
        &found.expect("viewers are given the camera's own encodings").1
    }

    /// Bits per second at which it is encoded now; none is what the config says.
    pub(crate) fn bitrate(&self, encoding: Encoding) -> Option<u32> {
        self.0.iter().find(|(other, _)| *other == encoding).and_then(|(_, ring)| ring.bitrate)
    }

    pub(crate) fn get_mut(&mut self, encoding: Encoding) -> Option<&mut Ring> {
        self.0.iter_mut().find(|(other, _)| *other == encoding).map(|(_, ring)| ring)
    }

    /// These encoders run, at these bitrates.
    pub(crate) fn set_bitrates(&mut self, running: &Running) {
        for (encoding, ring) in &mut self.0 {
            ring.bitrate = running.get(encoding).copied().flatten();
        }
    }
}
