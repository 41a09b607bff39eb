//! Knows from what the rooms say alone who was introduced to whom, and checks each word against it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{SessionId, ToRobot, ToViewer, WatchReply};

use super::*;
use crate::rooms::{Asker, publications::Errand, session::By};

use super::random::MOST_ROBOTS;

#[derive(Default)]
pub(super) struct Witness {
    pub(super) connected: BTreeSet<PeerId>,
    /// Robot's connection and the viewers it was told of.
    pub(super) introduced: BTreeMap<PeerId, BTreeSet<PeerId>>,
    /// Those who asked for pictures and have no answer.
    pub(super) waiting: BTreeSet<Asker>,
    /// Sessions that the rooms have made.
    pub(super) made: usize,
    /// Those that the media server served after the last step, but for who has left since.
    pub(super) inside: BTreeSet<SessionId>,
    /// Who was asked to move with which session in the last step.
    moves: Vec<(PeerId, SessionId)>,
    /// What the media server was asked and has not answered.
    pub(super) errands: Vec<Errand>,
}

impl Witness {
    pub(super) fn check(&mut self, output: &Output) {
        match output {
            Output::Reply(Reply::Watch(WatchReply::Admitted(admission))) => self.note(&admission.session),
            Output::Reply(_) => {}
            Output::Forward { .. } => panic!("there is no other server"),
            Output::Errand(errand) => self.errand(errand),
            Output::Close { peer } => assert!(self.connected.contains(peer), "{peer} is gone"),
            Output::Snapshot { asker, .. } => assert!(self.waiting.remove(asker), "an answer for each question"),
            Output::ToRobot { to, message } => {
                assert!(self.connected.contains(to), "{to} is gone: {message:?}");
                let known = self.introduced.entry(to.clone()).or_default();
                match message {
                    ToRobot::Watcher { viewer, ticket } => {
                        assert!(viewer != to, "introduced to itself");
                        known.insert(viewer.clone());
                        if let Some(ticket) = ticket {
                            assert!(!self.inside.contains(&ticket.session), "the media server serves it");
                            self.note(&ticket.session);
                        }
                    }
                    ToRobot::DisconnectPeer { viewer } => assert!(known.contains(viewer), "{to}: {message:?}"),
                    ToRobot::Bye { viewer } => assert!(known.remove(viewer), "{to}: {message:?}"),
                    ToRobot::Offer { from, .. } | ToRobot::Answer { from, .. } | ToRobot::Candidate { from, .. } => {
                        assert!(known.contains(from), "{to}: {message:?}");
                    }
                    ToRobot::Notice { .. }
                    | ToRobot::IceServers { .. }
                    | ToRobot::Snapshot { .. }
                    | ToRobot::Publishing { .. }
                    | ToRobot::NotPublished { .. }
                    | ToRobot::Crowd { .. }
                    | ToRobot::SessionEnded { .. } => {}
                }
            }
            Output::ToViewer { to, message } => {
                assert!(self.connected.contains(to), "{to} is gone: {message:?}");
                match message {
                    ToViewer::Answer { about: Some(about), .. } if self.inside.contains(&about.session) => {}
                    ToViewer::Offer { from, .. } | ToViewer::Answer { from, .. } | ToViewer::Candidate { from, .. } => {
                        assert!(self.connected.contains(from));
                        assert!(self.introduced.get(from).is_some_and(|known| known.contains(to)), "{to}: {message:?}");
                    }
                    ToViewer::Move { about } => self.moves.push((to.clone(), about.session.clone())),
                    ToViewer::Broadcaster { .. } | ToViewer::BroadcasterLeft { .. } | ToViewer::Notice { .. } => {}
                }
            }
        }
    }

    fn note(&mut self, session: &SessionId) {
        let number = session.as_str().strip_prefix('s').and_then(|number| number.parse().ok());
        self.made = self.made.max(number.unwrap_or_default());
    }

    fn errand(&mut self, errand: &Errand) {
        match errand {
            Errand::Publish { place, attempt, offer } => {
                let (place, attempt, offer) = (place.clone(), *attempt, offer.clone());
                self.errands.push(Errand::Publish { place, attempt, offer });
            }
            Errand::Play { session, place, offer } => {
                assert!(self.inside.contains(session), "{session} is let in");
                let (session, place, offer) = (session.clone(), place.clone(), offer.clone());
                self.errands.push(Errand::Play { session, place, offer });
            }
            // Once for each of those that were let in.
            Errand::Leave { session, .. } => assert!(self.inside.remove(session), "{session} was let in"),
            Errand::Unpublish { .. } => {}
        }
    }
}

pub(super) fn check_state(rooms: &Rooms, witness: &mut Witness, now: Instant) {
    let Witness { connected, inside, moves, .. } = witness;
    assert!(rooms.peers.keys().eq(connected.iter()), "whoever is here is known, and nobody else");
    for (id, robot) in &rooms.robots {
        assert!(matches!(rooms.peers.get(&robot.peer), Some(super::super::Role::Robot(role)) if role == id));
        assert!(rooms.door.still_holds(id, robot.proof), "{id} has a key");
        for (viewer, session) in &robot.introduced {
            let session = rooms.sessions.get(session).expect("introduced viewers have sessions");
            assert_eq!((session.owner.peer(), &session.robot), (viewer, id));
            assert_eq!(rooms.door.watch(id, session.pass.as_ref(), now), Ok(()), "{viewer} may watch {id}");
        }
    }
    // The limits may have been lowered since they came.
    assert!(rooms.robots.len() <= MOST_ROBOTS);
    let served = rooms.sessions.iter().filter(|(_, session)| session.by == By::Engine);
    let served: BTreeSet<SessionId> = served.map(|(id, _)| id.clone()).collect();
    assert!(inside.iter().all(|session| served.contains(session)), "whoever is over has left");
    for id in &served {
        let session = &rooms.sessions[id];
        assert_eq!(rooms.door.watch(&session.robot, session.pass.as_ref(), now), Ok(()), "{id} may watch");
        assert!(rooms.publications.has(&session.place(), id), "{id} is counted");
    }
    assert_eq!(rooms.publications.all_viewers(), served.len(), "nobody else is");
    *inside = served;
    for (viewer, id) in moves.drain(..) {
        // Of what is not published any more it is over.
        if let Some(session) = rooms.sessions.get(&id) {
            assert_eq!(*session.owner.peer(), viewer);
            assert!(rooms.is_to_move(&id), "{viewer} has a reason to move");
        }
    }
}
