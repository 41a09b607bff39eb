//! Which shard serves whom, and what all of them together want of the cameras. Pure: no socket, no task, no clock.
//!
//! With one thread there is one shard, and everything goes there. More threads share the viewers evenly; a viewer stays
//! where it was placed, so that its messages and datagrams find its session.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use protocol::{LinkId, PeerId, Sent, SessionId, Ticket, ToRobot, ToServer};

use super::{
    audience::Output,
    bitrate::{Bitrate, most},
    keyframes::KeyframeGate,
    routes::{Kind, kind},
};
use crate::{
    media::{Encoding, Running},
    transport::{Datagram, Ufrag},
};

/// An encoder that is stopped and started again within this time may never have noticed.
const UNNOTICED: Duration = Duration::from_secs(1);

/// One of the threads that serve viewers; the first is the fan-out's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shard(pub(super) usize);

/// What is to be done for a shard.
#[derive(Debug)]
pub(super) enum Task {
    Transmit(Datagram),
    Say(ToServer),
    /// What its viewers were sent since the beginning.
    Count(Sent),
    Resolve(String),
    Permit(SocketAddr),
    /// These of the camera's encoders are to run, and no others.
    Run(usize, Running),
    /// A session is sent this quality …
    Weigh(SessionId, usize),
    /// … fills its path at so many bits per second …
    Squeezed(SessionId, f64),
    /// … and is no more.
    Forget(SessionId),
}

/// Who is to get a message or a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    One(Shard),
    /// Each of them knows whether it is theirs.
    All,
    Nobody,
}

pub(super) struct Switchboard {
    shards: usize,
    sessions: BTreeMap<SessionId, Place>,
    viewers: BTreeMap<PeerId, SessionId>,
    names: BTreeMap<Ufrag, Shard>,
    /// None: in several shards there is somebody who has shown to be there.
    proven: BTreeMap<SocketAddr, Option<Shard>>,
    cameras: Vec<BTreeMap<Encoding, Demand>>,
}

struct Place {
    shard: Shard,
    viewer: PeerId,
    /// By which it came last.
    link: Option<LinkId>,
    live: bool,
    names: Vec<Ufrag>,
    proven: Vec<SocketAddr>,
}

#[derive(Default)]
struct Demand {
    /// Those that want it, and how much of it each.
    shards: BTreeMap<Shard, Option<u32>>,
    bitrate: Bitrate,
    keyframes: KeyframeGate,
    /// When nobody wanted it any more.
    left: Option<Instant>,
}

impl Switchboard {
    /// `cameras`: the encodings of each.
    pub(super) fn new(shards: usize, cameras: impl IntoIterator<Item = Vec<Encoding>>) -> Self {
        let demand = |encodings: Vec<Encoding>| {
            encodings.into_iter().map(|encoding| (encoding, Demand::default())).collect::<BTreeMap<_, _>>()
        };
        Self {
            shards,
            sessions: BTreeMap::new(),
            viewers: BTreeMap::new(),
            names: BTreeMap::new(),
            proven: BTreeMap::new(),
            cameras: cameras.into_iter().map(demand).collect(),
        }
    }

    /// Sessions whose media flows.
    pub(super) fn live_sessions(&self) -> impl Iterator<Item = &SessionId> {
        self.sessions.iter().filter(|(_, place)| place.live).map(|(session, _)| session)
    }

    /// The links that viewers of those came by.
    pub(super) fn links(&self) -> impl Iterator<Item = (&SessionId, &LinkId)> {
        let live = self.sessions.iter().filter(|(_, place)| place.live);
        live.filter_map(|(session, place)| Some((session, place.link.as_ref()?)))
    }

    /// The session that a viewer asks for. A server of the family names none: there the connection's id is name enough.
    pub(super) fn session(viewer: &PeerId, ticket: Option<&Ticket>) -> Option<SessionId> {
        match ticket {
            Some(ticket) => Some(ticket.session.clone()),
            None => SessionId::try_from(viewer.to_string()).ok(),
        }
    }

