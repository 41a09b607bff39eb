//! Robots that other servers have, and viewers that go between.
//!
//! A robot is with one server, which alone decides about it. A viewer of it that comes to another one is that server's guest:
//! whatever it says is passed on there, and what it is told comes back the same way. What is said on a way that breaks is
//! lost, and what it was about begins anew: guests are viewers whose connections broke, and those who sent them ask again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use protocol::{CameraId, CameraInfo, LiveRobot, Notice, PeerId, RobotId, RobotRef, ToServer, ToViewer, Watch};
use serde::{Deserialize, Serialize};

use super::{Asker, Dialect, Ending, News, Output, Role, Rooms, notices, viewers::Viewer};
use crate::{auth::Pass, cluster::NodeId};

/// Pictures of robots elsewhere that are waited for: each of those who wait holds a connection.
const MAX_ASKERS: usize = 500;

/// What a server says of a robot that it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub(crate) since: Since,
    /// At least one.
    pub(crate) cameras: Vec<CameraInfo>,
    pub(crate) viewers: usize,
}

/// When a robot came to a server: later than it had come to any other that this one knew of, whatever their clocks say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Since(pub(crate) u64);

impl Since {
    pub(super) fn after(self, earlier: Self) -> Self {
        self.max(Self(earlier.0.saturating_add(1)))
    }
}

pub(crate) type Robots = BTreeMap<RobotId, Listing>;

/// What is heard of other servers.
#[derive(Debug)]
pub(crate) enum Elsewhere {
    /// They can be reached, again or for the first time, and have these robots. What was said before is lost. Whoever is not
    /// among them begins soon, or ends.
    InReach(BTreeMap<NodeId, Robots>),
    /// None can be reached. What each of them has stays as it is.
    OutOfReach,
    /// One begins, perhaps anew, with these.
    Begins(NodeId, Robots),
    Ends(NodeId),
    Up(NodeId, RobotId, Listing),
    Down(NodeId, RobotId),
    /// So many watch these robots now.
    Viewers(NodeId, BTreeMap<RobotId, usize>),
    /// What somebody here had asked for.
    Pictured(Asker, super::Answer),
}

/// What another server is to know of somebody who is here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Onward {
    Joins {
        peer: PeerId,
        /// What its link lets it do.
        pass: Option<Pass>,
        /// It comes from the host that this server is on.
        is_local: bool,
    },
    Says {
        peer: PeerId,
        message: ToServer,
        wants_reply: bool,
    },
    Leaves {
        peer: PeerId,
        ending: Ending,
    },
    Snapshot {
        asker: Asker,
        robot: RobotId,
        camera: Option<CameraId>,
    },
    SnapshotUnasked(Asker),
}

/// A viewer who is somebody else's guest.
#[derive(Debug)]
pub(super) struct Away {
    pub(super) robot: RobotId,
    pub(super) node: NodeId,
    dialect: Dialect,
}

#[derive(Debug)]
struct Listed {
    node: NodeId,
    listing: Listing,
}

/// What is known of other servers.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Those that hear what is said to them.
    in_reach: BTreeSet<NodeId>,
    robots: BTreeMap<RobotId, Listed>,
    /// Viewers of robots that are here, and where they are themselves.
    guests: BTreeMap<PeerId, NodeId>,
    /// Pictures that were asked for, by the number of who was first.
    fetches: BTreeMap<Asker, Fetch>,
}

/// A picture that another server is asked for, once for all who wait for it.
#[derive(Debug)]
struct Fetch {
    node: NodeId,
    robot: RobotId,
    camera: Option<CameraId>,
    wanted: Vec<Asker>,
}

impl Others {
    pub(super) fn has(&self, robot: &RobotId) -> bool {
        self.robots.contains_key(robot)
    }

    pub(super) fn robots(&self) -> usize {
        self.robots.len()
    }

    pub(super) fn live(&self) -> impl Iterator<Item = LiveRobot> {
        self.robots.iter().map(|(robot, Listed { listing, .. })| LiveRobot {
            robot: robot.clone(),
            cameras: listing.cameras.clone(),
            viewers: listing.viewers,
        })
    }

    pub(super) fn is_guest(&self, peer: &PeerId) -> bool {
        self.guests.contains_key(peer)
    }

