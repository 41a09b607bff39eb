//! Many who come at once, and many whose paths carry little.

use std::time::Duration;

use protocol::{Want, Wishes};
use tests::{Conditions, Options, Order, Process, Puppet};

use super::play::Play;
use crate::{
    ground::Path,
    stage::{PATIENCE, Robot, Stage},
    verdict::{Figure, Outcome},
};

/// A small picture: what is tried is the crowd.
const SMALL: &str = r#"
[media]
max_viewers = 600
[[cameras]]
id = "main"
source = "test"
width = 320
height = 160
fps = 10
bitrate = 150000
"#;

const CROWD: u32 = 500;
/// What the server lets in of one address, as all of these are.
const LIMITS: &str = "[limits]\nmax_viewers = 600\nmax_connections_per_address = 600\n";

pub(super) async fn five_hundred(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = begin(stage, SMALL).await?;
    let (place, _uplink) = stage.ground.connected("crowd", Path::PERFECT).await?;
    play.lasts(stage.takes(6)).await;
    play.mark("500 come");
    let arguments =
        ["--server", &play.server.url().to_string(), "-n", &CROWD.to_string(), "--seconds", "20"].map(str::to_owned);
    let run = async move { Process::run("loadgen", &arguments.each_ref().map(String::as_str)).await };
    let lines = place.run(run).await??;
    play.mark("and go");
    play.lasts(stage.takes(6)).await;
    let mut outcome = play.end(stage).await?;
    let summary = lines.last().cloned().unwrap_or_default();
    let with_video = summary["with_video"].as_f64().map(Figure::Count);
    outcome.at_least("viewers that got the picture", with_video, Figure::Count(f64::from(CROWD)));
    let slowest = summary["first_frame_p95"].as_f64().map(Figure::Millis);
    outcome.fast_at_most("first picture, p95", slowest, Figure::Millis(10_000.0));
    Ok(outcome)
}

const EACH: usize = 50;
const CROWDED: &str = r#"
[[cameras]]
id = "main"
source = "test"
width = 640
height = 320
fps = 15
bitrate = 600000
[[rungs]]
width = 640
bitrate = 600000
[[rungs]]
width = 320
bitrate = 150000
"#;

pub(super) async fn slow_and_good(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = begin(stage, CROWDED).await?;
    let (place, _uplink) = stage.ground.connected("crowd", Path::PERFECT).await?;
    play.mark("50 good ones come");
    let good = join(&place, &play, EACH).await?;
    play.mark("50 slow ones come");
    let slow = join(&place, &play, EACH).await?;
    let narrow = Conditions {
        rate: Some(200_000.0),
        room: Duration::from_millis(500),
        delay: Duration::from_millis(50),
        ..Conditions::PERFECT
    };
    for puppet in &slow {
        puppet.order(Order::Path { down: narrow, up: Conditions::PERFECT });
    }
    let count =
        |puppets: &[Puppet]| -> Vec<usize> { puppets.iter().map(|puppet| puppet.seen().pictures.len()).collect() };
    play.lasts(stage.takes(5)).await;
    let before = [count(&good), count(&slow)];
    let span = play.lasts(stage.takes(20)).await;
    let after = [count(&good), count(&slow)];
    // The worst off of each.
    let least = [0, 1].map(|kind| {
        let grown = after[kind].iter().zip(&before[kind]).map(|(after, before)| after - before);
        grown.min().unwrap_or_default() as f64 / (span.to - span.from) * 1000.0 / 15.0
    });
    for puppet in good.iter().chain(&slow) {
        anyhow::ensure!(puppet.seen().offers == 1, "a viewer had to begin again");
    }
    let mut outcome = play.end(stage).await?;
    outcome.share("pictures of the worst off good one", least[0], 0.99, 0.01);
    outcome.share("pictures of the worst off slow one", least[1], 0.5, 0.01);
    Ok(outcome)
}

async fn begin(stage: &mut Stage, camera: &str) -> anyhow::Result<Play> {
    let server = stage.server(LIMITS).await?;
    let (place, uplink) = stage.ground.connected("robot", Path::PERFECT).await?;
    let process = stage.broadcaster_with(&place, &server, camera, Vec::new()).await?;
    Play::begin_with(stage, server, Robot { place, uplink, process }).await
}

/// Viewers without a screen, who take what their path carries.
async fn join(place: &crate::ground::Place, play: &Play, count: usize) -> anyhow::Result<Vec<Puppet>> {
    let wishes = Wishes { want: Some(Want::default()), ..Wishes::default() };
    let options = Options { wishes, ..Options::new(play.server.url()) };
    let mut puppets =
        place.run(async move { (0..count).map(|_| Puppet::join(options.clone())).collect::<Vec<_>>() }).await?;
    for puppet in &mut puppets {
        puppet.until(PATIENCE, |seen| seen.pictures.len() >= 5).await?;
    }
    Ok(puppets)
}
