//! Weeks in an hour: thousands who come and go, and fifty who stay while things go wrong.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tests::{Conditions, Options, Viewer};
use tokio::sync::Mutex;

use super::play::Play;
use crate::{
    ground::{Path, Place, Uplink},
    sight::{Sight, Span},
    stage::{PATIENCE, Robot, Stage, now},
    verdict::{Figure, Outcome},
    wear::{self, Held, METRICS, held, median, slope},
};

/// A small picture in two qualities: what is tried is time.
const SMALL: &str = r#"
[media]
max_viewers = 600
[[cameras]]
id = "main"
source = "test"
width = 320
height = 160
fps = 15
bitrate = 200000
[[rungs]]
width = 320
bitrate = 200000
[[rungs]]
width = 160
bitrate = 100000
"#;

/// Those who vanish are given up soon, so that they do not fill the house.
const LIMITS: &str = "[limits]\nmax_viewers = 600\nmax_connections_per_address = 600\nsession_grace = \"2s\"\n";

const CYCLES: u64 = 10_000;
const AT_ONCE: usize = 16;
/// As often it is looked at what the programs hold, after as many for them to grow as large as they need to be.
const LOOKS: u64 = 10;
/// Bytes.
const PER_CYCLE: f64 = 100.0;

/// Those who come see a picture and leave, see one and vanish, or vanish before.
pub(super) async fn cycles(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = begin(stage).await?;
    let (place, _uplink) = stage.ground.connected("crowd", Path::PERFECT).await?;
    let each = stage.takes(CYCLES / LOOKS).as_secs();
    let (mut holdings, mut done, mut failed) = (Vec::new(), 0, 0);
    // The first ones let the programs grow to what they need.
    for _ in 0..=LOOKS {
        play.mark(&format!("{done} have come and gone"));
        failed += come_and_go(&place, &play, each).await?;
        done += each;
        settled(&play, 2).await?;
        holdings.push(look_at(stage, &play, done as f64).await?);
    }
    let mut outcome = play.end(stage).await?;
    outcome.exactly("visits that failed", failed, 0);
    for (name, of) in programs() {
        let grown = slope(&points(&holdings, |held| of(held).resident));
        outcome.fast_at_most(
            &format!("memory that a cycle costs the {name}"),
            Figure::Bytes(grown.max(0.0)),
            Figure::Bytes(PER_CYCLE),
        );
        judge_counts(&mut outcome, name, &holdings, of);
    }
    std::fs::write(stage.folder.join("held.json"), serde_json::to_string_pretty(&holdings)?)?;
    Ok(outcome)
}

async fn come_and_go(place: &Place, play: &Play, count: u64) -> anyhow::Result<usize> {
    let options = Options::new(play.server.url());
    let all = async move {
        let failed = Arc::new(Mutex::new(0));
        let visits = stream::iter(0..count).for_each_concurrent(AT_ONCE, |number| {
            let (options, failed) = (options.clone(), Arc::clone(&failed));
            async move {
                if let Err(error) = visit(options, number).await {
                    tracing::warn!(number, error = format!("{error:#}"), "a visit failed");
                    *failed.lock().await += 1;
                }
            }
        });
        visits.await;
        *failed.lock().await
    };
    place.run(all).await
}

async fn visit(options: Options, number: u64) -> anyhow::Result<()> {
    let mut viewer = Viewer::join(options);
    match number % 3 {
        0 => {
            viewer.until(PATIENCE, |reception| reception.first_frame.is_some()).await?;
            viewer.leave().await.map(drop)
        }
        1 => viewer.until(PATIENCE, |reception| reception.first_frame.is_some()).await.map(drop),
        _ => viewer.until(PATIENCE, |reception| reception.admitted.is_some()).await.map(drop),
    }
}

const FPS: f64 = 15.0;
const HOUSES: usize = 5;
const IN_EACH: usize = 10;
/// Seconds between two things that go wrong.
const EVERY: u64 = 8;
/// The least that an hour's end may differ from its beginning in, in milliseconds.
const DRIFT: f64 = 20.0;
/// Bytes that both programs may grow by in an hour without anybody to call it a leak: what an allocator keeps.
const PER_HOUR: f64 = 2e6;

