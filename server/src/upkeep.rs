//! Keeps the config up to date while the server runs: on SIGHUP, and when a file that it comes from has changed.
//!
//! Files are looked at rather than watched: editors put new ones in their place, containers change where links lead to, and
//! what counts is what is in them. A new config counts as a whole or not at all.

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use daemon::{log::Logging, supervisor::Supervisor};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::MissedTickBehavior,
};

use crate::config::{
    Config,
    changes::{Change, Comparison, Effect},
};

/// How often the files are looked at. What has changed is taken when it is found unchanged once more: whoever writes a file
/// may not be done with it.
const LOOK: Duration = Duration::from_secs(1);

/// Reads the config once more, with all that overrides it.
pub type Read = Box<dyn Fn() -> anyhow::Result<Config> + Send + Sync>;

/// What it takes to follow a config's changes.
pub struct Upkeep {
    hangup: Signal,
    file: Option<PathBuf>,
    read: Arc<Read>,
    logging: Option<Logging>,
}

/// Why the config was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    Asked,
    Look,
}

/// What becomes of a config that was read.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nobody needs to hear of it.
    Nothing,
    /// It is the one that holds, and was asked for, or one was refused before.
    Unchanged,
    /// It holds from now on.
    Taken(Arc<Config>),
    /// The one before goes on.
    Refused(String),
}

/// Which config holds, and what became of those that were read since. Pure.
struct Judge {
    holds: Arc<Config>,
    refused: Option<String>,
    /// What the last look found, if it was new.
    found: Option<Result<Config, String>>,
}

impl Judge {
    fn new(holds: Arc<Config>) -> Self {
        Self { holds, refused: None, found: None }
    }

    fn judge(&mut self, read: Result<Config, String>, occasion: Occasion) -> Verdict {
        let is_known = match &read {
            Ok(config) => self.refused.is_none() && *config == *self.holds,
            Err(error) => self.refused.as_ref() == Some(error),
        };
        if occasion == Occasion::Look {
            if is_known {
                self.found = None;
                return Verdict::Nothing;
            }
            if self.found.as_ref() != Some(&read) {
                self.found = Some(read);
                return Verdict::Nothing;
            }
        }
        self.found = None;
        match read {
            Ok(config) => {
                self.refused = None;
                if config == *self.holds {
                    return Verdict::Unchanged;
                }
                self.holds = Arc::new(config);
                Verdict::Taken(Arc::clone(&self.holds))
            }
            Err(error) => {
                self.refused = Some(error.clone());
                Verdict::Refused(error)
            }
        }
    }
}

impl Upkeep {
    /// From now on SIGHUP no longer ends the process. `file` is what people know the config by, if there is one to look at.
    pub fn new(file: Option<PathBuf>, read: Read, logging: Option<Logging>) -> anyhow::Result<Self> {
        let hangup = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
        Ok(Self { hangup, file, read: Arc::new(read), logging })
    }

    /// Puts each new config into `holds`, for everybody who has a part in it.
    pub(crate) async fn keep(mut self, holds: watch::Sender<Arc<Config>>, supervisor: &Supervisor) -> Infallible {
        let start = holds.borrow().clone();
        let mut judge = Judge::new(Arc::clone(&start));
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let occasion = tokio::select! {
                Some(()) = self.hangup.recv() => Occasion::Asked,
                _ = looks.tick(), if self.file.is_some() => Occasion::Look,
                // Signals come for as long as there is somebody to hear them.
                else => std::future::pending().await,
            };
            // Who asks may wait for the answer, whatever it is.
            let asked = occasion == Occasion::Asked;
            if asked {
                supervisor.reloading();
            }
            match &self.file {
                Some(file) => {
                    let before = Arc::clone(&judge.holds);
                    match judge.judge(self.read().await, occasion) {
                        Verdict::Nothing => {}
                        Verdict::Unchanged => {
                            tracing::info!(config = %file.display(), "config read again: nothing has changed");
                            supervisor.status("");
                        }
                        Verdict::Taken(config) => {
                            holds.send_replace(Arc::clone(&config));
                            self.announce(&start, &before, &config);
                            supervisor.status("");
                        }
                        Verdict::Refused(error) => {
                            tracing::warn!(error, "config refused: the one before goes on");
                            supervisor.status(&format!("a changed config was refused: {error}"));
                        }
                    }
                }
                None => tracing::warn!("SIGHUP: there is no config file to read again; --config names one"),
            }
            if asked {
                supervisor.ready();
            }
        }
    }

    /// Says what changes, in the log as it is from now on.
    fn announce(&self, start: &Config, before: &Config, config: &Config) {
        if let Some(logging) = &self.logging
            && config.log.filter != before.log.filter
        {
            logging.set(&config.log.filter);
        }
        let changed = said(&Comparison::of(before, config).changes(Effect::AtOnce));
        tracing::info!(changed = changed.as_deref().unwrap_or("nothing"), "config taken");
        if let Some(changed) = said(&Comparison::of(start, config).changes(Effect::NextStart)) {
            tracing::warn!(changed, "this takes effect at the next start only");
        }
    }

    /// Apart: a file system may take its time.
    async fn read(&self) -> Result<Config, String> {
        let read = Arc::clone(&self.read);
        let read = tokio::task::spawn_blocking(move || read().map_err(|error| format!("{error:#}"))).await;
        read.unwrap_or_else(|error| Err(format!("reading it failed: {error}")))
    }
}

