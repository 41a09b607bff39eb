//! A robot's viewers, taken together.

use std::{collections::BTreeMap, time::Duration};

use protocol::{CameraId, ViewerSent, ViewerShown};

use super::{Moment, is_fresh, viewer::Viewer};

#[derive(Debug, Default)]
pub(super) struct Crowd {
    pub(super) viewers: u32,
    pub(super) cameras: BTreeMap<CameraId, u32>,
    /// Bits per second.
    pub(super) bitrate: Spread,
    pub(super) loss: Spread,
    /// Milliseconds.
    pub(super) round_trip: Spread,
    /// Milliseconds.
    pub(super) delay: Spread,
    pub(super) fps: Spread,
    pub(super) relayed: u32,
}

/// What several say of themselves.
#[derive(Debug, Default)]
pub(super) struct Spread {
    count: f64,
    sum: f64,
    most: f64,
}

impl Crowd {
    pub(super) fn add(&mut self, viewer: &Viewer, within: Duration, now: Moment) {
        self.viewers += 1;
        match self.cameras.get_mut(&viewer.camera) {
            Some(viewers) => *viewers += 1,
            None => {
                self.cameras.insert(viewer.camera.clone(), 1);
            }
        }
        if let Some(ViewerSent { bitrate, loss, round_trip, .. }) = viewer.sent(within, now) {
            self.bitrate.add(bitrate.get());
            self.loss.add(loss.get());
            round_trip.into_iter().for_each(|time| self.round_trip.add(time.get()));
        }
        if let Some(ViewerShown { fps, delay, relayed, .. }) = viewer.shown(within, now) {
            self.fps.add(fps.get());
            self.relayed += u32::from(relayed);
            delay.into_iter().for_each(|time| self.delay.add(time.get()));
        }
    }
}

impl Viewer {
    pub(super) fn sent(&self, within: Duration, now: Moment) -> Option<ViewerSent> {
        self.sent.filter(|(at, _)| is_fresh(*at, within, now)).map(|(_, sent)| sent)
    }

    pub(super) fn shown(&self, within: Duration, now: Moment) -> Option<ViewerShown> {
        self.shown.filter(|(at, _)| is_fresh(*at, within, now)).map(|(_, shown)| shown)
    }
}

impl Spread {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.most = self.most.max(value);
    }

    /// None where nobody has said anything, as of those that follow.
    pub(super) fn sum(&self) -> Option<f64> {
        (self.count > 0.0).then_some(self.sum)
    }

    pub(super) fn mean(&self) -> Option<f64> {
        self.sum().map(|sum| sum / self.count)
    }

    pub(super) fn most(&self) -> Option<f64> {
        self.sum().map(|_| self.most)
    }
}
