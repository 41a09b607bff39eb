//! The one task that owns the rooms: feeds them what happened, and sends what they say.

use std::{collections::BTreeMap, time::Duration};

use protocol::{CameraId, PeerId, RobotId};
use serde::Serialize;
use socketioxide::{
    SendError, SocketError, SocketIo,
    extract::{AckSender, SocketRef},
    socket::Sid,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    intake::{Event, Said, peer_id},
    wire::Arguments,
};
use crate::rooms::{Answer, Asker, Ending, Input, Output, Reply, Rooms};

/// How often connections are checked that ended without anybody being told.
const SWEEP: Duration = Duration::from_secs(10);

pub(super) struct Desk {
    rooms: Rooms,
    io: SocketIo,
    peers: BTreeMap<PeerId, Connection>,
    /// Those who wait for a picture.
    askers: BTreeMap<Asker, oneshot::Sender<Answer>>,
    asked: u64,
}

struct Connection {
    sid: Sid,
    since: Instant,
    stage: Stage,
}

/// socketioxide lets a client in a moment before it lets us speak to it; what we said in between would be lost. So the rooms
/// learn of a connection only when it can be answered.
enum Stage {
    /// What it has said already.
    Greeting(Vec<Said>),
    Open,
}

impl Desk {
    pub(super) fn new(rooms: Rooms, io: SocketIo) -> Self {
        Self { rooms, io, peers: BTreeMap::new(), askers: BTreeMap::new(), asked: 0 }
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Event>, cancel: CancellationToken) {
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let deadline = self.rooms.poll_timeout();
            let due = tokio::time::sleep_until(deadline.map_or_else(Instant::now, Instant::from_std));
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(event) = inbox.recv() => self.take(event),
                () = due, if deadline.is_some() => {
                    self.rooms.handle_timeout(Instant::now().into_std());
                    self.flush(None);
                }
                _ = sweep.tick() => self.sweep(),
            }
        }
        self.handle(Input::Draining);
        let io = self.io.clone();
        let mut closed = std::pin::pin!(io.close());
        loop {
            tokio::select! {
                () = &mut closed => break,
                Some(event) = inbox.recv() => self.take(event),
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Joined(sid) => {
                let stage = Stage::Greeting(Vec::new());
                self.peers.insert(peer_id(sid), Connection { sid, since: Instant::now(), stage });
            }
            Event::Greeted(sid) => self.greeted(peer_id(sid)),
            Event::Said(said) => {
                let from = peer_id(said.from);
                match self.peers.get_mut(&from).map(|connection| &mut connection.stage) {
                    Some(Stage::Greeting(waiting)) => waiting.push(said),
                    Some(Stage::Open) => self.said(from, said),
                    None => {}
                }
            }
            Event::Left(sid, ending) => self.left(peer_id(sid), ending),
            Event::Enquiry(answer) => {
                // Whoever asked may have stopped waiting.
                let _ = answer.send(self.rooms.live());
            }
            Event::Snapshot(robot, camera, answer) => self.snapshot(robot, camera, answer),
        }
    }

    fn greeted(&mut self, peer: PeerId) {
        let Some(connection) = self.peers.get_mut(&peer) else { return };
        let stage = std::mem::replace(&mut connection.stage, Stage::Open);
        self.handle(Input::Connected(peer.clone()));
        if let Stage::Greeting(waiting) = stage {
            for said in waiting {
                self.said(peer.clone(), said);
            }
        }
    }

    fn said(&mut self, from: PeerId, Said { message, ack, .. }: Said) {
        let input = match message {
            Ok(message) => Input::Said { from, message, wants_reply: ack.is_some() },
            Err(error) => {
                tracing::debug!(peer = %from, %error, "message refused");
                Input::Malformed { from, notice: error.notice() }
            }
        };
        self.rooms.handle(input, Instant::now().into_std());
        self.flush(ack);
    }

    fn snapshot(&mut self, robot: RobotId, camera: Option<CameraId>, answer: oneshot::Sender<Answer>) {
        // Those whose connection has gone take nobody's place.
        let gone: Vec<Asker> =
            self.askers.extract_if(.., |_, waiting| waiting.is_closed()).map(|(asker, _)| asker).collect();
        for asker in gone {
            self.handle(Input::SnapshotUnasked(asker));
        }
        let asker = Asker(self.asked);
        self.asked += 1;
        self.askers.insert(asker, answer);
        self.handle(Input::Snapshot { asker, robot, camera });
    }

    fn left(&mut self, peer: PeerId, ending: Ending) {
        self.peers.remove(&peer);
        self.handle(Input::Disconnected { peer, ending });
    }

    fn handle(&mut self, input: Input) {
        self.rooms.handle(input, Instant::now().into_std());
        self.flush(None);
    }

    /// Sends all that the rooms have to say. `ack` belongs to the input that they were given last.
    fn flush(&mut self, mut ack: Option<AckSender>) {
        while let Some(output) = self.rooms.poll_output() {
            match output {
                Output::ToViewer { to, message } => self.send(to, message.event(), message.arguments()),
                Output::ToRobot { to, message } => self.send(to, message.event(), message.arguments()),
                Output::Snapshot { asker, answer } => {
                    if let Some(waiting) = self.askers.remove(&asker) {
                        // Whoever asked may have stopped waiting.
                        let _ = waiting.send(answer);
                    }
                }
                Output::Reply(reply) => {
                    let sent = match (ack.take(), reply) {
                        (None, _) => Ok(()),
                        (Some(ack), Reply::Watch(reply)) => ack.send(&reply),
                        (Some(ack), Reply::Register(reply)) => ack.send(&reply),
                    };
                    if let Err(error) = sent {
                        tracing::debug!(%error, "acknowledgement not sent");
                    }
                }
            }
        }
    }

    fn send(&mut self, to: PeerId, event: &'static str, arguments: impl Serialize) {
        let Some(socket) = self.peers.get(&to).and_then(|connection| self.socket(connection.sid)) else { return };
        let arguments = Arguments::of(arguments).expect("messages are plain JSON");
        match socket.emit(event, &arguments) {
            Ok(()) => {}
            Err(SendError::Socket(SocketError::Closed)) => tracing::debug!(peer = %to, event, "not sent: it is closed"),
            Err(SendError::Socket(SocketError::InternalChannelFull)) => self.drop_stalled(to, socket),
            Err(SendError::Serialize(error)) => tracing::error!(%error, event, "message could not be encoded"),
        }
    }

    /// A client that does not take what it is sent stops being anybody here. What this makes the rooms say is sent by the
    /// `flush` that is under way.
    fn drop_stalled(&mut self, peer: PeerId, socket: SocketRef) {
        tracing::warn!(%peer, "connection dropped: it does not take what it is sent");
        // Its outbox is full, so that this may fail; then its next ping finds no room either and ends it.
        if let Err(error) = socket.disconnect() {
            tracing::debug!(%peer, %error, "stalled connection left to its next ping");
        }
        self.peers.remove(&peer);
        self.rooms.handle(Input::Disconnected { peer, ending: Ending::Lost }, Instant::now().into_std());
    }

    /// A connection that breaks while it is being greeted ends without a word.
    fn sweep(&mut self) {
        let now = Instant::now();
        let ghosts: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, connection)| now.duration_since(connection.since) >= SWEEP)
            .filter(|(_, connection)| !self.socket(connection.sid).is_some_and(|socket| socket.connected()))
            .map(|(peer, _)| peer.clone())
            .collect();
        for peer in ghosts {
            tracing::debug!(%peer, "connection ended unnoticed");
            self.left(peer, Ending::Lost);
        }
    }

    fn socket(&self, sid: Sid) -> Option<SocketRef> {
        // No namespace is left when the server is ending.
        self.io.of("/")?.get_socket(sid)
    }
}

