//! The one that owns the store while the server runs, and tells everybody what is in it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use super::{Door, Store, StoreError, UnixTime};

/// How soon a change by a command beside the server is noticed.
const LOOK: Duration = Duration::from_millis(200);

/// Errands that wait.
const ERRANDS: usize = 64;

/// What those get who are told whom to let in.
pub(crate) struct Keeping {
    pub(crate) door: watch::Receiver<Door>,
    /// An open door needs none.
    pub(crate) keeper: Option<Keeper>,
}

/// Has something done with the store.
#[derive(Clone)]
pub(crate) struct Keeper(mpsc::Sender<Errand>);

/// Something to be done with the store. What it returns tells what came of it, when everybody knows what is in the store now.
pub(crate) struct Errand(Box<dyn FnOnce(&mut Store) -> Answer + Send>);

type Answer = Box<dyn FnOnce() + Send>;

impl Errand {
    /// And what came of it. Nothing comes if the server is ending.
    pub(crate) fn new<T: Send + 'static>(
        work: impl FnOnce(&mut Store) -> T + Send + 'static,
    ) -> (Self, oneshot::Receiver<T>) {
        let (answer, answered) = oneshot::channel();
        let work = move |store: &mut Store| -> Answer {
            let came = work(store);
            Box::new(move || {
                // Whoever asked may have gone.
                let _ = answer.send(came);
            })
        };
        (Self(Box::new(work)), answered)
    }
}

impl Keeper {
    pub(crate) async fn run(&self, errand: Errand) {
        // Whoever waits for what comes of it learns that nothing will.
        let _ = self.0.send(errand).await;
    }

    /// Ends when nothing is kept any more.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }
}

impl Keeping {
    /// A door that stays open.
    pub(crate) fn open() -> Self {
        Self { door: watch::channel(Door::Open).1, keeper: None }
    }

    /// A door that this store tells whom to let in, as long as it is kept: until `cancel`.
    pub(crate) fn guarded(
        store: Store,
        tasks: &mut JoinSet<()>,
        cancel: CancellationToken,
    ) -> Result<Self, StoreError> {
        let seen = store.version()?;
        let (doors, door) = watch::channel(Door::Guarded(Arc::new(store.book(UnixTime::now())?)));
        let (errands, asked) = mpsc::channel(ERRANDS);
        tasks.spawn(Keep { store, seen, stale: false, doors }.run(asked, cancel));
        Ok(Self { door, keeper: Some(Keeper(errands)) })
    }
}

struct Keep {
    store: Store,
    seen: i64,
    /// Something has been done with the store, and those at the door do not know what.
    stale: bool,
    doors: watch::Sender<Door>,
}

impl Keep {
    async fn run(mut self, mut errands: mpsc::Receiver<Errand>, cancel: CancellationToken) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let errand = tokio::select! {
                () = cancel.cancelled() => return,
                Some(errand) = errands.recv() => Some(errand),
                _ = look.tick() => None,
            };
            // A disk may take its time.
            let worked = tokio::task::spawn_blocking(move || {
                self.work(errand);
                self
            });
            match worked.await {
                Ok(keep) => self = keep,
                Err(error) => {
                    tracing::error!(%error, "changes to robots and links are not seen any more");
                    return;
                }
            }
        }
    }

    fn work(&mut self, errand: Option<Errand>) {
        let before = self.store.changes();
        let answer = errand.map(|Errand(errand)| errand(&mut self.store));
        self.stale |= self.store.changes() != before;
        let looked = self.store.version().and_then(|version| {
            if self.stale || version != self.seen {
                self.doors.send_replace(Door::Guarded(Arc::new(self.store.book(UnixTime::now())?)));
                self.seen = version;
                self.stale = false;
            }
            Ok(())
        });
        if let Err(error) = looked {
            tracing::error!(error = &error as &dyn std::error::Error, "robots and links cannot be looked up");
        }
        if let Some(answer) = answer {
            answer();
        }
    }
}
