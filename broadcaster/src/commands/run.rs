//! `broadcaster` by itself: shows the cameras until it is told to end.
//!
//! Meanwhile a person at the terminal sees a line that says what goes on, and a supervisor is told.

use std::time::Instant;

use daemon::{config::Loaded, footer::Footer, supervisor::Supervisor};
use tokio::{runtime::Handle, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    report::{Report, line},
};

/// Whether there is a line on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusLine {
    /// Where people read the log as it is written.
    Auto,
    Off,
}

/// Runs until SIGINT or SIGTERM, or until a camera cannot go on.
pub async fn run(loaded: Loaded<Config>, status_line: StatusLine) -> anyhow::Result<()> {
    let Loaded { config, warnings, .. } = loaded;
    let footer = match status_line {
        StatusLine::Auto => Footer::for_people(&config.log),
        StatusLine::Off => None,
    };
    match &footer {
        Some(footer) => daemon::log::init_above(footer.clone(), &config.log, crate::QUIET),
        None => daemon::log::init(&config.log, crate::QUIET),
    };
    for warning in warnings.into_iter().chain(config.doubts()) {
        tracing::warn!(warning, "the config can work, but");
    }
    let (reports, reported) = watch::channel(None);
    let audience = Audience { supervisor: Supervisor::from_env(), footer, reported };
    let run = |cancel: CancellationToken| {
        // Ends with the run, so that nobody waits for it.
        let told = audience.tell(cancel.clone());
        let run = crate::run(config, reports, cancel);
        async {
            tokio::select! {
                ended = run => ended,
                never = told => match never {},
            }
        }
    };
    daemon::shutdown::run(run).await.map(|_| ())
}

/// Those who want to know how it goes.
struct Audience {
    supervisor: Supervisor,
    footer: Option<Footer>,
    reported: watch::Receiver<Option<Report>>,
}

impl Audience {
    async fn tell(self, cancel: CancellationToken) -> std::convert::Infallible {
        let Self { supervisor, footer, mut reported } = self;
        let footer = footer.map(Shown);
        let (mut former, mut summary, mut ready) = (None, String::new(), false);
        let mut heartbeat = supervisor.heartbeat().map(tokio::time::interval);
        let (mut ending, cancelled) = (false, cancel.cancelled());
        tokio::pin!(cancelled);
        loop {
            tokio::select! {
                () = &mut cancelled, if !ending => {
                    ending = true;
                    supervisor.stopping();
                }
                () = beat(&mut heartbeat) => {
                    if reported.borrow().as_ref().is_some_and(|report| report.is_well(now())) {
                        supervisor.well();
                    }
                }
                Ok(()) = reported.changed() => {
                    let Some(report) = reported.borrow_and_update().clone() else { continue };
                    let tasks = Handle::current().metrics().num_alive_tasks();
                    tracing::debug!(viewers = report.viewers, tasks, "going on");
                    if report.is_ready() && !ready {
                        ready = true;
                        supervisor.ready();
                    }
                    if report.summary() != summary {
                        summary = report.summary();
                        supervisor.status(&summary);
                    }
                    if let (Some(Shown(footer)), Some(former)) = (&footer, &former) {
                        footer.show(line(former, &report, Footer::width()));
                    }
                    former = Some(report);
                }
            }
        }
    }
}

/// Takes the line away in the end, so that the shell's prompt finds the terminal as it was.
struct Shown(Footer);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.show(String::new());
    }
}

async fn beat(heartbeat: &mut Option<tokio::time::Interval>) {
    match heartbeat {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
