//! One camera, as its viewers share it: its rings, and which of its encodings somebody watches.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use protocol::{CameraId, CameraInfo};

use super::{audience::Key, keyframes::KeyframeGate};
use crate::media::{AccessUnit, Encoding, PacketSize, Rings};

pub(super) struct Camera {
    pub(super) id: CameraId,
    /// Bits per second of its qualities, best first.
    pub(super) rungs: Vec<f64>,
    pub(super) rings: Rings,
    watched: BTreeMap<Encoding, Watched>,
}

#[derive(Default)]
struct Watched {
    viewers: BTreeSet<Key>,
    keyframes: KeyframeGate,
}

impl Camera {
    pub(super) fn new(info: &CameraInfo, encodings: &[Encoding]) -> Self {
        Self {
            id: info.id.clone(),
            rungs: info.video.rungs.iter().map(|rung| f64::from(rung.bitrate)).collect(),
            rings: Rings::new(encodings.iter().copied()),
            watched: encodings.iter().map(|encoding| (*encoding, Watched::default())).collect(),
        }
    }

    /// Cuts an access unit into packets, once for everybody. Returns who is to get them.
    pub(super) fn push(
        &mut self,
        encoding: Encoding,
        unit: &AccessUnit,
        size: PacketSize,
        now: Instant,
    ) -> impl Iterator<Item = Key> {
        if let Some(ring) = self.rings.get_mut(encoding) {
            let frame = encoding.packetise(unit, size);
            if frame.packets() > 0 {
                ring.push(frame, now);
            }
        }
        let watched = self.watched.get_mut(&encoding);
        watched.into_iter().flat_map(move |watched| {
            if unit.keyframe {
                watched.keyframes.seen(now);
            }
            watched.viewers.iter().copied()
        })
    }

    /// Somebody begins to watch an encoding. True: nobody did before.
    pub(super) fn watch(&mut self, encoding: Encoding, viewer: Key, now: Instant) -> bool {
        let Some(watched) = self.watched.get_mut(&encoding) else { return false };
        let first = watched.viewers.is_empty();
        watched.viewers.insert(viewer);
        if first {
            // An encoder begins with a keyframe of itself.
            watched.keyframes.begins(now);
        }
        first
    }

    /// Somebody watches an encoding no more. True: nobody does.
    pub(super) fn unwatch(&mut self, encoding: Encoding, viewer: Key) -> bool {
        let Some(watched) = self.watched.get_mut(&encoding) else { return false };
        watched.viewers.remove(&viewer) && watched.viewers.is_empty()
    }

    /// The encodings that somebody watches.
    pub(super) fn running(&self) -> BTreeSet<Encoding> {
        self.watched.iter().filter(|(_, watched)| !watched.viewers.is_empty()).map(|(encoding, _)| *encoding).collect()
    }

    pub(super) fn want_keyframe(&mut self, encoding: Encoding) {
        if let Some(watched) = self.watched.get_mut(&encoding) {
            watched.keyframes.want();
        }
    }

    /// Encodings that are to make a keyframe now.
    pub(super) fn take_keyframes(&mut self, now: Instant) -> impl Iterator<Item = Encoding> {
        self.watched
            .iter_mut()
            .filter_map(move |(encoding, watched)| watched.keyframes.take_due(now).then_some(*encoding))
    }

    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.watched.values().filter_map(|watched| watched.keyframes.poll_timeout(now)).min()
    }
}
