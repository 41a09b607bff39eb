//! Lines that die without a word, clocks that are wrong, disks that are full, cameras that stall.

use std::{fs, process::Command, time::Duration};

use anyhow::Context;

use super::play::Play;
use crate::{
    ground::Path,
    sight::Span,
    stage::{CAMERA, PATIENCE, PORT, Robot, Stage, now},
    verdict::{Figure, Outcome},
};

/// From now on nothing passes between this machine and the server, and nobody is told.
fn silence() -> String {
    format!(
        "table ip silence {{
            chain in {{ type filter hook input priority filter
                tcp sport {PORT} drop
            }}
            chain out {{ type filter hook output priority filter
                tcp dport {PORT} drop
            }}
        }}"
    )
}

const NO_SILENCE: &str = "delete table ip silence";

/// Both ends' lines to the server are dead for longer than they are trusted.
pub(super) async fn half_open(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    play.lasts(stage.takes(6)).await;
    play.mark("no word from the server");
    let from = now();
    play.robot.place.nft(&silence()).await?;
    play.watcher.place.nft(&silence()).await?;
    play.lasts(stage.takes(40).max(Duration::from_secs(25))).await;
    play.robot.place.nft(NO_SILENCE).await?;
    play.watcher.place.nft(NO_SILENCE).await?;
    let back = play.mark("lines back");
    let late = stage.witness(&play.server).await?;
    let came = now() - back;
    play.lasts(stage.takes(15)).await;
    let span = Span::new(from, now());
    let offers = late.viewer.reception().offers;
    let mut outcome = play.end(stage).await?;
    let decoded = outcome.sight.decoded(span);
    outcome.fast_at_least("pictures", Figure::Share(decoded), Figure::Share(0.99));
    // The server gave the viewer up meanwhile: who comes back to it begins anew, beside what plays.
    outcome.fast_at_most("longest freeze", Figure::Millis(outcome.sight.longest(span)), Figure::Millis(500.0));
    outcome.exactly("offers to who comes after", offers as usize, 1);
    outcome.fast_at_most("until somebody new sees the robot", Figure::Millis(came), Figure::Millis(20_000.0));
    Ok(outcome)
}

/// The wall clocks of robot and server are set by an hour, forth and back, one after the other.
pub(super) async fn clock(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let [robots, servers] = [Clock::make(stage, "robot")?, Clock::make(stage, "server")?];
    let server = stage.server_with("", servers.environment()).await?;
    let (place, uplink) = stage.ground.connected("robot", Path::PERFECT).await?;
    let process = stage.broadcaster_with(&place, &server, CAMERA, robots.environment()).await?;
    let mut play = Play::begin_with(stage, server, Robot { place, uplink, process }).await?;
    play.lasts(stage.takes(6)).await;
    let from = now();
    for (clock, process) in [(&robots, &play.robot.process), (&servers, &play.server.process)] {
        anyhow::ensure!(process.has_mapped(&clock.library)?, "a program goes by the machine's own clock");
    }
    let mut offers = 0;
    for hours in [1, -1, 0] {
        play.mark(&format!("{hours:+} h"));
        robots.set(hours * 3600)?;
        play.lasts(stage.takes(8)).await;
        servers.set(hours * 3600)?;
        // Somebody who comes now has no other time to go by.
        offers += stage.witness(&play.server).await?.viewer.reception().offers;
        play.lasts(stage.takes(4)).await;
    }
    let span = Span::new(from, now());
    let mut outcome = play.end(stage).await?;
    outcome.exactly("sessions", outcome.sight.sessions(span).len(), 1);
    outcome.exactly("offers to three who come meanwhile", offers as usize, 3);
    let decoded = outcome.sight.decoded(span);
    outcome.fast_at_least("pictures", Figure::Share(decoded), Figure::Share(0.98));
    outcome.fast_at_most("longest freeze", Figure::Millis(outcome.sight.longest(span)), Figure::Millis(500.0));
    Ok(outcome)
}

/// A wall clock for single programs, which can be set while they run.
struct Clock {
    library: std::path::PathBuf,
    wrong_by: std::path::PathBuf,
}

impl Clock {
    fn make(stage: &Stage, whose: &str) -> anyhow::Result<Self> {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../browser/support/clock.c");
        let clock =
            Self { library: stage.file(&format!("{whose}.so")), wrong_by: stage.file(&format!("{whose}-wrong-by")) };
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&clock.library).arg(source);
        anyhow::ensure!(compiler.status().context("start cc")?.success(), "{source} does not compile");
        fs::write(&clock.wrong_by, 0_i64.to_le_bytes())?;
        Ok(clock)
    }

    fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &std::path::Path| path.display().to_string();
        vec![("LD_PRELOAD".to_owned(), text(&self.library)), ("WRONG_BY".to_owned(), text(&self.wrong_by))]
    }

    /// In place, as programs have the file mapped.
    fn set(&self, seconds: i64) -> anyhow::Result<()> {
        use std::os::unix::fs::FileExt;
        let file = fs::OpenOptions::new().write(true).open(&self.wrong_by)?;
        Ok(file.write_all_at(&seconds.to_le_bytes(), 0)?)
    }
}

