//! What most scenarios begin with: a robot, somebody who watches it in a browser, and a witness whom nothing concerns.

use std::time::Duration;

use crate::{
    ground::Path,
    sight::{Millis, Sight, Span},
    stage::{Robot, Server, Stage, Watcher, Witness, now},
    verdict::{Figure, Mark, Outcome},
};

/// How bad a witness' picture may be, who is on a perfect line and shares only the robot's CPU with everybody.
const WITNESS_MISSES: f64 = 0.001;

/// A robot and its viewers, with a picture that has moved for a moment.
pub(super) struct Play {
    pub(super) server: Server,
    pub(super) robot: Robot,
    pub(super) watcher: Watcher,
    witness: Witness,
    marks: Vec<Mark>,
    begun: Millis,
}

impl Play {
    pub(super) async fn begin(stage: &mut Stage) -> anyhow::Result<Self> {
        Self::begin_with(stage, "").await
    }

    /// With this in the server's config.
    pub(super) async fn begin_with(stage: &mut Stage, config: &str) -> anyhow::Result<Self> {
        let server = stage.server(config).await?;
        let robot = stage.robot(&server, Path::PERFECT).await?;
        let watcher = stage.watcher(&server, Path::PERFECT).await?;
        let witness = stage.witness(&server).await?;
        Ok(Self { server, robot, watcher, witness, marks: Vec::new(), begun: now() })
    }

    /// Notes that this happens now.
    pub(super) fn mark(&mut self, what: &str) -> Millis {
        let at = now();
        self.marks.push(Mark { at, what: what.to_owned() });
        at
    }

    /// Lets time pass, and says which.
    pub(super) async fn lasts(&self, time: Duration) -> Span {
        let from = now();
        tokio::time::sleep(time).await;
        Span::new(from, now())
    }

    /// What the browser has seen.
    pub(super) async fn sight(&self) -> anyhow::Result<Sight> {
        self.watcher.page.sight().await
    }

    /// The end: with a picture of the page, and what holds in every scenario.
    pub(super) async fn end(self, stage: &Stage) -> anyhow::Result<Outcome> {
        let Self { watcher, witness, marks, begun, .. } = self;
        watcher.page.screenshot(&stage.folder.join("page.png")).await?;
        let span = Span::new(begun, now());
        let sight = watcher.page.sight().await?;
        let lied = sight.lied(span);
        let mut outcome = Outcome::new(stage.length, sight, span, marks);
        outcome.at_most("called LIVE while it stood still", Figure::Millis(lied), Figure::Millis(0.0));
        let reception = witness.viewer.reception();
        let missed = reception.missed as f64 / (reception.packets.max(1)) as f64;
        outcome.fast_at_most("packets that a witness missed", Figure::Share(missed), Figure::Share(WITNESS_MISSES));
        outcome.exactly("offers that the witness got", reception.offers as usize, 1);
        Ok(outcome)
    }
}
