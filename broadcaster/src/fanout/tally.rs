//! What the fan-out counts, once a picture, and tells once a second.

use std::{collections::BTreeMap, time::Instant};

use protocol::{Count, Sent};
use tokio::sync::watch;

use super::switchboard::Shard;
use crate::{
    capture::Feed,
    media::{Encoding, Running},
    report::{CameraReport, CameraState, Health, LinkState, Report, Stream, StreamKind},
};

/// Bytes of a packet's headers that are not counted with it.
const UDP_AND_IP: f64 = 28.0;

pub(super) struct Tally {
    link: LinkState,
    cameras: Vec<Camera>,
    /// By those who serve viewers.
    sent: BTreeMap<Shard, Sent>,
    /// When that was asked for last.
    before: Option<Sent>,
}

struct Camera {
    health: watch::Receiver<Health>,
    encodings: Vec<Encoding>,
    report: CameraReport,
}

impl Tally {
    pub(super) fn new(feeds: &[Feed]) -> Self {
        Self {
            link: LinkState::default(),
            cameras: feeds.iter().map(Camera::new).collect(),
            sent: BTreeMap::new(),
            before: None,
        }
    }

    pub(super) fn link(&mut self, state: LinkState) {
        self.link = state;
    }

    /// A refusal is still the last word of a server that hung up with it.
    pub(super) fn link_down(&mut self) {
        if self.link != LinkState::Refused {
            self.link = LinkState::Down;
        }
    }

    pub(super) fn unit(&mut self, camera: usize, encoding: Encoding, bytes: usize) {
        let camera = &mut self.cameras[camera];
        let streams = camera.encodings.iter().zip(&mut camera.report.streams);
        for (_, stream) in streams.filter(|(own, _)| **own == encoding) {
            stream.units += 1;
            stream.bytes += u64::try_from(bytes).expect("a picture is no larger");
        }
    }

    pub(super) fn running(&mut self, camera: usize, running: &Running) {
        let camera = &mut self.cameras[camera];
        for (own, stream) in camera.encodings.iter().zip(&mut camera.report.streams) {
            stream.running = running.contains_key(own);
        }
    }

    pub(super) fn lost(&mut self, camera: usize, lost: bool) {
        self.cameras[camera].report.state = if lost { CameraState::Lost } else { CameraState::Running };
    }

    /// A shard's viewers were sent this much since the beginning.
    pub(super) fn sent_by(&mut self, shard: Shard, sent: Sent) {
        self.sent.insert(shard, sent);
    }

    /// What all viewers were sent since the beginning.
    pub(super) fn sent(&self) -> Sent {
        let sum = |of: fn(&Sent) -> Count| Count::from(self.sent.values().map(|sent| of(sent).get()).sum::<u64>());
        Sent { packets: sum(|sent| sent.packets), bytes: sum(|sent| sent.bytes), resent: sum(|sent| sent.resent) }
    }

    /// Bits that all viewers were sent since this was asked last, as they are counted on the wire.
    pub(super) fn bits_since_asked(&mut self) -> Option<f64> {
        let sent = self.sent();
        let before = self.before.replace(sent)?;
        let since = |of: fn(&Sent) -> Count| of(&sent).get().saturating_sub(of(&before).get()) as f64;
        Some(8.0 * (since(|sent| sent.bytes) + UDP_AND_IP * since(|sent| sent.packets)))
    }

    pub(super) fn report(&self, viewers: usize, stalled: bool, now: Instant) -> Report {
        let camera = |camera: &Camera| CameraReport { health: *camera.health.borrow(), ..camera.report.clone() };
        Report { at: now, link: self.link, viewers, cameras: self.cameras.iter().map(camera).collect(), stalled }
    }
}

impl Camera {
    fn new(feed: &Feed) -> Self {
        let encodings: Vec<Encoding> = feed.units.iter().map(|(encoding, _)| *encoding).collect();
        let kind = |encoding: &Encoding| StreamKind::of(*encoding, &feed.info.video.rungs);
        let stream = |encoding| Stream { kind: kind(encoding), running: false, units: 0, bytes: 0 };
        let health = feed.health.clone();
        let report = CameraReport {
            id: feed.info.id.clone(),
            state: CameraState::Opening,
            health: *health.borrow(),
            streams: encodings.iter().map(stream).collect(),
        };
        Self { health, encodings, report }
    }
}
