//! When a camera's viewers are to have its pictures from the server's media server instead of from here. Pure: no socket, no
//! task, no clock.
//!
//! A robot that is crowded publishes what several watch, and says so when it arrives; the server then sends viewers there. When
//! so few are left that they can be served from here without crowding it again, they are recalled, and then nothing is
//! published any more. What goes wrong with a media server costs nobody anything who is served from here: it is tried again,
//! less and less often.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::publish::Camera;

/// Fewer viewers take no more from here than the media server would.
const WORTH_IT: usize = 2;

/// Nobody is recalled before so few have watched for so long: crowds come and go.
const CALM: Duration = Duration::from_secs(10);

/// Who was to come back by then and has not, does not. The server asks one after the other, at first.
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// While viewers move, they get what they had, and there is what is published besides.
const MOVED_WITHIN: Duration = Duration::from_secs(12);

/// After a failure; twice as long after each further one.
const AGAIN_AFTER: Duration = Duration::from_secs(15);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What the robot's operator has said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    pub(super) viewers: Option<usize>,
    pub(super) cpu: Option<f64>,
}

/// How things are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    /// More is asked of the uplink than it has.
    pub(super) full: bool,
    /// The part of the machine's computing time that is spent.
    pub(super) cpu: f64,
}

/// What is to be done about a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Offer it to the media server.
    Publish(Camera),
    /// Its pictures arrive: viewers may be sent there.
    Arrived(Camera),
    /// Viewers are to come back.
    Recall(Camera),
    /// Nothing is published any more.
    End(Camera),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// From here.
    Direct,
    /// A connection to the media server is made.
    Publishing,
    Live {
        since: Instant,
        /// Since when so few watch that they could come back.
        calm: Option<Instant>,
        /// How many watched when it was begun for the sake of the machine's time.
        hot: Option<usize>,
    },
    Recalled {
        since: Instant,
    },
    /// It is not tried before.
    Failed {
        until: Instant,
    },
}

#[derive(Clone, Copy, Debug)]
struct Place {
    stage: Stage,
    /// Who watches from here and could move.
    here: usize,
    /// Who watches at the media server.
    there: usize,
    /// In a row.
    failures: u32,
    /// It was begun because of the machine's time.
    hot: bool,
}

pub(super) struct Spill {
    rules: Rules,
    /// There is a media server.
    offered: bool,
    places: Vec<Place>,
    /// Somebody could not be let in any more.
    refused: Option<Camera>,
    deeds: VecDeque<Deed>,
}

impl Spill {
    pub(super) fn new(rules: Rules, cameras: usize) -> Self {
        let place = Place { stage: Stage::Direct, here: 0, there: 0, failures: 0, hot: false };
        Self { rules, offered: false, places: vec![place; cameras], refused: None, deeds: VecDeque::new() }
    }

    /// Whether the server has a media server. Without one, what was published is over.
    pub(super) fn offered(&mut self, offered: bool) {
        self.offered = offered;
        if !offered {
            for camera in 0..self.places.len() {
                self.end(camera, Stage::Direct);
            }
        }
    }

    /// Those whose pictures the media server has.
    pub(super) fn published(&self) -> impl Iterator<Item = Camera> {
        let has = |place: &Place| matches!(place.stage, Stage::Live { .. } | Stage::Recalled { .. });
        self.places.iter().enumerate().filter(move |(_, place)| has(place)).map(|(camera, _)| camera)
    }

    /// Those for which something is sent there, or soon will be.
    pub(super) fn is_sent(&self, camera: Camera) -> bool {
        let stage = self.places.get(camera).map(|place| place.stage);
        matches!(stage, Some(Stage::Publishing | Stage::Live { .. } | Stage::Recalled { .. }))
    }

    /// Whether viewers are on their way from one to the other: both get the pictures.
    pub(super) fn is_moving(&self, now: Instant) -> bool {
        self.places.iter().any(|place| match place.stage {
            Stage::Publishing => true,
            Stage::Live { since, .. } | Stage::Recalled { since } => now < since + MOVED_WITHIN,
            Stage::Direct | Stage::Failed { .. } => false,
        })
    }

