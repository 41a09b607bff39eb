//! A media server that exists, and how it is asked: what the rooms decide is carried out there.
//!
//! Robots and viewers never speak to its HTTP: this server offers for robots (WHIP), and for viewers where it speaks WHEP. So
//! neither of them holds anything that opens it, but viewers of LiveKit a token for one room; and what this server has begun
//! there, it can end.

mod client;
mod livekit;
mod whip;
mod worker;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use protocol::{Media, MediaKind, Sdp, SessionId};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Engine as Kind, Sfu as Config},
    rooms::{Done, Engine, Errand, Place},
};
use client::{Client, Resource, SfuError};
use livekit::Livekit;
use whip::Whip;
use worker::Worker;

/// What waits to be asked.
const ERRANDS: usize = 65_536;

/// How many of a camera's qualities are of use to a server that chooses among them.
const QUALITIES: u8 = 3;

/// What there is to be asked of a media server, and how.
enum Adapter {
    Livekit(Livekit),
    Whip(Whip),
}

/// How the desk hands errands over.
#[derive(Clone)]
pub(crate) struct Line(mpsc::Sender<Errand>);

impl Line {
    pub(crate) fn run(&self, errand: Errand) {
        if self.0.try_send(errand).is_err() {
            tracing::warn!("the media server is asked more than it answers; a request was dropped");
        }
    }
}

/// What the rooms are to know of it.
pub(crate) fn engine(config: &Config) -> Option<Engine> {
    let Config(Some(kind)) = config else { return None };
    Some(match kind {
        Kind::Livekit(config) => {
            let livekit = Livekit::new(config);
            Engine {
                kind: MediaKind::Livekit,
                qualities: QUALITIES,
                let_in: Box::new(move |session, place, left| {
                    let (url, token) = livekit.admission(session, place, left, unix_time());
                    Media::Livekit { url, token }
                }),
            }
        }
        Kind::Whip(config) => {
            let qualities = if config.simulcast { QUALITIES } else { 1 };
            Engine { kind: MediaKind::Whep, qualities, let_in: Box::new(|_, _, _| Media::Whep) }
        }
    })
}

/// Starts what asks, where there is somebody to be asked. What comes of it is handed to `done`.
pub(crate) fn start<F>(
    config: &Config,
    done: impl Fn(Done) -> F + Send + Sync + 'static,
    tasks: &mut JoinSet<()>,
    cancel: CancellationToken,
) -> Option<Line>
where
    F: Future<Output = ()> + Send + 'static,
{
    let Config(Some(kind)) = config else { return None };
    let adapter = Arc::new(match kind {
        Kind::Livekit(config) => Adapter::Livekit(Livekit::new(config)),
        Kind::Whip(config) => Adapter::Whip(Whip::new(config)),
    });
    let (sender, errands) = mpsc::channel(ERRANDS);
    tasks.spawn(async move {
        let client = match Client::new() {
            Ok(client) => client,
            Err(error) => return tracing::error!(%error, "no media server can be asked"),
        };
        Worker::new(adapter, client, done).run(errands, cancel).await;
    });
    Some(Line(sender))
}

impl Adapter {
    async fn publish(&self, client: &Client, place: &Place, offer: &Sdp) -> Result<(Sdp, Resource), SfuError> {
        match self {
            Self::Livekit(livekit) => livekit.publish(client, place, offer).await,
            Self::Whip(whip) => whip.publish(client, place, offer).await,
        }
    }

    async fn unpublish(&self, client: &Client, place: &Place, resource: Option<Resource>) {
        match (self, resource) {
            (Self::Livekit(livekit), _) => livekit.unpublish(client, place).await,
            (Self::Whip(_), Some(resource)) => self.end(client, &resource).await,
            (Self::Whip(_), None) => {}
        }
    }

    async fn play(&self, client: &Client, place: &Place, offer: &Sdp) -> Result<(Sdp, Resource), SfuError> {
        match self {
            // Its own client asks it.
            Self::Livekit(_) => Err(SfuError::NotSo),
            Self::Whip(whip) => whip.play(client, place, offer).await,
        }
    }

    async fn leave(&self, client: &Client, session: &SessionId, place: &Place, resource: Option<Resource>) {
        match (self, resource) {
            (Self::Livekit(livekit), _) => livekit.remove(client, place, session).await,
            (Self::Whip(_), Some(resource)) => self.end(client, &resource).await,
            (Self::Whip(_), None) => {}
        }
    }

    /// Those who may hold a token that is still good.
    async fn send_away(&self, client: &Client, place: &Place, sessions: &BTreeSet<SessionId>) {
        match self {
            Self::Livekit(livekit) => livekit.send_away(client, place, sessions).await,
            // Nobody else holds anything.
            Self::Whip(_) => {}
        }
    }

    /// Whatever has gone already has ended, too.
    async fn end(&self, client: &Client, resource: &Resource) {
        if let Err(error) = client.delete(resource).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "what was begun at the media server is not ended"
            );
        }
    }
}

fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
