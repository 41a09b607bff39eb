//! What the fan-out does about crowds: carries out what [`Spill`] wants, with the server and what publishes.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use protocol::{CameraId, Crowd, Notice, PublicationRef, Sdp, Sfu, ToRobot, ToServer};

use super::{
    Fanout, Limits,
    audience::Output,
    now,
    socket::MediaSocket,
    spill::{Deed, Load, Rules, Spill},
    switchboard::Shard,
};
use crate::{
    capture::Feed,
    media::{Encoding, Frame, Running, VideoCodec},
    networks,
    publish::{Camera, Line, Publish, Told},
};

pub(super) struct Spilling {
    spill: Spill,
    pub(super) publisher: Line,
    /// It wants keyframes and encodings as the threads do that serve viewers.
    shard: Shard,
    /// What the server's media server makes use of; nothing where there is none.
    sfu: Option<Sfu>,
    is_at_home: bool,
    busy: Busy,
    /// What of each camera is sent to it: places of qualities, best first.
    sent: Vec<Vec<usize>>,
    /// What is wanted by now of those that viewers are served with.
    outputs: Vec<Output>,
}

/// How much of the machine's computing time this program spends.
struct Busy {
    cores: f64,
    before: Option<(Instant, Duration)>,
    share: f64,
}

impl Spilling {
    pub(super) fn new(limits: &Limits, publisher: Line, cameras: usize) -> Self {
        let rules = Rules {
            viewers: limits.spill.viewers.map(NonZeroUsize::get),
            cpu: limits.spill.cpu.map(crate::config::Share::get),
        };
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            spill: Spill::new(rules, cameras),
            publisher,
            shard: Shard(limits.threads),
            sfu: None,
            is_at_home: limits.is_at_home,
            busy: Busy { cores: cores as f64, before: None, share: 0.0 },
            sent: vec![Vec::new(); cameras],
            outputs: Vec::new(),
        }
    }

    pub(super) fn offered(&mut self, sfu: Option<Sfu>) {
        self.sfu = sfu.filter(|sfu| sfu.qualities > 0);
        self.spill.offered(self.sfu.is_some());
    }

    /// How many qualities of a camera are of use there.
    fn qualities(&self) -> usize {
        self.sfu.map_or(0, |sfu| sfu.qualities.into())
    }

    fn wants(&mut self, camera: Camera, encodings: impl IntoIterator<Item = Encoding>) {
        let running: Running = encodings.into_iter().map(|encoding| (encoding, None)).collect();
        self.outputs.push(Output::Watch(camera, running));
    }
}

impl Fanout {
    /// Cameras whose pictures reach the media server.
    pub(super) fn published(&self) -> Vec<CameraId> {
        self.spilling.spill.published().map(|camera| self.feeds[camera].info.id.clone()).collect()
    }

    /// Somebody who wants to watch finds no room.
    pub(super) fn no_room(&mut self, message: &ToRobot) {
        if let ToRobot::Watcher { ticket: Some(ticket), .. } = message
            && let Some(camera) = self.camera(&ticket.camera)
        {
            self.spilling.spill.refused(camera);
            self.judge_crowd();
        }
    }

    /// Finds out whether there is a crowd by now, or none any more.
    pub(super) fn judge_crowd(&mut self) {
        let now = now();
        let Self { spilling: Spilling { spill, busy, .. }, uplink, feeds, .. } = self;
        for camera in 0..feeds.len() {
            spill.here(camera, uplink.viewers(camera));
        }
        let load = Load { full: uplink.is_full(), cpu: busy.share(now) };
        spill.judge(load, |camera, more| uplink.fits(camera, more), now);
        let moving = spill.is_moving(now);
        self.weigh(moving);
    }

    /// What is published leaves less for viewers.
    fn weigh(&mut self, moving: bool) {
        let sent = self.spilling.sent.iter().enumerate().map(|(camera, rungs)| (camera, rungs.as_slice()));
        self.uplink.publishes(sent, moving);
    }

