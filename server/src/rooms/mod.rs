//! Who is live, and who may talk to whom.
//!
//! This is the server's pure core: it is told what each connection said and what time it is, and queues what is to be sent.
//! It knows no sockets, tasks or clocks; `signalling` feeds it and carries out its outputs. Connections are named by
//! [`PeerId`]; which of them is a robot and which a viewer is decided by the first `broadcaster` or `watcher` it says.
//!
//! Invariants: nothing is queued for a connection that has gone; a robot is only ever addressed about viewers that were
//! introduced to that very connection of it, a viewer only by the robot that it was introduced to; a session belongs to one
//! viewer at a time.

mod elsewhere;
mod guard;
mod news;
mod notices;
mod publications;
mod relay;
mod reports;
mod robots;
mod session;
mod snapshots;
#[cfg(test)]
mod tests;
mod viewers;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use protocol::{
    Attachment, CameraId, IceServer, LiveRobot, Notice, PeerId, RegisterReply, RobotId, RobotRef, SessionId, ToRobot,
    ToServer, ToViewer, WatchReply,
};

use serde::{Deserialize, Serialize};

use crate::{
    auth::{Door, Pass},
    cluster::NodeId,
    figures::Moment,
    turn::credentials::Holder,
};
use elsewhere::{Away, Others};
pub(crate) use elsewhere::{Elsewhere, Listing, Onward, Robots, Since};
use guard::Untold;
pub(crate) use news::News;
pub(crate) use notices::{denied, too_fast, unreachable};
use publications::Publications;
pub(crate) use publications::{Done, Engine, Errand, Place};
use relay::{Letter, Payload};
use robots::{Robot, Seen};
use session::Session;
use snapshots::Snapshots;
pub(crate) use snapshots::{Answer, Asker};
use viewers::Viewer;

/// What the operator decided.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The robot of those who name none.
    pub(crate) default_robot: RobotId,
    pub(crate) max_robots: usize,
    /// Per robot.
    pub(crate) max_viewers: usize,
    /// How long a viewer whose connection broke may come back to its session.
    pub(crate) session_grace: Duration,
    /// How often robots are told of STUN and TURN servers again, whose credentials end.
    pub(crate) renew_ice_after: Option<Duration>,
    /// Seconds between reports of robots and viewers, which are told so; none: there are to be none.
    pub(crate) report_every: Option<u32>,
}

/// What happened outside.
#[derive(Debug)]
pub(crate) enum Input {
    Connected {
        peer: PeerId,
        /// What its link lets it do.
        pass: Option<Pass>,
        /// It comes from the host that the server is on.
        is_local: bool,
        /// The server that it is connected to, if that is not this one.
        guest_of: Option<NodeId>,
    },
    /// Other servers.
    Elsewhere(Elsewhere),
    /// The operator has changed who may do what.
    Door(Door),
    Said {
        from: PeerId,
        message: ToServer,
        /// Whether the sender asked for an acknowledgement.
        wants_reply: bool,
    },
    /// It said something that is no message of ours.
    Malformed {
        from: PeerId,
        notice: Notice,
    },
    Disconnected {
        peer: PeerId,
        ending: Ending,
    },
    /// Somebody wants a picture of this camera, or of the robot's first one.
    Snapshot {
        asker: Asker,
        robot: RobotId,
        camera: Option<CameraId>,
        /// By another server, which has taken it that the robot is here.
        passed_on: bool,
    },
    /// Whoever asked for a picture has gone.
    SnapshotUnasked(Asker),
    /// The media server has answered.
    Engine(Done),
    /// The operator has decided otherwise. Who is in stays in, whatever the limits are now.
    Settings(Settings),
    /// Robots are to be told of other STUN and TURN servers.
    IceChanged,
    /// The server is going down.
    Draining,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// It said that it was leaving.
    Goodbye,
    /// Its transport broke: whoever was there may well be back in a moment.
    Lost,
}

