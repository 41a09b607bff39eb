//! Hears connections: lets them in, decodes what they say, and hands it to the desk in the order it was said.
//!
//! socketioxide runs each event's handler in a task of its own, so that a candidate can overtake its offer. [`Listener`]
//! is therefore a handler of its own kind, which runs inside the connection's read loop and never waits.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use protocol::{CameraId, Code, DecodeError, Hello, LiveRobot, Overview, PeerId, RobotId, SessionId, ToServer};
use socketioxide::{
    adapter::LocalAdapter,
    extract::{AckSender, SocketRef, TryData},
    handler::{FromMessageParts, MessageHandler, Value},
    socket::{DisconnectReason, Sid, Socket},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    calls::Call,
    pace::{Meter, Pace, Rate, Verdict},
    players::{self, PlayerKey},
};
use crate::{
    Held,
    auth::{Door, Pass, UnixTime},
    listen::{ClientAddress, Hall, NoSeat},
    metrics::Text,
    rooms::{Answer, Done, Ending},
};

/// Bytes that one connection may have waiting for the desk; more is a flood. A robot that 500 viewers join at once says
/// about 4 MB.
const BACKLOG: usize = 8 << 20;

/// The least that a message counts for, so that it takes dozens of connections with a backlog of tiny ones to fill the
/// desk's inbox.
const MIN_COST: usize = 8 << 10;

/// What the desk is told.
pub(super) enum Event {
    /// A connection begins; it may speak from now on.
    Joined(Newcomer),
    /// Somebody is not let in, and is being told why.
    TurnedAway(Visitor, Code),
    /// It can be spoken to from now on.
    Greeted(PeerId),
    Said(Said),
    /// It says more than it may. What it said has been dropped, and more will be.
    TooFast(PeerId),
    Left(PeerId, Ending),
    Enquiry(oneshot::Sender<Vec<LiveRobot>>),
    Overview(oneshot::Sender<Overview>),
    /// An operator ends the visits of those whose sessions' ids begin like this.
    SendAway(RobotId, SessionId, oneshot::Sender<bool>),
    Metrics(oneshot::Sender<Text>),
    /// A player wants to watch.
    Plays(Box<players::Newcomer>),
    /// One says something, and hears whether it is known.
    PlayerSays(PlayerKey, players::Word, oneshot::Sender<bool>),
    /// Somebody wants a picture of this camera, or of the robot's first one.
    Snapshot(RobotId, Option<CameraId>, oneshot::Sender<Answer>),
    /// The media server has answered.
    Engine(Done),
}

/// Whoever comes, let in or not.
pub(super) struct Visitor {
    pub(super) sid: Sid,
    pub(super) call: Call,
    pub(super) address: ClientAddress,
}

pub(super) struct Newcomer {
    pub(super) visitor: Visitor,
    /// What its link lets it do.
    pub(super) pass: Option<Pass>,
    pub(super) pace: Arc<Pace>,
}

pub(super) struct Said {
    pub(super) from: PeerId,
    pub(super) message: Result<ToServer, DecodeError>,
    /// Present when the sender asked for an acknowledgement.
    pub(super) ack: Option<AckSender>,
    /// Its share of the connection's backlog, free when the desk is done with it.
    _backlog: OwnedSemaphorePermit,
}

/// Where all connections come in.
#[derive(Clone)]
pub(super) struct Intake {
    events: mpsc::Sender<Event>,
    seats: Hall,
    config: Held,
    door: watch::Receiver<Door>,
    cancel: CancellationToken,
}

/// Reaches the client as the message of its `connect_error`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) Code);

impl Intake {
    pub(super) fn new(
        events: mpsc::Sender<Event>,
        seats: Hall,
        config: Held,
        door: watch::Receiver<Door>,
        cancel: CancellationToken,
    ) -> Self {
        Self { events, seats, config, door, cancel }
    }

    /// Lets somebody in, or not, and tells the desk.
    pub(super) async fn greet(self, socket: SocketRef, TryData(hello): TryData<Hello>) -> Result<(), Refused> {
        let call = Call::of(&socket).filter(Call::joins);
        // It is about to be hung up on.
        let call = call.ok_or(Refused(Code::RateLimited))?;
        // Where anybody may be anything, an id is worth nothing to a thief.
        if self.door.borrow().is_open() {
            call.is_known_by(socket.id);
        }
        // Whatever comes in has an address; only what tests hand in without a listener has none, and is nobody's.
        let address = socket.req_parts().extensions.get().copied().unwrap_or(ClientAddress::NOBODY);
        let visitor = Visitor { sid: socket.id, call, address };
        let event = match self.prepare(&socket, &visitor, hello) {
            Ok((pass, pace)) => Event::Joined(Newcomer { visitor, pass, pace }),
            Err(Refused(code)) => {
                // A desk that is gone hangs up on nobody; nor does anybody stay.
                let _ = self.events.send(Event::TurnedAway(visitor, code)).await;
                return Err(Refused(code));
            }
        };
        // First of this connection's events, as the channel keeps their order.
        self.events.send(event).await.map_err(|_| Refused(Code::Draining))
    }

