//! Carries out what the rooms decide: asks the media server, one thing about the same camera or session after the other.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    mem::discriminant,
    sync::Arc,
    time::Duration,
};

use protocol::{Code, Notice, Sdp, SessionId};
use tokio::{
    sync::mpsc,
    task::{self, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Adapter,
    client::{Client, Resource, SfuError},
};
use crate::rooms::{Done, Errand, Place};

/// Requests that are under way at once; what is beyond that waits.
const AT_ONCE: usize = 64;

/// Who was sent away may hold what lets it in for so long: LiveKit hands out tokens of this age by itself.
const BARRED_FOR: Duration = Duration::from_secs(11 * 60);
/// So often whoever is not to be there is looked for.
const SENT_AWAY_EVERY: Duration = Duration::from_secs(5);
/// More than this is not remembered.
const MAX_BARRED: usize = 100_000;

/// Asks, and remembers what has been begun.
pub(super) struct Worker<D> {
    adapter: Arc<Adapter>,
    client: Client,
    done: D,
    /// Errands about the same thing are run one after the other: these wait for one.
    busy: BTreeMap<About, VecDeque<Errand>>,
    /// What each request that is under way is about.
    requests: HashMap<task::Id, About>,
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
    pub(super) fn new(adapter: Arc<Adapter>, client: Client, done: D) -> Self {
        Self {
            adapter,
            client,
            done,
            busy: BTreeMap::new(),
            requests: HashMap::new(),
            published: BTreeMap::new(),
            playing: BTreeMap::new(),
            barred: Barred::default(),
        }
    }

    pub(super) async fn run(mut self, mut errands: mpsc::Receiver<Errand>, cancel: CancellationToken) {
        let mut requests = JoinSet::new();
        let mut patrol: JoinSet<()> = JoinSet::new();
        let mut look = tokio::time::interval(SENT_AWAY_EVERY);
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(errand) = errands.recv(), if requests.len() < AT_ONCE => self.take(errand, &mut requests),
                Some(joined) = requests.join_next_with_id() => self.joined(joined, &mut requests).await,
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
        while let Some(joined) = requests.join_next_with_id().await {
            self.joined(joined, &mut requests).await;
        }
    }

    async fn joined(&mut self, joined: Result<(task::Id, Came), JoinError>, requests: &mut JoinSet<Came>) {
        match joined {
            Ok((id, came)) => {
                self.requests.remove(&id);
                self.came(came, requests).await;
            }
            Err(error) => {
                tracing::error!(%error, "a request to the media server was not made");
                // Whatever waits for it is asked all the same. Who asked gives up by itself.
                if let Some(about) = self.requests.remove(&error.id()) {
                    self.came(Came::Ended(about), requests).await;
                }
            }
        }
    }

    fn take(&mut self, errand: Errand, requests: &mut JoinSet<Came>) {
        let about = About::of(&errand);
        match self.busy.get_mut(&about) {
            Some(waiting) => {
                // What is asked anew, or over, need not be asked as it was: nobody waits for that any more.
                let ends = matches!(errand, Errand::Unpublish { .. } | Errand::Leave { .. });
                waiting.retain(|former| !ends && discriminant(former) != discriminant(&errand));
                waiting.push_back(errand);
            }
            None => {
                self.busy.insert(about, VecDeque::new());
                self.begin(errand, requests);
            }
        }
    }

    fn begin(&mut self, errand: Errand, requests: &mut JoinSet<Came>) {
        let (adapter, client) = (self.adapter.clone(), self.client.clone());
        let about = About::of(&errand);
        let ends = about.clone();
        let request = match errand {
            Errand::Publish { place, attempt, offer } => requests.spawn(async move {
                let (answer, resource) = told(adapter.publish(&client, &place, &offer).await, "take a camera");
                let done = Done::Published { place: place.clone(), attempt, answer };
                Came::Published(place, resource, done)
            }),
            Errand::Unpublish { place } => {
                let resource = self.published.remove(&place);
                requests.spawn(async move {
                    adapter.unpublish(&client, &place, resource).await;
                    Came::Ended(ends)
                })
            }
            Errand::Play { session, place, offer } => requests.spawn(async move {
                let (answer, resource) = told(adapter.play(&client, &place, &offer).await, "take a viewer");
                let done = Done::Played { session: session.clone(), answer };
                Came::Played(session, resource, done)
            }),
            Errand::Leave { session, place, barred } => {
                let resource = self.playing.remove(&session);
                if barred {
                    self.barred.add(place.clone(), session.clone(), Instant::now());
                }
                requests.spawn(async move {
                    adapter.leave(&client, &session, &place, resource).await;
                    Came::Ended(ends)
                })
            }
        };
        self.requests.insert(request.id(), about);
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
            let ends = about.clone();
            let request = requests.spawn(async move {
                adapter.end(&client, &former).await;
                Came::Ended(ends)
            });
            self.requests.insert(request.id(), about);
        } else if let Some(next) = self.busy.get_mut(&about).and_then(VecDeque::pop_front) {
            self.begin(next, requests);
        } else {
            self.busy.remove(&about);
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
