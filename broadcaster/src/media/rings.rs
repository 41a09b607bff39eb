//! All of one camera's rings.

use super::{Encoding, Ring};

#[derive(Debug)]
pub(crate) struct Rings(Vec<(Encoding, Ring)>);

impl Rings {
    pub(crate) fn new(encodings: impl IntoIterator<Item = Encoding>) -> Self {
        Self(encodings.into_iter().map(|encoding| (encoding, Ring::default())).collect())
    }

    pub(crate) fn has(&self, encoding: Encoding) -> bool {
        self.0.iter().any(|(other, _)| *other == encoding)
    }

    /// Panics when the camera has no such encoding.
    pub(crate) fn get(&self, encoding: Encoding) -> &Ring {
        let found = self.0.iter().find(|(other, _)| *other == encoding);
        &found.expect("viewers are given the camera's own encodings").1
    }

    pub(crate) fn get_mut(&mut self, encoding: Encoding) -> Option<&mut Ring> {
        self.0.iter_mut().find(|(other, _)| *other == encoding).map(|(_, ring)| ring)
    }
}
