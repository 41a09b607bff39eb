//! A media server that exists, and how it is asked: what the rooms decide is carried out there.
//!
//! Robots and viewers never speak to its HTTP: this server offers for robots (WHIP), and for viewers where it speaks WHEP. So
//! neither of them holds anything that opens it, but viewers of LiveKit a token for one room; and what this server has begun
//! there, it can end.

mod client;
mod livekit;
mod whip;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use protocol::{Code, Media, MediaKind, Notice, Sdp, SessionId};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Engine as Kind, Sfu as Config},
    rooms::{Done, Engine, Errand, Place},
};
use client::{Client, Resource, SfuError};
use livekit::Livekit;
use whip::Whip;

/// What waits to be asked.
const ERRANDS: usize = 65_536;

/// Requests that are under way at once; what is beyond that waits.
const AT_ONCE: usize = 64;

/// How many of a camera's qualities are of use to a server that chooses among them.
const QUALITIES: u8 = 3;

/// Who was sent away may hold what lets it in for so long: LiveKit hands out tokens of this age by itself.
const BARRED_FOR: Duration = Duration::from_secs(11 * 60);
/// So often whoever is not to be there is looked for.
const SENT_AWAY_EVERY: Duration = Duration::from_secs(5);
/// More than this is not remembered.
const MAX_BARRED: usize = 100_000;

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
        let worker = Worker {
            adapter,
            client,
            done,
            busy: BTreeMap::new(),
            published: BTreeMap::new(),
            playing: BTreeMap::new(),
            barred: Barred::default(),
        };
        worker.run(errands, cancel).await;
    });
    Some(Line(sender))
}

/// Asks, and remembers what has been begun.
struct Worker<D> {
    adapter: Arc<Adapter>,
    client: Client,
    done: D,
    /// Errands about the same thing are run one after the other: these wait for one.
    busy: BTreeMap<About, VecDeque<Errand>>,
    /// Where what is published can be ended.
    published: BTreeMap<Place, Resource>,
    playing: BTreeMap<SessionId, Resource>,
    barred: Barred,
}

/// What an errand is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Place(Place),
    Session(SessionId),
}

/// What a request has come to.
enum Came {
    Published(Place, Option<Resource>, Done),
    Played(SessionId, Option<Resource>, Done),
    Ended(About),
}

/// Who is not to be there, and until when that is looked after.
#[derive(Default)]
struct Barred(BTreeMap<Place, BTreeMap<SessionId, Instant>>);

impl Barred {
    fn add(&mut self, place: Place, session: SessionId, now: Instant) {
        if self.0.values().map(BTreeMap::len).sum::<usize>() >= MAX_BARRED {
            return tracing::warn!("more have been sent away from the media server than can be kept away from it");
        }
        self.0.entry(place).or_default().insert(session, now + BARRED_FOR);
    }

    fn pass(&mut self, now: Instant) {
        for sessions in self.0.values_mut() {
            sessions.retain(|_, until| now < *until);
        }
        self.0.retain(|_, sessions| !sessions.is_empty());
    }

    fn by_place(&self) -> Vec<(Place, BTreeSet<SessionId>)> {
        self.0.iter().map(|(place, sessions)| (place.clone(), sessions.keys().cloned().collect())).collect()
    }
}

impl About {
    fn of(errand: &Errand) -> Self {
        match errand {
            Errand::Publish { place, .. } | Errand::Unpublish { place } => Self::Place(place.clone()),
            Errand::Play { session, .. } | Errand::Leave { session, .. } => Self::Session(session.clone()),
        }
    }
}

