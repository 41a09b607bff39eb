//! What a robot says of what it publishes, and what becomes of it when the robot goes or comes back.

use std::collections::BTreeSet;

use protocol::{
    CameraId, Description, DescriptionKind, Notice, PeerId, PublicationRef, RobotId, RobotRef, Sdp, ToRobot, ToViewer,
};

use super::{Attempt, Errand, Place, Publication, Stage, moving::Moving};
use crate::rooms::{Role, Rooms, notices, relay::check_description, session::By};

impl Rooms {
    pub(in crate::rooms) fn publish(
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
    pub(in crate::rooms) fn published(&mut self, from: &PeerId, camera: PublicationRef) -> Result<(), Notice> {
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
        let watching = self.sessions.iter().filter(|(id, session)| {
            session.robot == place.robot && session.camera == place.camera && self.is_to_move(id)
        });
        let moving = Moving::of(watching.map(|(session, _)| session.clone()));
        self.publications.moving.insert(place.clone(), moving);
    }

    pub(in crate::rooms) fn recall(&mut self, from: &PeerId, camera: PublicationRef) -> Result<(), Notice> {
        let place = self.published_by(from, camera)?;
        let Some(publication) = self.publications.places.get_mut(&place) else { return Ok(()) };
        if publication.stage != Stage::Live {
            return Ok(());
        }
        tracing::info!(robot = %place.robot, camera = %place.camera, "viewers come back to the robot");
        publication.stage = Stage::Recalled;
        let moving = Moving::of(publication.viewers.iter().cloned());
        self.publications.moving.insert(place, moving);
        Ok(())
    }

    pub(in crate::rooms) fn unpublish(&mut self, from: &PeerId, camera: PublicationRef) -> Result<(), Notice> {
        let place = self.published_by(from, camera)?;
        self.end_publication(&place);
        Ok(())
    }

    pub(super) fn publish_answered(&mut self, place: &Place, answer: Result<Sdp, Notice>) {
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

    /// A robot has registered, and says which of its cameras it still publishes: of the others nothing is left.
    pub(in crate::rooms) fn reconcile_publications(&mut self, robot: &RobotId, still: Vec<CameraId>) {
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
    pub(in crate::rooms) fn publisher_left(&mut self, robot: &RobotId) {
        // Nobody can move who has nobody to ask.
        self.publications.moving.retain(|place, _| place.robot != *robot);
        if self.publications.of(robot).next().is_some() {
            self.publications.orphans.insert(robot.clone(), None);
        }
    }

    /// The robot is with another server now, and so is what it publishes, and who watches that.
    pub(in crate::rooms) fn hand_over_publications(&mut self, robot: &RobotId) {
        self.publications.places.retain(|place, _| place.robot != *robot);
        self.publications.moving.retain(|place, _| place.robot != *robot);
        self.publications.orphans.remove(robot);
        for session in self.sessions.values_mut().filter(|session| session.robot == *robot) {
            session.by = By::Robot;
        }
    }

    /// The robot may not be here any more.
    pub(in crate::rooms) fn end_publications(&mut self, robot: &RobotId) {
        for place in self.publications.of(robot).map(|(place, _)| place.clone()).collect::<Vec<_>>() {
            self.end_publication(&place);
        }
    }

    /// Whoever watches there is to ask again, at once.
    fn end_publication(&mut self, place: &Place) {
        self.publications.moving.remove(place);
        let Some(publication) = self.publications.places.remove(place) else { return };
        self.errand(Errand::Unpublish { place: place.clone() });
        for session in &publication.viewers {
            self.ask_to_move(session);
        }
        for session in publication.viewers {
            self.end_session(&session);
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
}
