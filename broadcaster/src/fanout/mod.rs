//! From frames to all viewers: one thread, one UDP port.
//!
//! The thread owns the [`Audience`], which decides everything, and is its only shell: it feeds it what the server says, what
//! the cameras give and what the socket receives, and carries out what it wants. Where one thread is not enough, further
//! ones have an audience of their own each; this one still receives for all, and the [`Switchboard`] knows who is where.

mod allowance;
mod audience;
mod bitrate;
mod camera;
mod doorway;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod keyframes;
mod measure;
mod outside;
mod routes;
mod shard;
mod socket;
mod spill;
mod spilling;
mod switchboard;
mod tally;
mod telling;
mod uplink;

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use protocol::{Code, Register, RegisterReply, RobotId, RobotKey, Sent, ToRobot, ToServer};
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        watch,
    },
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    capture::Feed,
    config::{self, MaxBitrate},
    delivery::Burst,
    media::{AccessUnit, Encoding, PacketSize},
    publish,
    reach::{ReachInput, Requests},
    report::{LinkState, Report},
    session::Addresses,
    signalling::LinkEvent,
    transport::{Datagram, Identity, Local},
};
use audience::{Audience, Input, Output};
use outside::{News, Outside};
use shard::{Line, Worker};
use socket::MediaSocket;
pub(crate) use socket::Port;
use spilling::Spilling;
use switchboard::{Shard, Switchboard, Target, Task};
use tally::Tally;
use telling::Telling;
use uplink::Uplink;

/// How often the machine's addresses are looked at: networks come and go.
const LOOK_AROUND: Duration = Duration::from_secs(2);

const REPORT: Duration = Duration::from_secs(1);

pub(crate) struct Fanout {
    robot: RobotId,
    key: Option<RobotKey>,
    feeds: Vec<Feed>,
    packet_size: PacketSize,
    audience: Audience,
    switchboard: Switchboard,
    workers: Vec<Worker>,
    others: Vec<Line>,
    outputs: mpsc::Receiver<(Shard, Output)>,
    port: Arc<Port>,
    link: mpsc::Receiver<LinkEvent>,
    server: mpsc::Sender<ToServer>,
    outside: Outside,
    attitude: mpsc::Receiver<Bytes>,
    uplink: Uplink,
    spilling: Spilling,
    tally: Tally,
    telling: Telling,
    reports: watch::Sender<Option<Report>>,
}

/// Who we are to the server.
pub(crate) struct Named {
    pub(crate) robot: RobotId,
    pub(crate) key: Option<RobotKey>,
}

/// What the fan-out is connected to.
pub(crate) struct Surroundings {
    pub(crate) port: Port,
    pub(crate) link: mpsc::Receiver<LinkEvent>,
    pub(crate) server: mpsc::Sender<ToServer>,
    pub(crate) requests: Requests,
    pub(crate) inputs: mpsc::Receiver<ReachInput>,
    /// How the robot leans; ends where nobody knows.
    pub(crate) attitude: mpsc::Receiver<Bytes>,
    pub(crate) reports: watch::Sender<Option<Report>>,
    /// What sends cameras' pictures to a media server.
    pub(crate) publisher: publish::Line,
}

/// What viewers may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) threads: usize,
    pub(crate) max_viewers: usize,
    pub(crate) packet_size: PacketSize,
    /// Bits per second to all viewers together.
    pub(crate) max_bitrate: Option<MaxBitrate>,
    pub(crate) spill: config::Spill,
    /// This machine is one of those that the media server may be on.
    pub(crate) is_at_home: bool,
}