/// In one line; nothing of nothing.
fn said(changes: &[Change]) -> Option<String> {
    (!changes.is_empty()).then(|| changes.iter().map(Change::to_string).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    fn with_drain(seconds: u64) -> Config {
        Config { drain_timeout: Duration::from_secs(seconds), ..Config::default() }
    }

    #[test]
    fn what_a_look_finds_counts_when_it_is_found_twice() {
        let mut judge = Judge::new(Arc::new(with_drain(1)));
        let mut look =
            |read: Result<u64, &str>| judge.judge(read.map(with_drain).map_err(str::to_owned), Occasion::Look);
        let taken = |seconds| Verdict::Taken(Arc::new(with_drain(seconds)));
        let refused = |error: &str| Verdict::Refused(error.to_owned());
        for (read, verdict) in [
            (Ok(1), Verdict::Nothing),
            // Half written.
            (Err("half"), Verdict::Nothing),
            (Ok(2), Verdict::Nothing),
            (Ok(2), taken(2)),
            (Ok(2), Verdict::Nothing),
            // Refused, and said once.
            (Err("bad"), Verdict::Nothing),
            (Err("bad"), refused("bad")),
            (Err("bad"), Verdict::Nothing),
            (Err("worse"), Verdict::Nothing),
            (Err("worse"), refused("worse")),
            // As it was before the mistake: that is worth a word.
            (Ok(2), Verdict::Nothing),
            (Ok(2), Verdict::Unchanged),
            (Ok(2), Verdict::Nothing),
            // There and back between two looks.
            (Ok(3), Verdict::Nothing),
            (Ok(2), Verdict::Nothing),
            (Ok(3), Verdict::Nothing),
            (Ok(3), taken(3)),
        ] {
            assert_eq!(look(read), verdict, "{read:?}");
        }
    }

    #[test]
    fn who_asks_is_answered_at_once_and_every_time() {
        let mut judge = Judge::new(Arc::new(with_drain(1)));
        let mut ask =
            |read: Result<u64, &str>| judge.judge(read.map(with_drain).map_err(str::to_owned), Occasion::Asked);
        assert_eq!(ask(Ok(1)), Verdict::Unchanged);
        assert_eq!(ask(Ok(2)), Verdict::Taken(Arc::new(with_drain(2))));
        for _ in 0..2 {
            assert_eq!(ask(Err("bad")), Verdict::Refused("bad".to_owned()));
        }
        assert_eq!(ask(Ok(2)), Verdict::Unchanged);
    }

    /// Time is made up; nothing but a change of the files moves the config.
    #[tokio::test(start_paused = true)]
    async fn a_changed_file_is_found_within_two_looks() {
        let file = Arc::new(Mutex::new(Ok(1)));
        let read = {
            let file = Arc::clone(&file);
            move || {
                let read = *file.lock().unwrap_or_else(PoisonError::into_inner);
                read.map(with_drain).map_err(|error: &str| anyhow::anyhow!(error))
            }
        };
        let write = |text| *file.lock().unwrap_or_else(PoisonError::into_inner) = text;
        let upkeep = Upkeep::new(Some("file".into()), Box::new(read), None).expect("signals");
        let (sender, mut config) = watch::channel(Arc::new(with_drain(1)));
        let kept = tokio::spawn(async move { match upkeep.keep(sender, &Supervisor::default()).await {} });
        let started = tokio::time::Instant::now();
        write(Ok(2));
        config.changed().await.expect("kept");
        assert_eq!(config.borrow_and_update().drain_timeout, Duration::from_secs(2));
        assert!(started.elapsed() <= 2 * LOOK, "{:?}", started.elapsed());
        write(Err("bad"));
        tokio::time::sleep(10 * LOOK).await;
        assert!(!config.has_changed().expect("kept"), "a bad one changes nothing");
        write(Ok(3));
        config.changed().await.expect("kept");
        assert_eq!(config.borrow_and_update().drain_timeout, Duration::from_secs(3));
        kept.abort();
    }
}
