//! A viewer that does what its test tells it, good or bad: with a socket and links of its own, which lose and delay as asked.

mod receiver;
mod seen;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::Context;
use broadcaster::signalling::{Connection, Incoming, ServerUrl};
use bytes::BytesMut;
use protocol::{Description, DescriptionKind, PeerId, SessionRef, ToServer, ToViewer, Watch};
use rtc::rtcp::{
    payload_feedbacks::{
        full_intra_request::{FirEntry, FullIntraRequest},
        picture_loss_indication::PictureLossIndication,
    },
    transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack},
};
use tokio::{
    net::UdpSocket,
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{Conditions, Link, Options};
use receiver::Receiver;
pub use seen::{Picture, Seen};

/// No path carries a longer one whole.
const MAX_LENGTH: usize = 1500;
/// IP and UDP.
const HEADERS: usize = 28;
/// A viewer that missed something asks for a keyframe that often.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);
/// A viewer that wants nothing is looked at that often.
const IDLE: Duration = Duration::from_secs(1);

/// As the page does.
const RECONNECT_AFTER: Duration = Duration::from_millis(300);

/// What a puppet does from now on.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "orders are few, and none is kept")]
pub enum Order {
    /// Its path from and to the robot.
    Path { down: Conditions, up: Conditions },
    /// Reads nothing more of what comes.
    StopReading,
    /// Makes so many requests for each picture that comes: for all its packets, for keyframes of both kinds.
    Flood(u32),
}

/// A running puppet. Dropping it ends it without a goodbye.
pub struct Puppet {
    seen: watch::Receiver<Seen>,
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Puppet {
    pub fn join(options: Options) -> Self {
        let (sender, seen) = watch::channel(Seen::default());
        let (orders, ordered) = mpsc::unbounded_channel();
        Self { seen, orders, task: tokio::spawn(run(options, sender, ordered)) }
    }

    /// It obeys before it reads on. One that has ended obeys nothing, as [`Self::until`] shows.
    pub fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits until what it has seen satisfies `enough`. Fails when it ends or `within` passes before.
    pub async fn until(&mut self, within: Duration, enough: impl FnMut(&Seen) -> bool) -> anyhow::Result<Seen> {
        let waited = tokio::time::timeout(within, self.seen.wait_for(enough)).await;
        match waited.map(|waited| waited.map(|seen| seen.clone())) {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(_)) => anyhow::bail!("the puppet ended: {:?}", (&mut self.task).await),
            Err(_) => {
                let Seen { offers, notices, pictures, .. } = self.seen();
                anyhow::bail!("not within {within:?}: {offers} offers, {} pictures, {notices:?}", pictures.len())
            }
        }
    }

    /// Leaves as a closed page does, and waits until that is done.
    pub async fn leave(mut self) -> anyhow::Result<()> {
        let Self { orders, task, .. } = &mut self;
        *orders = mpsc::unbounded_channel().0;
        task.await?
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    options: Options,
    seen: watch::Sender<Seen>,
    mut orders: mpsc::UnboundedReceiver<Order>,
) -> anyhow::Result<()> {
    let mut line = connect(&options.server).await;
    let watch = ToServer::Watcher {
        watch: Some(Watch {
            version: Some(protocol::VERSION),
            robot: options.robot,
            camera: options.camera,
            wishes: options.wishes,
            takes: Some(Vec::new()),
            ..Watch::default()
        }),
    };
    let mut asked = Some(line.ask(&watch).await?);
    let mut body = Body::new(home(&options.server).await?, seen).await?;
    let mut buffer = [0; MAX_LENGTH];
    loop {
        body.flush().await?;
        let due = tokio::time::Instant::from_std(body.due());
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(order) => body.obey(order),
                None => break,
            },
            incoming = line.next() => match incoming? {
                Incoming::Ack(id, _) => if asked == Some(id) {
                    asked = None;
                },
                Incoming::Event(json) => {
                    let message = ToViewer::decode(&json).context("the server makes sense")?;
                    let comes = matches!(message, ToViewer::Broadcaster { .. });
                    if let Some(answer) = body.hear(message)? {
                        line.emit(&answer).await?;
                    }
                    // The reply to an open question comes after this announcement, and so knows of the robot.
                    if comes && asked.is_none() {
                        asked = Some(line.ask(&watch).await?);
                    }
                }
            },
            received = body.socket.recv_from(&mut buffer), if body.reads => {
                let (length, from) = received?;
                body.come(&buffer[..length], from);
            }
            () = tokio::time::sleep_until(due) => body.handle_timeout()?,
        }
    }
    if let Some(receiver) = &mut body.receiver {
        receiver.close()?;
    }
    body.flush().await?;
    line.close().await;
    Ok(())
}

