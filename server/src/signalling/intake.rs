//! Hears connections: lets them in, decodes what they say, and hands it to the desk in the order it was said.
//!
//! socketioxide runs each event's handler in a task of its own, so that a candidate can overtake its offer. [`Listener`]
//! is therefore a handler of its own kind, which runs inside the connection's read loop and never waits.

use std::sync::Arc;

use protocol::{CameraId, Code, DecodeError, LiveRobot, PeerId, RobotId, ToServer};
use socketioxide::{
    adapter::LocalAdapter,
    extract::{AckSender, SocketRef},
    handler::{FromMessageParts, MessageHandler, Value},
    socket::{DisconnectReason, Sid, Socket},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::rooms::{Answer, Ending};

/// Bytes that one connection may have waiting for the desk; more is a flood. A robot that 500 viewers join at once says
/// about 4 MB.
const BACKLOG: usize = 8 << 20;

/// The least that a message counts for, so that it takes dozens of connections with a backlog of tiny ones to fill the
/// desk's inbox.
const MIN_COST: usize = 8 << 10;

/// What the desk is told.
pub(super) enum Event {
    /// A connection begins; it may speak from now on.
    Joined(Sid),
    /// It can be spoken to from now on.
    Greeted(Sid),
    Said(Said),
    Left(Sid, Ending),
    Enquiry(oneshot::Sender<Vec<LiveRobot>>),
    /// Somebody wants a picture of this camera, or of the robot's first one.
    Snapshot(RobotId, Option<CameraId>, oneshot::Sender<Answer>),
}

pub(super) struct Said {
    pub(super) from: Sid,
    pub(super) message: Result<ToServer, DecodeError>,
    /// Present when the sender asked for an acknowledgement.
    pub(super) ack: Option<AckSender>,
    /// Its share of the connection's backlog, free when the desk is done with it.
    _backlog: OwnedSemaphorePermit,
}

/// Socket.IO ids are URL-safe base64, so they are peer ids as they are.
pub(super) fn peer_id(sid: Sid) -> PeerId {
    PeerId::try_from(sid.to_string()).expect("URL-safe base64 is an id")
}

/// Where all connections come in.
#[derive(Clone)]
pub(super) struct Intake {
    events: mpsc::Sender<Event>,
    seats: Arc<Semaphore>,
    cancel: CancellationToken,
}

/// Reaches the client as the message of its `connect_error`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(Code);

impl Intake {
    pub(super) fn new(events: mpsc::Sender<Event>, max_connections: usize, cancel: CancellationToken) -> Self {
        Self { events, seats: Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS))), cancel }
    }

    /// Prepares a connection before it learns that it is connected.
    pub(super) async fn greet(self, socket: SocketRef) -> Result<(), Refused> {
        if self.cancel.is_cancelled() {
            return Err(Refused(Code::Draining));
        }
        let seat = self.seats.try_acquire_owned().map_err(|_| {
            tracing::warn!("connection refused: there are as many as the limit allows");
            Refused(Code::Full)
        })?;
        // The handler is dropped with the socket, even with one whose end nobody notices; so is its seat.
        let seat = Arc::new(seat);
        let events = self.events.clone();
        socket.on_disconnect(move |socket: SocketRef, reason: DisconnectReason| async move {
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
            tracing::debug!(peer = %socket.id, %reason, "connection ended");
            // A desk that is gone has no more use for it.
            let _ = events.send(Event::Left(socket.id, ending)).await;
            drop(seat);
        });
        let backlog = Arc::new(Semaphore::new(BACKLOG));
        socket.on_fallback(Listener { events: self.events.clone(), backlog });
        // First of this connection's events, as the channel keeps their order.
        self.events.send(Event::Joined(socket.id)).await.map_err(|_| Refused(Code::Draining))
    }
}

/// Tells the desk that a connection can be spoken to.
pub(super) async fn greeted(events: mpsc::Sender<Event>, socket: SocketRef) {
    // A desk that is gone has nothing to say.
    let _ = events.send(Event::Greeted(socket.id)).await;
}

/// Takes every event of one connection, whatever its name: unknown ones are to be answered, too.
struct Listener {
    events: mpsc::Sender<Event>,
    backlog: Arc<Semaphore>,
}

/// Tells this handler from the functions that socketioxide makes handlers of.
struct InReadLoop;

impl MessageHandler<LocalAdapter, InReadLoop> for Listener {
    fn call(&self, socket: Arc<Socket>, mut value: Value, ack_id: Option<i64>) {
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
            let said = Said { from: socket.id, message, ack, _backlog: backlog };
            self.events.try_send(Event::Said(said)).is_ok()
        });
        if !queued && socket.connected() {
            tracing::warn!(peer = %socket.id, "connection dropped: it says more than can be handled");
            if let Err(error) = socket.disconnect() {
                tracing::debug!(%error, "a flooding connection does not read either; its next ping ends it");
            }
        }
    }
}