    /// Whether more can be done for somebody for whom there is no room.
    pub(super) fn refused(&mut self, camera: Camera) {
        if self.offered {
            self.refused = Some(camera);
        }
    }

    /// So many watch a camera from here, operators not among them.
    pub(super) fn here(&mut self, camera: Camera, viewers: usize) {
        if let Some(place) = self.places.get_mut(camera) {
            place.here = viewers;
        }
    }

    /// So many watch it at the media server.
    pub(super) fn there(&mut self, camera: Camera, viewers: usize) {
        if let Some(place) = self.places.get_mut(camera) {
            place.there = viewers;
        }
    }

    /// The connection stands.
    pub(super) fn arrived(&mut self, camera: Camera, now: Instant) {
        if let Some(place) = self.places.get_mut(camera).filter(|place| place.stage == Stage::Publishing) {
            let hot = place.hot.then_some(place.here);
            place.stage = Stage::Live { since: now, calm: None, hot };
            place.failures = 0;
            self.deeds.push_back(Deed::Arrived(camera));
        }
    }

    /// It does not, or not any more.
    pub(super) fn failed(&mut self, camera: Camera, now: Instant) {
        let Some(place) = self.places.get_mut(camera) else { return };
        if matches!(place.stage, Stage::Direct | Stage::Failed { .. }) {
            return;
        }
        let pause = AGAIN_AFTER.saturating_mul(1 << place.failures.min(8)).min(LONGEST_PAUSE);
        place.failures += 1;
        self.end(camera, Stage::Failed { until: now + pause });
    }

    fn end(&mut self, camera: Camera, next: Stage) {
        let Some(place) = self.places.get_mut(camera) else { return };
        if !matches!(place.stage, Stage::Direct | Stage::Failed { .. }) {
            self.deeds.push_back(Deed::End(camera));
        }
        place.stage = next;
        place.there = 0;
    }

    /// `fits`: whether these many more viewers of a camera could be served from here.
    pub(super) fn judge(&mut self, load: Load, fits: impl Fn(Camera, usize) -> bool, now: Instant) {
        if !self.offered {
            return;
        }
        let all: usize = self.places.iter().map(|place| place.here + place.there).sum();
        let many = self.rules.viewers.is_some_and(|most| all >= most);
        let hot = self.rules.cpu.is_some_and(|most| load.cpu >= most);
        let refused = self.refused.take();
        for camera in 0..self.places.len() {
            let place = &mut self.places[camera];
            match place.stage {
                Stage::Failed { until } if now >= until => place.stage = Stage::Direct,
                Stage::Direct | Stage::Publishing | Stage::Failed { .. } => {}
                Stage::Recalled { since } => {
                    if place.there == 0 && now > since || now >= since + BACK_WITHIN {
                        self.end(camera, Stage::Direct);
                    }
                    continue;
                }
                Stage::Live { since, calm, hot } => {
                    let few = self.rules.viewers.is_none_or(|most| all < most - most.div_ceil(5).min(most - 1))
                        && hot.is_none_or(|then| 2 * all <= then)
                        && refused.is_none()
                        && fits(camera, place.there);
                    let calm = few.then(|| calm.unwrap_or(now));
                    if calm.is_some_and(|calm| now >= calm + CALM) && now >= since + CALM {
                        place.stage = Stage::Recalled { since: now };
                        self.deeds.push_back(Deed::Recall(camera));
                    } else {
                        place.stage = Stage::Live { since, calm, hot };
                    }
                    continue;
                }
            }
            let place = &mut self.places[camera];
            let crowded = many || hot || load.full || refused == Some(camera);
            if place.stage == Stage::Direct && crowded && place.here >= WORTH_IT {
                place.stage = Stage::Publishing;
                place.hot = hot && !many && !load.full;
                self.deeds.push_back(Deed::Publish(camera));
            }
        }
    }

    pub(super) fn poll_deed(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }
}
