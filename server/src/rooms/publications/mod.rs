//! Cameras that a media server passes on, and the viewers that are sent there instead of to the robot.
//!
//! A robot that has more viewers than it can serve publishes a camera there, once, and says when its pictures arrive. From then
//! on viewers that can are sent there, and those that watch already are asked to move; what they watch goes on meanwhile.
//! When the crowd has gone the robot recalls them, and when its pictures do not arrive there any more, whoever watched there
//! asks again, and is the robot's viewer.

mod moving;
mod publishing;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use protocol::{
    CameraId, Crowd, Description, DescriptionKind, Media, MediaKind, Notice, PeerId, RobotId, Sdp, SessionId,
    SessionRef, Sfu, ToRobot, ToViewer,
};

use super::{
    Output, Rooms,
    session::{By, Session},
};
use crate::auth;
use moving::Moving;

/// A crowd that comes at once is counted at once.
const COUNTED_EVERY: Duration = Duration::from_millis(200);

/// What a robot publishes goes on without its connection to the server; one that is gone for longer is gone.
pub(super) const ORPHANED_FOR: Duration = Duration::from_secs(300);

/// A camera of a robot's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) robot: RobotId,
    pub(crate) camera: CameraId,
}

/// Tells one attempt to publish from those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attempt(u64);

/// How one viewer is let in to watch that place, by this session, and for so long.
pub(crate) type LetIn = Box<dyn Fn(&SessionId, &Place, Option<Duration>) -> Media + Send>;

/// The media server that there is.
pub(crate) struct Engine {
    pub(crate) kind: MediaKind,
    /// Of how many qualities it makes use.
    pub(crate) qualities: u8,
    pub(crate) let_in: LetIn,
}

/// What the media server is to be asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    Publish {
        place: Place,
        attempt: Attempt,
        offer: Sdp,
    },
    /// Nothing of this place is published any more.
    Unpublish {
        place: Place,
    },
    /// A viewer makes an offer.
    Play {
        session: SessionId,
        place: Place,
        offer: Sdp,
    },
    /// A viewer's session is over.
    Leave {
        session: SessionId,
        place: Place,
        /// It may not come back.
        barred: bool,
    },
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Done {
    Published { place: Place, attempt: Attempt, answer: Result<Sdp, Notice> },
    Played { session: SessionId, answer: Result<Sdp, Notice> },
}

#[derive(Default)]
pub(super) struct Publications {
    engine: Option<Engine>,
    places: BTreeMap<Place, Publication>,
    /// Where somebody waits to go there, or to come back.
    moving: BTreeMap<Place, Moving>,
    attempts: u64,
    /// Robots do not know yet how many watch there …
    changed: bool,
    /// … and are told then.
    counted: Option<Instant>,
    /// Robots that publish and have no connection, and until when they are waited for.
    orphans: BTreeMap<RobotId, Option<Instant>>,
}

#[derive(Debug)]
struct Publication {
    stage: Stage,
    viewers: BTreeSet<SessionId>,
    /// How many there were when the robot was told last.
    told: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Offered(Attempt),
    /// It has been answered. Nobody knows yet whether anything arrives.
    Answered,
    Live,
    Recalled,
}

impl Publications {
    pub(super) fn set_engine(&mut self, engine: Engine) {
        self.engine = Some(engine);
    }

    /// What robots are told of the media server.
    pub(super) fn offered(&self) -> Option<Sfu> {
        self.engine.as_ref().map(|engine| {
            // LiveKit 1.13 does not read which quality is which of what comes by WHIP with simulcast, and takes only one.
            let livekit = engine.kind == MediaKind::Livekit;
            Sfu { qualities: engine.qualities, data: livekit, apart: livekit }
        })
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let orphans = self.orphans.values().flatten().min().copied();
        let moving = self.moving.values().filter_map(Moving::poll_timeout);
        [self.counted, orphans].into_iter().flatten().chain(moving).min()
    }

