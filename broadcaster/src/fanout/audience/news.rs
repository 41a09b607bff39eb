//! What concerns everybody, or all who watch one camera.

use std::time::Instant;

use bytes::Bytes;

use super::{Audience, camera_lost};
use crate::session::Addresses;

impl Audience {
    /// Who watches a camera that is lost is told to stay.
    pub(super) fn camera_changed(&mut self, camera: usize, lost: bool, now: Instant) {
        self.cameras[camera].lost = lost;
        if !lost {
            return;
        }
        for key in self.everybody() {
            if self.seats.get(key).is_some_and(|seat| seat.camera == camera && seat.session.is_live()) {
                self.with(key, now, |session, _| session.tell(camera_lost()));
            }
        }
    }

    /// Who keeps the horizon level is told.
    pub(super) fn leans(&mut self, message: Bytes, now: Instant) {
        for key in self.everybody() {
            if self.seats.get(key).is_some_and(|seat| seat.session.listens()) {
                self.with(key, now, |session, _| session.tell_attitude(&message, now));
            }
        }
        self.attitude = Some((now, message));
    }

    /// Viewers hear of the addresses that are new.
    pub(super) fn relocate(&mut self, addresses: Addresses, now: Instant) {
        if addresses == self.addresses {
            return;
        }
        let lines = |addresses: &Addresses| -> Vec<String> {
            let local = addresses.local.iter().filter_map(|local| local.line().ok());
            local.chain(addresses.reflexive.iter().cloned()).collect()
        };
        let known = lines(&self.addresses);
        let found: Vec<String> = lines(&addresses).into_iter().filter(|line| !known.contains(line)).collect();
        self.addresses = addresses;
        for key in self.everybody() {
            self.with(key, now, |session, context| session.relocate(context.addresses, &found, now));
        }
    }
}
