//! The one task that owns the rooms: feeds them what happened, and sends what they say.
//!
//! `others` does the same for what goes to other servers and comes from them, and `players` for those who have no connection.

mod others;
mod players;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use protocol::{CameraId, Code, PeerId, RobotId, ToServer, ToViewer};
use serde::Serialize;
use socketioxide::{
    SendError, SocketError, SocketIo,
    extract::{AckSender, SocketRef},
    socket::Sid,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::{
    others::{ALIVE_EVERY, Others},
    players::Player,
};
use super::{
    calls::Calls,
    intake::{Event, Newcomer, Said, Visitor},
    players::PlayerKey,
    refusals::Refusals,
    settings,
    wire::Arguments,
};
use crate::{
    Held,
    auth::Door,
    cluster,
    figures::{Figures, Moment, SAMPLE_EVERY},
    ice::Directory,
    metrics::Text,
    rooms::{Answer, Asker, Ending, Input, News, Output, Reply, Rooms, Settings, too_fast},
    sfu,
    turn::unix_time,
};

/// How often connections are checked that ended without anybody being told.
const SWEEP: Duration = Duration::from_secs(10);

/// Whoever was refused, or has left, has this long to hear so and to hang up.
const LINGER: Duration = Duration::from_secs(1);

pub(super) struct Desk {
    rooms: Rooms,
    figures: Figures,
    door: watch::Receiver<Door>,
    ice: Directory,
    io: SocketIo,
    calls: Calls,
    sfu: Option<sfu::Line>,
    refusals: Refusals,
    /// Those who have no more business here, and when they are hung up on.
    leaving: VecDeque<(Instant, Visitor)>,
    endings: JoinSet<()>,
    peers: BTreeMap<PeerId, Connection>,
    /// Those who wait for a picture.
    askers: BTreeMap<Asker, Waiting>,
    asked: u64,
    others: Others,
    players: BTreeMap<PeerId, Player>,
    keys: BTreeMap<PlayerKey, PeerId>,
    /// What players have to say to what they were told.
    sayings: VecDeque<(PeerId, ToServer)>,
}

/// Somebody who asked for a picture.
enum Waiting {
    Here(oneshot::Sender<Answer>),
    /// Of another server, and by which number there.
    Elsewhere(cluster::NodeId, u64),
}

/// Where an acknowledgement goes.
enum Ack {
    Here(AckSender),
    Player(PeerId),
    Elsewhere { node: cluster::NodeId, peer: PeerId, number: u64 },
}

struct Connection {
    since: Instant,
    stage: Stage,
    newcomer: Newcomer,
}

/// socketioxide lets a client in a moment before it lets us speak to it; what we said in between would be lost. So the rooms
/// learn of a connection only when it can be answered.
enum Stage {
    /// What came of it already.
    Greeting(Vec<Early>),
    Open,
}

enum Early {
    Said(Box<Said>),
    TooFast,
}

impl Desk {
    pub(super) fn new(
        rooms: Rooms,
        door: watch::Receiver<Door>,
        ice: Directory,
        io: SocketIo,
        calls: Calls,
        sfu: Option<sfu::Line>,
    ) -> Self {
        let figures = Figures::new(rooms.report_every(), moment());
        Self {
            rooms,
            figures,
            door,
            ice,
            io,
            calls,
            sfu,
            refusals: Refusals::default(),
            leaving: VecDeque::new(),
            endings: JoinSet::new(),
            peers: BTreeMap::new(),
            askers: BTreeMap::new(),
            asked: 0,
            others: Others::default(),
            players: BTreeMap::new(),
            keys: BTreeMap::new(),
            sayings: VecDeque::new(),
        }
    }

    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Event>,
        mut heard: Option<mpsc::Receiver<cluster::Event>>,
        mut config: Held,
        cancel: CancellationToken,
    ) {
        let mut alive = tokio::time::interval(ALIVE_EVERY);
        alive.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut listed = config.borrow().ice.clone();
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut sample = tokio::time::interval(SAMPLE_EVERY);
        sample.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let deadline = self.rooms.poll_timeout();
            let due = tokio::time::sleep_until(deadline.map_or_else(Instant::now, Instant::from_std));
            let hangup = self.leaving.front().map(|(at, _)| *at);
            let hangup_due = tokio::time::sleep_until(hangup.unwrap_or_else(Instant::now));
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(event) = inbox.recv() => self.take(event),
                Some(event) = next(&mut heard) => self.hear(event),
                _ = alive.tick() => self.is_alive(),
                () = hangup_due, if hangup.is_some() => self.hang_up(),
                Some(ended) = self.endings.join_next() => if let Err(error) = ended {
                    tracing::error!(%error, "a session was not ended");
                },
                () = due, if deadline.is_some() => {
                    self.rooms.handle_timeout(Instant::now().into_std());
                    self.flush(None);
                }
                // Without anybody who could change it, it stays as it is.
                Ok(()) = self.door.changed() => {
                    let door = self.door.borrow_and_update().clone();
                    self.handle(Input::Door(door));
                }
                _ = sweep.tick() => {
                    self.sweep();
                    self.sweep_players();
                }
                _ = sample.tick() => self.figures.sample(moment()),
                // Otherwise there will be no other one.
                Ok(()) = config.changed() => {
                    let config = config.borrow_and_update().clone();
                    let settings = settings(&config, &self.ice);
                    // What is counted is counted at the pace that was told at first.
                    let report_every = self.rooms.report_every();
                    self.handle(Input::Settings(Settings { report_every, ..settings }));
                    if listed != config.ice {
                        listed = config.ice.clone();
                        self.handle(Input::IceChanged);
                    }
                }
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
            Event::Joined(newcomer) => {
                let stage = Stage::Greeting(Vec::new());
                self.peers.insert(
                    newcomer.visitor.call.peer().clone(),
                    Connection { since: Instant::now(), stage, newcomer },
                );
            }
            Event::TurnedAway(visitor, code) => self.turned_away(visitor, code),
            Event::Greeted(peer) => self.greeted(peer),
            Event::TooFast(peer) => match self.stage(&peer) {
                Some(Stage::Greeting(waiting)) => waiting.push(Early::TooFast),
                Some(Stage::Open) => self.too_fast(peer),
                None => {}
            },
            Event::Said(said) => match self.stage(&said.from) {
                Some(Stage::Greeting(waiting)) => waiting.push(Early::Said(Box::new(said))),
                Some(Stage::Open) => self.said(said),
                None => {}
            },
            Event::Left(peer, ending) => self.left(peer, ending),
            Event::Enquiry(answer) => {
                // Whoever asked may have stopped waiting.
                let _ = answer.send(self.rooms.live());
            }
            Event::Overview(answer) => {
                let _ = answer.send(self.figures.overview(self.peers.len(), moment()));
            }
            Event::SendAway(robot, beginning, answer) => self.send_away(robot, beginning, answer),
            Event::Metrics(answer) => {
                let mut text = Text::default();
                self.figures.write_metrics(&mut text, self.peers.len(), moment());
                let _ = answer.send(text);
            }
            Event::Plays(newcomer) => self.plays(*newcomer),
            Event::PlayerSays(key, word, answer) => {
                let known = self.player_says(&key, word);
                self.flush(None);
                let _ = answer.send(known);
            }
            Event::Snapshot(robot, camera, answer) => self.snapshot(robot, camera, answer),
            Event::Engine(done) => self.handle(Input::Engine(done)),
        }
    }

    fn greeted(&mut self, peer: PeerId) {
        let Some(connection) = self.peers.get_mut(&peer) else { return };
        let stage = std::mem::replace(&mut connection.stage, Stage::Open);
        let pass = connection.newcomer.pass.take();
        let is_local = connection.newcomer.visitor.address.is_of_this_machine();
        self.handle(Input::Connected { peer: peer.clone(), pass, is_local, guest_of: None });
        let Stage::Greeting(waiting) = stage else { return };
        for early in waiting {
            match early {
                Early::Said(said) => self.said(*said),
                Early::TooFast => self.too_fast(peer.clone()),
            }
        }
    }

    fn stage(&mut self, peer: &PeerId) -> Option<&mut Stage> {
        self.peers.get_mut(peer).map(|connection| &mut connection.stage)
    }

    fn too_fast(&mut self, peer: PeerId) {
        self.handle(Input::Malformed { from: peer, notice: too_fast() });
    }

    fn said(&mut self, Said { from, message, ack, .. }: Said) {
        let input = match message {
            Ok(message) => Input::Said { from: from.clone(), message, wants_reply: ack.is_some() },
            Err(error) => {
                let notice = error.notice();
                // Its words may be those of a key that was said in the wrong place.
                tracing::debug!(peer = %from, code = %notice.code, "message refused");
                Input::Malformed { from: from.clone(), notice }
            }
        };
        self.rooms.handle(input, Instant::now().into_std());
        self.flush(ack.map(Ack::Here));
        if let Some(connection) = self.peers.get(&from) {
            connection.newcomer.pace.is_robots(self.rooms.is_robot(&from));
        }
    }

    fn snapshot(&mut self, robot: RobotId, camera: Option<CameraId>, answer: oneshot::Sender<Answer>) {
        // Those whose connection has gone take nobody's place.
        let gone: Vec<Asker> =
            self.askers.extract_if(.., |_, waiting| waiting.has_gone()).map(|(asker, _)| asker).collect();
        for asker in gone {
            self.handle(Input::SnapshotUnasked(asker));
        }
        let asker = self.wait(Waiting::Here(answer));
        self.handle(Input::Snapshot { asker, robot, camera, passed_on: false });
    }

    fn wait(&mut self, waiting: Waiting) -> Asker {
        let asker = Asker(self.asked);
        self.asked += 1;
        self.askers.insert(asker, waiting);
        asker
    }

    fn turned_away(&mut self, visitor: Visitor, code: Code) {
        self.figures.turned_away(code, moment());
        if self.refusals.note(visitor.address, code, Instant::now().into_std()) {
            tracing::info!(target: "audit", peer = %visitor.call.peer(), %code, "connection refused");
        }
        self.leaves(visitor);
    }

    fn left(&mut self, peer: PeerId, ending: Ending) {
        if let Some(connection) = self.peers.remove(&peer) {
            self.leaves(connection.newcomer.visitor);
        }
        self.handle(Input::Disconnected { peer, ending });
    }

    fn leaves(&mut self, visitor: Visitor) {
        self.leaving.push_back((Instant::now() + LINGER, visitor));
    }

    /// On those whose time it is.
    fn hang_up(&mut self) {
        let now = Instant::now();
        while let Some((_, Visitor { sid, call, .. })) = self.leaving.pop_front_if(|(at, _)| *at <= now) {
            self.endings.spawn(self.calls.clone().end(sid, call));
        }
    }

    fn handle(&mut self, input: Input) {
        self.rooms.handle(input, Instant::now().into_std());
        self.flush(None);
    }

    /// Sends all that the rooms have to say, and what players say to that. `ack` belongs to the input that they were given last.
    fn flush(&mut self, mut ack: Option<Ack>) {
        loop {
            self.send_all(ack);
            match self.speak_for_players() {
                Some(next) => ack = next,
                None => return,
            }
        }
    }

    fn send_all(&mut self, mut ack: Option<Ack>) {
        while let Some(output) = self.rooms.poll_output() {
            match output {
                Output::ToViewer { to, message } => match self.rooms.guest_of(&to).cloned() {
                    None => self.tell(to, message),
                    Some(node) => self.say_to(node, cluster::Message::Tell { peer: to, message }),
                },
                Output::ToRobot { to, message } => self.send(to, message.event(), message.arguments()),
                Output::Close { peer } => match self.rooms.guest_of(&peer).cloned() {
                    None => self.close(peer),
                    Some(node) => self.say_to(node, cluster::Message::Close { peer }),
                },
                Output::Snapshot { asker, answer } => match self.askers.remove(&asker) {
                    // Whoever asked may have stopped waiting.
                    Some(Waiting::Here(waiting)) => drop(waiting.send(answer)),
                    Some(Waiting::Elsewhere(node, asker)) => {
                        self.say_to(node, cluster::Message::Pictured { asker, picture: answer.into() });
                    }
                    None => {}
                },
                Output::Reply(reply) => self.reply(ack.take(), reply),
                Output::Errand(errand) => {
                    if let Some(sfu) = &self.sfu {
                        sfu.run(errand);
                    }
                }
                Output::Forward { to, what } => self.forward(to, what, &mut ack),
            }
        }
        while let Some(news) = self.rooms.poll_news() {
            match &news {
                News::Barred { holder } => self.ice.take_back(holder.clone(), unix_time()),
                News::RobotUp { robot, .. } => self.announce(robot),
                News::RobotDown { robot } => self.say(cluster::Outgoing::Down(robot.clone())),
                News::RobotRefused { .. }
                | News::Joined { .. }
                | News::Refused { .. }
                | News::Offered { .. }
                | News::Left { .. }
                | News::NotTaken { .. }
                | News::Report { .. }
                | News::Audience { .. }
                | News::Reception { .. } => {}
            }
            self.figures.note(news, moment());
        }
    }

    fn reply(&mut self, ack: Option<Ack>, reply: Reply) {
        let sent = match (ack, reply) {
            (None, _) => Ok(()),
            (Some(Ack::Here(ack)), Reply::Watch(reply)) => ack.send(&reply),
            (Some(Ack::Player(peer)), Reply::Watch(reply)) => {
                self.player_is_told(peer, reply);
                Ok(())
            }
            (Some(Ack::Here(ack)), Reply::Register(reply)) => ack.send(&reply),
            (Some(Ack::Elsewhere { node, peer, number }), Reply::Watch(reply)) => {
                self.say_to(node, cluster::Message::Reply { peer, number, reply });
                Ok(())
            }
            // Only viewers are guests, or play.
            (Some(Ack::Player(_) | Ack::Elsewhere { .. }), Reply::Register(_)) => Ok(()),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "acknowledgement not sent");
        }
    }

    fn tell(&mut self, to: PeerId, message: ToViewer) {
        if self.players.contains_key(&to) {
            self.player_hears(to, message);
        } else {
            self.send(to, message.event(), message.arguments());
        }
    }

    fn send(&mut self, to: PeerId, event: &'static str, arguments: impl Serialize) {
        let Some(socket) = self.peers.get(&to).and_then(|connection| self.socket(connection.newcomer.visitor.sid))
        else {
            return;
        };
        let arguments = Arguments::of(arguments).expect("messages are plain JSON");
        match socket.emit(event, &arguments) {
            Ok(()) => {}
            Err(SendError::Socket(SocketError::Closed)) => tracing::debug!(peer = %to, event, "not sent: it is closed"),
            Err(SendError::Socket(SocketError::InternalChannelFull)) => self.drop_stalled(to, socket),
            Err(SendError::Serialize(error)) => tracing::error!(%error, event, "message could not be encoded"),
        }
    }

    /// What it was told before reaches it, and nothing after.
    fn close(&mut self, peer: PeerId) {
        self.player_is_over(&peer, None);
        let Some(socket) = self.peers.get(&peer).and_then(|connection| self.socket(connection.newcomer.visitor.sid))
        else {
            return;
        };
        if let Err(error) = socket.disconnect() {
            tracing::debug!(%peer, %error, "connection left to its next ping");
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
        if let Some(connection) = self.peers.remove(&peer) {
            self.leaves(connection.newcomer.visitor);
        }
        self.rooms.handle(Input::Disconnected { peer, ending: Ending::Lost }, Instant::now().into_std());
    }

    /// A connection that breaks while it is being greeted ends without a word. So does the minute of those who were refused.
    fn sweep(&mut self) {
        let now = Instant::now();
        for (code, refused) in self.refusals.due(now.into_std()) {
            tracing::info!(target: "audit", refused, last = %code, "more connections of one address refused");
        }
        let ghosts: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, connection)| now.duration_since(connection.since) >= SWEEP)
            .filter(|(_, connection)| {
                !self.socket(connection.newcomer.visitor.sid).is_some_and(|socket| socket.connected())
            })
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

impl Waiting {
    fn has_gone(&self) -> bool {
        match self {
            Self::Here(waiting) => waiting.is_closed(),
            // Its server says so.
            Self::Elsewhere(..) => false,
        }
    }
}

/// What is heard next of other servers, if there can be any.
async fn next(heard: &mut Option<mpsc::Receiver<cluster::Event>>) -> Option<cluster::Event> {
    match heard {
        Some(heard) => heard.recv().await,
        None => std::future::pending().await,
    }
}

pub(super) fn moment() -> Moment {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment { at: Instant::now().into_std(), unix: u64::try_from(unix.as_millis()).unwrap_or_default() }
}
