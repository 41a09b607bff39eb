//! All viewers of one robot, and what each of them gets. Pure: no socket, no task, no clock.

mod census;
mod door;
mod news;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use protocol::{CameraInfo, Code, Notice, PeerId, Sent, SessionId, Ticket, ToRobot, ToServer};
use slotmap::SlotMap;

use super::{
    allowance::Allowance,
    camera::Camera,
    routes::{Found, Routes},
};
use crate::{
    delivery::{Burst, Counters, Watched},
    media::{Encoding, Frame, Running},
    session::{Addresses, Session, SessionEnd, SessionEvent},
    transport::{Datagram, Identity, Local, Path, Ufrag},
};

/// Names that are asked for at once.
const MAX_NAMES: usize = 256;

/// A robot says four times a second how it leans, while it knows.
const STILL_TRUE: Duration = Duration::from_secs(1);

/// What happens to an audience.
pub(super) enum Input {
    /// Somebody wants to watch, and may have this quality of its camera's, or a lower one.
    Viewer {
        viewer: PeerId,
        ticket: Option<Ticket>,
        allowed: usize,
    },
    /// The server says something else.
    Message(ToRobot),
    Datagram(Datagram),
    /// A camera has a picture, or a piece of sound.
    Frame(usize, Encoding, Arc<Frame>),
    /// A camera has lost its pictures, or has them again.
    Camera {
        camera: usize,
        lost: bool,
    },
    /// These of a camera's encoders run, at these bitrates.
    Runs(usize, Running),
    /// The robot leans so.
    Attitude(Bytes),
    /// We can be reached elsewhere from now on.
    Relocate(Addresses),
    /// The address that was asked for.
    Name(String, IpAddr),
    /// A session may have this quality of its camera's, and no better one.
    Allow(SessionId, usize),
    /// There is no room for a session any more.
    NoRoom(SessionId),
    /// The server wants to know how everybody does.
    Report,
    /// How much was sent?
    Count,
    /// It is over for everybody.
    ShutDown,
}

/// What must happen next, or be known.
pub(super) enum Output {
    Transmit(Datagram),
    Say(ToServer),
    /// What all its viewers were sent since the beginning.
    Counted(Sent),
    /// These of the camera's encodings are watched, and no others, and nobody can take more of them than this.
    Watch(usize, Running),
    /// Somebody cannot go on without a keyframe.
    Keyframe(usize, Encoding),
    /// Which address has this name?
    Resolve(String),
    /// Relays must let this address through.
    Permit(SocketAddr),
    /// A session is this viewer's …
    Seated(SessionId, PeerId),
    /// … goes by this name …
    Named(Ufrag, SessionId),
    /// … has its viewer there …
    Proven(SocketAddr, SessionId),
    /// … shows it pictures …
    Live(SessionId),
    /// … of this quality …
    Gets(SessionId, usize),
    /// … fills its path at so many bits per second …
    Squeezed(SessionId, f64),
    /// … and is no more.
    Released(SessionId, PeerId),
}

slotmap::new_key_type! {
    /// A session, for as long as it lives. No two ever have the same.
    pub(super) struct Key;
}

struct Seat {
    /// What is asked of every seat for every picture stands beside each other; the rest is elsewhere.
    session: Box<Session>,
    camera: usize,
    deadline: Option<Instant>,
    /// Its viewer may watch until then.
    expires: Option<Instant>,
    /// What it was last seen to watch, and at which quality.
    watched: Watched,
    gets: Option<usize>,
    /// It is in the queue of those that may have media to send.
    queued: bool,
    allowance: Allowance,
}

pub(super) struct Audience {
    identity: Identity,
    /// In the config's order: the first is the one that viewers get who name none.
    cameras: Vec<Camera>,
    max_viewers: usize,
    addresses: Addresses,
    /// How the robot leans, as was said last.
    attitude: Option<(Instant, Bytes)>,
    seats: SlotMap<Key, Seat>,
    sessions: BTreeMap<SessionId, Key>,
    viewers: BTreeMap<PeerId, Key>,
    deadlines: BTreeSet<(Instant, Key)>,
    queue: VecDeque<Key>,
    routes: Routes,
    names: BTreeMap<String, Vec<Key>>,
    outputs: VecDeque<Output>,
    /// What those got who have left.
    gone: Counters,
}

