//! Paths that lose, delay, carry little, or are gone for a while.

use std::time::Duration;

use tests::Conditions;

use super::play::Play;
use crate::{
    ground::Path,
    stage::Stage,
    verdict::{Figure, Outcome},
};

/// Each way.
const DELAY: Duration = Duration::from_millis(20);

/// The share of pictures that comes on the slowest machine.
const AT_ALL: f64 = 0.2;

/// A lossy path, and how good the picture must be.
pub(super) struct Lossy {
    loss: f64,
    /// How many are lost in a row.
    run: f64,
    decoded: f64,
    frozen: f64,
}

pub(super) const LOSS_5: Lossy = Lossy { loss: 0.05, run: 1.0, decoded: 0.95, frozen: 0.01 };
pub(super) const LOSS_10: Lossy = Lossy { loss: 0.10, run: 1.0, decoded: 0.85, frozen: 0.02 };
pub(super) const LOSS_20: Lossy = Lossy { loss: 0.20, run: 1.0, decoded: 0.60, frozen: 0.05 };
pub(super) const IN_RUNS: Lossy = Lossy { loss: 0.10, run: 5.0, decoded: 0.85, frozen: 0.10 };

pub(super) async fn loss(stage: &mut Stage, lossy: Lossy) -> anyhow::Result<Outcome> {
    let Lossy { loss, run, decoded, frozen } = lossy;
    let mut play = Play::begin(stage).await?;
    play.mark("packets get lost");
    let up = Conditions { loss, delay: DELAY, ..Conditions::PERFECT };
    // What leaves a viewer is so little that a run of it lasts for long.
    play.watcher.uplink.line.change(Path { down: Conditions { run, ..up }, up });
    let span = play.lasts(stage.takes(30)).await;
    let mut outcome = play.end(stage).await?;
    outcome.share("pictures", outcome.sight.decoded(span), decoded, AT_ALL);
    outcome.fast_at_most("time frozen", Figure::Share(outcome.sight.frozen(span)), Figure::Share(frozen));
    outcome.exactly("sessions", outcome.sight.sessions(span).len(), 1);
    Ok(outcome)
}

pub(super) async fn jitter(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    play.mark("jitter begins");
    let wild = Conditions {
        delay: Duration::from_millis(50),
        jitter: Duration::from_millis(150),
        reorder: 0.25,
        ..Conditions::PERFECT
    };
    play.watcher.uplink.line.change(Path::both(wild));
    let span = play.lasts(stage.takes(30)).await;
    let mut outcome = play.end(stage).await?;
    let longest = outcome.sight.longest(span);
    outcome.fast_at_most("longest freeze", Figure::Millis(longest), Figure::Millis(500.0));
    outcome.share("pictures", outcome.sight.decoded(span), 0.5, AT_ALL);
    outcome.exactly("sessions", outcome.sight.sessions(span).len(), 1);
    Ok(outcome)
}

pub(super) async fn duplicates(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    play.mark("packets come twice");
    let twice = Conditions { duplicate: 0.3, reorder: 0.05, delay: DELAY, jitter: DELAY, ..Conditions::PERFECT };
    play.watcher.uplink.line.change(Path::both(twice));
    let span = play.lasts(stage.takes(20)).await;
    let mut outcome = play.end(stage).await?;
    outcome.share("pictures", outcome.sight.decoded(span), 0.99, AT_ALL);
    outcome.fast_at_most("time frozen", Figure::Share(outcome.sight.frozen(span)), Figure::Share(0.01));
    outcome.exactly("sessions", outcome.sight.sessions(span).len(), 1);
    Ok(outcome)
}

/// Bits per second.
const CAP: f64 = 1e6;

pub(super) async fn cap(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    let before = play.lasts(stage.takes(10)).await;
    play.mark("1 Mbit/s");
    let narrow = Conditions { rate: Some(CAP), room: Duration::from_secs(1), delay: DELAY, ..Conditions::PERFECT };
    let open = Conditions { delay: DELAY, ..Conditions::PERFECT };
    play.watcher.uplink.line.change(Path { down: narrow, up: open });
    let adapts = play.lasts(stage.takes(5)).await;
    let capped = play.lasts(stage.takes(20)).await;
    play.mark("as before");
    play.watcher.uplink.line.change(Path::both(open));
    let opened = play.lasts(stage.takes(20)).await;
    let mut outcome = play.end(stage).await?;
    let sight = &outcome.sight;
    let (best, again) = (sight.last(before).width, sight.last(opened).width);
    let (first, held, delay) = (sight.longest(adapts), sight.frozen(capped), sight.delay(capped, 0.95));
    let decoded = sight.decoded(capped);
    let used = sight.bitrate(capped) / CAP;
    outcome.fast_at_most("longest freeze when it appears", Figure::Millis(first), Figure::Millis(1500.0));
    outcome.fast_at_most("time frozen under it", Figure::Share(held), Figure::Share(0.02));
    outcome.fast_at_least("pictures under it", Figure::Share(decoded), Figure::Share(0.9));
    outcome.fast_at_most("of it that is used", Figure::Share(used), Figure::Share(1.0));
    outcome.fast_at_most("delay under it, p95", delay.map(Figure::Millis), Figure::Millis(500.0));
    let share = f64::from(again) / f64::from(best.max(1));
    outcome.fast_at_least("width 20 s after it", Figure::Share(share), Figure::Share(1.0));
    Ok(outcome)
}

pub(super) async fn tunnels(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    let mut ends = Vec::new();
    let outside = Path::both(Conditions { delay: DELAY, ..Conditions::PERFECT });
    play.watcher.uplink.line.change(outside);
    for _ in 0..2 {
        play.lasts(stage.takes(50)).await;
        play.mark("into a tunnel");
        play.watcher.uplink.line.change(Path::CUT);
        play.lasts(Duration::from_secs(10)).await;
        ends.push(play.mark("out of it"));
        play.watcher.uplink.line.change(outside);
    }
    play.lasts(stage.takes(20)).await;
    let mut outcome = play.end(stage).await?;
    let agains: Option<Vec<f64>> = ends.into_iter().map(|end| outcome.flows_after(end)).collect();
    let slowest = agains.map(|agains| agains.into_iter().fold(0.0, f64::max));
    outcome.within("picture again after a tunnel", slowest, 3000.0, 20_000.0);
    Ok(outcome)
}