    pub(super) fn welcome(&mut self, guest: PeerId, from: NodeId) {
        self.guests.insert(guest, from);
    }

    pub(super) fn dismiss(&mut self, guest: &PeerId) {
        self.guests.remove(guest);
    }

    /// The robot is here now. Says when that is, by a clock that is no earlier than where it was before.
    pub(super) fn comes_here(&mut self, robot: &RobotId, now: Since) -> Since {
        let former = self.robots.remove(robot);
        former.map_or(now, |former| now.after(former.listing.since))
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.guests.is_empty() && self.fetches.is_empty()
    }
}

impl Rooms {
    pub(super) fn heard_from_elsewhere(&mut self, what: Elsewhere, now: Instant) {
        match what {
            Elsewhere::InReach(nodes) => {
                self.others.in_reach = nodes.keys().cloned().collect();
                self.learn_anew(nodes, now);
            }
            Elsewhere::OutOfReach => {
                self.others.in_reach.clear();
                self.no_pictures_from(|_| true);
            }
            Elsewhere::Begins(node, robots) => {
                self.others.in_reach.insert(node.clone());
                self.learn_anew(BTreeMap::from([(node, robots)]), now);
            }
            Elsewhere::Ends(node) => {
                self.others.in_reach.remove(&node);
                self.learn_anew(BTreeMap::from([(node, Robots::new())]), now);
            }
            Elsewhere::Up(node, robot, listing) => self.list(node, robot, listing, now),
            Elsewhere::Down(node, robot) => {
                // Those of its viewers that are here have been told by its server.
                if self.others.robots.get(&robot).is_some_and(|listed| listed.node == node) {
                    self.others.robots.remove(&robot);
                }
            }
            Elsewhere::Viewers(node, counts) => {
                for (robot, viewers) in counts {
                    if let Some(listed) = self.others.robots.get_mut(&robot).filter(|listed| listed.node == node) {
                        listed.listing.viewers = viewers;
                    }
                }
            }
            Elsewhere::Pictured(asker, answer) => {
                for asker in self.others.fetches.remove(&asker).into_iter().flat_map(|fetch| fetch.wanted) {
                    self.out.push_back(Output::Snapshot { asker, answer: answer.clone() });
                }
            }
        }
    }

    /// Where somebody is, if it is somebody else's viewer.
    pub(crate) fn guest_of(&self, peer: &PeerId) -> Option<&NodeId> {
        self.others.guests.get(peer)
    }

    /// Whether this viewer's robot is there.
    pub(crate) fn is_away_at(&self, peer: &PeerId, node: &NodeId) -> bool {
        matches!(self.peers.get(peer), Some(Role::Away(away)) if away.node == *node)
    }

    /// The server that has a robot which is not here.
    pub(crate) fn node_of(&self, robot: &RobotId) -> Option<&NodeId> {
        let others = &self.others;
        let listed = others.robots.get(robot).filter(|_| !self.robots.contains_key(robot))?;
        others.in_reach.get(&listed.node)
    }

    /// The robots that are here, as other servers are told.
    pub(crate) fn listings(&self) -> Robots {
        self.robots.keys().filter_map(|robot| Some((robot.clone(), self.listing(robot)?))).collect()
    }

    pub(crate) fn listing(&self, robot: &RobotId) -> Option<Listing> {
        let found = self.robots.get(robot)?;
        Some(Listing { since: found.since, cameras: found.cameras.clone(), viewers: self.watching(robot, found) })
    }