impl Audience {
    /// Of each camera: what it is, whether its encoders' bitrates can be changed, and its encodings.
    pub(super) fn new<'a>(
        identity: Identity,
        cameras: impl IntoIterator<Item = (&'a CameraInfo, bool, Vec<Encoding>)>,
        max_viewers: usize,
    ) -> Self {
        Self {
            identity,
            cameras: cameras
                .into_iter()
                .map(|(info, adjusts, encodings)| Camera::new(info, adjusts, &encodings))
                .collect(),
            max_viewers,
            addresses: Addresses::default(),
            attitude: None,
            seats: SlotMap::with_key(),
            sessions: BTreeMap::new(),
            viewers: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            queue: VecDeque::new(),
            routes: Routes::default(),
            names: BTreeMap::new(),
            outputs: VecDeque::new(),
            gone: Counters::default(),
        }
    }

    pub(super) fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Viewer { viewer, ticket, allowed } => self.handle_watcher(viewer, ticket, allowed, now),
            Input::Message(message) => self.handle_message(message, now),
            Input::Datagram(datagram) => self.handle_datagram(datagram, now),
            Input::Frame(camera, encoding, frame) => self.handle_frame(camera, encoding, frame, now),
            Input::Camera { camera, lost } => self.camera_changed(camera, lost, now),
            Input::Runs(camera, running) => self.cameras[camera].rings.set_bitrates(&running),
            Input::Attitude(message) => self.leans(message, now),
            Input::Relocate(addresses) => self.relocate(addresses, now),
            Input::Name(name, address) => self.handle_name(&name, address, now),
            Input::Allow(session, rung) => {
                self.with_session(&session, now, |session, context| session.allow(rung, &context.camera.rings, now));
            }
            Input::NoRoom(session) => {
                self.with_session(&session, now, |session, _| session.end(SessionEnd::NoRoom, now));
            }
            Input::Report => self.report(now),
            Input::Count => self.count(),
            Input::ShutDown => {
                for key in self.everybody() {
                    self.with(key, now, |session, _| session.end(SessionEnd::Shutdown, now));
                }
            }
        }
    }

    fn handle_message(&mut self, message: ToRobot, now: Instant) {
        match message {
            ToRobot::Offer { from, description, .. } => {
                self.with_viewer(&from, now, |session, context| {
                    session.handle_offer(description, context.addresses, &context.camera.rings, now);
                });
            }
            ToRobot::Answer { from, description, .. } => {
                self.with_viewer(&from, now, |session, context| {
                    session.handle_answer(description, context.addresses, &context.camera.rings, now);
                });
            }
            ToRobot::Candidate { from, candidate, .. } => {
                self.with_viewer(&from, now, |session, context| {
                    session.handle_candidate(candidate, &context.camera.rings, now);
                });
            }
            ToRobot::DisconnectPeer { viewer } | ToRobot::Bye { viewer } => {
                self.with_viewer(&viewer, now, |session, _| session.end(SessionEnd::Left, now));
            }
            ToRobot::SessionEnded { about } => {
                self.with_session(&about.session, now, |session, _| session.end(SessionEnd::Dismissed, now));
            }
            ToRobot::Watcher { .. }
            | ToRobot::Notice { .. }
            | ToRobot::IceServers { .. }
            | ToRobot::Publishing { .. }
            | ToRobot::NotPublished { .. }
            | ToRobot::Crowd { .. }
            | ToRobot::Snapshot { .. } => {}
        }
    }

    fn handle_datagram(&mut self, datagram: Datagram, now: Instant) {
        let Found { first: Some(first), others } = self.routes.find(&datagram.data, datagram.from) else { return };
        let Datagram { data, from, to } = &datagram;
        let (from, to) = (*from, *to);
        // Some may be meant for one of several: whose it is shows the password or the key.
        for key in others {
            let copy = Datagram { data: data.clone(), from, to };
            self.deliver(key, copy, now);
        }
        self.deliver(first, datagram, now);
    }

    fn deliver(&mut self, key: Key, datagram: Datagram, now: Instant) {
        // Even to find out that a datagram is of no use costs more than to send one.
        if self.seats.get_mut(key).is_some_and(|seat| seat.allowance.take(now)) {
            self.with(key, now, |session, context| {
                session.handle_datagram(datagram, context.addresses, &context.camera.rings, now);
            });
        }
    }

    fn handle_name(&mut self, name: &str, address: IpAddr, now: Instant) {
        for key in self.names.remove(name).unwrap_or_default() {
            self.with(key, now, |session, context| session.resolved(name, address, &context.camera.rings, now));
        }
    }

    /// Queues everybody who watches that encoding.
    fn handle_frame(&mut self, camera: usize, encoding: Encoding, frame: Arc<Frame>, now: Instant) {
        let Self { cameras, seats, queue, .. } = self;
        for key in cameras[camera].push(encoding, frame, now) {
            if let Some(seat) = seats.get_mut(key).filter(|seat| !seat.queued) {
                seat.queued = true;
                queue.push_back(key);
            }
        }
    }

    /// Fills the burst with what media leaves next, and says which way. None: nothing is left to send now.
    pub(super) fn poll_media(&mut self, now: Instant, burst: &mut Burst) -> Option<Path> {
        while let Some(key) = self.queue.front().copied() {
            let Some(seat) = self.seats.get_mut(key) else {
                self.queue.pop_front();
                continue;
            };
            let rings = &self.cameras[seat.camera].rings;
            let path = seat.session.poll_media(rings, now, burst);
            if path.is_none() || !seat.session.has_more_media(rings, now) {
                seat.queued = false;
                self.queue.pop_front();
                if seat.session.is_over() {
                    self.settle(key, now);
                } else {
                    self.note(key);
                }
            }
            if path.is_some() {
                return path;
            }
        }
        None
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<(Instant, Key)> = self.deadlines.iter().take_while(|(at, _)| *at <= now).copied().collect();
        // Each once: a session that is due again at once waits for the next turn, and the others do not wait for it.
        for (at, key) in due {
            self.deadlines.remove(&(at, key));
            let Some(seat) = self.seats.get_mut(key) else { continue };
            seat.deadline = None;
            if seat.expires.is_some_and(|at| at <= now) {
                self.with(key, now, |session, _| session.end(SessionEnd::Expired, now));
                continue;
            }
            self.with(key, now, |session, context| {
                session.handle_timeout(context.addresses, &context.camera.rings, now);
            });
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Whether what leaves from there goes by a relay.
    pub(super) fn is_relay(&self, from: SocketAddr) -> bool {
        self.addresses.local.contains(&Local::Relay(from))
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn everybody(&self) -> Vec<Key> {
        self.seats.keys().collect()
    }

    fn with_session(&mut self, session: &SessionId, now: Instant, act: impl FnOnce(&mut Session, Context<'_>)) {
        if let Some(key) = self.sessions.get(session).copied() {
            self.with(key, now, act);
        }
    }

    fn with_viewer(&mut self, viewer: &PeerId, now: Instant, act: impl FnOnce(&mut Session, Context<'_>)) {
        if let Some(key) = self.viewers.get(viewer).copied() {
            self.with(key, now, act);
        }
    }

    fn with(&mut self, key: Key, now: Instant, act: impl FnOnce(&mut Session, Context<'_>)) {
        if let Some(seat) = self.seats.get_mut(key) {
            let context = Context { camera: &self.cameras[seat.camera], addresses: &self.addresses };
            act(&mut seat.session, context);
            self.settle(key, now);
        }
    }

    /// Carries a session's wishes on after it was touched.
    fn settle(&mut self, key: Key, now: Instant) {
        let Some(seat) = self.seats.get_mut(key) else { return };
        let rings = &self.cameras[seat.camera].rings;
        while let Some(datagram) = seat.session.poll_transmit(rings, now) {
            self.routes.ask(datagram.to, key);
            self.outputs.push_back(Output::Transmit(datagram));
        }
        let mut over = None;
        while let Some(event) = seat.session.poll_event() {
            match event {
                SessionEvent::Say(message) => self.outputs.push_back(Output::Say(message)),
                SessionEvent::Named(name) => {
                    self.routes.add_name(name.clone(), key);
                    self.outputs.push_back(Output::Named(name, seat.session.id().clone()));
                }
                SessionEvent::Proven(address) => {
                    self.routes.prove(address, key);
                    self.outputs.push_back(Output::Proven(address, seat.session.id().clone()));
                }
                SessionEvent::Name(name) => {
                    if self.names.len() < MAX_NAMES || self.names.contains_key(&name) {
                        self.names.entry(name.clone()).or_default().push(key);
                        self.outputs.push_back(Output::Resolve(name));
                    }
                }
                SessionEvent::Peer(address) => self.outputs.push_back(Output::Permit(address)),
                SessionEvent::Connected => {
                    let (viewer, session) = (seat.session.viewer(), seat.session.id());
                    tracing::info!(%viewer, %session, "viewer connected");
                    self.outputs.push_back(Output::Live(session.clone()));
                    if self.cameras[seat.camera].lost {
                        seat.session.tell(camera_lost());
                    }
                    // Names that are not known by now are not needed.
                    forget(&mut self.names, key);
                }
                // A robot that stands still would say it a quarter of a second later, and the picture would jump then.
                SessionEvent::Listens => {
                    if let Some((said, message)) = &self.attitude
                        && now.saturating_duration_since(*said) <= STILL_TRUE
                    {
                        seat.session.tell_attitude(message, now);
                        while let Some(datagram) = seat.session.poll_transmit(rings, now) {
                            self.outputs.push_back(Output::Transmit(datagram));
                        }
                    }
                }
                SessionEvent::Ended(end) => over = Some(end),
            }
        }
        if let Some(end) = over {
            return self.release(key, &end);
        }
        if !seat.queued && seat.session.has_more_media(rings, now) {
            seat.queued = true;
            self.queue.push_back(key);
        }
        self.note(key);
    }

    /// Notes what has become of a session's place in the rings, and when it wants to be woken.
    fn note(&mut self, key: Key) {
        let Some(seat) = self.seats.get_mut(key) else { return };
        let camera = &mut self.cameras[seat.camera];
        let watches = seat.session.watches();
        if watches != seat.watched {
            camera.watch(key, &seat.watched, &watches);
            if let Some(running) = camera.news() {
                self.outputs.push_back(Output::Watch(seat.camera, running));
            }
            seat.watched = watches;
        }
        let gets = seat.session.gets();
        if gets != seat.gets {
            seat.gets = gets;
            self.outputs.extend(gets.map(|rung| Output::Gets(seat.session.id().clone(), rung)));
        }
        if let Some(encoding) = seat.session.take_wanted() {
            self.outputs.push_back(Output::Keyframe(seat.camera, encoding));
        }
        if let Some(carried) = seat.session.take_squeezed() {
            self.outputs.push_back(Output::Squeezed(seat.session.id().clone(), carried));
        }
        let deadline = [seat.session.poll_timeout(&camera.rings), seat.expires].into_iter().flatten().min();
        if deadline != seat.deadline {
            if let Some(former) = seat.deadline {
                self.deadlines.remove(&(former, key));
            }
            seat.deadline = deadline;
            self.deadlines.extend(deadline.map(|at| (at, key)));
        }
    }

    fn release(&mut self, key: Key, end: &SessionEnd) {
        let Some(Seat { session, camera, deadline, watched, .. }) = self.seats.remove(key) else { return };
        // The viewer may already be in another session: then it is that one's.
        if self.viewers.get(session.viewer()) == Some(&key) {
            self.viewers.remove(session.viewer());
        }
        if self.sessions.get(session.id()) == Some(&key) {
            self.sessions.remove(session.id());
        }
        if let Some(at) = deadline {
            self.deadlines.remove(&(at, key));
        }
        self.routes.remove(key);
        forget(&mut self.names, key);
        self.cameras[camera].watch(key, &watched, &Watched::default());
        if let Some(running) = self.cameras[camera].news() {
            self.outputs.push_back(Output::Watch(camera, running));
        }
        let (viewer, sent) = (session.viewer(), session.counters());
        self.gone = self.gone.plus(sent);
        tracing::info!(
            %viewer, session = %session.id(), reason = %end, packets = sent.packets, bytes = sent.bytes,
            resent = sent.resent, keyframes_asked = sent.keyframes_asked,
            feedback_dropped = sent.feedback_dropped, viewers = self.seats.len(), "session ended"
        );
        if let Some(cause) = std::error::Error::source(end) {
            tracing::warn!(%viewer, error = cause, "why the session ended");
        }
        self.outputs.push_back(Output::Released(session.id().clone(), viewer.clone()));
    }
}

fn camera_lost() -> Notice {
    Notice::new(Code::CameraLost, "the camera gives no pictures; it is being looked for")
}

fn forget(names: &mut BTreeMap<String, Vec<Key>>, key: Key) {
    names.retain(|_, waiting| {
        waiting.retain(|other| *other != key);
        !waiting.is_empty()
    });
}

/// What a session may look at.
struct Context<'a> {
    camera: &'a Camera,
    addresses: &'a Addresses,
}