impl Fanout {
    pub(crate) fn new(
        Named { robot, key }: Named,
        feeds: Vec<Feed>,
        identity: Identity,
        limits: Limits,
        surroundings: Surroundings,
    ) -> Self {
        let Surroundings { port, link, server, requests, inputs, attitude, reports, publisher } = surroundings;
        let outside = Outside::new(identity.crypto.clone(), requests, inputs);
        let encodings = |feed: &Feed| feed.units.iter().map(|(encoding, _)| *encoding).collect::<Vec<_>>();
        let share = limits.max_viewers.div_ceil(limits.threads);
        let audience = || {
            let cameras = feeds.iter().map(|feed| (&feed.info, feed.adjusts, encodings(feed)));
            Audience::new(identity.clone(), cameras, share)
        };
        let (sender, outputs) = mpsc::channel(shard::OUTPUTS);
        let (mut workers, mut others) = (Vec::new(), Vec::new());
        for number in 1..limits.threads {
            let (worker, line) = Worker::new(Shard(number), audience(), sender.clone());
            workers.push(worker);
            others.push(line);
        }
        Self {
            robot,
            key,
            packet_size: limits.packet_size,
            audience: audience(),
            switchboard: Switchboard::new(limits.threads, feeds.iter().map(encodings)),
            uplink: Uplink::new(limits.max_bitrate, feeds.iter().map(doorway::weighed)),
            spilling: Spilling::new(&limits, publisher, feeds.len()),
            tally: Tally::new(&feeds),
            telling: Telling::default(),
            feeds,
            workers,
            others,
            outputs,
            port: Arc::new(port),
            link,
            server,
            outside,
            attitude,
            reports,
        }
    }

