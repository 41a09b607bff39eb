//! One camera, as its viewers share it: its rings, and which of its encodings somebody watches.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use protocol::{CameraId, CameraInfo};

use super::audience::Key;
use crate::media::{Encoding, Frame, Rings};

pub(super) struct Camera {
    pub(super) id: CameraId,
    /// Bits per second of its qualities, best first.
    pub(super) rungs: Vec<f64>,
    pub(super) rings: Rings,
    /// There are no pictures for now.
    pub(super) lost: bool,
    viewers: BTreeMap<Encoding, BTreeSet<Key>>,
}

impl Camera {
    pub(super) fn new(info: &CameraInfo, encodings: &[Encoding]) -> Self {
        Self {
            id: info.id.clone(),
            rungs: info.video.rungs.iter().map(|rung| f64::from(rung.bitrate)).collect(),
            rings: Rings::new(encodings.iter().copied()),
            lost: false,
            viewers: encodings.iter().map(|encoding| (*encoding, BTreeSet::new())).collect(),
        }
    }

    /// Keeps a frame for everybody. Returns who is to get it.
    pub(super) fn push(&mut self, encoding: Encoding, frame: Arc<Frame>, now: Instant) -> impl Iterator<Item = Key> {
        if let Some(ring) = self.rings.get_mut(encoding) {
            ring.push(frame, now);
        }
        self.viewers.get(&encoding).into_iter().flatten().copied()
    }

    /// Somebody begins to watch an encoding. True: nobody did before.
    pub(super) fn watch(&mut self, encoding: Encoding, viewer: Key) -> bool {
        self.viewers.get_mut(&encoding).is_some_and(|viewers| viewers.insert(viewer) && viewers.len() == 1)
    }

    /// Somebody watches an encoding no more. True: nobody does.
    pub(super) fn unwatch(&mut self, encoding: Encoding, viewer: Key) -> bool {
        self.viewers.get_mut(&encoding).is_some_and(|viewers| viewers.remove(&viewer) && viewers.is_empty())
    }

    /// The encodings that somebody watches.
    pub(super) fn watched(&self) -> BTreeSet<Encoding> {
        let watched = self.viewers.iter().filter(|(_, viewers)| !viewers.is_empty());
        watched.map(|(encoding, _)| *encoding).collect()
    }
}