    /// Prepares a connection before it learns that it is connected. Returns what its link lets it do, and what it is held to.
    fn prepare<E>(
        &self,
        socket: &SocketRef,
        visitor: &Visitor,
        hello: Result<Hello, E>,
    ) -> Result<(Option<Pass>, Arc<Pace>), Refused> {
        if self.cancel.is_cancelled() {
            return Err(Refused(Code::Draining));
        }
        let peer = visitor.call.peer();
        let hello = hello.map_err(|_| Refused(Code::Malformed))?;
        let pass = self.check(&hello, &socket.req_parts().headers)?;
        let viewers = self.rate();
        let seat = self.seats.seat(visitor.address).map_err(|why| match why {
            NoSeat::Full => Refused(Code::Full),
            NoSeat::Crowded => Refused(Code::Crowded),
        })?;
        // The handler is dropped with the socket, even with one whose end nobody notices; so is its seat.
        let seat = Arc::new(seat);
        let (events, leaving) = (self.events.clone(), peer.clone());
        socket.on_disconnect(move |reason: DisconnectReason| async move {
            let ending = match reason {
                DisconnectReason::ClientNSDisconnect => Ending::Goodbye,
                DisconnectReason::TransportClose
                | DisconnectReason::MultipleHttpPollingError
                | DisconnectReason::PacketParsingError
                | DisconnectReason::TransportError
                | DisconnectReason::HeartbeatTimeout
                | DisconnectReason::ServerNSDisconnect
                | DisconnectReason::ClosingServer => Ending::Lost,
            };
            tracing::debug!(peer = %leaving, %reason, "connection ended");
            // A desk that is gone has no more use for it.
            let _ = events.send(Event::Left(leaving, ending)).await;
            drop(seat);
        });
        let backlog = Arc::new(Semaphore::new(BACKLOG));
        let pace = Arc::new(Pace::new(viewers));
        let meter = Meter::new(pace.clone());
        socket.on_fallback(Listener { peer: peer.clone(), events: self.events.clone(), backlog, meter });
        Ok((pass, pace))
    }

    /// What a viewer that comes now may say.
    fn rate(&self) -> Rate {
        let limits = &self.config.borrow().limits;
        Rate { per_second: limits.events_per_second.get(), burst: limits.event_burst.get() }
    }

    fn check(&self, hello: &Hello, headers: &HeaderMap) -> Result<Option<Pass>, Refused> {
        let door = self.door.borrow();
        if door.is_open() {
            return Ok(None);
        }
        // Only browsers name an origin. A page of the family, which shows nothing, would wait here for ever; robots show their
        // key when they register.
        if headers.contains_key(header::ORIGIN) && *hello == Hello::default() {
            return Err(Refused(Code::Unauthorized));
        }
        let Some(token) = &hello.token else { return Ok(None) };
        let read = door.read(token, UnixTime::now(), Instant::now().into_std());
        read.map_err(|denied| Refused(denied.code()))
    }
}

/// Tells the desk that a connection can be spoken to.
pub(super) async fn greeted(events: mpsc::Sender<Event>, socket: SocketRef) {
    let Some(call) = Call::of(&socket) else { return };
    // A desk that is gone has nothing to say.
    let _ = events.send(Event::Greeted(call.peer().clone())).await;
}

/// Takes every event of one connection, whatever its name: unknown ones are to be answered, too.
struct Listener {
    peer: PeerId,
    events: mpsc::Sender<Event>,
    backlog: Arc<Semaphore>,
    meter: Meter,
}

/// Tells this handler from the functions that socketioxide makes handlers of.
struct InReadLoop;

impl MessageHandler<LocalAdapter, InReadLoop> for Listener {
    fn call(&self, socket: Arc<Socket>, mut value: Value, ack_id: Option<i64>) {
        match self.meter.count(Instant::now().into_std()) {
            Verdict::Fine => {}
            // An inbox that is full has no room for complaints either.
            Verdict::TooFast { first: true } => return drop(self.events.try_send(Event::TooFast(self.peer.clone()))),
            Verdict::TooFast { first: false } => return,
            Verdict::Flood => return self.hang_up(&socket, "it goes on saying more than it may"),
        }
        let (length, message) = match &value {
            Value::Str(text, attached) => {
                let attached = attached.as_ref().and_then(|attached| attached.front());
                let length = text.len() + attached.map_or(0, |bytes| bytes.len());
                (length, ToServer::decode_with(text, attached))
            }
            Value::Bytes(_) => (0, Err(DecodeError::NotAnEvent)),
        };
        let Ok(acknowledge) = AckSender::from_message_parts(&socket, &mut value, &ack_id);
        let ack = ack_id.map(|_| acknowledge);
        let cost = u32::try_from(length.max(MIN_COST)).unwrap_or(u32::MAX);
        let queued = Arc::clone(&self.backlog).try_acquire_many_owned(cost).is_ok_and(|backlog| {
            let said = Said { from: self.peer.clone(), message, ack, _backlog: backlog };
            self.events.try_send(Event::Said(said)).is_ok()
        });
        if !queued {
            self.hang_up(&socket, "it says more than can be handled");
        }
    }
}

impl Listener {
    fn hang_up(&self, socket: &Arc<Socket>, reason: &'static str) {
        if !socket.connected() {
            return;
        }
        tracing::warn!(peer = %self.peer, reason, "connection dropped");
        if let Err(error) = Arc::clone(socket).disconnect() {
            tracing::debug!(%error, "a flooding connection does not read either; its next ping ends it");
        }
    }
}
