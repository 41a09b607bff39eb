//! Sends cameras' pictures to a media server, once for all who watch there.
//!
//! One connection for each camera, on the `webrtc` crate's own peer connection: there is never a crowd of them, and what goes
//! wrong with them, or makes them wait, is in nobody's way who watches the robot itself. The fan-out hands over pictures by a
//! [`Line`], and is told what is to be said to the server. Whether and when to publish is decided there.

mod attitude;
mod connection;
mod feedback;
mod layer;
mod line;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use protocol::{CameraId, Count, Sdp, Sent};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    attitude::IN_FLIGHT,
    media::{Encoding, Frame},
};
use connection::{Callback, Connection, Number};
pub(crate) use line::Line;

const ORDERS: usize = 256;

/// Pictures that wait: those of a second or two.
const FRAMES: usize = 256;

/// A media server that does not take the connection within this time has no way to it.
const LIVE_WITHIN: Duration = Duration::from_secs(15);

/// After its first picture has left. Some media servers let nobody watch before they have one.
const ARRIVES_WITHIN: Duration = Duration::from_millis(300);

const COUNTED_EVERY: Duration = Duration::from_secs(1);

/// One of the robot's cameras, by its place in the config.
pub(crate) type Camera = usize;

/// What is to be published.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) id: CameraId,
    /// Best first, each in the same codec, and sound.
    pub(crate) encodings: Vec<Encoding>,
    /// Each picture is a track of its own, and not one of several qualities of one.
    pub(crate) apart: bool,
    /// Viewers are to hear how it leans, too.
    pub(crate) leans: bool,
    /// From where the media server may be reached.
    pub(crate) homes: Vec<SocketAddr>,
}

pub(crate) enum Order {
    Begin(Camera, Publish),
    Answer(Camera, Sdp),
    End(Camera),
}

/// What has come of it.
#[derive(Debug)]
pub(crate) enum Told {
    /// For the media server.
    Offer(Camera, Sdp),
    /// Pictures arrive there.
    Live(Camera),
    /// Somebody there cannot go on without a keyframe.
    Keyframe(Camera, Encoding),
    /// Nothing arrives there, or not any more.
    Failed(Camera),
    /// So much has been sent there since the beginning.
    Sent(Sent),
}

/// The task.
pub(crate) struct Publisher {
    orders: mpsc::Receiver<Order>,
    frames: mpsc::Receiver<(Camera, Encoding, Arc<Frame>)>,
    attitude: mpsc::Receiver<Bytes>,
    told: mpsc::Sender<Told>,
}

struct Publication {
    connection: Connection,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    /// A picture has to have left by then …
    Connecting(Instant),
    /// … and here, too.
    Connected(Instant),
    /// The first one has, and is there by then.
    Begun(Instant),
    Live,
}

impl Publication {
    fn is_connected(&self) -> bool {
        !matches!(self.stage, Stage::Connecting(_))
    }

    fn due(&self) -> Option<Instant> {
        match self.stage {
            Stage::Connecting(until) | Stage::Connected(until) | Stage::Begun(until) => Some(until),
            Stage::Live => None,
        }
    }

    async fn send(&mut self, encoding: Encoding, frame: &Frame) -> (u64, u64) {
        let (packets, bytes) = self.connection.send(encoding, frame).await;
        if matches!(self.stage, Stage::Connected(_)) && encoding != Encoding::Audio && packets > 0 {
            self.stage = Stage::Begun(Instant::now() + ARRIVES_WITHIN);
        }
        (packets, bytes)
    }
}