impl<D, F> Worker<D>
where
    D: Fn(Done) -> F,
    F: Future<Output = ()>,
{
    async fn run(mut self, mut errands: mpsc::Receiver<Errand>, cancel: CancellationToken) {
        let mut requests = JoinSet::new();
        let mut patrol: JoinSet<()> = JoinSet::new();
        let mut look = tokio::time::interval(SENT_AWAY_EVERY);
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(errand) = errands.recv(), if requests.len() < AT_ONCE => self.take(errand, &mut requests),
                Some(came) = requests.join_next() => match came {
                    Ok(came) => self.came(came, &mut requests).await,
                    Err(error) => tracing::error!(%error, "a request to the media server was not made"),
                },
                Some(_) = patrol.join_next() => {}
                _ = look.tick() => if patrol.is_empty() {
                    self.barred.pass(Instant::now());
                    let (adapter, client, barred) = (self.adapter.clone(), self.client.clone(), self.barred.by_place());
                    patrol.spawn(async move {
                        for (place, sessions) in barred {
                            adapter.send_away(&client, &place, &sessions).await;
                        }
                    });
                },
            }
        }
        // What has been asked to end ends; what is live stays, as everywhere.
        while requests.join_next().await.is_some() {}
    }

    fn take(&mut self, errand: Errand, requests: &mut JoinSet<Came>) {
        let about = About::of(&errand);
        match self.busy.get_mut(&about) {
            Some(waiting) => waiting.push_back(errand),
            None => {
                self.busy.insert(about, VecDeque::new());
                self.begin(errand, requests);
            }
        }
    }

    fn begin(&mut self, errand: Errand, requests: &mut JoinSet<Came>) {
        let (adapter, client) = (self.adapter.clone(), self.client.clone());
        let about = About::of(&errand);
        match errand {
            Errand::Publish { place, attempt, offer } => {
                requests.spawn(async move {
                    let (answer, resource) = told(adapter.publish(&client, &place, &offer).await, "take a camera");
                    let done = Done::Published { place: place.clone(), attempt, answer };
                    Came::Published(place, resource, done)
                });
            }
            Errand::Unpublish { place } => {
                let resource = self.published.remove(&place);
                requests.spawn(async move {
                    adapter.unpublish(&client, &place, resource).await;
                    Came::Ended(about)
                });
            }
            Errand::Play { session, place, offer } => {
                requests.spawn(async move {
                    let (answer, resource) = told(adapter.play(&client, &place, &offer).await, "take a viewer");
                    let done = Done::Played { session: session.clone(), answer };
                    Came::Played(session, resource, done)
                });
            }
            Errand::Leave { session, place, barred } => {
                let resource = self.playing.remove(&session);
                if barred {
                    self.barred.add(place.clone(), session.clone(), Instant::now());
                }
                requests.spawn(async move {
                    adapter.leave(&client, &session, &place, resource).await;
                    Came::Ended(about)
                });
            }
        }
    }

    async fn came(&mut self, came: Came, requests: &mut JoinSet<Came>) {
        let (about, former) = match came {
            Came::Published(place, resource, done) => {
                let former = resource.and_then(|resource| self.published.insert(place.clone(), resource));
                (self.done)(done).await;
                (About::Place(place), former)
            }
            Came::Played(session, resource, done) => {
                let former = resource.and_then(|resource| self.playing.insert(session.clone(), resource));
                (self.done)(done).await;
                (About::Session(session), former)
            }
            Came::Ended(about) => (about, None),
        };
        if let Some(former) = former {
            let (adapter, client) = (self.adapter.clone(), self.client.clone());
            let about = about.clone();
            requests.spawn(async move {
                adapter.end(&client, &former).await;
                Came::Ended(about)
            });
        } else if let Some(next) = self.busy.get_mut(&about).and_then(VecDeque::pop_front) {
            self.begin(next, requests);
        } else {
            self.busy.remove(&about);
        }
    }
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

/// What is said of it, and what it can be ended by.
fn told(outcome: Result<(Sdp, Resource), SfuError>, asked: &'static str) -> (Result<Sdp, Notice>, Option<Resource>) {
    match outcome {
        Ok((answer, resource)) => (Ok(answer), Some(resource)),
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                asked,
                "the media server does not do what it is asked"
            );
            // What is wrong with it is the operator's business, who finds it in the log.
            let message = "The media server that this server sends viewers to does not take it.";
            (Err(Notice::new(Code::ConnectionFailed, message)), None)
        }
    }
}

fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
