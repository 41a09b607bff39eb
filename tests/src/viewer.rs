//! A viewer without a screen: it joins as the page does, receives what the page would, and counts it.

use std::time::Duration;

use broadcaster::signalling::{AckId, Connection, ConnectionError, Incoming, ServerUrl};
use protocol::{
    Bitrate, CameraId, Candidate, Code, Description, DescriptionKind, Fps, Hello, Notice, PeerId, RobotId, Sdp,
    SessionId, SessionRef, ToServer, ToViewer, Watch, WatchReply, Wishes,
};
use rtc::peer_connection::sdp::RTCSessionDescription;
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    Reception,
    peer::{Peer, PeerEvent},
};

/// As the page does after its link broke.
const RECONNECT_AFTER: Duration = Duration::from_millis(300);

#[derive(Clone, Debug)]
pub struct Options {
    pub server: ServerUrl,
    pub robot: Option<RobotId>,
    pub camera: Option<CameraId>,
    pub wishes: Wishes,
    /// That of a link.
    pub token: Option<String>,
}

impl Options {
    /// The default robot's first camera, at whatever quality the path carries.
    pub fn new(server: ServerUrl) -> Self {
        Self { server, robot: None, camera: None, wishes: Wishes::default(), token: None }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ViewerError {
    #[error("the link to the server failed")]
    Link(#[from] ConnectionError),
    #[error("the peer connection failed")]
    Peer(#[from] webrtc::error::Error),
}

/// A running viewer. Dropping it ends it without a goodbye, like a browser that was killed.
pub struct Viewer {
    reception: watch::Receiver<Reception>,
    leave: CancellationToken,
    task: JoinHandle<Result<(), ViewerError>>,
}

impl Viewer {
    pub fn join(options: Options) -> Self {
        let (sender, reception) = watch::channel(Reception::default());
        let leave = CancellationToken::new();
        let watching = Watching {
            options,
            reception: sender,
            started: Instant::now(),
            session: None,
            peer: None,
            pending: Vec::new(),
            report_every: None,
            reported: (Instant::now(), 0, 0),
        };
        let task = tokio::spawn(watching.run(leave.clone()));
        Self { reception, leave, task }
    }

    /// What has come so far.
    pub fn reception(&self) -> Reception {
        self.reception.borrow().clone()
    }

    /// Waits until what has come satisfies `enough`. Fails when the viewer ends or `within` passes before.
    pub async fn until(
        &mut self,
        within: Duration,
        enough: impl FnMut(&Reception) -> bool,
    ) -> anyhow::Result<Reception> {
        let waited = tokio::time::timeout(within, self.reception.wait_for(enough)).await;
        match waited.map(|waited| waited.map(|reception| reception.clone())) {
            Ok(Ok(reception)) => Ok(reception),
            Ok(Err(_)) => anyhow::bail!("the viewer ended: {:?}", self.reception()),
            Err(_) => anyhow::bail!("not within {within:?}: {:?}", self.reception()),
        }
    }

    /// Waits until nothing has come for so long, and says when the last packet came.
    pub async fn until_silent(&mut self, quiet: Duration, within: Duration) -> anyhow::Result<Instant> {
        let silent = async {
            loop {
                let (packets, since) = (self.reception().packets, Instant::now());
                let more = self.reception.wait_for(|reception| reception.packets > packets);
                match tokio::time::timeout(quiet, more).await.map(|more| more.map(drop)) {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => anyhow::bail!("the viewer ended: {:?}", self.reception()),
                    Err(_) => return Ok(since),
                }
            }
        };
        let waited = tokio::time::timeout(within, silent).await;
        waited.unwrap_or_else(|_| anyhow::bail!("it goes on after {within:?}"))
    }

    /// Leaves as a closed page does, and waits until that is done.
    pub async fn leave(mut self) -> anyhow::Result<Reception> {
        self.leave.cancel();
        (&mut self.task).await??;
        Ok(self.reception())
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Session {
    id: SessionId,
    robot: PeerId,
}

struct Watching {
    options: Options,
    reception: watch::Sender<Reception>,
    started: Instant,
    session: Option<Session>,
    peer: Option<Peer>,
    /// The robot's candidates that came before its offer was taken.
    pending: Vec<Candidate>,
    /// How often the server wants to know how the picture comes.
    report_every: Option<Duration>,
    /// When it was told last, and the frames and bytes by then.
    reported: (Instant, u64, u64),
}

impl Watching {
    async fn run(mut self, leave: CancellationToken) -> Result<(), ViewerError> {
        let hello = Hello { version: Some(protocol::VERSION), token: self.options.token.clone() };
        let ended = loop {
            let watched = tokio::select! {
                () = leave.cancelled() => break Ok(()),
                connection = Connection::open_showing(&self.options.server, None, &hello) => match connection {
                    Ok(connection) => self.watch(connection, &leave).await,
                    Err(error) => Err(error.into()),
                },
            };
            match watched {
                Ok(()) => break Ok(()),
                Err(ViewerError::Link(error)) => {
                    tracing::debug!(%error, "link lost; the picture may go on");
                    if self.receive_for(RECONNECT_AFTER, &leave).await {
                        break Ok(());
                    }
                }
                Err(error @ ViewerError::Peer(_)) => break Err(error),
            }
        };
        if let Some(peer) = &self.peer {
            peer.connection.close().await?;
        }
        ended
    }

    /// One connection's life. Ends well when told to leave.
    async fn watch(&mut self, mut link: Connection, leave: &CancellationToken) -> Result<(), ViewerError> {
        let mut asked = Some(self.ask(&mut link).await?);
        loop {
            tokio::select! {
                () = leave.cancelled() => {
                    link.close().await;
                    return Ok(());
                }
                incoming = link.next() => match incoming? {
                    Incoming::Ack(id, json) => if asked == Some(id) {
                        asked = None;
                        self.handle_reply(&json);
                    },
                    Incoming::Event(json) => match ToViewer::decode(&json) {
                        // The reply to an open question comes after this announcement, and so knows of the robot.
                        Ok(ToViewer::Broadcaster { .. }) => if asked.is_none() {
                            asked = Some(self.ask(&mut link).await?);
                        },
                        Ok(ToViewer::Offer { about: Some(about), .. }) if self.is_live(&about) => {
                            self.begin_anew().await?;
                            asked = Some(self.ask(&mut link).await?);
                        }
                        Ok(message) => self.handle_message(message, &mut link).await?,
                        Err(error) => tracing::warn!(%error, "event not understood"),
                    },
                },
                event = next(&mut self.peer) => if let PeerEvent::Failed = event {
                    self.begin_anew().await?;
                    asked = Some(self.ask(&mut link).await?);
                } else {
                    self.handle_peer(event, Some(&mut link)).await?;
                },
            }
        }
    }

    /// Whether pictures of this session come, or came: another offer is for another way to it.
    fn is_live(&self, about: &SessionRef) -> bool {
        self.peer.is_some() && self.session.as_ref().is_some_and(|session| session.id == about.session)
    }

    /// As the page does when no way is found any more: what was there is over. Unlike the page, this does not look for another
    /// way first.
    async fn begin_anew(&mut self) -> Result<(), ViewerError> {
        self.session = None;
        if let Some(peer) = self.peer.take() {
            peer.connection.close().await?;
        }
        Ok(())
    }

    /// Without a link the media goes on. True: told to leave.
    async fn receive_for(&mut self, time: Duration, leave: &CancellationToken) -> bool {
        let until = Instant::now() + time;
        loop {
            tokio::select! {
                () = leave.cancelled() => return true,
                () = tokio::time::sleep_until(until) => return false,
                // Without a link nothing in there can fail.
                event = next(&mut self.peer) => if self.handle_peer(event, None).await.is_err() { return false },
            }
        }
    }

    async fn ask(&self, link: &mut Connection) -> Result<AckId, ConnectionError> {
        let watch = Watch {
            version: Some(protocol::VERSION),
            robot: self.options.robot.clone(),
            camera: self.options.camera.clone(),
            resume: self.session.as_ref().map(|session| session.id.clone()),
            wishes: self.options.wishes.clone(),
            takes: Some(Vec::new()),
            ..Watch::default()
        };
        link.ask(&ToServer::Watcher { watch: Some(watch) }).await
    }

    fn handle_reply(&mut self, json: &str) {
        match serde_json::from_str::<(WatchReply,)>(json) {
            Ok((WatchReply::Admitted(admission),)) => {
                self.session = Some(Session { id: admission.session, robot: admission.peer });
                self.report_every = admission.report_every.map(|seconds| Duration::from_secs(seconds.into()));
                let elapsed = self.started.elapsed();
                self.reception.send_modify(|reception| {
                    reception.admitted.get_or_insert(elapsed);
                    reception.resumed += u32::from(admission.resumed);
                });
            }
            Ok((WatchReply::Refused { error },)) => {
                self.reception.send_modify(|reception| reception.refused = Some(error));
            }
            Err(error) => self.complain(format!("the reply makes no sense: {error}")),
        }
    }

    fn complain(&self, message: String) {
        self.reception.send_modify(|reception| reception.notices.push(Notice::new(Code::Malformed, message)));
    }

    async fn handle_message(&mut self, message: ToViewer, link: &mut Connection) -> Result<(), ViewerError> {
        match message {
            ToViewer::Offer { from, description, about } => {
                if let Some(SessionRef { session }) = about {
                    self.session = Some(Session { id: session, robot: from });
                }
                self.handle_offer(description, link).await?;
            }
            ToViewer::Candidate { candidate, .. } => match &self.peer {
                Some(peer) => peer.add_candidate(candidate).await,
                None => self.pending.push(candidate),
            },
            ToViewer::Notice { notice, .. } => self.reception.send_modify(|reception| reception.notices.push(notice)),
            // It takes nothing but a connection to the robot.
            ToViewer::Move { .. }
            | ToViewer::Answer { .. }
            | ToViewer::Broadcaster { .. }
            | ToViewer::BroadcasterLeft { .. } => {}
        }
        Ok(())
    }

    async fn handle_offer(&mut self, offer: Description, link: &mut Connection) -> Result<(), ViewerError> {
        if let Some(former) = self.peer.take() {
            former.connection.close().await?;
        }
        self.reception.send_modify(Reception::new_session);
        let peer = Peer::build(&self.options.server).await?;
        peer.connection.set_remote_description(RTCSessionDescription::offer(offer.sdp.into_string())?).await?;
        let answer = peer.connection.create_answer(None).await?;
        let sdp = answer.sdp.clone();
        peer.connection.set_local_description(answer).await?;
        for candidate in std::mem::take(&mut self.pending) {
            peer.add_candidate(candidate).await;
        }
        self.peer = Some(peer);
        match Sdp::try_from(sdp) {
            Ok(sdp) => {
                let description = Some(Description { kind: DescriptionKind::Answer, sdp });
                self.say(link, |to, about| ToServer::Answer { to, description, about }).await?;
            }
            Err(error) => self.complain(format!("our answer is none: {error}")),
        }
        Ok(())
    }

    async fn handle_peer(&mut self, event: PeerEvent, link: Option<&mut Connection>) -> Result<(), ViewerError> {
        match event {
            PeerEvent::Failed => self.begin_anew().await?,
            PeerEvent::Packet(packet) => {
                let elapsed = self.started.elapsed();
                self.reception.send_modify(|reception| reception.count(&packet, elapsed));
                if let Some(link) = link {
                    self.report(link).await?;
                }
            }
            PeerEvent::Candidate(init) => {
                let json = serde_json::json!({ "candidate": init.candidate, "sdpMid": "0", "sdpMLineIndex": 0 });
                if let (Some(link), Ok(candidate)) = (link, serde_json::from_value(json)) {
                    self.say(link, |to, about| ToServer::Candidate { to, candidate: Some(candidate), about }).await?;
                }
            }
        }
        Ok(())
    }

    /// Says how the picture comes, as often as the server wants to know.
    async fn report(&mut self, link: &mut Connection) -> Result<(), ConnectionError> {
        let (since, frames, bytes) = self.reported;
        let (Some(every), passed) = (self.report_every, since.elapsed()) else { return Ok(()) };
        if passed < every {
            return Ok(());
        }
        let now = self.reception.borrow().clone();
        self.reported = (Instant::now(), now.frames, now.bytes);
        let per_second = |count: u64| count as f64 / passed.as_secs_f64();
        let reception = protocol::Reception {
            fps: Fps::nearest(per_second(now.frames - frames)),
            bitrate: Bitrate::nearest(per_second(now.bytes - bytes) * 8.0),
            ..Default::default()
        };
        self.say(link, |_, about| ToServer::Reception { reception, about }).await
    }

    async fn say(
        &self,
        link: &mut Connection,
        message: impl FnOnce(PeerId, Option<SessionRef>) -> ToServer,
    ) -> Result<(), ConnectionError> {
        match &self.session {
            Some(Session { id, robot }) => {
                link.emit(&message(robot.clone(), Some(SessionRef { session: id.clone() }))).await
            }
            None => Ok(()),
        }
    }
}

async fn next(peer: &mut Option<Peer>) -> PeerEvent {
    match peer {
        Some(peer) => peer.next().await,
        None => std::future::pending().await,
    }
}