impl Publisher {
    pub(crate) fn new() -> (Self, Line) {
        let (orders, taken) = mpsc::channel(ORDERS);
        let (frames, pictures) = mpsc::channel(FRAMES);
        let (attitude, said) = mpsc::channel(IN_FLIGHT);
        let (told, heard) = mpsc::channel(ORDERS);
        let publisher = Self { orders: taken, frames: pictures, attitude: said, told };
        (publisher, Line::new(orders, frames, attitude, heard))
    }

    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        let (callbacks, mut called) = mpsc::unbounded_channel();
        let mut publications: BTreeMap<Camera, Publication> = BTreeMap::new();
        let mut number = Number::default();
        let mut count = tokio::time::interval(COUNTED_EVERY);
        let (mut sent, mut said) = ((0, 0), (0, 0));
        loop {
            let due = publications.values().filter_map(Publication::due).min();
            tokio::select! {
                () = cancel.cancelled() => break,
                order = self.orders.recv() => match order {
                    None => break,
                    Some(Order::Begin(camera, publish)) => {
                        end(publications.remove(&camera)).await;
                        number = number.next();
                        match Connection::open(&publish, number, camera, callbacks.clone()).await {
                            Ok(connection) => {
                                let stage = Stage::Connecting(Instant::now() + LIVE_WITHIN);
                                publications.insert(camera, Publication { connection, stage });
                            }
                            Err(error) => {
                                tracing::warn!(camera = %publish.id, %error, "nothing can be published");
                                self.tell(Told::Failed(camera)).await;
                            }
                        }
                    }
                    Some(Order::Answer(camera, answer)) => {
                        if let Some(publication) = publications.get_mut(&camera)
                            && let Err(error) = publication.connection.answered(answer).await
                        {
                            tracing::warn!(%error, "the media server's answer is of no use");
                            end(publications.remove(&camera)).await;
                            self.tell(Told::Failed(camera)).await;
                        }
                    }
                    Some(Order::End(camera)) => end(publications.remove(&camera)).await,
                },
                Some((camera, encoding, frame)) = self.frames.recv() => {
                    if let Some(publication) = publications.get_mut(&camera).filter(|found| found.is_connected()) {
                        let (packets, bytes) = publication.send(encoding, &frame).await;
                        sent = (sent.0 + packets, sent.1 + bytes);
                    }
                }
                Some(message) = self.attitude.recv() => {
                    for publication in publications.values().filter(|found| found.is_connected()) {
                        publication.connection.tell_attitude(&message);
                    }
                }
                Some((camera, number, callback)) = called.recv() => {
                    let Some(publication) = publications.get_mut(&camera) else { continue };
                    if publication.connection.number() != number {
                        continue;
                    }
                    match callback {
                        Callback::Offer => if let Some(offer) = publication.connection.offer().await {
                            self.tell(Told::Offer(camera, offer)).await;
                        },
                        Callback::Connected => {
                            if let Stage::Connecting(until) = publication.stage {
                                publication.stage = Stage::Connected(until);
                            }
                            publication.connection.learn().await;
                            for encoding in publication.connection.pictures() {
                                self.tell(Told::Keyframe(camera, encoding)).await;
                            }
                        }
                        Callback::KeyframeWanted(ssrc) => if let Some(encoding) = publication.connection.encoding(ssrc) {
                            self.tell(Told::Keyframe(camera, encoding)).await;
                        },
                        Callback::Lost => {
                            end(publications.remove(&camera)).await;
                            self.tell(Told::Failed(camera)).await;
                        }
                    }
                },
                _ = count.tick() => if sent != said {
                    said = sent;
                    let sent = Sent { packets: sent.0.into(), bytes: sent.1.into(), resent: Count::from(0_u64) };
                    self.tell(Told::Sent(sent)).await;
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let now = Instant::now();
                    for (camera, publication) in &mut publications {
                        if matches!(publication.stage, Stage::Begun(at) if at <= now) {
                            publication.stage = Stage::Live;
                            self.tell(Told::Live(*camera)).await;
                        }
                    }
                    let late = publications.extract_if(.., |_, publication| publication.due().is_some_and(|at| at <= now));
                    for (camera, publication) in late.collect::<Vec<_>>() {
                        end(Some(publication)).await;
                        self.tell(Told::Failed(camera)).await;
                    }
                }
            }
        }
        for publication in publications.into_values() {
            end(Some(publication)).await;
        }
    }

    async fn tell(&self, told: Told) {
        // A fan-out that is gone wants to know nothing any more.
        let _ = self.told.send(told).await;
    }
}

async fn end(publication: Option<Publication>) {
    if let Some(Publication { connection, .. }) = publication {
        connection.close().await;
    }
}
