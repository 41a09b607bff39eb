//! Players that speak WHEP: viewers without a connection of their own, who make the offer.
//!
//! This is their way to the desk, which speaks for them; `http::whep` is how they ask.

use std::time::Duration;

use protocol::{CameraId, Candidate, Code, Description, IceServer, Notice, PeerId, RobotId, Sdp};
use tokio::sync::{mpsc, oneshot};

use super::{intake::Event, random_hex};
use crate::{
    auth::Pass,
    listen::{ClientAddress, Hall, NoSeat, Seat},
};

/// A robot answers an offer in a fraction of a second, or not at all.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// By which a player ends its session. Whoever knows it can.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PlayerKey(String);

/// Somebody wants to play.
pub(crate) struct Play {
    pub(crate) robot: RobotId,
    pub(crate) camera: Option<CameraId>,
    pub(crate) offer: Description,
    /// What its link lets it do.
    pub(crate) pass: Option<Pass>,
    pub(crate) address: ClientAddress,
}

/// What came of it.
pub(crate) struct Playing {
    pub(crate) key: PlayerKey,
    pub(crate) answer: Sdp,
    pub(crate) ice_servers: Vec<IceServer>,
}

pub(super) struct Newcomer {
    pub(super) play: Play,
    pub(super) peer: PeerId,
    pub(super) key: PlayerKey,
    pub(super) answer: oneshot::Sender<Result<Playing, Notice>>,
    pub(super) seat: Seat,
}

/// What becomes of one who plays.
pub(super) enum Word {
    Candidates(Vec<Candidate>),
    Leaves,
}

#[derive(Clone)]
pub(crate) struct Players {
    events: mpsc::Sender<Event>,
    seats: Hall,
}

impl PlayerKey {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for PlayerKey {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Players {
    pub(super) fn new(events: mpsc::Sender<Event>, seats: Hall) -> Self {
        Self { events, seats }
    }

    /// `None` when the server is ending.
    pub(crate) async fn play(&self, play: Play) -> Option<Result<Playing, Notice>> {
        let seat = match self.seats.seat(play.address) {
            Ok(seat) => seat,
            Err(NoSeat::Full) => {
                return Some(Err(Notice::new(Code::Full, "The server has as many viewers as it takes.")));
            }
            Err(NoSeat::Crowded) => {
                let message = "Your address has as many connections as one may have.";
                return Some(Err(Notice::new(Code::Crowded, message)));
            }
        };
        let key = PlayerKey(random_hex());
        let peer = PeerId::try_from(format!("whep-{}", &random_hex()[..16])).expect("letters and digits are an id");
        let (answer, answered) = oneshot::channel();
        let newcomer = Newcomer { play, peer, key: key.clone(), answer, seat };
        self.events.send(Event::Plays(Box::new(newcomer))).await.ok()?;
        match tokio::time::timeout(ANSWERED_WITHIN, answered).await {
            Ok(came) => came.ok(),
            Err(_) => {
                self.say(key, Word::Leaves).await;
                Some(Err(Notice::new(Code::ConnectionFailed, "The robot does not answer.")))
            }
        }
    }

    /// Whether somebody plays by this key; `None` when the server is ending.
    async fn say(&self, key: PlayerKey, word: Word) -> Option<bool> {
        let (answer, answered) = oneshot::channel();
        self.events.send(Event::PlayerSays(key, word, answer)).await.ok()?;
        answered.await.ok()
    }

    pub(crate) async fn leaves(&self, key: PlayerKey) -> Option<bool> {
        self.say(key, Word::Leaves).await
    }

    pub(crate) async fn has_candidates(&self, key: PlayerKey, candidates: Vec<Candidate>) -> Option<bool> {
        self.say(key, Word::Candidates(candidates)).await
    }
}