    /// Does what is to be done about crowds.
    pub(super) async fn spill(&mut self, socket: &MediaSocket) {
        while let Some(deed) = self.spilling.spill.poll_deed() {
            match deed {
                Deed::Publish(camera) => self.begin_to_publish(camera),
                Deed::Arrived(camera) => {
                    tracing::info!(camera = %self.feeds[camera].info.id, "crowded: the media server has the pictures");
                    let camera = self.reference(camera);
                    self.say(ToServer::Published { camera });
                }
                Deed::Recall(camera) => {
                    tracing::info!(camera = %self.feeds[camera].info.id, "not crowded any more: viewers come back");
                    let camera = self.reference(camera);
                    self.say(ToServer::Recall { camera });
                }
                Deed::End(camera) => {
                    self.spilling.publisher.end(camera);
                    self.spilling.sent[camera].clear();
                    self.spilling.wants(camera, []);
                    let camera = self.reference(camera);
                    self.say(ToServer::Unpublish { camera });
                }
            }
            self.weigh(self.spilling.spill.is_moving(now()));
        }
        for output in std::mem::take(&mut self.spilling.outputs) {
            self.carry_out(self.spilling.shard, output, socket).await;
        }
    }

    fn begin_to_publish(&mut self, camera: Camera) {
        let (rungs, encodings) = self.publishable(camera);
        let id = self.feeds[camera].info.id.clone();
        let homes = homes(self.spilling.is_at_home);
        let leans = self.spilling.sfu.is_some_and(|sfu| sfu.data) && self.feeds[camera].info.video.leans;
        let apart = self.spilling.sfu.is_some_and(|sfu| sfu.apart);
        let publish = Publish { id: id.clone(), encodings: encodings.clone(), apart, leans, homes };
        if rungs.is_empty() || !self.spilling.publisher.begin(camera, publish) {
            tracing::warn!(camera = %id, "crowded, and the uplink has no room for what a media server needs");
            return self.spilling.spill.failed(camera, now());
        }
        tracing::info!(camera = %id, qualities = rungs.len(), "crowded: the camera is offered to the media server");
        self.spilling.sent[camera] = rungs;
        // They run by the time that they are wanted.
        self.spilling.wants(camera, encodings);
    }

    /// Places of a camera's qualities that a media server is to get, best first, and their encodings, with sound.
    fn publishable(&self, camera: Camera) -> (Vec<usize>, Vec<Encoding>) {
        let feed = &self.feeds[camera];
        let rungs = feed.info.video.rungs.len().max(1);
        // As good as there is room for.
        let sets = (0..rungs).map(|best| chosen(best, rungs, self.spilling.qualities()));
        let room = |set: &Vec<usize>| !set.is_empty() && self.uplink.has_room_for(camera, set);
        let Some(rungs) = sets.into_iter().find(room) else { return (Vec::new(), Vec::new()) };
        let Some(pictures) = encodings_of(feed, &rungs) else { return (Vec::new(), Vec::new()) };
        let sound = feed.units.iter().map(|(encoding, _)| *encoding).filter(|encoding| *encoding == Encoding::Audio);
        (rungs, pictures.into_iter().chain(sound).collect())
    }

    pub(super) async fn publisher_told(&mut self, told: Told, socket: &MediaSocket) {
        match told {
            Told::Offer(camera, sdp) => {
                let description = protocol::Description { kind: protocol::DescriptionKind::Offer, sdp };
                let camera = self.reference(camera);
                self.say(ToServer::Publish { camera, description });
            }
            Told::Live(camera) => self.spilling.spill.arrived(camera, now()),
            Told::Keyframe(camera, encoding) => {
                self.carry_out(self.spilling.shard, Output::Keyframe(camera, encoding), socket).await;
            }
            Told::Sent(sent) => self.tally.sent_by(self.spilling.shard, sent),
            Told::Failed(camera) => {
                tracing::warn!(camera = %self.feeds[camera].info.id, "no pictures reach the media server; viewers come back");
                self.spilling.spill.failed(camera, now());
            }
        }
    }

