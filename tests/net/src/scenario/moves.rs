//! Who moves from one network to another, and has another address then.

use std::time::Duration;

use super::play::Play;
use crate::{
    ground::{Path, Place, Uplink},
    sight::Millis,
    stage::{Stage, now},
    verdict::Outcome,
};
use tests::Conditions;

/// Between two networks a phone has none for a moment.
const BETWEEN: Duration = Duration::from_millis(300);
const AGAIN_WITHIN: f64 = 5000.0;
/// Pictures wait for no longer in a viewer.
const BUFFERED: f64 = 200.0;

const LTE: Path = {
    let radio =
        Conditions { delay: Duration::from_millis(30), jitter: Duration::from_millis(10), ..Conditions::PERFECT };
    Path { down: radio, up: radio }
};

pub(super) async fn viewer(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    let lte = stage.ground.uplink(&play.watcher.place, "lte", LTE).await?;
    play.lasts(stage.takes(10)).await;
    play.mark("LTE");
    let moved = hand_over(&play.watcher.place, &play.watcher.uplink, &lte).await?;
    again(stage, play, moved).await
}

pub(super) async fn robot(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    play.concerns_everybody();
    let lte = stage.ground.uplink(&play.robot.place, "lte", LTE).await?;
    play.lasts(stage.takes(10)).await;
    play.mark("LTE");
    let moved = hand_over(&play.robot.place, &play.robot.uplink, &lte).await?;
    again(stage, play, moved).await
}

/// The way out of the robot's network is dead, and nothing on the robot shows it.
pub(super) async fn robot_silently(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    play.concerns_everybody();
    let lte = stage.ground.uplink(&play.robot.place, "lte", LTE).await?;
    play.lasts(stage.takes(10)).await;
    play.mark("Wi-Fi leads nowhere");
    play.robot.uplink.line.change(Path::CUT);
    tokio::time::sleep(BETWEEN).await;
    lte.route(&play.robot.place).await?;
    again(stage, play, now()).await
}

/// Returns since when there is a network again.
async fn hand_over(place: &Place, from: &Uplink, to: &Uplink) -> anyhow::Result<Millis> {
    from.take_down(place).await?;
    tokio::time::sleep(BETWEEN).await;
    to.route(place).await?;
    Ok(now())
}

async fn again(stage: &Stage, play: Play, moved: Millis) -> anyhow::Result<Outcome> {
    play.sees_again(moved).await;
    play.lasts(stage.takes(20)).await;
    let mut outcome = play.end(stage).await?;
    // What has come before is shown for a moment.
    let again = outcome.flows_after(moved + BUFFERED).map(|time| time + BUFFERED);
    outcome.within("pictures again", again, AGAIN_WITHIN, 20_000.0);
    Ok(outcome)
}
