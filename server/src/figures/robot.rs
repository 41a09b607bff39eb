//! A live robot, as it announced itself and as it says that it does.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use protocol::{Bitrate, CameraId, CameraInfo, Fps, Millis, RobotReport, RobotSample, Share};

use super::{Moment, crowd::Crowd, is_fresh};
use crate::metrics::Histogram;

/// Seconds from capture to screen: what is live, what is late, and what is neither.
const DELAY_SECONDS: &[f64] = &[0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0];

#[derive(Debug)]
pub(super) struct Robot {
    pub(super) since: Moment,
    /// `/metrics` shows it by its name.
    pub(super) is_named: bool,
    pub(super) cameras: Vec<Camera>,
    pub(super) report: Option<(Instant, RobotReport)>,
    /// From capture to screen, as its viewers say.
    pub(super) delay: Histogram,
    pub(super) history: VecDeque<RobotSample>,
}

/// What is kept of an announcement.
#[derive(Debug)]
pub(super) struct Camera {
    pub(super) id: CameraId,
    pub(super) title: Option<String>,
    rungs: usize,
}

impl Robot {
    pub(super) fn new(is_named: bool, now: Moment) -> Self {
        Self {
            since: now,
            is_named,
            cameras: Vec::new(),
            report: None,
            delay: Histogram::new(DELAY_SECONDS),
            history: VecDeque::new(),
        }
    }

    /// Its cameras are these from now on; it may be another broadcaster than before.
    pub(super) fn announce(&mut self, cameras: Vec<CameraInfo>) {
        let kept = |CameraInfo { id, title, video }| Camera { id, title, rungs: video.rungs.len().max(1) };
        self.cameras = cameras.into_iter().map(kept).collect();
        self.report = None;
    }

    /// Takes of a report what is about something that was announced, once.
    pub(super) fn take(&mut self, mut report: RobotReport, now: Moment) {
        let mut seen = BTreeSet::new();
        report.cameras.retain_mut(|camera| {
            let Some(announced) = self.cameras.iter().find(|announced| announced.id == camera.id) else { return false };
            let mut encodings = BTreeSet::new();
            camera.encodings.retain(|encoding| {
                usize::from(encoding.rung) < announced.rungs && encodings.insert((encoding.rung, encoding.codec))
            });
            seen.insert(camera.id.clone())
        });
        self.report = Some((now.at, report));
    }

    /// What it said last, if that was lately.
    pub(super) fn report(&self, within: Duration, now: Moment) -> Option<&RobotReport> {
        self.report.as_ref().filter(|(at, _)| is_fresh(*at, within, now)).map(|(_, report)| report)
    }

    pub(super) fn sample(&self, crowd: &Crowd, within: Duration, now: Moment) -> RobotSample {
        let cameras = self.report(within, now).map(|report| report.cameras.iter());
        let slowest = cameras.and_then(|cameras| cameras.map(|camera| camera.fps.get()).reduce(f64::min));
        RobotSample {
            at: now.unix,
            viewers: crowd.viewers,
            fps: slowest.map(Fps::nearest),
            bitrate: crowd.bitrate.sum().map(Bitrate::nearest),
            loss: crowd.loss.mean().map(Share::nearest),
            round_trip: crowd.round_trip.mean().map(Millis::nearest),
            delay: crowd.delay.mean().map(Millis::nearest),
        }
    }
}
