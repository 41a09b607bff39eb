//! Cameras that a media server passes on, and the viewers that are sent there instead of to the robot.
//!
//! A robot that has more viewers than it can serve publishes a camera there, once, and says when its pictures arrive. From then
//! on viewers that can are sent there, and those that watch already are asked to move; what they watch goes on meanwhile.
//! When the crowd has gone the robot recalls them, and when its pictures do not arrive there any more, whoever watched there
//! asks again, and is the robot's viewer.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use protocol::{
    CameraId, Crowd, Description, DescriptionKind, Media, MediaKind, Notice, PeerId, PublicationRef, RobotId, RobotRef,
    Sdp, SessionId, SessionRef, Sfu, ToRobot, ToViewer,
};

use super::{
    Output, Role, Rooms, notices,
    relay::check_description,
    session::{By, Session},
};
use crate::auth;

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
        self.engine.as_ref().map(|engine| Sfu { qualities: engine.qualities, data: engine.kind == MediaKind::Livekit })
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let orphans = self.orphans.values().flatten().min();
        [self.counted.as_ref(), orphans].into_iter().flatten().min().copied()
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

    fn stage(&self, place: &Place) -> Option<Stage> {
        self.places.get(place).map(|publication| publication.stage)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.orphans.is_empty()
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
    pub(super) fn is_recalled(&self, place: &Place) -> bool {
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

    pub(super) fn publish(
        &mut self,
        from: &PeerId,
        camera: PublicationRef,
        description: Description,
    ) -> Result<(), Notice> {
        let place = self.published_by(from, camera)?;
        if self.publications.engine.is_none() {
            return Err(notices::no_engine());
        }
        let offer = check_description(Some(description), DescriptionKind::Offer)?.sdp;
        self.end_publication(&place);
        self.publications.attempts += 1;
        let attempt = Attempt(self.publications.attempts);
        let publication = Publication { stage: Stage::Offered(attempt), viewers: BTreeSet::new(), told: 0 };
        self.publications.places.insert(place.clone(), publication);
        self.errand(Errand::Publish { place, attempt, offer });
        Ok(())
    }

    /// The pictures arrive there.
    pub(super) fn published(&mut self, from: &PeerId, camera: PublicationRef) -> Result<(), Notice> {
        let place = self.published_by(from, camera)?;
        let Some(publication) = self.publications.places.get_mut(&place) else {
            return Err(notices::not_published());
        };
        match publication.stage {
            Stage::Answered | Stage::Recalled => publication.stage = Stage::Live,
            Stage::Live => return Ok(()),
            Stage::Offered(_) => return Err(notices::not_published()),
        }
        tracing::info!(robot = %place.robot, camera = %place.camera, "a camera's viewers are sent to the media server");
        self.send_there(&place);
        // Whoever was refused, as there was no more room, asks again.
        let refused: Vec<PeerId> = self.refused(&place.robot);
        for peer in refused {
            self.tell(&peer, ToViewer::Broadcaster { about: Some(RobotRef { robot: place.robot.clone() }) });
        }
        Ok(())
    }

    /// Asks those to move who watch from the robot and need not.
    fn send_there(&mut self, place: &Place) {
        let watching = self.sessions.iter().filter(|(_, session)| {
            let here = session.by == By::Robot && session.robot == place.robot && session.camera == place.camera;
            here && self.is_elsewhere(session.owner.peer(), place, session.takes.as_deref())
        });
        self.move_all(watching.map(|(session, _)| session.clone()).collect());
    }

    pub(super) fn recall(&mut self, from: &PeerId, camera: PublicationRef) -> Result<(), Notice> {
        let place = self.published_by(from, camera)?;
        let Some(publication) = self.publications.places.get_mut(&place) else { return Ok(()) };
        if publication.stage != Stage::Live {
            return Ok(());
        }
        tracing::info!(robot = %place.robot, camera = %place.camera, "viewers come back to the robot");
        publication.stage = Stage::Recalled;
        let watching = publication.viewers.iter().cloned().collect();
        self.move_all(watching);
        Ok(())
    }

    pub(super) fn unpublish(&mut self, from: &PeerId, camera: PublicationRef) -> Result<(), Notice> {
        let place = self.published_by(from, camera)?;
        self.end_publication(&place);
        Ok(())
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

    fn publish_answered(&mut self, place: &Place, answer: Result<Sdp, Notice>) {
        let camera = PublicationRef { camera: place.camera.clone() };
        let message = match answer {
            Ok(sdp) => {
                if let Some(publication) = self.publications.places.get_mut(place) {
                    publication.stage = Stage::Answered;
                }
                ToRobot::Publishing { camera, description: Description { kind: DescriptionKind::Answer, sdp } }
            }
            Err(notice) => {
                self.publications.places.remove(place);
                ToRobot::NotPublished { camera, notice }
            }
        };
        if let Some(robot) = self.robots.get(&place.robot) {
            let to = robot.peer.clone();
            self.tell_robot(&to, message);
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

    /// A robot has registered, and says which of its cameras it still publishes: of the others nothing is left.
    pub(super) fn reconcile_publications(&mut self, robot: &RobotId, still: Vec<CameraId>) {
        self.publications.orphans.remove(robot);
        let over = self.publications.of(robot).filter(|(place, publication)| {
            // What was only asked for is lost with the connection that asked.
            let stands = matches!(publication.stage, Stage::Live | Stage::Recalled | Stage::Answered);
            !stands || !still.contains(&place.camera)
        });
        for place in over.map(|(place, _)| place.clone()).collect::<Vec<_>>() {
            self.end_publication(&place);
        }
        if self.publications.engine.is_none() {
            return;
        }
        for camera in still {
            let place = Place { robot: robot.clone(), camera };
            let known =
                self.robots.get(robot).is_some_and(|robot| robot.cameras.iter().any(|info| info.id == place.camera));
            if !known {
                continue;
            }
            let fresh = || Publication { stage: Stage::Answered, viewers: BTreeSet::new(), told: 0 };
            let publication = self.publications.places.entry(place.clone()).or_insert_with(fresh);
            // What it was told last may be lost.
            publication.told = usize::MAX;
            self.publications.changed = true;
            if publication.stage == Stage::Answered {
                publication.stage = Stage::Live;
                self.send_there(&place);
            }
        }
    }

    /// The robot's connection is gone. What it publishes goes on.
    pub(super) fn publisher_left(&mut self, robot: &RobotId) {
        if self.publications.of(robot).next().is_some() {
            self.publications.orphans.insert(robot.clone(), None);
        }
    }

    /// The robot is with another server now, and so is what it publishes, and who watches that.
    pub(super) fn hand_over_publications(&mut self, robot: &RobotId) {
        self.publications.places.retain(|place, _| place.robot != *robot);
        self.publications.orphans.remove(robot);
        for session in self.sessions.values_mut().filter(|session| session.robot == *robot) {
            session.by = By::Robot;
        }
    }

    /// The robot may not be here any more.
    pub(super) fn end_publications(&mut self, robot: &RobotId) {
        for place in self.publications.of(robot).map(|(place, _)| place.clone()).collect::<Vec<_>>() {
            self.end_publication(&place);
        }
    }

    /// Whoever watches there is to ask again.
    fn end_publication(&mut self, place: &Place) {
        let Some(publication) = self.publications.places.remove(place) else { return };
        self.errand(Errand::Unpublish { place: place.clone() });
        let viewers: Vec<SessionId> = publication.viewers.into_iter().collect();
        self.move_all(viewers.clone());
        for session in viewers {
            self.end_session(&session);
        }
    }

    /// Asks the viewers of these sessions to ask again.
    pub(super) fn move_all(&mut self, sessions: Vec<SessionId>) {
        for session in sessions {
            let Some(viewer) = self.sessions.get(&session).map(|session| session.owner.peer().clone()) else {
                continue;
            };
            if self.watches(&viewer, &session) {
                self.tell(&viewer, ToViewer::Move { about: SessionRef { session } });
            }
        }
    }

    /// Those who want to watch this robot, and do not.
    fn refused(&self, robot: &RobotId) -> Vec<PeerId> {
        let waits =
            |role: &Role| matches!(role, Role::Viewer(viewer) if viewer.robot == *robot && viewer.session.is_none());
        self.peers.iter().filter(|(_, role)| waits(role)).map(|(peer, _)| peer.clone()).collect()
    }

    fn published_by(&self, from: &PeerId, PublicationRef { camera }: PublicationRef) -> Result<Place, Notice> {
        let Some(Role::Robot(robot)) = self.peers.get(from) else { return Err(notices::no_publisher()) };
        let cameras = self.robots.get(robot).map(|robot| robot.cameras.as_slice()).unwrap_or_default();
        if !cameras.iter().any(|info| info.id == camera) {
            return Err(notices::unknown_camera(robot, cameras));
        }
        Ok(Place { robot: robot.clone(), camera })
    }

    fn errand(&mut self, errand: Errand) {
        self.out.push_back(Output::Errand(errand));
    }
}
