//! From frames to all viewers: one thread, one UDP port.
//!
//! The thread owns the [`Audience`], which decides everything, and is its only shell: it feeds it what the server says, what
//! the cameras give and what the socket receives, and carries out what it wants.

mod audience;
mod camera;
mod keyframes;
mod outside;
mod routes;
mod socket;

use std::{
    future::poll_fn,
    io,
    task::Poll,
    time::{Duration, Instant},
};

use protocol::{Code, Register, RegisterReply, RobotId, ToRobot, ToServer};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use crate::{
    capture::Feed,
    delivery::Burst,
    media::{AccessUnit, Encoding, PacketSize},
    reach::{ReachInput, Requests},
    session::Addresses,
    signalling::LinkEvent,
    transport::{Datagram, Identity, Local},
};
use audience::{Audience, Output};
use outside::{News, Outside};
use socket::MediaSocket;
pub(crate) use socket::Port;

/// How often the machine's addresses are looked at: networks come and go.
const LOOK_AROUND: Duration = Duration::from_secs(2);

pub(crate) struct Fanout {
    robot: RobotId,
    feeds: Vec<Feed>,
    audience: Audience,
    port: Port,
    link: mpsc::Receiver<LinkEvent>,
    server: mpsc::Sender<ToServer>,
    outside: Outside,
}

/// What the fan-out is connected to.
pub(crate) struct Surroundings {
    pub(crate) port: Port,
    pub(crate) link: mpsc::Receiver<LinkEvent>,
    pub(crate) server: mpsc::Sender<ToServer>,
    pub(crate) requests: Requests,
    pub(crate) inputs: mpsc::Receiver<ReachInput>,
}

/// What viewers may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_viewers: usize,
    pub(crate) packet_size: PacketSize,
}

impl Fanout {
    pub(crate) fn new(
        robot: RobotId,
        feeds: Vec<Feed>,
        identity: Identity,
        limits: Limits,
        surroundings: Surroundings,
    ) -> Self {
        let Surroundings { port, link, server, requests, inputs } = surroundings;
        let outside = Outside::new(identity.crypto.clone(), requests, inputs);
        let encodings = |feed: &Feed| feed.units.iter().map(|(encoding, _)| *encoding).collect();
        let cameras = feeds.iter().map(|feed| (&feed.info, encodings(feed)));
        let audience = Audience::new(identity, cameras, limits.max_viewers, limits.packet_size);
        Self { robot, feeds, audience, port, link, server, outside }
    }