/// What is to be done outside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output {
    ToViewer {
        to: PeerId,
        message: ToViewer,
    },
    ToRobot {
        to: PeerId,
        message: ToRobot,
    },
    /// What it was told before is the last that it hears.
    Close {
        peer: PeerId,
    },
    /// Acknowledges the input that was handled last; queued at most once for each, and only if it wanted a reply.
    Reply(Reply),
    /// Answers a request for a picture, once, unless whoever asked has gone.
    Snapshot {
        asker: Asker,
        answer: Answer,
    },
    /// The media server is to be asked something.
    Errand(Errand),
    /// Goes to another server. Where it wants a reply, that is the input's that was handled last.
    Forward {
        to: NodeId,
        what: Onward,
    },
}

#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and nearly all of them are the large one")]
pub(crate) enum Reply {
    Watch(WatchReply),
    Register(RegisterReply),
}

/// What a connection is.
#[derive(Debug)]
enum Role {
    Undecided,
    Robot(RobotId),
    Viewer(Viewer),
    /// A viewer of a robot that another server has.
    Away(Away),
    /// Another connection has taken over what it was. It is announced nothing until it asks again.
    Displaced,
}

/// Whether a connection uses what Panocast adds to the protocol of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Family,
    Panocast,
}

impl Dialect {
    /// A joining message without its object comes from a page of the family.
    fn of<T>(object: Option<&T>) -> Self {
        if object.is_some() { Self::Panocast } else { Self::Family }
    }
}

/// Makes a session id that nobody can guess.
pub(crate) type Mint = Box<dyn FnMut() -> SessionId + Send>;

/// Lists the STUN and TURN servers for one robot or viewer, with credentials that begin now and end after so long at the
/// latest.
pub(crate) type ListIce = Box<dyn Fn(&Holder, Option<Duration>) -> Vec<IceServer> + Send>;

pub(crate) struct Rooms {
    /// What the wall clock said when.
    begun: Moment,
    settings: Settings,
    mint: Mint,
    list_ice: ListIce,
    /// When all robots are told of STUN and TURN servers again.
    renew_ice: Option<Instant>,
    door: Door,
    peers: BTreeMap<PeerId, Role>,
    /// Of those connections that came by a link.
    passes: BTreeMap<PeerId, Pass>,
    /// Those that come from the host that the server is on.
    local: BTreeSet<PeerId>,
    /// When they end.
    expiries: BTreeSet<(Instant, PeerId)>,
    /// Until when sessions that these robots named must have been claimed.
    claims: BTreeSet<(Instant, RobotId)>,
    untold: Untold,
    /// The live ones.
    robots: BTreeMap<RobotId, Robot>,
    sessions: BTreeMap<SessionId, Session>,
    /// When detached sessions end.
    deadlines: BTreeSet<(Instant, SessionId)>,
    seen: Seen,
    snapshots: Snapshots,
    others: Others,
    publications: Publications,
    out: VecDeque<Output>,
    news: VecDeque<News>,
}

impl Rooms {
    pub(crate) fn new(settings: Settings, door: Door, mint: Mint, list_ice: ListIce, begun: Moment) -> Self {
        Self {
            begun,
            settings,
            mint,
            list_ice,
            renew_ice: None,
            door,
            peers: BTreeMap::new(),
            passes: BTreeMap::new(),
            local: BTreeSet::new(),
            expiries: BTreeSet::new(),
            claims: BTreeSet::new(),
            untold: Untold::default(),
            robots: BTreeMap::new(),
            sessions: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            seen: Seen::default(),
            snapshots: Snapshots::default(),
            others: Others::default(),
            publications: Publications::default(),
            out: VecDeque::new(),
            news: VecDeque::new(),
        }
    }

    pub(crate) fn handle(&mut self, input: Input, now: Instant) {
        self.take(input, now);
        self.move_next(now);
        self.publications.plan(now);
    }