/// So large is a small disk, in bytes: less than a minute of the camera.
const DISK: u64 = 8_000_000;

/// Recordings fill a small disk: viewers must not notice.
pub(super) async fn disk_full(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let disk = stage.file("disk");
    fs::create_dir(&disk)?;
    let server = stage.server("").await?;
    let (place, uplink) = stage.ground.connected("robot", Path::PERFECT).await?;
    place.mount_disk(&disk, DISK).await?;
    let disk = disk.display().to_string();
    // Whatever is kept free on other disks, this one may be filled.
    let recording = format!("record = true\n[recording]\ndir = \"{disk}\"\nreserve = \"0GB\"\n");
    let process = stage.broadcaster_with(&place, &server, &format!("{CAMERA}{recording}"), Vec::new()).await?;
    let mut play = Play::begin_with(stage, server, Robot { place, uplink, process }).await?;
    play.mark("recording");
    let span = play.lasts(stage.takes(60)).await;
    let free = play.robot.place.run(async move { free_share(&disk) }).await??;
    let mut outcome = play.end(stage).await?;
    let decoded = outcome.sight.decoded(span);
    outcome.fast_at_least("pictures", Figure::Share(decoded), Figure::Share(0.995));
    outcome.fast_at_most("time frozen", Figure::Share(outcome.sight.frozen(span)), Figure::Share(0.0));
    outcome.fast_at_most("of the disk that is free", Figure::Share(free), Figure::Share(0.2));
    Ok(outcome)
}

/// As `df` says.
fn free_share(disk: &str) -> anyhow::Result<f64> {
    let output = Command::new("df").args(["--output=pcent", disk]).output().context("start df")?;
    let text = String::from_utf8(output.stdout)?;
    let used = text.lines().nth(1).and_then(|line| line.trim().strip_suffix('%')?.parse::<f64>().ok());
    Ok(1.0 - used.context("df says how much is used")? / 100.0)
}

const NETWORK_CAMERA: &str = r#"
[[cameras]]
id = "main"
source = "rtsp"
url = "rtsp://127.0.0.1:8554/camera"
width = 320
height = 160
bitrate = 300000
"#;

/// A network camera that hangs for a while.
pub(super) async fn camera_stalls(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let server = stage.server("").await?;
    let (place, uplink) = stage.ground.connected("robot", Path::PERFECT).await?;
    let port = ["--port".to_owned(), "8554".to_owned()];
    let camera = stage.start(&place, "rtsp-camera", &port, Vec::new()).await?;
    let process = stage.broadcaster_with(&place, &server, NETWORK_CAMERA, Vec::new()).await?;
    let mut play = Play::begin_with(stage, server, Robot { place, uplink, process }).await?;
    play.lasts(stage.takes(6)).await;
    let stalled = play.mark("camera hangs");
    camera.freeze()?;
    play.lasts(stage.takes(12).max(Duration::from_secs(6))).await;
    camera.thaw()?;
    let thawed = play.mark("and goes on");
    play.watcher.page.until("document.body.dataset.state === 'live'", PATIENCE).await?;
    play.lasts(stage.takes(20)).await;
    let mut outcome = play.end(stage).await?;
    let said = outcome.sight.words.iter().find(|words| words.at > stalled && words.badge != "LIVE");
    outcome.fast_at_most(
        "said that it stands still",
        said.map(|words| Figure::Millis(words.at - stalled)),
        Figure::Millis(3000.0),
    );
    outcome.within("pictures again", outcome.flows_after(thawed), 8000.0, 60_000.0);
    outcome.exactly("sessions", outcome.sight.sessions(Span::new(stalled, now())).len(), 1);
    Ok(outcome)
}

/// The robot's line to everybody goes away for half a minute, and so does all that it knew.
pub(super) async fn robot_offline(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let mut play = Play::begin(stage).await?;
    play.expects_offers(2);
    play.lasts(stage.takes(6)).await;
    play.mark("robot offline");
    play.robot.uplink.line.change(Path::CUT);
    play.lasts(stage.takes(35).max(Duration::from_secs(20))).await;
    play.robot.uplink.line.change(Path::PERFECT);
    let back = play.mark("and back");
    play.sees_again(back).await;
    play.lasts(stage.takes(15)).await;
    let mut outcome = play.end(stage).await?;
    outcome.within("pictures again", outcome.flows_after(back), 8000.0, 60_000.0);
    Ok(outcome)
}
