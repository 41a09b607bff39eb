//! Speaks for players, who have no connection: joins, hands on their offers, and leaves when they do or when it is over.

use std::time::Duration;

use protocol::{
    Admission, CameraId, Code, Description, IceServer, Notice, PeerId, RobotId, SessionId, SessionRef, ToServer,
    ToViewer, VERSION, Watch, WatchReply, Wishes,
};
use tokio::{sync::oneshot, time::Instant};

use super::{Ack, Desk};
use crate::{
    listen::Seat,
    rooms::{Ending, Input},
    signalling::players::{Newcomer, Play, PlayerKey, Playing, Word},
};

/// A robot that was away for so long has lost its players, or they it.
const AWAY: Duration = Duration::from_secs(60);

pub(super) struct Player {
    robot: RobotId,
    camera: Option<CameraId>,
    key: PlayerKey,
    /// What its robot has to answer, and who waits for that.
    asks: Option<(Description, oneshot::Sender<Result<Playing, Notice>>)>,
    /// Once it is admitted.
    admitted: Option<Admitted>,
    /// Its robot is away since then.
    away: Option<Instant>,
    _seat: Seat,
}

struct Admitted {
    session: SessionId,
    /// The robot, by its name of the moment.
    peer: PeerId,
    ice_servers: Vec<IceServer>,
}

impl Desk {
    pub(super) fn plays(&mut self, newcomer: Newcomer) {
        let Newcomer { play, peer, key, answer, seat } = newcomer;
        let Play { robot, camera, offer, pass, address } = play;
        let player = Player {
            robot: robot.clone(),
            camera: camera.clone(),
            key: key.clone(),
            asks: Some((offer, answer)),
            admitted: None,
            away: None,
            _seat: seat,
        };
        self.players.insert(peer.clone(), player);
        self.keys.insert(key, peer.clone());
        let is_local = address.is_of_this_machine();
        let wishes = Wishes { offers: true, ..Wishes::default() };
        let watch = Watch {
            version: Some(VERSION),
            robot: Some(robot),
            camera,
            takes: Some(Vec::new()),
            wishes,
            ..Watch::default()
        };
        self.sayings.push_back((peer.clone(), ToServer::Watcher { watch: Some(watch) }));
        self.handle(Input::Connected { peer, pass, is_local, guest_of: None });
    }

    /// Says the next thing that a player has to say to what it was told. Returns who waits for the reply, if it was one more.
    pub(super) fn speak_for_players(&mut self) -> Option<Option<Ack>> {
        let (peer, message) = self.sayings.pop_front()?;
        let wants_reply = matches!(message, ToServer::Watcher { .. });
        let input = Input::Said { from: peer.clone(), message, wants_reply };
        self.rooms.handle(input, Instant::now().into_std());
        Some(wants_reply.then_some(Ack::Player(peer)))
    }

    pub(super) fn player_is_told(&mut self, peer: PeerId, reply: WatchReply) {
        let Some(player) = self.players.get_mut(&peer) else { return };
        match reply {
            WatchReply::Admitted(Admission { session, peer: robot, ice_servers, resumed, .. }) => {
                player.away = None;
                let about = Some(SessionRef { session: session.clone() });
                let offer = player.asks.as_ref().map(|(offer, _)| offer.clone());
                player.admitted = Some(Admitted { session, peer: robot.clone(), ice_servers });
                match offer {
                    Some(offer) => {
                        let message = ToServer::Offer { to: robot, description: Some(offer), about };
                        self.sayings.push_back((peer, message));
                    }
                    // Its robot has begun anew, and it cannot be asked for another offer.
                    None if !resumed => self.player_is_over(&peer, None),
                    None => {}
                }
            }
            WatchReply::Refused { error } => self.player_is_over(&peer, Some(error)),
        }
    }

    pub(super) fn player_hears(&mut self, peer: PeerId, message: ToViewer) {
        let Some(player) = self.players.get_mut(&peer) else { return };
        match message {
            ToViewer::Answer { description, .. } => {
                if let (Some((_, waiting)), Some(admitted)) = (player.asks.take(), &mut player.admitted) {
                    let ice_servers = std::mem::take(&mut admitted.ice_servers);
                    let playing = Playing { key: player.key.clone(), answer: description.sdp, ice_servers };
                    if waiting.send(Ok(playing)).is_err() {
                        self.player_is_over(&peer, None);
                    }
                }
            }
            ToViewer::Offer { .. } => {
                let notice = Notice::new(Code::Unsupported, "The robot's broadcaster is too old for players.");
                self.player_is_over(&peer, Some(notice));
            }
            ToViewer::Broadcaster { .. } => {
                if let Some(Admitted { session, .. }) = &player.admitted {
                    let wishes = Wishes { offers: true, ..Wishes::default() };
                    let (robot, camera) = (Some(player.robot.clone()), player.camera.clone());
                    let watch = Watch {
                        version: Some(VERSION),
                        robot,
                        camera,
                        resume: Some(session.clone()),
                        wishes,
                        ..Watch::default()
                    };
                    self.sayings.push_back((peer, ToServer::Watcher { watch: Some(watch) }));
                }
            }
            ToViewer::BroadcasterLeft { .. } => player.away = Some(Instant::now()),
            // The camera is looked for, and the player waits.
            ToViewer::Notice { notice: Notice { code: Code::CameraLost, .. }, .. } => {}
            // Another of its robot's is the last word about it. Of the server's, those that end it are followed by that.
            ToViewer::Notice { notice, about: Some(_) } => self.player_is_over(&peer, Some(notice)),
            // Where its offer went it stays.
            ToViewer::Move { .. } | ToViewer::Notice { .. } | ToViewer::Candidate { .. } => {}
        }
    }

    pub(super) fn player_says(&mut self, key: &PlayerKey, word: Word) -> bool {
        let Some(peer) = self.keys.get(key).cloned() else { return false };
        match word {
            Word::Leaves => self.player_is_over(&peer, None),
            Word::Candidates(candidates) => {
                let player = self.players.get(&peer);
                let Some(Admitted { session, peer: robot, .. }) = player.and_then(|player| player.admitted.as_ref())
                else {
                    return true;
                };
                let (robot, about) = (robot.clone(), SessionRef { session: session.clone() });
                for candidate in candidates {
                    let (to, about) = (robot.clone(), Some(about.clone()));
                    let message = ToServer::Candidate { to, candidate: Some(candidate), about };
                    self.sayings.push_back((peer.clone(), message));
                }
            }
        }
        true
    }

    /// Whoever waits for its answer is told why there is none.
    pub(super) fn player_is_over(&mut self, peer: &PeerId, why: Option<Notice>) {
        let Some(player) = self.players.remove(peer) else { return };
        self.keys.remove(&player.key);
        if let Some((_, waiting)) = player.asks {
            let why = why.unwrap_or_else(|| Notice::new(Code::ConnectionFailed, "The session was ended."));
            // Whoever asked may have stopped waiting.
            let _ = waiting.send(Err(why));
        }
        self.rooms
            .handle(Input::Disconnected { peer: peer.clone(), ending: Ending::Goodbye }, Instant::now().into_std());
    }

    /// Those whose robots do not come back.
    pub(super) fn sweep_players(&mut self) {
        let now = Instant::now();
        let lost = self.players.iter().filter(|(_, player)| player.away.is_some_and(|since| now >= since + AWAY));
        for peer in lost.map(|(peer, _)| peer.clone()).collect::<Vec<_>>() {
            self.player_is_over(&peer, None);
        }
        self.flush(None);
    }
}
