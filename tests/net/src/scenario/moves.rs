//! Who moves from one network to another, and has another address then.

use std::time::Duration;

use super::play::Play;
use crate::{
    ground::{Path, Place, Uplink},
    stage::Stage,
    verdict::Outcome,
};
use tests::Conditions;

/// Between two networks a phone has none for a moment.
const BETWEEN: Duration = Duration::from_millis(300);
const AGAIN_WITHIN: f64 = 5000.0;

const LTE: Path = {
    let radio =
        Conditions { delay: Duration::from_millis(30), jitter: Duration::from_millis(10), ..Conditions::PERFECT };
    Path { down: radio, up: radio }
};

pub(super) async fn viewer(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    let lte = stage.ground.uplink(&play.watcher.place, "lte", LTE).await?;
    play.lasts(stage.takes(10)).await;
    let moved = play.mark("LTE");
    hand_over(&play.watcher.place, &play.watcher.uplink, &lte).await?;
    again(stage, play, moved).await
}

pub(super) async fn robot(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    play.concerns_everybody();
    let lte = stage.ground.uplink(&play.robot.place, "lte", LTE).await?;
    play.lasts(stage.takes(10)).await;
    let moved = play.mark("LTE");
    hand_over(&play.robot.place, &play.robot.uplink, &lte).await?;
    again(stage, play, moved).await
}

async fn hand_over(place: &Place, from: &Uplink, to: &Uplink) -> anyhow::Result<()> {
    from.take_down(place).await?;
    tokio::time::sleep(BETWEEN).await;
    to.route(place).await
}

async fn again(stage: &Stage, play: Play, moved: f64) -> anyhow::Result<Outcome> {
    play.lasts(stage.takes(20).max(Duration::from_secs(10))).await;
    let mut outcome = play.end(stage).await?;
    let again = outcome.sight.flows_after(moved + BETWEEN.as_secs_f64() * 1000.0);
    outcome.within("pictures again", again, AGAIN_WITHIN, 20_000.0);
    Ok(outcome)
}
