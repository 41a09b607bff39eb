//! One camera, as its viewers share it: its rings, and which of its encodings somebody watches.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use protocol::{CameraId, CameraInfo};

use super::{audience::Key, bitrate::most};
use crate::{
    delivery::{Qualities, Watched},
    media::{Encoding, Frame, Rings, Running},
};

pub(super) struct Camera {
    pub(super) id: CameraId,
    /// It leans with the robot, which says how.
    pub(super) leans: bool,
    pub(super) qualities: Qualities,
    pub(super) rings: Rings,
    /// There are no pictures for now.
    pub(super) lost: bool,
    /// Who watches what, and how much of it each can take.
    viewers: BTreeMap<Encoding, BTreeMap<Key, Option<u32>>>,
    /// What was last said to be watched.
    said: Running,
}

impl Camera {
    pub(super) fn new(info: &CameraInfo, adjusts: bool, encodings: &[Encoding]) -> Self {
        let rungs = info.video.rungs.iter().map(|rung| f64::from(rung.bitrate)).collect();
        let all = encodings.iter().copied();
        Self {
            id: info.id.clone(),
            leans: info.video.leans,
            qualities: Qualities::new(rungs, adjusts),
            rings: if adjusts { Rings::new(all) } else { Rings::as_they_come(all) },
            lost: false,
            viewers: encodings.iter().map(|encoding| (*encoding, BTreeMap::new())).collect(),
            said: Running::new(),
        }
    }

    /// Keeps a frame for everybody. Returns who is to get it.
    pub(super) fn push(&mut self, encoding: Encoding, frame: Arc<Frame>, now: Instant) -> impl Iterator<Item = Key> {
        if let Some(ring) = self.rings.get_mut(encoding) {
            ring.push(frame, now);
        }
        self.viewers.get(&encoding).into_iter().flat_map(BTreeMap::keys).copied()
    }

    /// A viewer watches other encodings than before, or can take more or less of one.
    pub(super) fn watch(&mut self, viewer: Key, before: &Watched, now: &Watched) {
        for encoding in before.iter().filter(|encoding| !now.contains(*encoding)) {
            if let Some(viewers) = self.viewers.get_mut(&encoding) {
                viewers.remove(&viewer);
            }
        }
        for encoding in now.iter() {
            if let Some(viewers) = self.viewers.get_mut(&encoding) {
                viewers.insert(viewer, now.limit(encoding));
            }
        }
    }

    /// The encodings that somebody watches, and how much of each, if that is news.
    pub(super) fn news(&mut self) -> Option<Running> {
        let watched = self.viewers.iter().filter(|(_, viewers)| !viewers.is_empty());
        let watched = watched.map(|(encoding, viewers)| (*encoding, most(viewers.values().copied())));
        let watched: Running = watched.collect();
        (watched != self.said).then(|| {
            self.said.clone_from(&watched);
            watched
        })
    }
}