    /// The session that a viewer has now.
    pub(super) fn session_of(&self, viewer: &PeerId) -> Option<&SessionId> {
        self.viewers.get(viewer)
    }

    pub(super) fn shard_of(&self, session: &SessionId) -> Option<Shard> {
        self.sessions.get(session).map(|place| place.shard)
    }

    /// Where a message of the server's belongs. A viewer that moves to a session elsewhere has to leave where it was.
    pub(super) fn place(&mut self, message: &ToRobot) -> (Target, Option<(Shard, PeerId)>) {
        match message {
            ToRobot::Watcher { viewer, ticket } => {
                let Some(session) = Self::session(viewer, ticket.as_ref()) else { return (Target::Nobody, None) };
                let former =
                    self.viewers.get(viewer).and_then(|former| self.sessions.get(former)).map(|place| place.shard);
                let known = self.sessions.get(&session).map(|place| place.shard);
                let shard = known.or(former).unwrap_or_else(|| self.least_loaded());
                self.seat(shard, session.clone(), viewer.clone());
                if let Some(place) = self.sessions.get_mut(&session) {
                    place.link = ticket.as_ref().and_then(|ticket| ticket.link.clone());
                }
                let leaves = former.filter(|former| *former != shard).map(|former| (former, viewer.clone()));
                (Target::One(shard), leaves)
            }
            ToRobot::Offer { from: viewer, .. }
            | ToRobot::Answer { from: viewer, .. }
            | ToRobot::Candidate { from: viewer, .. }
            | ToRobot::DisconnectPeer { viewer }
            | ToRobot::Bye { viewer } => {
                let place = self.viewers.get(viewer).and_then(|session| self.sessions.get(session));
                (place.map_or(Target::Nobody, |place| Target::One(place.shard)), None)
            }
            ToRobot::SessionEnded { about } => {
                let place = self.sessions.get(&about.session);
                (place.map_or(Target::Nobody, |place| Target::One(place.shard)), None)
            }
            ToRobot::Notice { .. }
            | ToRobot::IceServers { .. }
            | ToRobot::Snapshot { .. }
            | ToRobot::Publishing { .. }
            | ToRobot::NotPublished { .. }
            | ToRobot::Crowd { .. } => (Target::Nobody, None),
        }
    }

    fn seat(&mut self, shard: Shard, session: SessionId, viewer: PeerId) {
        let place = self.sessions.entry(session.clone()).or_insert_with(|| Place::new(shard, viewer.clone()));
        let former = std::mem::replace(&mut place.viewer, viewer.clone());
        if former != viewer && self.viewers.get(&former) == Some(&session) {
            self.viewers.remove(&former);
        }
        self.viewers.insert(viewer, session);
    }

    fn least_loaded(&self) -> Shard {
        let load = |shard: &Shard| self.sessions.values().filter(|place| place.shard == *shard).count();
        (0..self.shards).map(Shard).min_by_key(load).unwrap_or_default()
    }

    pub(super) fn route(&self, data: &[u8], from: SocketAddr) -> Target {
        if self.shards == 1 {
            return Target::One(Shard::default());
        }
        match kind(data) {
            Kind::Check(name) => {
                let shard = Ufrag::from_username(name).and_then(|name| self.names.get(&name));
                shard.map_or(Target::Nobody, |shard| Target::One(*shard))
            }
            // Who asked, only the shards know; and of a proof a shard knows before it is known here.
            Kind::Answer => Target::All,
            Kind::Other => self.proven.get(&from).copied().flatten().map_or(Target::All, Target::One),
            Kind::Nothing => Target::Nobody,
        }
    }

