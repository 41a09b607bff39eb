//! Offers, answers, candidates and notices: who may send which to whom.

use protocol::{
    Candidate, Description, DescriptionKind, MAX_CANDIDATES, Notice, PeerId, Reach, RobotId, SessionId, SessionRef,
    ToRobot, ToViewer,
};

use super::{News, Role, Rooms, notices, session::Session};

/// Something that one connection wants another to have.
pub(super) struct Letter {
    pub(super) to: PeerId,
    pub(super) about: Option<SessionRef>,
    pub(super) payload: Payload,
}

pub(super) enum Payload {
    Offer(Option<Description>),
    Answer(Option<Description>),
    Candidate(Option<Candidate>),
    Notice(Notice),
}

impl Letter {
    /// Whether it is about a session that has been replaced while it was on its way.
    fn is_stale(&self, session: &SessionId) -> bool {
        let stale = self.about.as_ref().is_some_and(|about| about.session != *session);
        if stale {
            tracing::debug!(to = %self.to, "message about a former session dropped");
        }
        stale
    }
}

impl Rooms {
    pub(super) fn relay(&mut self, from: &PeerId, letter: Letter) {
        let outcome = match self.peers.get(from) {
            None => Ok(()),
            Some(Role::Undecided | Role::Away(_) | Role::Displaced) => Err(notices::stranger(&letter.to)),
            Some(Role::Robot(robot)) => self.relay_from_robot(from, &robot.clone(), letter),
            Some(Role::Viewer(viewer)) => {
                let about = letter.about.as_ref();
                let own = about.and_then(|about| viewer.sessions().find(|own| **own == about.session)).cloned();
                match own.clone().filter(|own| self.is_by_engine(own)) {
                    Some(session) => self.relay_to_engine(&session, letter.payload),
                    None => self.relay_from_viewer(from, &viewer.robot.clone(), letter, own.is_some()),
                }
            }
        };
        if let Err(notice) = outcome {
            tracing::debug!(%from, code = %notice.code, "message not relayed");
            self.not_taken(from, notice);
        }
    }

    fn relay_from_robot(&mut self, from: &PeerId, robot: &RobotId, letter: Letter) -> Result<(), Notice> {
        let introduced = self.robots.get(robot).and_then(|robot| robot.introduced.get(&letter.to));
        let session = introduced.cloned().ok_or_else(|| notices::stranger(&letter.to))?;
        if letter.is_stale(&session) {
            return Ok(());
        }
        let about = Some(SessionRef { session: session.clone() });
        let message = match letter.payload {
            Payload::Offer(offer) => {
                let description = check_description(offer, DescriptionKind::Offer)?;
                let description = self.for_receiver(description, from, &letter.to);
                ToViewer::Offer { from: from.clone(), description, about }
            }
            Payload::Answer(answer) if self.offers(&session) => {
                let description = check_description(answer, DescriptionKind::Answer)?;
                let description = self.for_receiver(description, from, &letter.to);
                ToViewer::Answer { from: from.clone(), description, about }
            }
            Payload::Answer(_) => return Err(notices::malformed("A robot sends offers; it has nothing to answer.")),
            Payload::Candidate(candidate) => {
                let candidate = candidate.ok_or_else(|| notices::malformed("The candidate is null."))?;
                let passes = self.count(&session, |session| &mut session.robot_candidates)?;
                if !passes || !self.leads_anywhere(&candidate, from, &letter.to)? {
                    return Ok(());
                }
                ToViewer::Candidate { from: from.clone(), candidate, about }
            }
            Payload::Notice(notice) => ToViewer::Notice { notice, about },
        };
        // A viewer whose connection is lost keeps its place for a while; its robot need not know.
        if self.watches(&letter.to, &session) {
            tracing::debug!(%robot, viewer = %letter.to, event = message.event(), "relayed to viewer");
            if let ToViewer::Offer { .. } | ToViewer::Answer { .. } = message {
                self.news.push_back(News::Offered { session });
            }
            self.tell(&letter.to, message);
        }
        Ok(())
    }