    /// A viewer asks for a robot. Whether that is passed on; then it may watch the robot, and nothing else has been done.
    pub(super) fn send_on(&mut self, from: &PeerId, watch: Option<&Watch>, wants_reply: bool, now: Instant) -> bool {
        // Who has been passed on already is not passed on once more.
        if self.others.is_guest(from) {
            return false;
        }
        let robot = watch.and_then(|watch| watch.robot.as_ref()).unwrap_or(&self.settings.default_robot).clone();
        let current = match self.peers.get(from) {
            Some(Role::Away(away)) if away.robot == robot => Some(&away.node),
            _ => None,
        };
        // Its robot's server knows the session, also while the robot itself is not there.
        let known = self.others.robots.get(&robot).map(|listed| &listed.node).or(current);
        let Some(node) = known.filter(|_| !self.robots.contains_key(&robot)).cloned() else { return false };
        let version = watch.and_then(|watch| watch.version);
        if notices::check_version(version).is_err() || self.check_pass(from, &robot, now).is_err() {
            return false;
        }
        if !self.others.in_reach.contains(&node) {
            return false;
        }
        if current != Some(&node) {
            self.part(from);
            let pass = self.passes.get(from).cloned();
            let is_local = self.local.contains(from);
            self.forward(&node, Onward::Joins { peer: from.clone(), pass, is_local });
        }
        let dialect = Dialect::of(watch);
        self.peers.insert(from.clone(), Role::Away(Away { robot, node: node.clone(), dialect }));
        let message = ToServer::Watcher { watch: watch.cloned() };
        self.forward(&node, Onward::Says { peer: from.clone(), message, wants_reply });
        true
    }

    /// What a viewer says to a robot that is elsewhere, or of what comes from there. Returns what is not of that kind.
    pub(super) fn pass_on(&mut self, from: &PeerId, message: ToServer) -> Option<ToServer> {
        let Some(Role::Away(away)) = self.peers.get(from) else { return Some(message) };
        match message {
            ToServer::Offer { .. }
            | ToServer::Answer { .. }
            | ToServer::Candidate { .. }
            | ToServer::Notice { .. }
            | ToServer::Arrived { .. }
            | ToServer::Reception { .. } => {
                let node = away.node.clone();
                self.forward(&node, Onward::Says { peer: from.clone(), message, wants_reply: false });
                None
            }
            ToServer::Broadcaster { .. }
            | ToServer::Watcher { .. }
            | ToServer::Snapshot { .. }
            | ToServer::SnapshotFailed { .. }
            | ToServer::Report { .. }
            | ToServer::Publish { .. }
            | ToServer::Published { .. }
            | ToServer::Recall { .. }
            | ToServer::Unpublish { .. }
            | ToServer::Audience { .. } => Some(message),
        }
    }

    /// Whoever it was somebody's guest does not stay.
    pub(super) fn leaves_for_good(&mut self, peer: &PeerId, away: &Away, ending: Ending) {
        self.forward(&away.node, Onward::Leaves { peer: peer.clone(), ending });
    }

    /// Somebody wants a picture. Whether that is another server's business.
    pub(super) fn fetch_snapshot(&mut self, asker: Asker, robot: &RobotId, camera: Option<&CameraId>) -> bool {
        let Some(node) = self.node_of(robot).cloned() else { return false };
        let under_way = |fetch: &&mut Fetch| fetch.robot == *robot && fetch.camera.as_ref() == camera;
        let waiting: usize = self.others.fetches.values().map(|fetch| fetch.wanted.len()).sum();
        if waiting >= MAX_ASKERS {
            self.out.push_back(Output::Snapshot { asker, answer: Err(notices::too_many_snapshots()) });
            return true;
        }
        if let Some(fetch) = self.others.fetches.values_mut().find(under_way) {
            fetch.wanted.push(asker);
            return true;
        }
        let (robot, camera) = (robot.clone(), camera.cloned());
        let fetch = Fetch { node: node.clone(), robot: robot.clone(), camera: camera.clone(), wanted: vec![asker] };
        self.others.fetches.insert(asker, fetch);
        self.forward(&node, Onward::Snapshot { asker, robot, camera });
        true
    }

    pub(super) fn forget_asker(&mut self, asker: Asker) {
        for fetch in self.others.fetches.values_mut() {
            fetch.wanted.retain(|wanted| *wanted != asker);
        }
        // Nobody waits for it any more.
        let unasked = self.others.fetches.extract_if(.., |_, fetch| fetch.wanted.is_empty());
        for (first, fetch) in unasked.collect::<Vec<_>>() {
            self.forward(&fetch.node, Onward::SnapshotUnasked(first));
        }
    }

    /// What is said of a robot whose server is known and cannot be reached.
    pub(super) fn out_of_reach(&self, robot: &RobotId) -> Option<Notice> {
        let listed = self.others.robots.get(robot)?;
        (!self.others.in_reach.contains(&listed.node)).then(|| notices::out_of_reach(robot))
    }