    /// Notes what a shard says of itself. What is to be done about it comes back.
    pub(super) fn note(&mut self, shard: Shard, output: Output, now: Instant) -> Option<Task> {
        match output {
            Output::Seated(session, viewer) => {
                self.seat(shard, session, viewer);
            }
            Output::Named(name, session) => {
                if let Some(place) = self.sessions.get_mut(&session).filter(|place| !place.names.contains(&name)) {
                    place.names.push(name.clone());
                    // The one before is in use until a restart is agreed on.
                    if place.names.len() > 2 {
                        self.names.remove(&place.names.remove(0));
                    }
                    self.names.insert(name, shard);
                }
            }
            Output::Proven(address, session) => {
                if let Some(place) = self.sessions.get_mut(&session) {
                    place.proven.push(address);
                    let known = self.proven.entry(address).or_insert(Some(shard));
                    *known = known.filter(|known| *known == shard);
                }
            }
            Output::Live(session) => {
                if let Some(place) = self.sessions.get_mut(&session) {
                    place.live = true;
                }
            }
            Output::Gets(session, rung) => return Some(Task::Weigh(session, rung)),
            Output::Squeezed(session, carried) => return Some(Task::Squeezed(session, carried)),
            Output::Released(session, viewer) => {
                return self.release(shard, &session, &viewer).then_some(Task::Forget(session));
            }
            Output::Watch(camera, watched) => {
                self.watch(shard, camera, &watched, now);
                return Some(Task::Run(camera, self.running(camera)));
            }
            Output::Keyframe(camera, encoding) => {
                if let Some(demand) = self.demand(camera, encoding) {
                    demand.keyframes.want();
                }
            }
            Output::Transmit(datagram) => return Some(Task::Transmit(datagram)),
            Output::Say(message) => return Some(Task::Say(message)),
            Output::Counted(sent) => return Some(Task::Count(sent)),
            Output::Resolve(name) => return Some(Task::Resolve(name)),
            Output::Permit(address) => return Some(Task::Permit(address)),
        }
        None
    }

    /// Whether the session is no more.
    fn release(&mut self, shard: Shard, session: &SessionId, viewer: &PeerId) -> bool {
        // Another shard may have it by now.
        let own = self.sessions.get(session).is_some_and(|place| place.shard == shard);
        if own && let Some(place) = self.sessions.remove(session) {
            for name in place.names {
                self.names.remove(&name);
            }
            for address in place.proven {
                // Whoever else is there is found by asking all.
                self.proven.remove(&address);
            }
        }
        if self.viewers.get(viewer) == Some(session) {
            self.viewers.remove(viewer);
        }
        own
    }

    fn watch(&mut self, shard: Shard, camera: usize, watched: &Running, now: Instant) {
        for (encoding, demand) in self.cameras.get_mut(camera).into_iter().flatten() {
            let before = demand.shards.is_empty();
            match watched.get(encoding) {
                Some(limit) => demand.shards.insert(shard, *limit),
                None => demand.shards.remove(&shard),
            };
            match (before, demand.shards.is_empty()) {
                // An encoder begins with a keyframe of itself.
                (true, false) if demand.left.is_none_or(|left| now >= left + UNNOTICED) => demand.keyframes.seen(now),
                (false, true) => demand.left = Some(now),
                (true | false, _) => {}
            }
        }
    }

    fn demand(&mut self, camera: usize, encoding: Encoding) -> Option<&mut Demand> {
        self.cameras.get_mut(camera)?.get_mut(&encoding)
    }

    /// A keyframe has come: whoever asked before has what it wanted.
    pub(super) fn keyframe_seen(&mut self, camera: usize, encoding: Encoding, now: Instant) {
        if let Some(demand) = self.demand(camera, encoding) {
            demand.keyframes.seen(now);
        }
    }

    /// The encodings of a camera that anybody watches.
    fn running(&mut self, camera: usize) -> Running {
        let demands = self.cameras.get_mut(camera).into_iter().flatten();
        let watched = demands.filter(|(_, demand)| !demand.shards.is_empty());
        watched
            .map(|(encoding, demand)| (*encoding, demand.bitrate.follow(most(demand.shards.values().copied()))))
            .collect()
    }