    /// Serves viewers until cancelled, then says goodbye to them. Takes up the thread that it is called on.
    pub(crate) fn run(self, cancel: &CancellationToken) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        runtime.block_on(self.serve(cancel))
    }

    async fn serve(mut self, cancel: &CancellationToken) -> io::Result<()> {
        let mut threads = JoinSet::new();
        for worker in std::mem::take(&mut self.workers) {
            let port = self.port.clone();
            threads.spawn_blocking(move || worker.run(&port));
        }
        let mut socket = self.port.open()?;
        let mut burst = Burst::new(socket.max_segments());
        // Before anybody is offered them.
        self.look_around();
        let mut look_around = tokio::time::interval(LOOK_AROUND);
        let mut report = tokio::time::interval(REPORT);
        let ended = loop {
            let deadlines =
                [self.audience.poll_timeout(), self.outside.poll_timeout(), self.switchboard.poll_timeout(now())];
            let deadline = deadlines.into_iter().flatten().min().map(tokio::time::Instant::from_std);
            tokio::select! {
                () = cancel.cancelled() => break Ok(()),
                (camera, word) = next_of(&mut self.feeds) => match word {
                    FromCamera::Unit(encoding, unit) => self.handle_unit(camera, encoding, &unit),
                    FromCamera::Lost(lost) => {
                        self.tally.lost(camera, lost);
                        self.everybody(|| Input::Camera { camera, lost });
                    }
                },
                received = socket.receive() => match received {
                    Ok(datagrams) => {
                        let now = now();
                        for datagram in datagrams {
                            if let Some(datagram) = self.outside.handle_datagram(datagram, now) {
                                self.route(datagram);
                            }
                        }
                    }
                    Err(error) => tracing::debug!(%error, "receive"),
                },
                Some(event) = self.link.recv() => self.handle_link(event),
                Some(message) = self.attitude.recv() => {
                    self.spilling.publisher.tell_attitude(&message);
                    self.everybody(|| Input::Attitude(message.clone()));
                }
                Some(input) = self.outside.next() => self.handle_outside(input),
                Some(told) = self.spilling.publisher.next() => self.publisher_told(told, &socket).await,
                Some((shard, output)) = self.outputs.recv() => {
                    self.carry_out(shard, output, &socket).await;
                    while let Ok((shard, output)) = self.outputs.try_recv() {
                        self.carry_out(shard, output, &socket).await;
                    }
                }
                Some(thread) = threads.join_next() => {
                    break thread.map_err(io::Error::other).flatten().and_then(|()| Err(io::ErrorKind::BrokenPipe.into()));
                }
                () = sleep_until(deadline) => {
                    let now = now();
                    self.audience.handle_timeout(now);
                    self.outside.handle_timeout(now);
                }
                _ = look_around.tick() => self.look_around(),
                _ = report.tick() => {
                    self.report();
                    self.judge_crowd();
                }
            }
            self.spill(&socket).await;
            self.flush(&socket, &mut burst).await;
        };
        self.everybody(|| Input::ShutDown);
        self.flush(&socket, &mut burst).await;
        self.others.clear();
        while !threads.is_empty() {
            tokio::select! {
                _ = threads.join_next() => {}
                Some((shard, output)) = self.outputs.recv() => self.carry_out(shard, output, &socket).await,
            }
        }
        while let Ok((shard, output)) = self.outputs.try_recv() {
            self.carry_out(shard, output, &socket).await;
        }
        self.outside.shut_down(now());
        self.flush(&socket, &mut burst).await;
        ended
    }

    /// Cuts an access unit into packets, once for everybody.
    fn handle_unit(&mut self, feed: usize, encoding: Encoding, unit: &AccessUnit) {
        self.tally.unit(feed, encoding, unit.data.len());
        if unit.keyframe {
            self.switchboard.keyframe_seen(feed, encoding, now());
        }
        let frame = Arc::new(encoding.packetise(unit, self.packet_size));
        if frame.packets() > 0 {
            self.publish(feed, encoding, &frame);
            self.everybody(|| Input::Frame(feed, encoding, frame.clone()));
        }
    }

    fn route(&mut self, datagram: Datagram) {
        match self.switchboard.route(&datagram.data, datagram.from) {
            Target::One(shard) => self.hand(shard, Input::Datagram(datagram)),
            Target::All => {
                let Datagram { data, from, to } = datagram;
                self.everybody(|| Input::Datagram(Datagram { data: data.clone(), from, to }));
            }
            Target::Nobody => {}
        }
    }

    fn everybody(&mut self, input: impl Fn() -> Input) {
        for shard in 0..=self.others.len() {
            self.hand(Shard(shard), input());
        }
    }

    fn hand(&mut self, Shard(shard): Shard, input: Input) {
        match shard.checked_sub(1).and_then(|other| self.others.get(other)) {
            None => self.audience.handle(input, now()),
            Some(other) => other.hand(input),
        }
    }

    fn look_around(&mut self) {
        let hosts = self.port.addresses().into_iter().map(Local::Host);
        let local = hosts.chain(self.outside.relays()).collect();
        let addresses = Addresses { local, reflexive: self.outside.reflexive() };
        self.everybody(|| Input::Relocate(addresses.clone()));
    }

    fn report(&mut self) {
        let report = self.tally();
        if let Some(sent) = self.tally.bits_since_asked() {
            self.uplink.sent(sent, now());
        }
        if self.telling.is_due(&report) {
            self.everybody(|| Input::Report);
        } else if self.uplink.is_bounded() {
            self.everybody(|| Input::Count);
        }
        self.reports.send_replace(Some(report));
    }

    fn tally(&self) -> Report {
        let stalled = self.others.iter().any(Line::is_stalled);
        self.tally.report(self.switchboard.live_sessions().count(), stalled, now())
    }

    /// A shard's viewers have been counted. This thread's own are as soon as they are asked for, and then the server is told,
    /// of the others what they said last.
    fn counted(&mut self, shard: Shard, sent: Sent) {
        self.tally.sent_by(shard, sent);
        let report = self.tally();
        if shard == Shard::default()
            && self.telling.is_due(&report)
            && let Some(report) = self.telling.tell(report, self.tally.sent())
        {
            self.say(ToServer::Report { report });
        }
    }

    fn handle_outside(&mut self, input: ReachInput) {
        match self.outside.handle(input, now()) {
            Some(News::Datagram(datagram)) => self.route(datagram),
            Some(News::Name(name, address)) => {
                self.everybody(|| Input::Name(name.as_str().to_owned(), address));
            }
            None => {}
        }
    }

    fn handle_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Up => {
                self.tally.link(LinkState::Up);
                let register = Register {
                    version: Some(protocol::VERSION),
                    robot: Some(self.robot.clone()),
                    key: self.key.clone(),
                    cameras: self.feeds.iter().map(|feed| feed.info.clone()).collect(),
                    sessions: self.switchboard.live_sessions().cloned().collect(),
                    links: self.switchboard.links().map(|(session, link)| (session.clone(), link.clone())).collect(),
                    published: self.published(),
                };
                self.say(ToServer::Broadcaster { register: Some(register) });
            }
            LinkEvent::Registered(RegisterReply::Registered(registration)) => {
                tracing::info!(robot = %registration.robot, "registered: viewers can come");
                self.tally.link(LinkState::Registered);
                self.telling.asked(registration.report_every);
                self.outside.set_servers(registration.ice_servers);
                self.spilling.offered(registration.sfu);
            }
            LinkEvent::Registered(RegisterReply::Refused { error }) => {
                tracing::error!(code = %error.code, reason = error.message, "the server refused this robot");
                self.tally.link(LinkState::Refused);
            }
            // Candidates that cross a viewer's goodbye are answered so.
            LinkEvent::Message(ToRobot::Notice { notice }) if notice.code == Code::Unauthorized => {
                tracing::debug!(reason = notice.message, "notice from the server");
            }
            LinkEvent::Message(ToRobot::Notice { notice }) => {
                tracing::warn!(code = %notice.code, reason = notice.message, "notice from the server");
            }
            LinkEvent::Message(ToRobot::IceServers { servers }) => self.outside.set_servers(servers),
            LinkEvent::Message(ToRobot::Publishing { camera, description }) => {
                self.publish_answered(&camera.camera, description.sdp);
            }
            LinkEvent::Message(ToRobot::NotPublished { camera, notice }) => {
                self.not_published(&camera.camera, &notice);
            }
            LinkEvent::Message(ToRobot::Crowd { crowd }) => self.crowd(&crowd),
            LinkEvent::Message(message) => self.handle_message(message),
            LinkEvent::Down => {
                tracing::info!("the link is down; viewers keep their picture");
                self.tally.link_down();
                self.telling.asked(None);
            }
        }
    }

    /// Does what the audience wants done. Waits only for the network card.
    async fn flush(&mut self, socket: &MediaSocket, burst: &mut Burst) {
        self.share();
        // What ends a handshake goes before the pictures that it is for.
        self.carry_out_all(socket).await;
        while let Some(path) = self.audience.poll_media(now(), burst) {
            if self.outside.is_relay(path.local) {
                for packet in burst.packets() {
                    self.outside.wrap(Datagram { data: packet.into(), from: path.local, to: path.remote }, now());
                }
            } else {
                socket.send_burst(path, burst).await;
            }
        }
        self.carry_out_all(socket).await;
        for (feed, encoding) in self.switchboard.take_keyframes(now()) {
            // A full channel holds requests that have not been carried out yet, which is as good.
            let _ = self.feeds[feed].keyframes.try_send(encoding);
        }
        while let Some(datagram) = self.outside.poll_transmit() {
            socket.send(&datagram).await;
        }
        if self.outside.take_moved() {
            self.look_around();
        }
    }

    async fn carry_out_all(&mut self, socket: &MediaSocket) {
        while let Some(output) = self.audience.poll_output() {
            self.carry_out(Shard::default(), output, socket).await;
        }
    }

    /// Does what a shard wants done.
    async fn carry_out(&mut self, shard: Shard, output: Output, socket: &MediaSocket) {
        match self.switchboard.note(shard, output, now()) {
            Some(Task::Transmit(datagram)) if self.outside.is_relay(datagram.from) => {
                self.outside.wrap(datagram, now());
            }
            Some(Task::Transmit(datagram)) => socket.send(&datagram).await,
            Some(Task::Say(message)) => self.say(message),
            Some(Task::Count(sent)) => self.counted(shard, sent),
            Some(Task::Resolve(name)) => self.outside.resolve(&name),
            Some(Task::Permit(address)) => self.outside.permit(address, now()),
            Some(Task::Weigh(session, rung)) => self.uplink.gets(&session, rung),
            Some(Task::Squeezed(session, carried)) => self.uplink.squeezed(&session, carried, now()),
            Some(Task::Forget(session)) => self.uplink.left(&session),
            Some(Task::Run(feed, running)) => {
                self.tally.running(feed, &running);
                self.everybody(|| Input::Runs(feed, running.clone()));
                self.feeds[feed].running.send_replace(running);
            }
            None => {}
        }
    }

    fn say(&self, message: ToServer) {
        match self.server.try_send(message) {
            // Without a link there is nobody to tell; the viewers come back through the next one.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => tracing::warn!("the server is not listening; message dropped"),
        }
    }
}

/// What a camera has to say.
enum FromCamera {
    Unit(Encoding, AccessUnit),
    /// It is lost, or found again.
    Lost(bool),
}

/// The next word of any camera, with its place. One that has ended is never ready.
async fn next_of(feeds: &mut [Feed]) -> (usize, FromCamera) {
    poll_fn(|context| {
        for (index, feed) in feeds.iter_mut().enumerate() {
            for (encoding, units) in &mut feed.units {
                if let Poll::Ready(Some(unit)) = units.poll_recv(context) {
                    return Poll::Ready((index, FromCamera::Unit(*encoding, unit)));
                }
            }
            if let Poll::Ready(Some(lost)) = feed.lost.poll_recv(context) {
                return Poll::Ready((index, FromCamera::Lost(lost)));
            }
        }
        Poll::Pending
    })
    .await
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The fan-out's one clock.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