    fn take(&mut self, input: Input, now: Instant) {
        match input {
            Input::Connected { peer, pass, is_local, guest_of } => {
                if let Some(node) = guest_of {
                    self.others.welcome(peer.clone(), node);
                }
                if is_local {
                    self.local.insert(peer.clone());
                }
                if let Some(pass) = pass {
                    self.expiries.insert((pass.until, peer.clone()));
                    self.passes.insert(peer.clone(), pass);
                }
                self.peers.entry(peer).or_insert(Role::Undecided);
            }
            Input::Elsewhere(what) => self.heard_from_elsewhere(what, now),
            Input::Door(door) => self.door_changed(door, now),
            Input::Said { from, message, wants_reply } => self.said(&from, message, wants_reply, now),
            Input::Malformed { from, notice } => self.not_taken(&from, notice),
            Input::Disconnected { peer, ending } => self.disconnected(&peer, ending, now),
            Input::Snapshot { asker, robot, camera, passed_on } => {
                if passed_on || !self.fetch_snapshot(asker, &robot, camera.as_ref()) {
                    self.snapshot(asker, &robot, camera, now);
                }
            }
            Input::SnapshotUnasked(asker) => self.snapshot_unasked(asker),
            Input::Engine(done) => self.engine_done(done),
            Input::Settings(settings) => self.settle(settings, now),
            Input::IceChanged => {
                self.renew_ice = Some(now);
                self.renew_ice_servers(now);
            }
            Input::Draining => {
                // Guests are connected to servers that go on.
                let everyone: Vec<PeerId> =
                    self.peers.keys().filter(|peer| !self.others.is_guest(peer)).cloned().collect();
                for peer in everyone {
                    self.notify(&peer, notices::draining());
                }
            }
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Seconds between reports, as robots and viewers are told.
    pub(crate) fn report_every(&self) -> Option<u32> {
        self.settings.report_every
    }

    pub(crate) fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let session = self.deadlines.first().map(|(at, _)| *at);
        let others =
            [self.snapshots.poll_timeout(), self.next_expiry(), self.renew_ice, self.publications.poll_timeout()];
        session.into_iter().chain(others.into_iter().flatten()).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.snapshots_due(now);
        self.expiries_due(now);
        self.renew_ice_servers(now);
        while self.deadlines.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, session)) = self.deadlines.pop_first() else { return };
            tracing::debug!("a lost viewer did not come back");
            self.end_session(&session);
        }
        self.count_crowds(now);
        self.move_next(now);
        self.publications.plan(now);
    }

    pub(crate) fn is_robot(&self, peer: &PeerId) -> bool {
        matches!(self.peers.get(peer), Some(Role::Robot(_)))
    }

    /// The live robots, by name.
    pub(crate) fn live(&self) -> Vec<LiveRobot> {
        let here = self.robots.iter().map(|(id, robot)| LiveRobot {
            robot: id.clone(),
            cameras: robot.cameras.clone(),
            viewers: self.watching(id, robot),
        });
        let elsewhere = self.others.live().filter(|live| !self.robots.contains_key(&live.robot));
        let mut live: Vec<LiveRobot> = here.chain(elsewhere).collect();
        live.sort_by(|one, other| one.robot.cmp(&other.robot));
        live
    }

    fn watching(&self, id: &RobotId, robot: &Robot) -> usize {
        let by_robot = robot.introduced.keys().filter(|viewer| self.peers.contains_key(viewer)).count();
        by_robot + self.publications.viewers(id)
    }

    fn said(&mut self, from: &PeerId, message: ToServer, wants_reply: bool, now: Instant) {
        if !self.peers.contains_key(from) {
            return;
        }
        let Some(message) = self.pass_on(from, message) else { return };
        match message {
            ToServer::Broadcaster { register } => self.register(from, register, wants_reply, now),
            ToServer::Watcher { watch } => self.watch(from, watch, wants_reply, now),
            ToServer::Offer { to, description, about } => {
                self.relay(from, Letter { to, about, payload: Payload::Offer(description) });
            }
            ToServer::Answer { to, description, about } => {
                self.relay(from, Letter { to, about, payload: Payload::Answer(description) });
            }
            ToServer::Candidate { to, candidate, about } => {
                self.relay(from, Letter { to, about, payload: Payload::Candidate(candidate) });
            }
            ToServer::Notice { to, notice, about } => {
                self.relay(from, Letter { to, about, payload: Payload::Notice(notice) });
            }
            ToServer::Snapshot { piece, jpeg: Attachment(bytes) } => self.snapshot_piece(from, piece, &bytes, now),
            ToServer::SnapshotFailed { failure } => self.snapshot_failed(from, failure, now),
            ToServer::Report { report } => self.robot_reports(from, report),
            ToServer::Audience { audience } => self.audience_reported(from, audience),
            ToServer::Reception { reception, about } => self.viewer_reports(from, reception, about.as_ref()),
            ToServer::Arrived { about } => self.arrived(from, &about.session),
            ToServer::Publish { camera, description } => {
                let outcome = self.publish(from, camera, description);
                self.or_not_taken(from, outcome);
            }
            ToServer::Published { camera } => {
                let outcome = self.published(from, camera);
                self.or_not_taken(from, outcome);
            }
            ToServer::Recall { camera } => {
                let outcome = self.recall(from, camera);
                self.or_not_taken(from, outcome);
            }
            ToServer::Unpublish { camera } => {
                let outcome = self.unpublish(from, camera);
                self.or_not_taken(from, outcome);
            }
        }
    }

    fn or_not_taken(&mut self, from: &PeerId, outcome: Result<(), Notice>) {
        if let Err(notice) = outcome {
            self.not_taken(from, notice);
        }
    }

    fn settle(&mut self, settings: Settings, now: Instant) {
        let former = std::mem::replace(&mut self.settings, settings);
        let robot = self.settings.default_robot.clone();
        // Pages of the family connect and wait: for another robot from now on.
        if robot != former.default_robot && self.robots.contains_key(&robot) {
            for peer in self.waiting(now) {
                self.tell(&peer, ToViewer::Broadcaster { about: Some(RobotRef { robot: robot.clone() }) });
            }
        }
    }

    /// Those who have not said what they want, and so wait for the default robot, if they may watch it.
    fn waiting(&self, now: Instant) -> Vec<PeerId> {
        let robot = &self.settings.default_robot;
        let undecided = self.peers.iter().filter(|(_, role)| matches!(role, Role::Undecided)).map(|(peer, _)| peer);
        undecided.filter(|peer| self.check_pass(peer, robot, now).is_ok()).cloned().collect()
    }

    /// A second call for the same connection changes nothing: the shell may notice an end twice.
    fn disconnected(&mut self, peer: &PeerId, ending: Ending, now: Instant) {
        match self.peers.remove(peer) {
            None | Some(Role::Undecided | Role::Displaced) => {}
            Some(Role::Robot(robot)) => self.robot_left(&robot),
            Some(Role::Viewer(viewer)) => self.viewer_left(peer, viewer, ending, now),
            Some(Role::Away(away)) => self.leaves_for_good(peer, &away, ending),
        }
        self.others.dismiss(peer);
        self.local.remove(peer);
        if let Some(pass) = self.passes.remove(peer) {
            self.expiries.remove(&(pass.until, peer.clone()));
        }
    }

    fn wall_clock(&self, now: Instant) -> Since {
        let since = now.saturating_duration_since(self.begun.at).as_millis();
        Since(self.begun.unix.saturating_add(u64::try_from(since).unwrap_or(u64::MAX)))
    }

    fn not_taken(&mut self, from: &PeerId, notice: Notice) {
        self.news.push_back(News::NotTaken { code: notice.code });
        self.notify(from, notice);
    }

    fn notify(&mut self, to: &PeerId, notice: Notice) {
        match self.peers.get(to) {
            None => {}
            Some(Role::Robot(_)) => self.tell_robot(to, ToRobot::Notice { notice }),
            Some(Role::Undecided | Role::Viewer(_) | Role::Away(_) | Role::Displaced) => {
                self.tell(to, ToViewer::Notice { notice, about: None });
            }
        }
    }

    fn tell(&mut self, to: &PeerId, message: ToViewer) {
        self.out.push_back(Output::ToViewer { to: to.clone(), message });
    }

    fn tell_robot(&mut self, to: &PeerId, message: ToRobot) {
        self.out.push_back(Output::ToRobot { to: to.clone(), message });
    }
}
