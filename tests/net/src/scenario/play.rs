//! What most scenarios begin with: a robot, somebody who watches it in a browser, and a witness whom nothing concerns.

use std::time::Duration;

use crate::{
    chromium::Chromium,
    ground::Path,
    sight::{Millis, Span},
    stage::{PATIENCE, Robot, Server, Stage, Watcher, Witness, now},
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
    /// Whether what happens is none of the witness' business.
    apart: bool,
    /// What it missed while the robot itself was cut off.
    cut: u64,
    /// How many offers the witness should get.
    offers: usize,
    marks: Vec<Mark>,
    begun: Millis,
}

impl Play {
    pub(super) async fn begin(stage: &mut Stage) -> anyhow::Result<Self> {
        let server = stage.server("").await?;
        let robot = stage.robot(&server).await?;
        Self::begin_with(stage, server, robot).await
    }

    pub(super) async fn begin_with(stage: &mut Stage, server: Server, robot: Robot) -> anyhow::Result<Self> {
        let watcher = stage.watcher(&server).await?;
        let witness = stage.witness(&server).await?;
        Ok(Self { server, robot, watcher, witness, apart: true, cut: 0, offers: 1, marks: Vec::new(), begun: now() })
    }

    /// Robots that were away for long make new offers.
    pub(super) fn expects_offers(&mut self, offers: usize) {
        self.offers = offers;
    }

    /// What happens to the robot's line happens to the witness.
    pub(super) fn concerns_everybody(&mut self) {
        self.apart = false;
    }

    /// Cuts the robot itself off for so long, which nobody but it is to be blamed for.
    pub(super) async fn cut_robot_off(&mut self, time: Duration) {
        self.mark("robot cut off");
        let before = self.witness.viewer.reception().missed;
        self.robot.uplink.line.change(Path::CUT);
        tokio::time::sleep(time).await;
        self.robot.uplink.line.change(Path::PERFECT);
        // What is missing shows by what comes after it.
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.cut += self.witness.viewer.reception().missed.saturating_sub(before);
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

    /// Waits until pictures flow that came after this, which may be never.
    pub(super) async fn sees_again(&self, after: Millis) {
        let shown = format!("window.eye.frames.filter((at) => at > {after}).length > 20");
        if let Err(error) = self.watcher.page.until(&shown, PATIENCE).await {
            tracing::warn!(error = format!("{error:#}"), "no picture any more");
        }
    }

    /// The end: with a picture of the page, and what holds in every scenario.
    pub(super) async fn end(self, stage: &Stage) -> anyhow::Result<Outcome> {
        let Self { watcher, witness, apart, cut, offers, marks, begun, .. } = self;
        let mut outcome = seen(stage, &watcher.page, begun, marks).await?;
        let reception = witness.viewer.reception();
        if apart {
            let missed = reception.missed.saturating_sub(cut) as f64;
            let missed = Figure::Share(missed / reception.packets.max(1) as f64);
            outcome.fast_at_most("packets that a witness missed", missed, Figure::Share(WITNESS_MISSES));
        }
        let uncalled = Figure::Count((f64::from(reception.offers) - offers as f64).abs());
        outcome.fast_at_most("offers to it without a cause, or missing", uncalled, Figure::Count(0.0));
        outcome.was_everywhere();
        Ok(outcome)
    }
}

/// What a page has shown, with a picture of it, and what no page may ever do.
pub(super) async fn seen(stage: &Stage, page: &Chromium, begun: Millis, marks: Vec<Mark>) -> anyhow::Result<Outcome> {
    page.screenshot(&stage.folder.join("page.png")).await?;
    let span = Span::new(begun, now());
    let sight = page.sight().await?;
    let lied = Some(sight.lied(span).round());
    let mut outcome = Outcome::new(stage.length, sight, span, marks);
    outcome.within("called LIVE while it stood still", lied, 0.0, 10_000.0);
    outcome.was_everywhere();
    Ok(outcome)
}