/// Fifty viewers in five houses, each on a line of its own, for an hour in which something goes wrong every few seconds.
pub(super) async fn hour(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = begin(stage).await?;
    let mut random = StdRng::seed_from_u64(stage.seed);
    let mut houses = Vec::new();
    for number in 0..HOUSES {
        let (place, uplink) = stage.ground.connected(&format!("house{number}"), Path::PERFECT).await?;
        let mut house = House { place, uplink, viewers: Vec::new(), options: Options::new(play.server.url()), seen: 0 };
        for _ in 0..IN_EACH {
            house.come().await?;
        }
        houses.push(house);
    }
    for house in &mut houses {
        house.all_see().await?;
    }
    let length = stage.takes(3600);
    settled(&play, HOUSES * IN_EACH + 2).await?;
    // What they need they have by then.
    play.lasts(Duration::from_secs(20)).await;
    let (begun, mut faults) = (now(), 0);
    let mut holdings = vec![look_at(stage, &play, 0.0).await?];
    while now() - begun < length.as_secs_f64() * 1000.0 {
        let house = random.random_range(0..HOUSES);
        fault(stage, &mut play, &mut houses[house], &mut random).await?;
        faults += 1;
        play.lasts(Duration::from_secs(EVERY)).await;
        if faults % 8 == 0 {
            holdings.push(look_at(stage, &play, now() - begun).await?);
        }
    }
    play.mark("all is well again");
    for house in &mut houses {
        house.uplink.line.change(Path::PERFECT);
        house.all_see().await?;
    }
    settled(&play, HOUSES * IN_EACH + 2).await?;
    holdings.push(look_at(stage, &play, now() - begun).await?);
    std::fs::write(stage.folder.join("held.json"), serde_json::to_string_pretty(&holdings)?)?;
    let span = Span::new(begun, now());
    let mut outcome = play.end(stage).await?;
    for (name, of) in programs() {
        // A server that has been killed began anew: what grows in it shows where thousands come and go.
        if name == "robot" {
            let grown = Figure::Bytes((slope(&points(&holdings, |held| of(held).resident)) * 3_600_000.0).max(0.0));
            outcome.fast_at_most("memory that an hour costs the robot", grown, Figure::Bytes(PER_HOUR));
            judge_counts(&mut outcome, name, &holdings, of);
        }
    }
    let seconds = (span.to - span.from) / 1000.0;
    let should = seconds * FPS * (HOUSES * IN_EACH) as f64;
    let share = houses.iter().map(House::frames).sum::<u64>() as f64 / should;
    outcome.fast_at_least("pictures of the fifty, faults included", Figure::Share(share), Figure::Share(0.8));
    let drift = drift(&outcome.sight, span).map(|drift| Figure::Millis(drift.abs()));
    outcome.fast_at_most("delay, last minutes against the first", drift, Figure::Millis(DRIFT));
    outcome.exactly("sessions of somebody on a good line", outcome.sight.sessions(span).len(), 1);
    Ok(outcome)
}

/// Some who watch from the same line.
struct House {
    place: Place,
    uplink: Uplink,
    viewers: Vec<Viewer>,
    options: Options,
    /// What those have seen who are gone.
    seen: u64,
}

impl House {
    async fn come(&mut self) -> anyhow::Result<()> {
        let options = self.options.clone();
        self.viewers.push(self.place.run(async move { Viewer::join(options) }).await?);
        Ok(())
    }

    /// One of them is not counted among them any more.
    fn goes(&mut self, number: usize) -> Viewer {
        let viewer = self.viewers.swap_remove(number);
        self.seen += viewer.reception().frames;
        viewer
    }

    /// All pictures that were seen here.
    fn frames(&self) -> u64 {
        self.seen + self.viewers.iter().map(|viewer| viewer.reception().frames).sum::<u64>()
    }

    /// Whatever was, everybody gets pictures from now on.
    async fn all_see(&mut self) -> anyhow::Result<()> {
        for viewer in &mut self.viewers {
            let frames = viewer.reception().frames;
            viewer.until(PATIENCE, |reception| reception.frames > frames + 15).await?;
        }
        Ok(())
    }
}