    /// Serves viewers until cancelled, then says goodbye to them. Takes up the thread that it is called on.
    pub(crate) fn run(self, cancel: &CancellationToken) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        runtime.block_on(self.serve(cancel))
    }

    async fn serve(mut self, cancel: &CancellationToken) -> io::Result<()> {
        let mut socket = self.port.open()?;
        let mut burst = Burst::new(socket.max_segments());
        let mut look_around = tokio::time::interval(LOOK_AROUND);
        loop {
            let deadlines = [self.audience.poll_timeout(now()), self.outside.poll_timeout()];
            let deadline = deadlines.into_iter().flatten().min().map(tokio::time::Instant::from_std);
            tokio::select! {
                () = cancel.cancelled() => break,
                (feed, encoding, unit) = next_unit(&mut self.feeds) => {
                    self.audience.handle_unit(feed, encoding, &unit, now());
                }
                received = socket.receive() => match received {
                    Ok(datagrams) => {
                        let now = now();
                        for datagram in datagrams {
                            if let Some(datagram) = self.outside.handle_datagram(datagram, now) {
                                self.audience.handle_datagram(datagram, now);
                            }
                        }
                    }
                    Err(error) => tracing::debug!(%error, "receive"),
                },
                Some(event) = self.link.recv() => self.handle_link(event),
                Some(input) = self.outside.next() => self.handle_outside(input),
                () = sleep_until(deadline) => {
                    let now = now();
                    self.audience.handle_timeout(now);
                    self.outside.handle_timeout(now);
                }
                _ = look_around.tick() => self.look_around(),
            }
            self.flush(&socket, &mut burst).await;
        }
        self.audience.shut_down(now());
        self.outside.shut_down(now());
        self.flush(&socket, &mut burst).await;
        Ok(())
    }

    fn look_around(&mut self) {
        let hosts = self.port.addresses().into_iter().map(Local::Host);
        let local = hosts.chain(self.outside.relays()).collect();
        self.audience.relocate(Addresses { local, reflexive: self.outside.reflexive() }, now());
    }

    fn handle_outside(&mut self, input: ReachInput) {
        match self.outside.handle(input, now()) {
            Some(News::Datagram(datagram)) => self.audience.handle_datagram(datagram, now()),
            Some(News::Name(name, address)) => self.audience.handle_name(name.as_str(), address, now()),
            None => {}
        }
    }

    fn handle_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Up => {
                let register = Register {
                    version: Some(protocol::VERSION),
                    robot: Some(self.robot.clone()),
                    cameras: self.feeds.iter().map(|feed| feed.info.clone()).collect(),
                    sessions: self.audience.live_sessions().cloned().collect(),
                };
                self.say(ToServer::Broadcaster { register: Some(register) });
            }
            LinkEvent::Registered(RegisterReply::Registered(registration)) => {
                tracing::info!(robot = %registration.robot, "registered: viewers can come");
                self.outside.set_servers(registration.ice_servers);
            }
            LinkEvent::Registered(RegisterReply::Refused { error }) => {
                tracing::error!(code = %error.code, reason = error.message, "the server refused this robot");
            }
            // Candidates that cross a viewer's goodbye are answered so.
            LinkEvent::Message(ToRobot::Notice { notice }) if notice.code == Code::Unauthorized => {
                tracing::debug!(reason = notice.message, "notice from the server");
            }
            LinkEvent::Message(ToRobot::Notice { notice }) => {
                tracing::warn!(code = %notice.code, reason = notice.message, "notice from the server");
            }
            LinkEvent::Message(message) => self.audience.handle_message(message, now()),
            LinkEvent::Down => tracing::info!("the link is down; viewers keep their picture"),
        }
    }

    /// Does what the audience wants done. Waits only for the network card.
    async fn flush(&mut self, socket: &MediaSocket, burst: &mut Burst) {
        while let Some(path) = self.audience.poll_media(now(), burst) {
            if self.outside.is_relay(path.local) {
                for packet in burst.packets() {
                    self.outside.wrap(Datagram { data: packet.into(), from: path.local, to: path.remote }, now());
                }
            } else {
                socket.send_burst(path, burst).await;
            }
        }
        while let Some(output) = self.audience.poll_output() {
            match output {
                Output::Transmit(datagram) if self.outside.is_relay(datagram.from) => {
                    self.outside.wrap(datagram, now());
                }
                Output::Transmit(datagram) => socket.send(&datagram).await,
                Output::Say(message) => self.say(message),
                Output::Run(feed, encodings) => {
                    self.feeds[feed].running.send_replace(encodings);
                }
                Output::Keyframe(feed, encoding) => {
                    // A full channel holds requests that have not been carried out yet, which is as good.
                    let _ = self.feeds[feed].keyframes.try_send(encoding);
                }
                Output::Resolve(name) => self.outside.resolve(&name),
                Output::Permit(address) => self.outside.permit(address, now()),
            }
        }
        while let Some(datagram) = self.outside.poll_transmit() {
            socket.send(&datagram).await;
        }
        if self.outside.take_moved() {
            self.look_around();
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

/// The next access unit of any camera and encoding, with the camera's place. A camera that has ended is never ready.
async fn next_unit(feeds: &mut [Feed]) -> (usize, Encoding, AccessUnit) {
    poll_fn(|context| {
        for (index, feed) in feeds.iter_mut().enumerate() {
            for (encoding, units) in &mut feed.units {
                if let Poll::Ready(Some(unit)) = units.poll_recv(context) {
                    return Poll::Ready((index, *encoding, unit));
                }
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