    /// Keyframes that encoders are to make now.
    pub(super) fn take_keyframes(&mut self, now: Instant) -> Vec<(usize, Encoding)> {
        let mut due = Vec::new();
        for (camera, demands) in self.cameras.iter_mut().enumerate() {
            for (encoding, demand) in demands {
                if demand.keyframes.take_due(now) {
                    due.push((camera, *encoding));
                }
            }
        }
        due
    }

    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let demands = self.cameras.iter().flat_map(BTreeMap::values);
        demands.filter_map(|demand| demand.keyframes.poll_timeout(now)).min()
    }
}

impl Place {
    fn new(shard: Shard, viewer: PeerId) -> Self {
        Self { shard, viewer, link: None, live: false, names: Vec::new(), proven: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Wishes;

    use super::*;
    use crate::media::VideoCodec;

    const VIDEO: Encoding = Encoding::Video { rung: 0, codec: VideoCodec::H264 };

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn board() -> Switchboard {
        Switchboard::new(2, [vec![VIDEO, Encoding::Audio]])
    }

    fn peer(id: &str) -> PeerId {
        id.parse().expect("an id")
    }

    fn session(id: &str) -> SessionId {
        id.parse().expect("an id")
    }

    fn watcher(viewer: &str, id: &str) -> ToRobot {
        let camera = "main".parse().expect("an id");
        let (expires_in, link, wishes) = (None, None, Wishes::default());
        let ticket = Ticket { session: session(id), camera, resumed: false, expires_in, link, operates: false, wishes };
        ToRobot::Watcher { viewer: peer(viewer), ticket: Some(ticket) }
    }

    fn placed(board: &mut Switchboard, viewer: &str, id: &str) -> Shard {
        let (Target::One(shard), _) = board.place(&watcher(viewer, id)) else { panic!("a viewer has a place") };
        board.note(shard, Output::Seated(session(id), peer(viewer)), start());
        shard
    }

    fn bye(viewer: &str) -> ToRobot {
        ToRobot::Bye { viewer: peer(viewer) }
    }

    #[test]
    fn viewers_are_shared_evenly_and_stay_where_they_are() {
        let mut board = board();
        let shards = ["a", "b", "c", "d"].map(|viewer| placed(&mut board, viewer, &format!("s{viewer}")));
        assert_eq!(shards, [Shard(0), Shard(1), Shard(0), Shard(1)]);
        assert_eq!(board.place(&bye("b")), (Target::One(Shard(1)), None));
        assert_eq!(placed(&mut board, "b", "new"), Shard(1), "who asks again is replaced where it is");
        let (target, leaves) = board.place(&watcher("b", "sa"));
        assert_eq!((target, leaves), (Target::One(Shard(0)), Some((Shard(1), peer("b")))), "and leaves where it was");
    }

    #[test]
    fn the_server_is_told_by_which_links_those_came_who_still_watch() {
        let mut board = board();
        let by = |viewer, session, by: &str| {
            let ToRobot::Watcher { viewer, ticket: Some(ticket) } = watcher(viewer, session) else {
                panic!("it is one");
            };
            let link = Some(by.parse().expect("an id"));
            ToRobot::Watcher { viewer, ticket: Some(Ticket { link, ..ticket }) }
        };
        for (viewer, session, link) in [("a", "sa", "l1"), ("b", "sb", "l2"), ("c", "sb", "l3")] {
            board.place(&by(viewer, session, link));
        }
        placed(&mut board, "d", "sd");
        for live in ["sb", "sd"] {
            board.note(Shard::default(), Output::Live(session(live)), start());
        }
        let links: Vec<_> = board.links().map(|(session, link)| (session.as_str(), link.as_str())).collect();
        assert_eq!(links, [("sb", "l3")], "the one it came by last");
    }

    #[test]
    fn what_is_released_leaves_nothing_behind_and_what_follows_it_stays() {
        let (mut board, now) = (board(), start());
        let shard = placed(&mut board, "a", "s");
        let name = Ufrag::from_username("ours:").expect("a name");
        board.note(shard, Output::Named(name.clone(), session("s")), now);
        board.note(shard, Output::Proven(([10, 0, 0, 1], 7).into(), session("s")), now);
        board.note(shard, Output::Released(session("s"), peer("a")), now);
        board.note(shard, Output::Seated(session("s"), peer("a")), now);
        board.note(shard, Output::Live(session("s")), now);
        assert!(board.names.is_empty() && board.proven.is_empty());
        assert_eq!(board.live_sessions().collect::<Vec<_>>(), [&session("s")]);
        assert_eq!(board.place(&bye("a")), (Target::One(shard), None));
        board.note(shard, Output::Seated(session("s"), peer("again")), now);
        assert_eq!(board.viewers.keys().collect::<Vec<_>>(), [&peer("again")], "the same viewer by its new name");
        board.note(shard, Output::Released(session("s"), peer("again")), now);
        assert!(board.sessions.is_empty() && board.viewers.is_empty());
    }

    #[test]
    fn datagrams_go_where_they_are_known_and_else_to_all() {
        let (mut board, now) = (board(), start());
        placed(&mut board, "a", "sa");
        let shard = placed(&mut board, "b", "sb");
        let hello = [22, 1, 2];
        let from: SocketAddr = ([10, 0, 0, 1], 7).into();
        assert_eq!(board.route(&hello, from), Target::All);
        board.note(shard, Output::Proven(from, session("sb")), now);
        assert_eq!(board.route(&hello, from), Target::One(shard));
        assert_eq!(board.route(&[0, 1, 2], from), Target::Nobody);
        assert_eq!(Switchboard::new(1, [vec![VIDEO]]).route(&hello, from), Target::One(Shard(0)));
    }

    #[test]
    fn an_encoder_runs_while_any_shard_wants_it_and_all_share_its_keyframes() {
        let (mut board, t0) = (board(), start());
        let video = || Running::from([(VIDEO, None)]);
        let run =
            |board: &mut Switchboard, shard, encodings, at| match board.note(shard, Output::Watch(0, encodings), at) {
                Some(Task::Run(0, encodings)) => encodings,
                other => panic!("{other:?}"),
            };
        assert_eq!(run(&mut board, Shard(0), video(), t0), video());
        assert_eq!(run(&mut board, Shard(1), video(), t0), video());
        assert_eq!(run(&mut board, Shard(0), Running::new(), t0), video());
        for shard in [Shard(0), Shard(1)] {
            board.note(shard, Output::Keyframe(0, VIDEO), t0);
        }
        assert!(board.take_keyframes(t0).is_empty(), "the encoder begins with one");
        let later = t0 + Duration::from_millis(500);
        assert_eq!(board.poll_timeout(t0), Some(later));
        assert_eq!(board.take_keyframes(later), [(0, VIDEO)]);
        assert!(board.take_keyframes(later + Duration::from_secs(1)).is_empty(), "one for both");
        assert_eq!(run(&mut board, Shard(1), Running::new(), later), Running::new());
    }

    #[test]
    fn all_shards_together_say_how_much_of_an_encoding_is_wanted() {
        let (mut board, now) = (board(), start());
        let mut bitrate = |shard, watched: Running| match board.note(Shard(shard), Output::Watch(0, watched), now) {
            Some(Task::Run(0, running)) => running.get(&VIDEO).copied(),
            other => panic!("{other:?}"),
        };
        let wants = |limit| Running::from([(VIDEO, limit)]);
        assert_eq!(bitrate(0, wants(Some(150_000))), Some(Some(150_000)));
        assert_eq!(bitrate(1, wants(Some(250_000))), Some(Some(250_000)));
        assert_eq!(bitrate(0, wants(None)), Some(None), "somebody can take all of it");
        assert_eq!(bitrate(0, Running::new()), Some(Some(250_000)), "and has left");
        assert_eq!(bitrate(1, Running::new()), None);
    }
}
