//! From frames to all viewers: one task, one UDP port.
//!
//! The task owns the [`Audience`], which decides everything, and is its only shell: it feeds it what the server says, what
//! the cameras give and what the socket receives, and carries out what it wants.

mod audience;
mod routes;
mod socket;

use std::{future::poll_fn, task::Poll, time::Instant};

use protocol::{CameraId, Code, Register, RegisterReply, RobotId, ToRobot, ToServer};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use crate::{capture::Feed, media::AccessUnit, session::Identity, signalling::LinkEvent};
use audience::{Audience, Output};
pub(crate) use socket::MediaSocket;

pub(crate) struct Fanout {
    robot: RobotId,
    feeds: Vec<Feed>,
    audience: Audience,
    socket: MediaSocket,
    link: mpsc::Receiver<LinkEvent>,
    server: mpsc::Sender<ToServer>,
}

impl Fanout {
    pub(crate) fn new(
        robot: RobotId,
        feeds: Vec<Feed>,
        identity: Identity,
        max_viewers: usize,
        socket: MediaSocket,
        link: mpsc::Receiver<LinkEvent>,
        server: mpsc::Sender<ToServer>,
    ) -> Self {
        for feed in &feeds {
            feed.running.send_replace(feed.units.first().map(|(encoding, _)| *encoding).into_iter().collect());
        }
        let cameras = feeds.iter().map(|feed| feed.info.id.clone()).collect();
        Self { robot, feeds, audience: Audience::new(identity, cameras, max_viewers), socket, link, server }
    }

    /// Serves viewers until cancelled, then says goodbye to them.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        loop {
            let deadline = self.audience.poll_timeout(now()).map(tokio::time::Instant::from_std);
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(event) = self.link.recv() => self.handle_link(event),
                (feed, unit) = next_unit(&mut self.feeds) => {
                    let camera = &self.feeds[feed].info.id;
                    self.audience.handle_unit(camera, &unit, now());
                }
                received = self.socket.receive() => match received {
                    Ok(datagrams) => {
                        let now = now();
                        for datagram in datagrams {
                            self.audience.handle_datagram(datagram, now);
                        }
                    }
                    Err(error) => tracing::debug!(%error, "receive"),
                },
                () = sleep_until(deadline) => self.audience.handle_timeout(now()),
            }
            self.flush().await;
        }
        self.audience.shut_down();
        self.flush().await;
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
            LinkEvent::Message(message) => self.audience.handle_message(message, &self.socket.addresses(), now()),
            LinkEvent::Down => tracing::info!("the link is down; viewers keep their picture"),
        }
    }

    /// Does what the audience wants done. Waits only for the network card.
    async fn flush(&mut self) {
        while let Some(output) = self.audience.poll_output() {
            match output {
                Output::Transmit(datagram) => self.socket.send(&datagram).await,
                Output::Say(message) => self.say(message),
                Output::Keyframe(camera) => self.request_keyframe(&camera),
            }
        }
    }

    fn say(&self, message: ToServer) {
        match self.server.try_send(message) {
            // Without a link there is nobody to tell; the viewers come back through the next one.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => tracing::warn!("the server is not listening; message dropped"),
        }
    }

    fn request_keyframe(&self, camera: &CameraId) {
        if let Some(feed) = self.feeds.iter().find(|feed| feed.info.id == *camera)
            && let Some((encoding, _)) = feed.units.first()
        {
            // A full channel holds requests that have not been carried out yet, which is as good.
            let _ = feed.keyframes.try_send(*encoding);
        }
    }
}

/// The next access unit of any camera, with that camera's place. A camera that has ended is never ready.
async fn next_unit(feeds: &mut [Feed]) -> (usize, AccessUnit) {
    poll_fn(|context| {
        for (index, feed) in feeds.iter_mut().enumerate() {
            if let Some((_, units)) = feed.units.first_mut()
                && let Poll::Ready(Some(unit)) = units.poll_recv(context)
            {
                return Poll::Ready((index, unit));
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
