//! What is said before media flows: offers, answers and candidates, ours and the viewer's.

use std::time::Instant;

use protocol::{Candidate, Description, DescriptionKind, Sdp, ToServer};

use super::{
    Addresses, CONNECT_WITHIN, Channel, Phase, Session, SessionEnd, SessionError, SessionEvent, answer, reply,
};
use crate::{
    delivery::Format,
    media::Rings,
    transport::{Credentials, Remote},
};

impl Session {
    /// Answers the viewer's offer.
    pub(crate) fn handle_offer(
        &mut self,
        description: Description,
        addresses: &Addresses,
        rings: &Rings,
        now: Instant,
    ) {
        let (Phase::AwaitingOffer { .. }, Some(credentials)) = (self.phase, self.credentials.take()) else {
            tracing::debug!(viewer = %self.viewer, "an offer that nobody waits for");
            return;
        };
        if let Err(error) = self.reply(&description.sdp.into_string(), credentials, addresses, now) {
            return self.end(SessionEnd::BadOffer(error), now);
        }
        self.pump(rings, now);
    }

    fn reply(
        &mut self,
        sdp: &str,
        credentials: Credentials,
        addresses: &Addresses,
        now: Instant,
    ) -> Result<(), SessionError> {
        let offered = reply::parse(sdp, &self.offer)?;
        let candidates = lines(addresses)?;
        let sdp = offered.answer(&self.offer, &credentials, self.identity.fingerprint(), &candidates);
        let sdp = Sdp::try_from(sdp).map_err(SessionError::Ours)?;
        self.events.push_back(SessionEvent::Named(credentials.ufrag));
        let description = Some(Description { kind: DescriptionKind::Answer, sdp });
        let answer = ToServer::Answer { to: self.viewer.clone(), description, about: self.about() };
        self.events.push_back(SessionEvent::Say(answer));
        self.connect(offered.format, offered.remote, offered.candidates, now)
    }

    pub(super) fn say_offer(&mut self, credentials: Credentials, addresses: &Addresses) -> Result<(), SessionError> {
        let candidates = lines(addresses)?;
        let sdp = self.offer.write(&credentials, self.identity.fingerprint(), &candidates);
        let sdp = Sdp::try_from(sdp).map_err(SessionError::Ours)?;
        self.events.push_back(SessionEvent::Named(credentials.ufrag));
        let description = Some(Description { kind: DescriptionKind::Offer, sdp });
        let offer = ToServer::Offer { to: self.viewer.clone(), description, about: self.about() };
        self.events.push_back(SessionEvent::Say(offer));
        Ok(())
    }

    pub(crate) fn handle_answer(
        &mut self,
        description: Description,
        addresses: &Addresses,
        rings: &Rings,
        now: Instant,
    ) {
        let sdp = description.sdp.into_string();
        match self.phase {
            Phase::AwaitingAnswer { .. } => {
                if let Err(error) = self.accept(&sdp, now) {
                    return self.end(SessionEnd::BadAnswer(error), now);
                }
            }
            Phase::Live if self.mending.is_awaited() => self.accept_restart(&sdp, addresses, now),
            Phase::AwaitingOffer { .. } | Phase::Connecting { .. } | Phase::Live | Phase::Ended => {
                tracing::debug!(viewer = %self.viewer, "an answer that nobody waits for");
                return;
            }
        }
        self.pump(rings, now);
    }

    fn accept(&mut self, sdp: &str, now: Instant) -> Result<(), SessionError> {
        let answer = answer::parse(sdp, &self.offer)?;
        self.channel = answer.attitude.then(Channel::new);
        self.connect(answer.format, answer.remote, answer.candidates, now)
    }

    /// All is agreed on; a way is to be found.
    fn connect(
        &mut self,
        format: Format,
        remote: Remote,
        candidates: Vec<String>,
        now: Instant,
    ) -> Result<(), SessionError> {
        self.format = Some(format);
        self.transport.accept(remote, now)?;
        self.phase = Phase::Connecting { until: now + CONNECT_WITHIN };
        let early = std::mem::take(&mut self.early).into_iter().map(|candidate| candidate.candidate);
        for candidate in candidates.into_iter().chain(early) {
            self.transport.add_candidate(&candidate, now);
        }
        Ok(())
    }

    pub(crate) fn handle_candidate(&mut self, candidate: Candidate, rings: &Rings, now: Instant) {
        let early = match self.phase {
            Phase::AwaitingOffer { .. } | Phase::AwaitingAnswer { .. } => true,
            Phase::Live => self.mending.is_awaited(),
            Phase::Connecting { .. } => false,
            Phase::Ended => return,
        };
        if !early {
            self.transport.add_candidate(&candidate.candidate, now);
            self.pump(rings, now);
        } else if self.early.len() < protocol::MAX_CANDIDATES {
            self.early.push(candidate);
        }
    }
}

/// Where we can be reached, as lines of a session description.
fn lines(addresses: &Addresses) -> Result<Vec<String>, SessionError> {
    let mut lines = addresses.local.iter().map(|local| local.line()).collect::<Result<Vec<_>, _>>()?;
    lines.extend_from_slice(&addresses.reflexive);
    Ok(lines)
}
