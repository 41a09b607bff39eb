//! Keeps one connection to the server up, for as long as the broadcaster runs.

use std::time::Duration;

use protocol::{Code, Fingerprint, RegisterReply, SnapshotRequest, ToRobot, ToServer};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{AckId, Connection, ConnectionError, Incoming, ServerUrl, backoff::Backoff};

/// A connection that lived this long was a good one: the next failure starts with a short wait again.
const STEADY_AFTER: Duration = Duration::from_secs(10);

/// How often to see whether the network that the line goes by is still there.
const LOOK_AROUND: Duration = Duration::from_secs(2);

/// After the server has given this robot's name to another broadcaster: asking at once would take it away again.
const REPLACED_WAIT: Duration = Duration::from_secs(30);

/// After the server has refused this robot: somebody may be about to let it in, but need not be.
const REFUSED_FIRST: Duration = Duration::from_secs(1);
const REFUSED_LONGEST: Duration = Duration::from_secs(30);

/// What the robot hears from its link.
#[derive(Debug)]
pub enum LinkEvent {
    /// The line stands; nothing is said on it before the robot's `broadcaster`.
    Up,
    Registered(RegisterReply),
    Message(ToRobot),
    Down,
}

pub struct Link {
    pub server: ServerUrl,
    /// Of its certificate, if that is all that is known of it.
    pub fingerprint: Option<Fingerprint>,
    pub events: mpsc::Sender<LinkEvent>,
    pub outgoing: mpsc::Receiver<ToServer>,
    /// Requests for snapshots, and what answers them, piece by piece between other messages.
    pub snapshots: mpsc::Sender<SnapshotRequest>,
    pub pictures: mpsc::Receiver<ToServer>,
}

enum LinkError {
    Connection(ConnectionError),
    /// The robot itself has gone.
    Orphaned,
    Replaced,
    Refused,
    Cancelled,
}

impl From<ConnectionError> for LinkError {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

impl Link {
    /// Connects, relays, and connects again, until the robot drops its ends of the channels; `cancel` ends the waiting.
    pub async fn run(mut self, cancel: CancellationToken) {
        let (mut backoff, mut refused) = (Backoff::default(), Backoff::between(REFUSED_FIRST, REFUSED_LONGEST));
        loop {
            let started = Instant::now();
            let error = match self.connection(&cancel).await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            if started.elapsed() > STEADY_AFTER {
                backoff.reset();
                refused.reset();
            }
            let wait = match error {
                LinkError::Cancelled | LinkError::Orphaned => return,
                LinkError::Replaced => {
                    tracing::error!(wait = ?REPLACED_WAIT, "another broadcaster has registered this robot");
                    REPLACED_WAIT
                }
                LinkError::Refused => refused.next(rand::random()),
                LinkError::Connection(error) => {
                    if backoff.is_fresh() {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            server = %self.server,
                            "no link to the server; trying on"
                        );
                    } else {
                        tracing::debug!(error = &error as &dyn std::error::Error, "still no link to the server");
                    }
                    backoff.next(rand::random())
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn connection(&mut self, cancel: &CancellationToken) -> Result<std::convert::Infallible, LinkError> {
        let mut connection = tokio::select! {
            () = cancel.cancelled() => return Err(LinkError::Cancelled),
            opened = Connection::open(&self.server, self.fingerprint) => opened?,
        };
        // What was meant for the former connection means nothing on this one.
        while self.outgoing.try_recv().is_ok() || self.pictures.try_recv().is_ok() {}
        self.tell(LinkEvent::Up).await?;
        let error = self.relay(&mut connection).await;
        if matches!(error, Err(LinkError::Orphaned)) {
            // Its last words are its goodbyes.
            while let Ok(message) = self.outgoing.try_recv() {
                connection.emit(&message).await?;
            }
            connection.close().await;
        } else {
            self.tell(LinkEvent::Down).await?;
        }
        error
    }

    /// Ends with the line, or when the robot has gone and its last message has left.
    async fn relay(&mut self, connection: &mut Connection) -> Result<std::convert::Infallible, LinkError> {
        let mut registration: Option<AckId> = None;
        let mut look_around = tokio::time::interval(LOOK_AROUND);
        let mut stranded = false;
        loop {
            tokio::select! {
                message = self.outgoing.recv() => match message {
                    Some(message @ ToServer::Broadcaster { .. }) => registration = Some(connection.ask(&message).await?),
                    Some(message) => connection.emit(&message).await?,
                    None => return Err(LinkError::Orphaned),
                },
                Some(piece) = self.pictures.recv() => connection.emit(&piece).await?,
                _ = look_around.tick() => {
                    // A network that is gone for a moment takes no line with it.
                    let was_stranded = std::mem::replace(&mut stranded, connection.is_stranded());
                    if stranded && was_stranded {
                        return Err(ConnectionError::Stranded.into());
                    }
                }
                incoming = connection.next() => match incoming? {
                    Incoming::Ack(id, json) if registration == Some(id) => self.registered(&json).await?,
                    Incoming::Ack(..) => {}
                    Incoming::Event(json) => self.event(&json).await?,
                },
            }
        }
    }

    async fn registered(&self, json: &str) -> Result<(), LinkError> {
        let Ok((reply,)) = serde_json::from_str::<(RegisterReply,)>(json) else {
            return Err(ConnectionError::Protocol("its answer to our registration makes no sense").into());
        };
        let refused = matches!(reply, RegisterReply::Refused { .. });
        self.tell(LinkEvent::Registered(reply)).await?;
        if refused { Err(LinkError::Refused) } else { Ok(()) }
    }

    async fn event(&self, json: &str) -> Result<(), LinkError> {
        match ToRobot::decode(json) {
            Ok(ToRobot::Notice { notice }) if notice.code == Code::Replaced => Err(LinkError::Replaced),
            Ok(ToRobot::Snapshot { request }) => {
                // Who asks more than can be answered waits in vain, which is the server's to bear.
                let _ = self.snapshots.try_send(request);
                Ok(())
            }
            Ok(message) => self.tell(LinkEvent::Message(message)).await,
            // Viewers' events reach everybody who has not chosen a role yet, and a newer server may know more events.
            Err(error) => {
                tracing::debug!(%error, "event not understood");
                Ok(())
            }
        }
    }

    async fn tell(&self, event: LinkEvent) -> Result<(), LinkError> {
        self.events.send(event).await.map_err(|_| LinkError::Orphaned)
    }
}
