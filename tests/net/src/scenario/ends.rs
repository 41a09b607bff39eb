//! Programs that end, be it at once or in good order, and come back.

use std::time::Duration;

use super::play::Play;
use crate::{
    sight::Span,
    stage::{Stage, now},
    verdict::{Figure, Outcome},
};

/// Without the server nothing that is live ends, and what comes back is known.
pub(super) async fn server_killed(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    play.lasts(stage.takes(6)).await;
    play.mark("server killed");
    let from = now();
    play.server.process.kill()?;
    play.lasts(stage.takes(30)).await;
    stage.restart(&mut play.server).await?;
    play.mark("and back");
    play.lasts(stage.takes(20)).await;
    let span = Span::new(from, now());
    // Somebody who comes now finds the robot.
    let late = stage.witness(&play.server).await?;
    let offers = late.viewer.reception().offers;
    let mut outcome = play.end(stage).await?;
    outcome.exactly("sessions", outcome.sight.sessions(span).len(), 1);
    outcome.exactly("connections", outcome.sight.last(span).connections as usize, 1);
    outcome.exactly("offers to who comes after", offers as usize, 1);
    let decoded = outcome.sight.decoded(span);
    // Samples are some pictures apart.
    outcome.fast_at_least("pictures", Figure::Share(decoded), Figure::Share(0.998));
    outcome.fast_at_most("packets lost", Figure::Count(outcome.sight.lost(span)), Figure::Count(0.0));
    outcome.fast_at_most("longest freeze", Figure::Millis(outcome.sight.longest(span)), Figure::Millis(0.0));
    Ok(outcome)
}

/// A robot whose program is killed, and started again by what supervises it.
pub(super) async fn robot_killed(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    play.expects_offers(2);
    play.lasts(stage.takes(6)).await;
    let killed = play.mark("robot killed");
    play.robot.process.kill()?;
    // As long as the service of the package waits.
    play.lasts(Duration::from_secs(1)).await;
    play.robot.process = stage.broadcaster(&play.robot.place, &play.server).await?;
    let started = play.mark("started again");
    play.sees_again(started).await;
    play.lasts(stage.takes(15)).await;
    let mut outcome = play.end(stage).await?;
    let again = outcome.flows_after(killed + 500.0).map(|time| time + 500.0);
    outcome.within("pictures again", again, 8000.0, 30_000.0);
    Ok(outcome)
}

/// A server that is told to end lets what is live go on; a robot that is says so.
pub(super) async fn drain(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    play.lasts(stage.takes(6)).await;
    play.mark("server told to end");
    let from = now();
    play.server.process.terminate()?;
    play.lasts(stage.takes(12)).await;
    let ended = play.server.process.ended()?.is_some_and(|status| status.success());
    stage.restart(&mut play.server).await?;
    play.mark("and back");
    play.lasts(stage.takes(12)).await;
    let span = Span::new(from, now());
    let told = play.mark("robot told to end");
    play.robot.process.terminate()?;
    play.lasts(Duration::from_secs(5)).await;
    let mut outcome = play.end(stage).await?;
    outcome.exactly("server's good ends", usize::from(ended), 1);
    outcome.exactly("sessions", outcome.sight.sessions(span).len(), 1);
    let decoded = outcome.sight.decoded(span);
    outcome.fast_at_least("pictures meanwhile", Figure::Share(decoded), Figure::Share(0.995));
    let last = outcome.sight.frames.last().copied().unwrap_or(told);
    let said = outcome.sight.words.iter().find(|words| words.at > told && words.badge != "LIVE");
    // A robot that ends shows what it sees until it has taken its leave.
    let said = said.map(|words| Figure::Millis((words.at - last).max(0.0)));
    outcome.at_most("last picture until it is said that it was the last", said, Figure::Millis(2000.0));
    Ok(outcome)
}