/// Something goes wrong at a house, or for everybody.
async fn fault(stage: &Stage, play: &mut Play, house: &mut House, random: &mut StdRng) -> anyhow::Result<()> {
    let line = &house.uplink.line;
    match random.random_range(0..40) {
        0 => {
            play.mark("server killed");
            play.server.process.kill()?;
            tokio::time::sleep(Duration::from_secs(2)).await;
            stage.restart(&mut play.server).await?;
        }
        1 | 2 => {
            play.cut_robot_off(Duration::from_secs(3)).await;
        }
        3..8 => line.change(Path::both(Conditions { loss: random.random_range(0.01..0.15), ..Conditions::PERFECT })),
        8..12 => {
            let delay = Duration::from_millis(random.random_range(5..100));
            line.change(Path::both(Conditions { delay, jitter: delay, reorder: 0.1, ..Conditions::PERFECT }));
        }
        12..16 => {
            let rate = Some(random.random_range(0.3e6..3e6));
            let down = Conditions { rate, room: Duration::from_millis(400), ..Conditions::PERFECT };
            line.change(Path { down, up: Conditions::PERFECT });
        }
        16..18 => {
            line.change(Path::CUT);
            tokio::time::sleep(Duration::from_secs(random.random_range(1..8))).await;
            line.change(Path::PERFECT);
        }
        18..24 => line.change(Path::PERFECT),
        24..32 => {
            let leaves = house.goes(random.random_range(0..IN_EACH));
            // Whatever has become of its line: nobody waits for it.
            drop(tokio::time::timeout(Duration::from_secs(5), leaves.leave()).await);
            house.come().await?;
        }
        _ => {
            drop(house.goes(random.random_range(0..IN_EACH)));
            house.come().await?;
        }
    }
    Ok(())
}

async fn begin(stage: &mut Stage) -> anyhow::Result<Play> {
    let server = stage.server(&format!("{LIMITS}{METRICS}")).await?;
    let (place, uplink) = stage.ground.connected("robot", Path::PERFECT).await?;
    // With an arena for each thread memory grows by steps as threads take turns, and nothing else shows.
    let environment = vec![("MALLOC_ARENA_MAX".to_owned(), "1".to_owned())];
    let process = stage.broadcaster_with(&place, &server, SMALL, environment).await?;
    Play::begin_with(stage, server, Robot { place, uplink, process }).await
}

/// Waits until the server knows of so many viewers and no more, and nobody is on the way in or out.
async fn settled(play: &Play, viewers: usize) -> anyhow::Result<()> {
    let settles = async {
        loop {
            let page = wear::metrics(&play.server).await?;
            if page.value("panocast_viewers", &[]) == Some(viewers as f64) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let settled = tokio::time::timeout(PATIENCE, settles).await;
    settled.unwrap_or_else(|_| anyhow::bail!("some viewers are still there after {PATIENCE:?}"))
}

/// After a pause in which what has ended is let go of.
async fn look_at(stage: &Stage, play: &Play, at: f64) -> anyhow::Result<Held> {
    play.lasts(Duration::from_secs(3)).await;
    held(stage, &play.server, &play.robot.process, at).await
}

type Of = fn(&Held) -> &wear::Holding;

fn programs() -> [(&'static str, Of); 2] {
    [("server", |held| &held.server), ("robot", |held| &held.robot)]
}

fn points(holdings: &[Held], of: impl Fn(&Held) -> f64) -> Vec<(f64, f64)> {
    holdings.iter().map(|held| (held.at, of(held))).collect()
}

/// Of what is counted nothing may be left over.
fn judge_counts(outcome: &mut Outcome, name: &str, holdings: &[Held], of: Of) {
    let (Some(first), Some(last)) = (holdings.first().map(of), holdings.last().map(of)) else { return };
    for (what, grown, slack) in [
        // Those that were open for a moment when it was looked.
        ("descriptors", last.descriptors - first.descriptors, 4.0),
        // A thread that did a piece of work waits for another for some seconds.
        ("threads", last.threads - first.threads, 4.0),
        ("tasks", last.tasks - first.tasks, 4.0),
    ] {
        let grown = Figure::Count(grown.max(0.0));
        outcome.at_most(&format!("{what} that the {name} has gained"), grown, Figure::Count(slack));
    }
}

/// By how much pictures are older in the last twelfth than in the first.
fn drift(sight: &Sight, span: Span) -> Option<f64> {
    let twelfth = (span.to - span.from) / 12.0;
    let of = |span: Span| median(sight.delays(span));
    let last = of(Span::new(span.to - twelfth, span.to))?;
    Some(last - of(Span::new(span.from, span.from + twelfth))?)
}
