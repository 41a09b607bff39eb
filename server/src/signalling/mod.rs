//! The Socket.IO shell around `rooms`.
//!
//! `intake` hears connections and decodes what they say, `desk` is the one task that owns the rooms and answers, `wire`
//! writes arguments as Socket.IO wants them. Nothing here decides who may talk to whom.

mod desk;
mod intake;
mod wire;

use std::time::Duration;

use axum::routing::{MethodRouter, any_service};
use protocol::{CameraId, LiveRobot, MAX_SNAPSHOT_PIECE, RobotId, SessionId};
use socketioxide::{ParserConfig, SocketIo, extract::SocketRef, handler::ConnectHandler};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, IceEntry},
    rooms::{Answer, Rooms, Settings},
};
use desk::Desk;
use intake::{Event, Intake};

/// A half-open link is noticed after both of them.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// From the transport's opening to Socket.IO's own greeting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A session description of the largest size that is relayed, quoted as JSON, fits twice.
const MAX_MESSAGE: usize = 64 * 1024;

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

    /// A picture of this camera, or of the robot's first one; `None` when the server is ending.
    pub(crate) async fn snapshot(&self, robot: RobotId, camera: Option<CameraId>) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Event::Snapshot(robot, camera, answer)).await.ok()?;
        answered.await.ok()
    }
}

/// Starts the desk on `tasks`; on `cancel` it says goodbye to every connection, closes them, and ends. Returns what
/// answers requests to Socket.IO's path.
pub(crate) fn start(config: &Config, tasks: &mut JoinSet<()>, cancel: CancellationToken) -> (MethodRouter, Enquiries) {
    let (service, io) = SocketIo::builder()
        .ping_interval(PING_INTERVAL)
        .ping_timeout(PING_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .max_payload(MAX_MESSAGE as u64)
        .ws_max_message_size(MAX_MESSAGE)
        .ws_max_frame_size(MAX_MESSAGE)
        .max_buffer_size(OUTBOX)
        // Pieces of snapshots come so.
        .with_parser(ParserConfig::common().max_incoming_binaries(1).max_incoming_binary_buf_size(MAX_SNAPSHOT_PIECE))
        .build_svc();
    let (events, inbox) = mpsc::channel(INBOX);
    let intake = Intake::new(events.clone(), config.limits.max_connections.get(), cancel.clone());
    // Whatever a connection needs is set up before it is told that it is connected: it may speak right afterwards.
    let desk = events.clone();
    let greeted = move |socket: SocketRef| intake::greeted(desk.clone(), socket);
    io.ns("/", greeted.with(move |socket| intake.clone().greet(socket)));
    let settings = Settings {
        default_robot: config.default_robot.clone(),
        max_robots: config.limits.max_robots.get(),
        max_viewers: config.limits.max_viewers.get(),
        session_grace: config.limits.session_grace,
        ice_servers: config.ice.servers.iter().map(IceEntry::to_wire).collect(),
    };
    tasks.spawn(Desk::new(Rooms::new(settings, Box::new(unguessable)), io).run(inbox, cancel));
    (any_service(service), Enquiries(events))
}

/// 128 random bits: whoever knows a session's id can take it over.
fn unguessable() -> SessionId {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    SessionId::try_from(hex).expect("32 hexadecimal digits are an id")
}