    /// To be called after whatever may have changed how many there are.
    pub(super) fn plan(&mut self, now: Instant) {
        if std::mem::take(&mut self.changed) {
            self.counted.get_or_insert(now + COUNTED_EVERY);
        }
        for until in self.orphans.values_mut() {
            until.get_or_insert(now + ORPHANED_FOR);
        }
    }

    /// How many watch a robot's cameras there.
    pub(super) fn viewers(&self, robot: &RobotId) -> usize {
        self.of(robot).map(|(_, publication)| publication.viewers.len()).sum()
    }

    fn of(&self, robot: &RobotId) -> impl Iterator<Item = (&Place, &Publication)> {
        self.places.iter().filter(move |(place, _)| place.robot == *robot)
    }

    /// It publishes, and has no connection here.
    pub(super) fn is_orphan(&self, robot: &RobotId) -> bool {
        self.orphans.contains_key(robot)
    }

    fn stage(&self, place: &Place) -> Option<Stage> {
        self.places.get(place).map(|publication| publication.stage)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.orphans.is_empty() && self.moving.is_empty()
    }

    #[cfg(test)]
    pub(super) fn has(&self, place: &Place, session: &SessionId) -> bool {
        self.places.get(place).is_some_and(|publication| publication.viewers.contains(session))
    }

    #[cfg(test)]
    pub(super) fn all_viewers(&self) -> usize {
        self.places.values().map(|publication| publication.viewers.len()).sum()
    }
}

impl Rooms {
    /// From now on robots may publish there.
    pub(crate) fn with_engine(mut self, engine: Option<Engine>) -> Self {
        if let Some(engine) = engine {
            self.publications.set_engine(engine);
        }
        self
    }

    /// Whether a viewer that takes these is sent to the media server for this camera.
    pub(super) fn is_elsewhere(&self, viewer: &PeerId, place: &Place, takes: Option<&[MediaKind]>) -> bool {
        let engine = self.publications.engine.as_ref();
        let takes_it = engine.is_some_and(|engine| takes.is_none_or(|takes| takes.contains(&engine.kind)));
        takes_it && self.publications.stage(place) == Some(Stage::Live) && !self.operates(viewer, &place.robot)
    }

    /// Whether those who watch there are to come back.
    fn is_recalled(&self, place: &Place) -> bool {
        self.publications.stage(place) == Some(Stage::Recalled)
    }

    /// Whether a session there goes on.
    pub(super) fn shows(&self, place: &Place) -> bool {
        matches!(self.publications.stage(place), Some(Stage::Live | Stage::Recalled))
    }

    /// How the viewer gets what it is let in to there.
    pub(super) fn media(&self, session: &SessionId, place: &Place, left: Option<Duration>) -> Media {
        match &self.publications.engine {
            Some(engine) if self.is_by_engine(session) => (engine.let_in)(session, place, left),
            _ => Media::P2p,
        }
    }

    pub(super) fn is_by_engine(&self, session: &SessionId) -> bool {
        self.sessions.get(session).is_some_and(|session| session.by == By::Engine)
    }

    fn operates(&self, viewer: &PeerId, robot: &RobotId) -> bool {
        self.pass_for(viewer, robot).is_some_and(|pass| pass.role == auth::Role::Operate)
    }

    pub(super) fn engine_done(&mut self, done: Done) {
        match done {
            Done::Published { place, attempt, answer } => {
                // Otherwise the robot has thought better of it, or offered anew.
                if self.publications.stage(&place) == Some(Stage::Offered(attempt)) {
                    self.publish_answered(&place, answer);
                }
            }
            Done::Played { session, answer } => self.play_answered(&session, answer),
        }
    }

    /// A viewer that was let in makes its offer.
    pub(super) fn play(&mut self, id: &SessionId, offer: Sdp) {
        if let Some(place) = self.sessions.get(id).map(Session::place) {
            self.errand(Errand::Play { session: id.clone(), place, offer });
        }
    }

