//! The Socket.IO shell around `rooms`.
//!
//! `calls` lets sessions begin, `intake` hears connections and decodes what they say, `desk` is the one task that owns the rooms and answers, `wire`
//! writes arguments as Socket.IO wants them, `refusals` says what of them is
//! worth a line in the log. Nothing here decides who may talk to whom.

mod calls;
mod desk;
mod head;
mod intake;
mod pace;
mod players;
mod refusals;
mod wire;

use std::{sync::Arc, time::Duration};

use axum::{
    middleware::{from_fn_with_state, map_request},
    routing::{MethodRouter, any_service},
};
use protocol::{CameraId, Hello, LiveRobot, MAX_SNAPSHOT_PIECE, Overview, RobotId, SessionId};
use socketioxide::{
    ParserConfig, SocketIo,
    extract::{SocketRef, TryData},
    handler::ConnectHandler,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Held,
    auth::Door,
    cluster,
    config::Config,
    ice::Directory,
    listen::{Hall, Proxies, before_joining},
    metrics::Text,
    rooms::{Answer, Rooms, Settings},
    sfu,
    turn::{credentials::Holder, unix_time},
};
use calls::Calls;
use desk::Desk;
use intake::{Event, Intake};
pub(crate) use players::{Play, PlayerKey, Players, Playing};

/// A half-open link is noticed after both of them.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// From the transport's opening to Socket.IO's own greeting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A session description of the largest size that is relayed, quoted as JSON, fits twice.
const MAX_MESSAGE: usize = 64 * 1024;

/// What is read of a message at a time. Every connection has a buffer of this size, and most of them say next to nothing.
const READ_AT_ONCE: usize = 1024;

/// Messages that wait for one client. A robot that 400 viewers join at once is sent about ten each.
const OUTBOX: usize = 4096;

/// Events that wait for the desk. One connection's share is bounded by bytes, see [`intake`].
const INBOX: usize = 65_536;

/// Questions to the desk.
#[derive(Clone)]
pub(crate) struct Enquiries(mpsc::Sender<Event>);

impl Enquiries {
    /// The live robots; `None` when the server is ending.
    pub(crate) async fn live(&self) -> Option<Vec<LiveRobot>> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Event::Enquiry(answer)).await.ok()?;
        answered.await.ok()
    }

    /// What operators are shown; `None` when the server is ending.
    pub(crate) async fn overview(&self) -> Option<Overview> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Event::Overview(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Ends the visits of those whose sessions' ids begin like this, and says whether there was one; `None` when the server
    /// is ending.
    pub(crate) async fn send_away(&self, robot: RobotId, beginning: SessionId) -> Option<bool> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Event::SendAway(robot, beginning, answer)).await.ok()?;
        answered.await.ok()
    }

    /// What is measured of robots and viewers; `None` when the server is ending.
    pub(crate) async fn metrics(&self) -> Option<Text> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Event::Metrics(answer)).await.ok()?;
        answered.await.ok()
    }

    /// A picture of this camera, or of the robot's first one; `None` when the server is ending.
    pub(crate) async fn snapshot(&self, robot: RobotId, camera: Option<CameraId>) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Event::Snapshot(robot, camera, answer)).await.ok()?;
        answered.await.ok()
    }
}

/// Starts the desk on `tasks`; on `cancel` it says goodbye to every connection, closes them, and ends. Returns what
/// answers requests to Socket.IO's path.
pub(crate) fn start(
    config: &Held,
    heard: Option<mpsc::Receiver<cluster::Event>>,
    ice: Directory,
    door: watch::Receiver<Door>,
    proxies: &Arc<Proxies>,
    tasks: &mut JoinSet<()>,
    cancel: CancellationToken,
) -> (MethodRouter, Enquiries, Players) {
    let (service, io) = SocketIo::builder()
        .ping_interval(PING_INTERVAL)
        .ping_timeout(PING_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .max_payload(MAX_MESSAGE as u64)
        .ws_max_message_size(MAX_MESSAGE)
        .ws_max_frame_size(MAX_MESSAGE)
        .ws_read_buffer_size(READ_AT_ONCE)
        .max_buffer_size(OUTBOX)
        // Pieces of snapshots come so.
        .with_parser(ParserConfig::common().max_incoming_binaries(1).max_incoming_binary_buf_size(MAX_SNAPSHOT_PIECE))
        .build_svc();
    let (events, inbox) = mpsc::channel(INBOX);
    let limits = {
        let config = config.clone();
        move || {
            let limits = &config.borrow().limits;
            (limits.max_connections.get(), limits.max_connections_per_address.get())
        }
    };
    let seats = Hall::new("Socket.IO connections", limits, proxies.clone());
    let engine = any_service(service);
    let sessions = {
        let config = config.clone();
        Hall::new("Engine.IO sessions", move || before_joining(&config.borrow().limits), proxies.clone())
    };
    let calls = Calls::new(sessions, engine.clone());
    let players = Players::new(events.clone(), seats.clone());
    let intake = Intake::new(events.clone(), seats, config.clone(), door.clone(), cancel.clone());
    // Whatever a connection needs is set up before it is told that it is connected: it may speak right afterwards.
    let desk = events.clone();
    let greeted = move |socket: SocketRef| intake::greeted(desk.clone(), socket);
    let greet = move |socket: SocketRef, hello: TryData<Hello>| intake.clone().greet(socket, hello);
    io.ns("/", greeted.with(greet));
    let list = {
        let ice = ice.clone();
        Box::new(move |holder: &Holder, most| ice.listed_for(holder, most, unix_time()))
    };
    let settings = settings(&config.borrow(), &ice);
    let rooms = Rooms::new(settings, door.borrow().clone(), Box::new(unguessable), list, desk::moment())
        .with_engine(sfu::engine(&config.borrow().sfu));
    let engine_done = {
        let events = events.clone();
        move |done| {
            let events = events.clone();
            // A desk that is gone has no use for it.
            async move { drop(events.send(Event::Engine(done)).await) }
        }
    };
    let sfu = sfu::start(&config.borrow().sfu, engine_done, tasks, cancel.clone());
    tasks.spawn(Desk::new(rooms, door, ice, io, calls.clone(), sfu).run(inbox, heard, config.clone(), cancel));
    // What Engine.IO keeps of a request is copied last: whoever looks before may see all of it.
    let engine = engine.layer(map_request(head::copied)).layer(from_fn_with_state(calls, calls::admit));
    (engine, Enquiries(events), players)
}

/// The rooms' part of a config.
fn settings(config: &Config, ice: &Directory) -> Settings {
    Settings {
        default_robot: config.default_robot.clone(),
        max_robots: config.limits.max_robots.get(),
        max_viewers: config.limits.max_viewers.get(),
        session_grace: config.limits.session_grace,
        renew_ice_after: ice.renew_after(),
        report_every: config.metrics.report_seconds(),
    }
}

/// Whoever knows a session's id can take it over.
fn unguessable() -> SessionId {
    SessionId::try_from(random_hex()).expect("32 hexadecimal digits are an id")
}

/// 128 random bits.
fn random_hex() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