    /// `own`: it says that it is about the session that the viewer is in.
    fn relay_from_viewer(
        &mut self,
        from: &PeerId,
        robot_id: &RobotId,
        letter: Letter,
        own: bool,
    ) -> Result<(), Notice> {
        let robot = self.robots.get(robot_id).filter(|robot| robot.peer == letter.to);
        let Some(session) = robot.and_then(|robot| robot.introduced.get(from)).cloned() else {
            if own {
                // It crossed the word that the robot has gone, or come anew, which the viewer has been told by now. It would take
                // a refusal for the end of its visit.
                tracing::debug!(viewer = %from, "message to a former connection of the robot dropped");
                return Ok(());
            }
            return Err(notices::stranger(&letter.to));
        };
        if letter.is_stale(&session) {
            return Ok(());
        }
        let about = Some(SessionRef { session: session.clone() });
        let message = match letter.payload {
            Payload::Answer(answer) => {
                let description = check_description(answer, DescriptionKind::Answer)?;
                let description = self.for_receiver(description, from, &letter.to);
                ToRobot::Answer { from: from.clone(), description, about }
            }
            Payload::Offer(offer) if self.offers(&session) => {
                let description = check_description(offer, DescriptionKind::Offer)?;
                let description = self.for_receiver(description, from, &letter.to);
                ToRobot::Offer { from: from.clone(), description, about }
            }
            Payload::Offer(_) => return Err(notices::malformed("A viewer answers; offers come from the robot.")),
            Payload::Candidate(candidate) => {
                let candidate = candidate.ok_or_else(|| notices::malformed("The candidate is null."))?;
                let passes = self.count(&session, |session| &mut session.viewer_candidates)?;
                if !passes || !self.leads_anywhere(&candidate, from, &letter.to)? {
                    return Ok(());
                }
                ToRobot::Candidate { from: from.clone(), candidate, about }
            }
            Payload::Notice(_) => return Err(notices::malformed("Notices come from the robot.")),
        };
        tracing::debug!(robot = %robot_id, viewer = %from, event = message.event(), "relayed to robot");
        self.tell_robot(&letter.to, message);
        Ok(())
    }

    /// It has no use for candidates: it can be reached where its answer says.
    fn relay_to_engine(&mut self, session: &SessionId, payload: Payload) -> Result<(), Notice> {
        match payload {
            Payload::Offer(offer) => {
                let description = check_description(offer, DescriptionKind::Offer)?;
                self.play(session, description.sdp);
                Ok(())
            }
            Payload::Candidate(_) => Ok(()),
            Payload::Answer(_) => Err(notices::malformed("A viewer answers robots; here it makes the offer.")),
            Payload::Notice(_) => Err(notices::malformed("Notices come from the robot.")),
        }
    }

    /// Whether the viewer makes the offer.
    fn offers(&self, session: &SessionId) -> bool {
        self.sessions.get(session).is_some_and(|session| session.offers)
    }

    /// Whether a candidate is of use to the other end. One that is of no use to anybody is an error.
    fn leads_anywhere(&self, candidate: &Candidate, from: &PeerId, to: &PeerId) -> Result<bool, Notice> {
        match candidate.reach() {
            Some(Reach::Nowhere) => Err(notices::malformed("The candidate leads nowhere: nobody has such an address.")),
            Some(Reach::SameHost) => Ok(self.share_a_host(from, to)),
            Some(Reach::Elsewhere) | None => Ok(true),
        }
    }

    /// A description with those candidates that are of use to the other end.
    fn for_receiver(&self, description: Description, from: &PeerId, to: &PeerId) -> Description {
        let together = self.share_a_host(from, to);
        let wanted = |reach| reach == Reach::Elsewhere || reach == Reach::SameHost && together;
        Description { sdp: description.sdp.retain_candidates(wanted), ..description }
    }

    /// To anybody else, an address of this host would be one of its own.
    fn share_a_host(&self, one: &PeerId, other: &PeerId) -> bool {
        self.local.contains(one) && self.local.contains(other)
    }

    /// Counts a candidate. The first one too many is an error, further ones are `false`: their sender has been told.
    fn count(&mut self, id: &SessionId, counter: fn(&mut Session) -> &mut usize) -> Result<bool, Notice> {
        let Some(session) = self.sessions.get_mut(id) else { return Ok(false) };
        let count = counter(session);
        *count = count.saturating_add(1);
        if *count == MAX_CANDIDATES + 1 {
            return Err(notices::too_many_candidates());
        }
        Ok(*count <= MAX_CANDIDATES)
    }
}

/// Pages send null when they do not wait for their own `setLocalDescription`.
pub(super) fn check_description(
    description: Option<Description>,
    kind: DescriptionKind,
) -> Result<Description, Notice> {
    let description = description.ok_or_else(|| notices::malformed("The session description is null."))?;
    if description.kind != kind {
        return Err(notices::malformed("The description's type is not that of its event."));
    }
    Ok(description)
}