#[cfg(test)]
mod tests {
    use protocol::ToServer;

    use super::*;
    use crate::rooms::Settings;

    #[tokio::test]
    async fn who_has_gone_waits_in_nobodys_place() {
        let settings = Settings {
            default_robot: "demo".parse().expect("an id"),
            max_robots: 1,
            max_viewers: 1,
            session_grace: Duration::ZERO,
            ice_servers: Vec::new(),
        };
        let mint = Box::new(|| "s1".parse().expect("an id"));
        let (_, io) = SocketIo::new_svc();
        let mut desk = Desk::new(Rooms::new(settings, mint), io);
        let register = r#"["broadcaster",{"version":1,"cameras":[{"id":"front"}]}]"#;
        let message = ToServer::decode(register).expect("a message");
        let robot: PeerId = "r".parse().expect("an id");
        desk.handle(Input::Connected(robot.clone()));
        desk.handle(Input::Said { from: robot, message, wants_reply: false });
        for _ in 0..1000 {
            let (answer, mut answered) = oneshot::channel();
            desk.snapshot("demo".parse().expect("an id"), None, answer);
            assert_eq!(answered.try_recv(), Err(oneshot::error::TryRecvError::Empty), "it waits");
        }
        assert_eq!(desk.askers.len(), 1);
    }
}
