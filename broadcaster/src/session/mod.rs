//! One viewer: negotiation, its peer connection, and when to give up on it.
//!
//! Nothing here knows a socket, a task or a clock: whoever owns a session feeds it messages, datagrams, frames and the time,
//! and then takes what it wants said, sent and known.

mod identity;
mod keyframes;
mod peer;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use protocol::{
    CameraId, Candidate, Code, Description, DescriptionKind, Notice, PeerId, Sdp, SessionId, SessionRef, ToServer,
};

use crate::media::Frame;
pub(crate) use identity::Identity;
pub(crate) use keyframes::KeyframeGate;
pub(crate) use peer::PeerError;
pub(crate) use peer::{Datagram, Ufrag};
use peer::{Peer, PeerEvent};

/// A page needs a moment to make its answer, and a hidden tab's timers are slowed down to one a second.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Trying all pairs of candidates takes a few seconds where most of them lead nowhere.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// Why a session is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionEnd {
    #[error("the viewer left")]
    Left,
    #[error("the viewer asked again")]
    Replaced,
    #[error("the viewer sent no answer within {ANSWER_WITHIN:?}")]
    NoAnswer,
    #[error("the viewer's answer cannot be used")]
    BadAnswer(#[source] PeerError),
    #[error("no way to the viewer was found within {CONNECT_WITHIN:?}")]
    NotConnected,
    #[error("the way to the viewer broke")]
    ConnectionLost,
    #[error("the peer connection failed")]
    Peer(#[source] PeerError),
    #[error("the broadcaster ends")]
    Shutdown,
}

impl SessionEnd {
    /// What the viewer is told, when it may not know yet.
    fn notice(&self) -> Option<Notice> {
        let code = match self {
            Self::Left | Self::Replaced => return None,
            Self::BadAnswer(PeerError::NoCodec) => Code::Unsupported,
            Self::BadAnswer(_) => Code::Malformed,
            Self::NoAnswer | Self::NotConnected | Self::ConnectionLost | Self::Peer(_) => Code::ConnectionFailed,
            Self::Shutdown => Code::RobotOffline,
        };
        let cause = std::error::Error::source(self).map(|cause| format!(": {cause}")).unwrap_or_default();
        Some(Notice::new(code, format!("{self}{cause}")))
    }
}

/// What a session wants known.
#[derive(Debug)]
pub(crate) enum SessionEvent {
    Say(ToServer),
    /// Media can flow.
    Connected,
    /// The viewer cannot go on decoding without a keyframe.
    KeyframeWanted,
    Ended(SessionEnd),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    AwaitingAnswer { until: Instant },
    Connecting { until: Instant },
    Live,
    Ended,
}

pub(crate) struct Session {
    id: SessionId,
    viewer: PeerId,
    camera: CameraId,
    phase: Phase,
    peer: Peer,
    /// Candidates that came before the answer they belong to.
    early: Vec<Candidate>,
    events: VecDeque<SessionEvent>,
}

impl Session {
    /// Makes the offer; it is the first thing that the session wants said.
    pub(crate) fn offer(
        id: SessionId,
        viewer: PeerId,
        camera: CameraId,
        identity: &Identity,
        local: &[SocketAddr],
        now: Instant,
    ) -> Result<Self, PeerError> {
        let (peer, sdp) = Peer::offer(identity, local, now)?;
        let sdp = Sdp::try_from(sdp).map_err(PeerError::Offer)?;
        let description = Description { kind: DescriptionKind::Offer, sdp };
        let about = Some(SessionRef { session: id.clone() });
        let offer = ToServer::Offer { to: viewer.clone(), description: Some(description), about };
        let phase = Phase::AwaitingAnswer { until: now + ANSWER_WITHIN };
        let events = VecDeque::from([SessionEvent::Say(offer)]);
        Ok(Self { id, viewer, camera, phase, peer, early: Vec::new(), events })
    }

    pub(crate) fn viewer(&self) -> &PeerId {
        &self.viewer
    }

    pub(crate) fn camera(&self) -> &CameraId {
        &self.camera
    }

    pub(crate) fn ufrag(&self) -> &Ufrag {
        self.peer.ufrag()
    }

    pub(crate) fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// The viewer is the same, but its connection to the server is another one.
    pub(crate) fn rebind(&mut self, viewer: PeerId) {
        self.viewer = viewer;
    }

    pub(crate) fn handle_answer(&mut self, description: Description, now: Instant) {
        if !matches!(self.phase, Phase::AwaitingAnswer { .. }) {
            tracing::debug!(viewer = %self.viewer, "an answer that nobody waits for");
            return;
        }
        if let Err(error) = self.peer.accept(description.sdp.into_string(), now) {
            self.end(SessionEnd::BadAnswer(error));
            return;
        }
        self.phase = Phase::Connecting { until: now + CONNECT_WITHIN };
        for candidate in std::mem::take(&mut self.early) {
            self.peer.add_candidate(&candidate);
        }
        self.pump();
    }

    pub(crate) fn handle_candidate(&mut self, candidate: Candidate) {
        match self.phase {
            Phase::AwaitingAnswer { .. } if self.early.len() < protocol::MAX_CANDIDATES => self.early.push(candidate),
            Phase::Connecting { .. } | Phase::Live => self.peer.add_candidate(&candidate),
            Phase::AwaitingAnswer { .. } | Phase::Ended => {}
        }
    }

    pub(crate) fn handle_datagram(&mut self, data: BytesMut, from: SocketAddr, to: SocketAddr, now: Instant) {
        self.peer.handle_datagram(data, from, to, now);
        self.pump();
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self.phase {
            Phase::AwaitingAnswer { until } if now >= until => return self.end(SessionEnd::NoAnswer),
            Phase::Connecting { until } if now >= until => return self.end(SessionEnd::NotConnected),
            Phase::AwaitingAnswer { .. } | Phase::Connecting { .. } | Phase::Live => {}
            Phase::Ended => return,
        }
        self.peer.handle_timeout(now);
        self.pump();
    }

    pub(crate) fn poll_timeout(&mut self) -> Option<Instant> {
        match self.phase {
            Phase::AwaitingAnswer { until } | Phase::Connecting { until } => {
                Some(self.peer.poll_timeout().map_or(until, |peer| peer.min(until)))
            }
            Phase::Live => self.peer.poll_timeout(),
            Phase::Ended => None,
        }
    }

    /// Sends a frame, if the viewer can use it.
    pub(crate) fn send(&mut self, frame: &Frame, now: Instant) {
        if self.is_live()
            && let Err(error) = self.peer.send(frame, now)
        {
            self.end(SessionEnd::Peer(error));
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Datagram> {
        self.peer.poll_transmit()
    }

    pub(crate) fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// Ends it, and tells the viewer, if it has not told us. What is left to transmit says goodbye.
    pub(crate) fn end(&mut self, end: SessionEnd) {
        if self.phase == Phase::Ended {
            return;
        }
        self.phase = Phase::Ended;
        self.peer.close();
        if let Some(notice) = end.notice() {
            let about = Some(SessionRef { session: self.id.clone() });
            self.events.push_back(SessionEvent::Say(ToServer::Notice { to: self.viewer.clone(), notice, about }));
        }
        self.events.push_back(SessionEvent::Ended(end));
    }

    fn pump(&mut self) {
        while let Some(event) = self.peer.poll_event() {
            match event {
                PeerEvent::Connected if !self.is_live() => {
                    self.phase = Phase::Live;
                    self.events.push_back(SessionEvent::Connected);
                    self.events.push_back(SessionEvent::KeyframeWanted);
                }
                PeerEvent::Connected => {}
                PeerEvent::KeyframeWanted => self.events.push_back(SessionEvent::KeyframeWanted),
                PeerEvent::Closed => self.end(SessionEnd::Left),
                PeerEvent::Failed => self.end(SessionEnd::ConnectionLost),
            }
        }
    }

    pub(crate) fn id(&self) -> &SessionId {
        &self.id
    }
}