    fn play_answered(&mut self, id: &SessionId, answer: Result<Sdp, Notice>) {
        let Some(session) = self.sessions.get(id) else { return };
        let Some(robot) = self.robots.get(&session.robot) else { return };
        let (to, from) = (session.owner.peer().clone(), robot.peer.clone());
        let about = Some(SessionRef { session: id.clone() });
        let message = match answer {
            Ok(sdp) => {
                self.news.push_back(super::News::Offered { session: id.clone() });
                ToViewer::Answer { from, description: Description { kind: DescriptionKind::Answer, sdp }, about }
            }
            Err(notice) => ToViewer::Notice { notice, about },
        };
        if self.watches(&to, id) {
            self.tell(&to, message);
        }
    }

    /// A session that the media server serves begins …
    pub(super) fn comes(&mut self, session: &SessionId, place: &Place) {
        if let Some(publication) = self.publications.places.get_mut(place) {
            publication.viewers.insert(session.clone());
            self.publications.changed = true;
        }
    }

    /// … and is over.
    pub(super) fn goes(&mut self, session: &SessionId, place: Place, barred: bool) {
        if let Some(publication) = self.publications.places.get_mut(&place) {
            publication.viewers.remove(session);
            self.publications.changed = true;
        }
        self.errand(Errand::Leave { session: session.clone(), place, barred });
    }

    /// Tells robots how many watch there, where that has changed, and gives up those that do not come back.
    pub(super) fn count_crowds(&mut self, now: Instant) {
        let gone = self.publications.orphans.extract_if(.., |_, until| until.is_some_and(|until| until <= now));
        for (robot, _) in gone.collect::<Vec<_>>() {
            self.end_publications(&robot);
        }
        if self.publications.counted.is_none_or(|at| now < at) {
            return;
        }
        self.publications.counted = None;
        let mut told = Vec::new();
        for (place, publication) in &mut self.publications.places {
            let viewers = publication.viewers.len();
            if let Some(robot) = self.robots.get(&place.robot)
                && std::mem::replace(&mut publication.told, viewers) != viewers
            {
                let viewers = u32::try_from(viewers).unwrap_or(u32::MAX);
                told.push((robot.peer.clone(), Crowd { camera: place.camera.clone(), viewers }));
            }
        }
        for (robot, crowd) in told {
            self.tell_robot(&robot, ToRobot::Crowd { crowd });
        }
    }

    /// Asks those whose turn it is to go to the media server, or to come back.
    pub(super) fn move_next(&mut self, now: Instant) {
        let mut all = std::mem::take(&mut self.publications.moving);
        for moving in all.values_mut() {
            while let Some(session) = moving.next(now, |session| self.is_to_move(session)) {
                self.ask_to_move(&session);
            }
        }
        all.retain(|_, moving| !moving.is_over(now));
        self.publications.moving = all;
    }

    /// Whether a session is to go to the media server, or to come back.
    pub(super) fn is_to_move(&self, session: &SessionId) -> bool {
        self.sessions.get(session).is_some_and(|session| match session.by {
            By::Robot => self.is_elsewhere(session.owner.peer(), &session.place(), session.takes.as_deref()),
            By::Engine => self.is_recalled(&session.place()),
        })
    }

    /// It was away when the others were put down for that.
    pub(super) fn moves_too(&mut self, session: &SessionId) {
        if let Some(place) = self.sessions.get(session).map(Session::place) {
            self.publications.moving.entry(place).or_default().add(session.clone());
        }
    }

    /// Asks the viewer of this session to ask again, if it is there.
    fn ask_to_move(&mut self, session: &SessionId) {
        let viewer = self.sessions.get(session).map(|session| session.owner.peer().clone());
        if let Some(viewer) = viewer.filter(|viewer| self.watches(viewer, session)) {
            self.tell(&viewer, ToViewer::Move { about: SessionRef { session: session.clone() } });
        }
    }

    fn errand(&mut self, errand: Errand) {
        self.out.push_back(Output::Errand(errand));
    }
}
