//! All viewers of one robot, and what each of them gets. Pure: no socket, no task, no clock.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use protocol::{CameraId, Code, Notice, PeerId, SessionId, SessionRef, Ticket, ToRobot, ToServer};

use super::routes::Routes;
use crate::{
    media::{AccessUnit, Packetiser},
    session::{Datagram, Identity, KeyframeGate, Session, SessionEnd, SessionEvent},
};

/// What must happen next.
pub(super) enum Output {
    Transmit(Datagram),
    Say(ToServer),
    /// This camera's encoder should make a keyframe.
    Keyframe(CameraId),
}

#[derive(Default)]
struct Camera {
    packetiser: Packetiser,
    keyframes: KeyframeGate,
}

pub(super) struct Audience {
    identity: Identity,
    /// In the config's order: the first is the one that viewers get who name none.
    order: Vec<CameraId>,
    cameras: BTreeMap<CameraId, Camera>,
    max_viewers: usize,
    sessions: BTreeMap<SessionId, Session>,
    viewers: BTreeMap<PeerId, SessionId>,
    deadlines: BTreeMap<SessionId, Instant>,
    routes: Routes,
    outputs: VecDeque<Output>,
}

impl Audience {
    pub(super) fn new(identity: Identity, cameras: Vec<CameraId>, max_viewers: usize) -> Self {
        Self {
            identity,
            cameras: cameras.iter().map(|id| (id.clone(), Camera::default())).collect(),
            order: cameras,
            max_viewers,
            sessions: BTreeMap::new(),
            viewers: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            routes: Routes::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Sessions whose media flows, whoever their viewers' connections to the server belong to.
    pub(super) fn live_sessions(&self) -> impl Iterator<Item = &SessionId> {
        self.sessions.values().filter(|session| session.is_live()).map(Session::id)
    }

    /// Takes what the server says. `local` are the addresses at which the socket can be reached now.
    pub(super) fn handle_message(&mut self, message: ToRobot, local: &[SocketAddr], now: Instant) {
        match message {
            ToRobot::Watcher { viewer, ticket } => self.handle_watcher(viewer, ticket, local, now),
            ToRobot::Answer { from, description, .. } => {
                self.with_viewer(&from, now, |session| session.handle_answer(description, now));
            }
            ToRobot::Candidate { from, candidate, .. } => {
                self.with_viewer(&from, now, |session| session.handle_candidate(candidate));
            }
            ToRobot::DisconnectPeer { viewer } | ToRobot::Bye { viewer } => {
                self.with_viewer(&viewer, now, |session| session.end(SessionEnd::Left));
            }
            ToRobot::Notice { .. } => {}
        }
    }

    fn handle_watcher(&mut self, viewer: PeerId, ticket: Option<Ticket>, local: &[SocketAddr], now: Instant) {
        // A server of the family gives no tickets: there the connection's id is name enough.
        let (id, camera, resumed) = match ticket {
            Some(ticket) => (ticket.session, Some(ticket.camera), ticket.resumed),
            None => (SessionId::try_from(viewer.to_string()).expect("the same characters"), None, false),
        };
        if resumed && self.resume(&id, &viewer, now) {
            return;
        }
        self.with_viewer(&viewer, now, |session| session.end(SessionEnd::Replaced));
        self.with_session(&id, now, |session| session.end(SessionEnd::Replaced));
        let camera = camera.unwrap_or_else(|| self.order[0].clone());
        let refusal = if !self.cameras.contains_key(&camera) {
            Some((Code::UnknownCamera, format!("this robot has no camera {camera}")))
        } else if self.sessions.len() >= self.max_viewers {
            Some((Code::Full, format!("this robot serves {} viewers already", self.max_viewers)))
        } else {
            None
        };
        if let Some((code, message)) = refusal {
            tracing::warn!(%viewer, %code, "viewer refused");
            return self.refuse(viewer, id, Notice::new(code, message));
        }
        match Session::offer(id.clone(), viewer.clone(), camera, &self.identity, local, now) {
            Ok(session) => {
                tracing::info!(%viewer, session = %id, camera = %session.camera(), "viewer joins");
                self.routes.add(session.ufrag().clone(), id.clone());
                self.viewers.insert(viewer, id.clone());
                self.sessions.insert(id.clone(), session);
                self.settle(&id, now);
            }
            Err(error) => {
                tracing::error!(%viewer, error = &error as &dyn std::error::Error, "no offer could be made");
                self.refuse(viewer, id, Notice::new(Code::ConnectionFailed, "the robot could make no offer"));
            }
        }
    }

    fn refuse(&mut self, to: PeerId, session: SessionId, notice: Notice) {
        let about = Some(SessionRef { session });
        self.outputs.push_back(Output::Say(ToServer::Notice { to, notice, about }));
    }

    /// Binds a session that still lives to its viewer's new connection. False: it does not live.
    fn resume(&mut self, id: &SessionId, viewer: &PeerId, now: Instant) -> bool {
        // A viewer has one session: what it may have begun under this name meanwhile gives way to the one that lives.
        if self.sessions.contains_key(id) && self.viewers.get(viewer).is_some_and(|other| other != id) {
            self.with_viewer(viewer, now, |session| session.end(SessionEnd::Replaced));
        }
        let Some(session) = self.sessions.get_mut(id) else {
            return false;
        };
        tracing::info!(%viewer, session = %id, "viewer is back; its picture never stopped");
        self.viewers.remove(session.viewer());
        session.rebind(viewer.clone());
        self.viewers.insert(viewer.clone(), id.clone());
        true
    }

    pub(super) fn handle_datagram(&mut self, Datagram { data, from, to }: Datagram, now: Instant) {
        if let Some(id) = self.routes.find(&data, from).cloned() {
            self.with_session(&id, now, |session| session.handle_datagram(data, from, to, now));
        }
    }

    /// Cuts a picture into packets once and queues them for everybody who watches this camera.
    pub(super) fn handle_unit(&mut self, id: &CameraId, unit: &AccessUnit, now: Instant) {
        let Some(camera) = self.cameras.get_mut(id) else {
            return;
        };
        let frame = camera.packetiser.frame(unit);
        if frame.keyframe {
            camera.keyframes.seen(now);
        }
        let audience: Vec<SessionId> = self
            .sessions
            .values()
            .filter(|session| session.camera() == id)
            .map(|session| session.id().clone())
            .collect();
        for session in audience {
            self.with_session(&session, now, |session| session.send(&frame, now));
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<SessionId> =
            self.deadlines.iter().filter(|(_, at)| **at <= now).map(|(session, _)| session.clone()).collect();
        for session in due {
            self.with_session(&session, now, |session| session.handle_timeout(now));
        }
        self.grant_keyframes(now);
    }

    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let keyframes = self.cameras.values().filter_map(|camera| camera.keyframes.poll_timeout(now));
        self.deadlines.values().copied().chain(keyframes).min()
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Says goodbye to everybody.
    pub(super) fn shut_down(&mut self) {
        let everybody: Vec<SessionId> = self.sessions.keys().cloned().collect();
        for id in everybody {
            if let Some(session) = self.sessions.get_mut(&id) {
                session.end(SessionEnd::Shutdown);
            }
            self.collect(&id);
        }
    }

    fn with_viewer(&mut self, viewer: &PeerId, now: Instant, act: impl FnOnce(&mut Session)) {
        if let Some(id) = self.viewers.get(viewer).cloned() {
            self.with_session(&id, now, act);
        }
    }

    fn with_session(&mut self, id: &SessionId, now: Instant, act: impl FnOnce(&mut Session)) {
        if let Some(session) = self.sessions.get_mut(id) {
            act(session);
            self.settle(id, now);
        }
    }

    /// Carries a session's wishes on after it was touched.
    fn settle(&mut self, id: &SessionId, now: Instant) {
        if self.collect(id) {
            return;
        }
        if let Some(session) = self.sessions.get_mut(id) {
            match session.poll_timeout() {
                Some(at) => self.deadlines.insert(id.clone(), at),
                None => self.deadlines.remove(id),
            };
        }
        self.grant_keyframes(now);
    }

    /// Takes everything that a session has to say and send. True: it was its last word.
    fn collect(&mut self, id: &SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(id) else {
            return true;
        };
        while let Some(datagram) = session.poll_transmit() {
            self.routes.learn(datagram.to, id);
            self.outputs.push_back(Output::Transmit(datagram));
        }
        let mut over = None;
        while let Some(event) = session.poll_event() {
            match event {
                SessionEvent::Say(message) => self.outputs.push_back(Output::Say(message)),
                SessionEvent::Connected => {
                    tracing::info!(viewer = %session.viewer(), session = %id, "viewer connected")
                }
                SessionEvent::KeyframeWanted => {
                    if let Some(camera) = self.cameras.get_mut(session.camera()) {
                        camera.keyframes.want();
                    }
                }
                SessionEvent::Ended(end) => over = Some(end),
            }
        }
        let Some(end) = over else {
            return false;
        };
        let session = self.sessions.remove(id).expect("it was there a moment ago");
        // The viewer may already be in another session: then it is that one's.
        if self.viewers.get(session.viewer()) == Some(id) {
            self.viewers.remove(session.viewer());
        }
        self.routes.remove(session.ufrag(), id);
        self.deadlines.remove(id);
        tracing::info!(viewer = %session.viewer(), session = %id, reason = %end, viewers = self.sessions.len(), "session ended");
        if let Some(cause) = std::error::Error::source(&end) {
            tracing::warn!(viewer = %session.viewer(), error = cause, "why the session ended");
        }
        true
    }

    fn grant_keyframes(&mut self, now: Instant) {
        for (id, camera) in &mut self.cameras {
            if camera.keyframes.take_due(now) {
                self.outputs.push_back(Output::Keyframe(id.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Wishes;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn audience(max_viewers: usize) -> Audience {
        let cameras = ["front", "rear"].map(|id| id.parse().expect("an id")).to_vec();
        Audience::new(Identity::generate().expect("an identity"), cameras, max_viewers)
    }

    fn ask(audience: &mut Audience, viewer: &str, session: &str, camera: &str, resumed: bool) {
        let id = |text: &str| text.parse().expect("an id");
        let ticket =
            Ticket { session: id(session), camera: camera.parse().expect("an id"), resumed, wishes: Wishes::default() };
        let message = ToRobot::Watcher { viewer: viewer.parse().expect("an id"), ticket: Some(ticket) };
        audience.handle_message(message, &["127.0.0.1:8190".parse().expect("an address")], start());
    }

    fn bye(audience: &mut Audience, viewer: &str) {
        audience.handle_message(ToRobot::Bye { viewer: viewer.parse().expect("an id") }, &[], start());
    }

    /// What was said since the last look: the event, whom to, and for notices the code.
    fn said(audience: &mut Audience) -> Vec<(&'static str, String, Option<Code>)> {
        let mut said = Vec::new();
        while let Some(output) = audience.poll_output() {
            if let Output::Say(message) = output {
                let (to, code) = match &message {
                    ToServer::Offer { to, .. } => (Some(to), None),
                    ToServer::Notice { to, notice, .. } => (Some(to), Some(notice.code)),
                    ToServer::Broadcaster { .. }
                    | ToServer::Watcher { .. }
                    | ToServer::Answer { .. }
                    | ToServer::Candidate { .. } => (None, None),
                };
                let to = to.unwrap_or_else(|| panic!("an audience does not say {message:?}"));
                said.push((message.event(), to.to_string(), code));
            }
        }
        said
    }

    fn is_empty(audience: &Audience) -> bool {
        let Audience { sessions, viewers, deadlines, routes, .. } = audience;
        sessions.is_empty() && viewers.is_empty() && deadlines.is_empty() && routes.is_empty()
    }

    #[test]
    fn a_viewer_that_asks_again_gets_one_session_and_leaves_nothing_behind() {
        let mut audience = audience(10);
        ask(&mut audience, "v1", "s1", "front", false);
        ask(&mut audience, "v1", "s2", "rear", false);
        assert_eq!(said(&mut audience), [("offer", "v1".to_owned(), None), ("offer", "v1".to_owned(), None)]);
        let sessions: Vec<&str> = audience.sessions.keys().map(SessionId::as_str).collect();
        assert_eq!(sessions, ["s2"]);
        bye(&mut audience, "v1");
        assert!(is_empty(&audience));
    }

    #[test]
    fn who_cannot_be_served_is_told_why() {
        let mut audience = audience(1);
        ask(&mut audience, "v1", "s1", "cellar", false);
        ask(&mut audience, "v2", "s2", "front", false);
        ask(&mut audience, "v3", "s3", "front", false);
        let expected = [
            ("notice", "v1".to_owned(), Some(Code::UnknownCamera)),
            ("offer", "v2".to_owned(), None),
            ("notice", "v3".to_owned(), Some(Code::Full)),
        ];
        assert_eq!(said(&mut audience), expected);
    }

    #[test]
    fn a_session_that_is_resumed_answers_to_its_viewers_new_name_only() {
        let mut audience = audience(10);
        ask(&mut audience, "old", "s1", "front", false);
        said(&mut audience);
        ask(&mut audience, "new", "s1", "front", true);
        assert_eq!(said(&mut audience), [], "nothing is negotiated anew");
        ask(&mut audience, "newer", "s2", "front", false);
        ask(&mut audience, "newer", "s1", "front", true);
        let sessions: Vec<&str> = audience.sessions.keys().map(SessionId::as_str).collect();
        assert_eq!(sessions, ["s1"], "one viewer, one session");
        ask(&mut audience, "new", "s1", "front", true);
        bye(&mut audience, "old");
        assert!(!is_empty(&audience));
        bye(&mut audience, "new");
        assert!(is_empty(&audience));
    }

    #[test]
    fn a_session_that_does_not_live_any_more_begins_anew() {
        let mut audience = audience(10);
        ask(&mut audience, "v1", "s1", "front", true);
        assert_eq!(said(&mut audience), [("offer", "v1".to_owned(), None)]);
    }

    #[test]
    fn the_end_says_goodbye_to_everybody() {
        let mut audience = audience(10);
        ask(&mut audience, "v1", "s1", "front", false);
        ask(&mut audience, "v2", "s2", "rear", false);
        said(&mut audience);
        audience.shut_down();
        let expected = ["v1", "v2"].map(|viewer| ("notice", viewer.to_owned(), Some(Code::RobotOffline)));
        assert_eq!(said(&mut audience), expected);
        assert!(is_empty(&audience));
    }
}