/// The server may be about to start.
async fn connect(server: &ServerUrl) -> Connection {
    loop {
        match Connection::open(server, None).await {
            Ok(connection) => return connection,
            Err(error) => tracing::debug!(%error, "not connected yet"),
        }
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

/// The address that this machine has where the server is.
async fn home(server: &ServerUrl) -> anyhow::Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect((server.host(), server.port())).await?;
    Ok(socket.local_addr()?.ip())
}

/// A datagram, and where it comes from or goes to.
type Letter = (BytesMut, SocketAddr);

struct Body {
    socket: UdpSocket,
    reads: bool,
    receiver: Option<Receiver>,
    down: Link<Letter>,
    up: Link<Letter>,
    flood: u32,
    asked: Option<Instant>,
    seen: watch::Sender<Seen>,
}

impl Body {
    async fn new(home: IpAddr, seen: watch::Sender<Seen>) -> anyhow::Result<Self> {
        Ok(Self {
            socket: UdpSocket::bind((home, 0)).await?,
            reads: true,
            receiver: None,
            down: Link::new(Conditions::PERFECT, 1),
            up: Link::new(Conditions::PERFECT, 2),
            flood: 0,
            asked: None,
            seen,
        })
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Path { down, up } => {
                self.down.change(down, now());
                self.up.change(up, now());
            }
            Order::StopReading => self.reads = false,
            Order::Flood(requests) => self.flood = requests,
        }
    }

    /// What the server passes on, and what there is to say to it.
    fn hear(&mut self, message: ToViewer) -> anyhow::Result<Option<ToServer>> {
        match message {
            ToViewer::Offer { from, description, about } => self.answer(from, description, about).map(Some),
            ToViewer::Candidate { candidate, .. } => {
                if let Some(receiver) = &mut self.receiver {
                    receiver.add_candidate(candidate.candidate);
                }
                Ok(None)
            }
            ToViewer::Notice { notice, .. } => {
                self.seen.send_modify(|seen| seen.notices.push(notice));
                Ok(None)
            }
            ToViewer::Move { .. }
            | ToViewer::Answer { .. }
            | ToViewer::Broadcaster { .. }
            | ToViewer::BroadcasterLeft { .. } => Ok(None),
        }
    }

    fn answer(&mut self, robot: PeerId, offer: Description, about: Option<SessionRef>) -> anyhow::Result<ToServer> {
        let offer = offer.sdp.into_string();
        let answer = match &mut self.receiver {
            Some(receiver) => receiver.answer_again(&offer, now())?,
            None => {
                let (receiver, answer) = Receiver::answer(&offer, self.socket.local_addr()?, now())?;
                self.receiver = Some(receiver);
                self.seen.send_modify(|seen| (seen.offer, seen.answer) = (offer, answer.clone()));
                answer
            }
        };
        self.seen.send_modify(|seen| seen.offers += 1);
        let description = Some(Description { kind: DescriptionKind::Answer, sdp: answer.try_into()? });
        Ok(ToServer::Answer { to: robot, description, about })
    }

    /// A datagram has come as far as the link.
    fn come(&mut self, data: &[u8], from: SocketAddr) {
        let now = now();
        self.down.send((BytesMut::from(data), from), data.len() + HEADERS, now);
        let queue = self.down.queue(now);
        self.seen.send_if_modified(|seen| {
            seen.queued(queue);
            false
        });
        self.take(now);
    }

    /// Takes what has come through the link.
    fn take(&mut self, now: Instant) {
        let Some(receiver) = &mut self.receiver else { return };
        while let Some((data, from)) = self.down.take(now) {
            for packet in receiver.take(data, from, now) {
                let (mut misses, mut ended) = (false, false);
                self.seen.send_modify(|seen| {
                    ended = seen.count(&packet);
                    misses = seen.misses_something();
                });
                if misses && self.asked.is_none_or(|asked| now >= asked + KEYFRAME_INTERVAL) {
                    self.asked = Some(now);
                    receiver.say(|media_ssrc| Box::new(PictureLossIndication { sender_ssrc: 0, media_ssrc }), now);
                }
                if ended && self.flood > 0 {
                    flood(receiver, packet.header.sequence_number, self.flood, now);
                    self.seen.send_modify(|seen| seen.flooded += u64::from(self.flood));
                }
            }
        }
    }

    fn due(&mut self) -> Instant {
        let receiver = self.receiver.as_mut().and_then(Receiver::poll_timeout);
        let due = [receiver, self.down.due(), self.up.due()].into_iter().flatten().min();
        due.unwrap_or_else(|| now() + IDLE)
    }

    fn handle_timeout(&mut self) -> anyhow::Result<()> {
        let now = now();
        if let Some(receiver) = &mut self.receiver {
            receiver.handle_timeout(now)?;
        }
        self.take(now);
        Ok(())
    }

    /// Sends what is to be sent, as far as the link lets it.
    async fn flush(&mut self) -> anyhow::Result<()> {
        let now = now();
        while let Some((data, to)) = self.receiver.as_mut().and_then(Receiver::poll_transmit) {
            let bytes = data.len() + HEADERS;
            self.up.send((data, to), bytes, now);
        }
        while let Some((data, to)) = self.up.take(now) {
            self.socket.send_to(&data, to).await?;
        }
        Ok(())
    }
}

/// Asks for the last packets again, and for keyframes in both ways.
fn flood(receiver: &mut Receiver, last: u16, requests: u32, now: Instant) {
    for number in 0..requests {
        receiver.say(
            |media_ssrc| match number % 3 {
                0 => {
                    let packet_id = last.wrapping_sub(17 * (number as u16 % 32) + 16);
                    let nacks = vec![NackPair { packet_id, lost_packets: u16::MAX }];
                    Box::new(TransportLayerNack { sender_ssrc: 0, media_ssrc, nacks })
                }
                1 => Box::new(PictureLossIndication { sender_ssrc: 0, media_ssrc }),
                _ => {
                    let fir = vec![FirEntry { ssrc: media_ssrc, sequence_number: number as u8 }];
                    Box::new(FullIntraRequest { sender_ssrc: 0, media_ssrc, fir })
                }
            },
            now,
        );
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