    fn forward(&mut self, to: &NodeId, what: Onward) {
        if self.others.in_reach.contains(to) {
            self.out.push_back(Output::Forward { to: to.clone(), what });
        }
    }

    /// A robot has come to another server, or has been there.
    fn list(&mut self, node: NodeId, robot: RobotId, listing: Listing, now: Instant) {
        // Where two claim to have it, all servers agree on which of them has.
        if let Some(here) = self.robots.get(&robot) {
            if listing.since <= here.since {
                return;
            }
            self.moved_away(&robot);
        }
        let later = |listed: &Listed| (listed.listing.since, &listed.node) > (listing.since, &node);
        if self.others.robots.get(&robot).is_some_and(|listed| listed.node != node && later(listed)) {
            return;
        }
        if self.publications.is_orphan(&robot) {
            self.hand_over(&robot);
        }
        // Who is that server's guest already hears it from there.
        let waits = |role: &Role| match role {
            Role::Viewer(viewer) => viewer.robot == robot,
            Role::Away(away) => away.robot == robot && away.node != node,
            Role::Undecided | Role::Robot(_) | Role::Displaced => false,
        };
        let waiting = self.peers.iter().filter(|(peer, role)| waits(role) && !self.others.is_guest(peer));
        let mut waiting: Vec<PeerId> = waiting.map(|(peer, _)| peer.clone()).collect();
        if robot == self.settings.default_robot {
            waiting.extend(self.waiting(now));
        }
        self.seen.remember(&robot);
        self.others.robots.insert(robot.clone(), Listed { node, listing });
        for peer in waiting {
            self.tell(&peer, ToViewer::Broadcaster { about: Some(RobotRef { robot: robot.clone() }) });
        }
    }

    /// The robot is with another server now, and so are its sessions.
    fn moved_away(&mut self, id: &RobotId) {
        let Some(robot) = self.robots.remove(id) else { return };
        self.displace(robot.peer, id);
        self.news.push_back(News::RobotDown { robot: id.clone() });
        self.claims.retain(|(_, other)| other != id);
        self.hand_over(id);
    }

    /// What it publishes, and who watches it, is another server's concern.
    fn hand_over(&mut self, id: &RobotId) {
        self.hand_over_publications(id);
        let sessions = self.sessions.iter().filter(|(_, session)| session.robot == *id);
        for session in sessions.map(|(session, _)| session.clone()).collect::<Vec<_>>() {
            self.forget_session(&session);
        }
    }

    /// Forgets what was known of these servers, for what they say they have now.
    fn learn_anew(&mut self, nodes: BTreeMap<NodeId, Robots>, now: Instant) {
        let meant = |node: &NodeId| nodes.contains_key(node);
        let guests = self.others.guests.iter().filter(|(_, node)| meant(node)).map(|(guest, _)| guest.clone());
        for guest in guests.collect::<Vec<_>>() {
            self.disconnected(&guest, Ending::Lost, now);
        }
        self.others.robots.retain(|_, listed| !meant(&listed.node));
        self.no_pictures_from(meant);
        let mut sent_back = BTreeSet::new();
        for (peer, role) in &mut self.peers {
            if let Role::Away(away) = role
                && meant(&away.node)
            {
                sent_back.insert((peer.clone(), away.robot.clone()));
                let (robot, dialect) = (away.robot.clone(), away.dialect);
                *role = Role::Viewer(Viewer { robot, dialect, session: None, former: None });
            }
        }
        for (node, robots) in nodes {
            for (robot, listing) in robots {
                self.list(node.clone(), robot, listing, now);
            }
        }
        // The others are asked to come again.
        sent_back.retain(|(_, robot)| !self.robots.contains_key(robot) && !self.others.has(robot));
        for (peer, robot) in sent_back {
            self.tell(&peer, ToViewer::BroadcasterLeft { about: Some(RobotRef { robot }) });
        }
    }

    fn no_pictures_from(&mut self, meant: impl Fn(&NodeId) -> bool) {
        let gone = self.others.fetches.extract_if(.., |_, fetch| meant(&fetch.node));
        for asker in gone.flat_map(|(_, fetch)| fetch.wanted).collect::<Vec<_>>() {
            self.out.push_back(Output::Snapshot { asker, answer: Err(notices::unreachable()) });
        }
    }
}
