//! A living session whose path broke or whose ends have moved: another path is found (an ICE restart), under the same keys
//! and with the same streams. The one there is stays in use until then.

use std::time::{Duration, Instant};

use protocol::{Candidate, PeerId, ToServer, Wishes};

use super::{ANSWER_WITHIN, Addresses, Phase, Session, SessionEnd, SessionError, SessionEvent, answer};
use crate::{media::Rings, transport::Credentials};

/// A path that is lost again right after it was found is not mended by trying faster.
const INTERVAL: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Mending {
    last: Option<Attempt>,
    /// Another path is to be found as soon as it may be tried.
    wished: bool,
}

struct Attempt {
    at: Instant,
    /// Those of the offer whose answer is to come. However often it is said, they stay: any answer fits.
    offered: Option<Credentials>,
}

impl Mending {
    pub(super) fn wish(&mut self) {
        self.wished = true;
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.last.as_ref().is_some_and(|attempt| attempt.offered.is_some())
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.last.as_ref().filter(|_| self.wished).map(|attempt| attempt.at + INTERVAL)
    }
}

impl Session {
    /// The viewer is the same, but its connection to the server is another one, and it may want something else.
    pub(crate) fn resume(
        &mut self,
        viewer: PeerId,
        wishes: Wishes,
        addresses: &Addresses,
        rings: &Rings,
        now: Instant,
    ) {
        let moved = self.viewer != viewer;
        self.viewer = viewer;
        let (former, restart) = (self.bounds(), wishes.restart);
        self.wishes = wishes;
        let bounds = self.bounds();
        if bounds != former
            && let Some(delivery) = &mut self.delivery
        {
            delivery.bound(bounds, rings, now);
        }
        if restart {
            if moved && !self.mending.is_awaited() {
                // What was offered to where it was before has not reached it.
                self.mending.last = None;
            }
            self.restart(addresses, now);
        }
    }

    /// The addresses that we can be reached at have changed.
    pub(crate) fn relocate(&mut self, addresses: &Addresses, found: &[String], now: Instant) {
        match self.phase {
            Phase::Live => {
                // The viewer learns of a new address from who asks it from there. An offer would have to go by the line to
                // the server, which has moved as well, and its answer by another one: only if that is in vain.
                self.transport.relocate(&addresses.local, now);
                if self.mending.is_awaited() {
                    self.restart(addresses, now);
                }
            }
            Phase::AwaitingOffer { .. } | Phase::AwaitingAnswer { .. } | Phase::Connecting { .. } => {
                for local in &addresses.local {
                    if let Err(error) = self.transport.add_local(*local) {
                        tracing::debug!(%error, "address not taken");
                    }
                }
                for candidate in found {
                    let candidate = Some(Candidate {
                        candidate: candidate.clone(),
                        sdp_mid: Some("0".to_owned()),
                        sdp_mline_index: Some(0),
                        username_fragment: None,
                    });
                    let message = ToServer::Candidate { to: self.viewer.clone(), candidate, about: self.about() };
                    self.events.push_back(SessionEvent::Say(message));
                }
            }
            Phase::Ended => {}
        }
    }

    /// Looks for another path, now or as soon as it may.
    pub(crate) fn restart(&mut self, addresses: &Addresses, now: Instant) {
        self.mending.wish();
        self.mend(addresses, now);
    }

    /// Carries out the wish for another path, if there is one and it is time.
    pub(super) fn mend(&mut self, addresses: &Addresses, now: Instant) {
        if !self.mending.wished || !self.is_live() {
            return;
        }
        if !self.renegotiates {
            self.mending.wished = false;
            return;
        }
        let offered = match &self.mending.last {
            Some(Attempt { at, offered: Some(offered) }) if now < *at + ANSWER_WITHIN => Some(offered.clone()),
            Some(Attempt { at, .. }) if now < *at + INTERVAL => return,
            Some(_) | None => None,
        };
        let credentials = match offered {
            Some(credentials) => Ok(credentials),
            None => self.transport.announce_restart().map_err(SessionError::from),
        };
        let said = credentials.and_then(|credentials| {
            self.say_offer(credentials.clone(), addresses)?;
            Ok(credentials)
        });
        match said {
            Ok(credentials) => {
                self.mending = Mending { last: Some(Attempt { at: now, offered: Some(credentials) }), wished: false }
            }
            Err(error) => self.end(SessionEnd::Failed(error), now),
        }
    }

    pub(super) fn accept_restart(&mut self, sdp: &str, addresses: &Addresses, now: Instant) {
        let taken = answer::parse(sdp, &self.offer).and_then(|answer| {
            let (ufrag, password) = (answer.remote.ufrag, answer.remote.password);
            self.transport.accept_restart(ufrag, password, &addresses.local, now)?;
            Ok(answer.candidates)
        });
        if let Some(attempt) = &mut self.mending.last {
            attempt.offered = None;
        }
        let early = std::mem::take(&mut self.early).into_iter().map(|candidate| candidate.candidate);
        match taken {
            Ok(candidates) => {
                for candidate in candidates.into_iter().chain(early) {
                    self.transport.add_candidate(&candidate, now);
                }
            }
            // The path there is may well go on.
            Err(error) => {
                tracing::warn!(viewer = %self.viewer, error = &error as &dyn std::error::Error, "restart not taken");
            }
        }
    }
}
