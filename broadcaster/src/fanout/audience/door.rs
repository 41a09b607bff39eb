//! Who comes in: viewers that ask, and those that come back to a session that lives.

use std::time::{Duration, Instant};

use protocol::{CameraId, Code, Notice, PeerId, SessionId, SessionRef, Ticket, ToServer, Wishes};

use super::{Allowance, Audience, Output, Seat};
use crate::{
    delivery::Watched,
    session::{Invitation, Session, SessionEnd},
};

/// Whose pictures a viewer gets, and the best quality of them that the uplink has room for.
struct Place {
    camera: usize,
    allowed: usize,
}

impl Audience {
    pub(super) fn handle_watcher(&mut self, viewer: PeerId, ticket: Option<Ticket>, allowed: usize, now: Instant) {
        let renegotiates = ticket.is_some();
        // A server of the family gives no tickets: there the connection's id is name enough.
        let expires_in = ticket.as_ref().and_then(|ticket| ticket.expires_in);
        let expires = expires_in.map(|seconds| now + Duration::from_secs(seconds.into()));
        let (id, camera, resumed, wishes) = match ticket {
            Some(ticket) => (ticket.session, Some(ticket.camera), ticket.resumed, ticket.wishes),
            None => {
                let id = SessionId::try_from(viewer.to_string()).expect("the same characters");
                (id, None, false, Wishes::default())
            }
        };
        if resumed && self.resume(&id, &viewer, &wishes, now) {
            return self.expire_at(&id, expires);
        }
        self.with_viewer(&viewer, now, |session, _| session.end(SessionEnd::Replaced, now));
        if let Some(key) = self.sessions.get(&id).copied() {
            self.with(key, now, |session, _| session.end(SessionEnd::Replaced, now));
        }
        match self.admit(&viewer, &id, camera.as_ref()) {
            Ok(camera) => {
                self.invite(viewer, id.clone(), Place { camera, allowed }, wishes, renegotiates, now);
                self.expire_at(&id, expires);
            }
            Err(notice) => {
                tracing::warn!(%viewer, code = %notice.code, "viewer refused");
                self.refuse(viewer, id, notice);
            }
        }
    }

    /// The place of the camera that the viewer gets.
    fn admit(&self, viewer: &PeerId, session: &SessionId, camera: Option<&CameraId>) -> Result<usize, Notice> {
        let place = match camera {
            None => Some(0),
            Some(id) => self.cameras.iter().position(|camera| camera.id == *id),
        };
        tracing::debug!(%viewer, %session, ?camera, "viewer asks");
        if self.seats.len() >= self.max_viewers {
            return Err(Notice::new(Code::Full, format!("this robot serves {} viewers already", self.max_viewers)));
        }
        place.ok_or_else(|| {
            let id = camera.map(ToString::to_string).unwrap_or_default();
            Notice::new(Code::UnknownCamera, format!("this robot has no camera {id}"))
        })
    }

    fn invite(
        &mut self,
        viewer: PeerId,
        id: SessionId,
        Place { camera: place, allowed }: Place,
        wishes: Wishes,
        renegotiates: bool,
        now: Instant,
    ) {
        let camera = &self.cameras[place];
        let invitation = Invitation {
            id: id.clone(),
            viewer: viewer.clone(),
            wishes,
            leans: camera.leans,
            renegotiates,
            qualities: camera.qualities.clone(),
            allowed,
            addresses: &self.addresses,
        };
        match Session::open(invitation, &self.identity, &camera.rings, now) {
            Ok(session) => {
                tracing::info!(%viewer, session = %id, camera = %camera.id, "viewer joins");
                let key = self.seats.insert(Seat {
                    session: Box::new(session),
                    camera: place,
                    deadline: None,
                    expires: None,
                    watched: Watched::default(),
                    gets: None,
                    queued: false,
                    allowance: Allowance::new(now),
                });
                self.outputs.push_back(Output::Seated(id.clone(), viewer.clone()));
                self.viewers.insert(viewer, key);
                self.sessions.insert(id, key);
                self.settle(key, now);
            }
            Err(error) => {
                tracing::error!(%viewer, error = &error as &dyn std::error::Error, "no offer could be made");
                self.refuse(viewer, id, Notice::new(Code::ConnectionFailed, "the robot could make no offer"));
            }
        }
    }

    /// Its viewer may watch until then, and the server may not be there to say so.
    fn expire_at(&mut self, id: &SessionId, at: Option<Instant>) {
        let Some(key) = self.sessions.get(id).copied() else { return };
        if let Some(seat) = self.seats.get_mut(key) {
            seat.expires = at;
            self.note(key);
        }
    }

    fn refuse(&mut self, to: PeerId, session: SessionId, notice: Notice) {
        let about = Some(SessionRef { session: session.clone() });
        self.outputs.push_back(Output::Say(ToServer::Notice { to: to.clone(), notice, about }));
        self.outputs.push_back(Output::Released(session, to));
    }

    /// Binds a session that still lives to its viewer's new connection. False: it does not live.
    fn resume(&mut self, id: &SessionId, viewer: &PeerId, wishes: &Wishes, now: Instant) -> bool {
        let Some(key) = self.sessions.get(id).copied() else {
            return false;
        };
        // A viewer has one session: what it may have begun under this name meanwhile gives way to the one that lives.
        if self.viewers.get(viewer).is_some_and(|other| *other != key) {
            self.with_viewer(viewer, now, |session, _| session.end(SessionEnd::Replaced, now));
        }
        tracing::info!(%viewer, session = %id, "viewer is back; its picture never stopped");
        if let Some(seat) = self.seats.get(key) {
            self.viewers.remove(seat.session.viewer());
        }
        self.viewers.insert(viewer.clone(), key);
        self.outputs.push_back(Output::Seated(id.clone(), viewer.clone()));
        self.with(key, now, |session, context| {
            session.resume(viewer.clone(), wishes.clone(), context.addresses, &context.camera.rings, now);
        });
        true
    }
}