    pub(super) fn publish_answered(&mut self, camera: &CameraId, answer: Sdp) {
        if let Some(camera) = self.camera(camera).filter(|camera| self.spilling.spill.is_sent(*camera)) {
            self.spilling.publisher.answer(camera, answer);
        }
    }

    pub(super) fn not_published(&mut self, camera: &CameraId, notice: &Notice) {
        tracing::warn!(%camera, code = %notice.code, reason = notice.message, "the camera is not published");
        if let Some(camera) = self.camera(camera) {
            self.spilling.spill.failed(camera, now());
        }
    }

    pub(super) fn crowd(&mut self, crowd: &Crowd) {
        if let Some(camera) = self.camera(&crowd.camera) {
            self.spilling.spill.there(camera, usize::try_from(crowd.viewers).unwrap_or(usize::MAX));
            self.judge_crowd();
        }
    }

    pub(super) fn publish(&mut self, camera: Camera, encoding: Encoding, frame: &Arc<Frame>) {
        if let Some(encoding) = self.spilling.publisher.frame(camera, encoding, frame) {
            tracing::warn!("pictures for the media server are lost: this machine does not keep up");
            self.spilling.outputs.push(Output::Keyframe(camera, encoding));
        }
    }

    fn camera(&self, id: &CameraId) -> Option<Camera> {
        self.feeds.iter().position(|feed| feed.info.id == *id)
    }

    fn reference(&self, camera: Camera) -> PublicationRef {
        PublicationRef { camera: self.feeds[camera].info.id.clone() }
    }
}

/// So many of a camera's qualities from this one on: the best of them, the lowest, and those next to the best.
fn chosen(best: usize, rungs: usize, most: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = (best..rungs).take(most).collect();
    if let Some(last) = chosen.last_mut().filter(|_| most > 1) {
        *last = rungs - 1;
    }
    chosen
}

/// In one codec: H.264, where the camera has it.
fn encodings_of(feed: &Feed, rungs: &[usize]) -> Option<Vec<Encoding>> {
    let all = |codec| {
        let encoding = |rung: &usize| {
            let encoding = Encoding::Video { rung: u8::try_from(*rung).ok()?, codec };
            feed.units.iter().any(|(has, _)| *has == encoding).then_some(encoding)
        };
        rungs.iter().map(encoding).collect::<Option<Vec<Encoding>>>()
    };
    [VideoCodec::H264, VideoCodec::Vp8].into_iter().find_map(all)
}

/// Where a connection may leave from.
fn homes(is_at_home: bool) -> Vec<SocketAddr> {
    let usable = |address: &IpAddr| match address {
        IpAddr::V4(v4) => !v4.is_link_local() && (is_at_home || !v4.is_loopback()),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_loopback(),
    };
    let addresses = networks::addresses().unwrap_or_default();
    addresses.into_iter().filter(usable).map(|address| SocketAddr::new(address, 0)).collect()
}

impl Busy {
    /// As of the last second or so.
    fn share(&mut self, now: Instant) -> f64 {
        const AT_LEAST: Duration = Duration::from_millis(900);
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let spent =
            Duration::new(spent.tv_sec.try_into().unwrap_or_default(), spent.tv_nsec.try_into().unwrap_or_default());
        match self.before {
            Some((since, before)) if now.saturating_duration_since(since) >= AT_LEAST => {
                let passed = now.saturating_duration_since(since).as_secs_f64();
                self.share = spent.saturating_sub(before).as_secs_f64() / passed / self.cores;
                self.before = Some((now, spent));
            }
            Some(_) => {}
            None => self.before = Some((now, spent)),
        }
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_and_the_lowest_quality_are_among_those_that_are_sent() {
        assert_eq!(chosen(0, 4, 3), [0, 1, 3]);
        assert_eq!(chosen(0, 3, 3), [0, 1, 2]);
        assert_eq!(chosen(1, 3, 3), [1, 2]);
        assert_eq!(chosen(0, 1, 3), [0]);
        assert_eq!(chosen(1, 4, 1), [1]);
    }
}
