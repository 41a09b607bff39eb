//! What is recorded outlives the robot's process, and costs nobody their picture.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use rand::RngExt;
use tests::{Folder, Log, Playback, Process, World};

use crate::{PATIENCE, alone};

/// Kills that are survived one after the other.
const KILLS: usize = 20;

/// How much of a recording a kill may cost.
const MAY_COST: Duration = Duration::from_millis(600);
/// How much one of them may cost, as a machine that has much else to do may not let the robot write for a moment.
const ONCE_MAY_COST: Duration = Duration::from_millis(1200);

/// How far a picture's own stamp and the file's clock are typically apart at most: the stamp is of the instant at which the
/// picture was begun, its time of that at which it was done.
const USUALLY_APART: Duration = Duration::from_millis(250);
/// And how far they may be, when the machine was busy with something else between the two.
const APART: Duration = Duration::from_secs(2);

/// A robot that records its small picture into this folder.
struct Recorder {
    folder: Folder,
    config: PathBuf,
}

impl Recorder {
    /// `recording` is what the config says beside the folder, `sound` what of the camera.
    fn new(dir: Option<&Path>, recording: &str, sound: &str) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let dir = dir.map_or_else(|| folder.path().join("recordings"), Path::to_owned);
        let config = folder.path().join("broadcaster.toml");
        let text = format!(
            "[media]\nlisten = \"127.0.0.1:0\"\n[recording]\ndir = \"{}\"\n{recording}\n[[cameras]]\nid = \"main\"\n\
             source = \"test\"\nwidth = 352\nheight = 176\nfps = 30\nbitrate = 300000\nsound = \"{sound}\"\nrecord = true\n",
            dir.display()
        );
        std::fs::write(&config, text)?;
        Ok(Self { folder, config })
    }

    fn arguments<'a>(&'a self, server: &'a str) -> anyhow::Result<[&'a str; 6]> {
        let config = self.config.to_str().context("a path of letters")?;
        Ok(["--config", config, "--server", server, "--log", "info"])
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("recordings/demo/main")
    }
}

/// Nobody listens there.
const NO_SERVER: &str = "http://127.0.0.1:9";

/// The files of a folder, oldest first; none when there is no such folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "mp4")).collect();
    files.sort();
    files
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

/// Looks again and again until there is something.
async fn until<T>(mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let mut again = tokio::time::interval(Duration::from_millis(5));
    let found = async {
        loop {
            again.tick().await;
            if let Some(found) = look() {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.context("it does not happen")
}

/// When the first picture was taken, as the file's name has it.
fn begins(path: &Path) -> anyhow::Result<SystemTime> {
    let name = path.file_stem().and_then(|name| name.to_str()).context("a name")?;
    let (date, time) = name.split_once('T').context("a date and a time")?;
    Ok(humantime::parse_rfc3339(&format!("{date}T{}", time.replace('-', ":")))?)
}

/// Plays a file, and compares what is seen with what its name and its clock say. Returns when its last picture was taken.
fn check(path: &Path) -> anyhow::Result<SystemTime> {
    let playback = Playback::of(path)?;
    let begins = begins(path)?;
    let mut last = None;
    let mut apart = Vec::new();
    for picture in &playback.pictures {
        let taken = picture.taken().context("every picture is whole")?;
        let told = begins + picture.at.context("it has its time")?;
        apart.push(taken.duration_since(told).or_else(|_| told.duration_since(taken))?);
        // Those that a busy machine is late with are drawn at once, perhaps within a millisecond.
        assert!(last.is_none_or(|last| taken >= last), "in order");
        last = Some(taken);
    }
    apart.sort_unstable();
    let typical = apart.get(apart.len() / 2).is_none_or(|median| *median < USUALLY_APART);
    assert!(typical && apart.last().is_none_or(|most| *most < APART), "{}: {apart:?} apart", path.display());
    last.context("there are pictures")
}

#[test]
fn a_killed_robot_leaves_recordings_that_play_to_within_six_tenths_of_a_second() -> anyhow::Result<()> {
    alone(async {
        let recorder = Recorder::new(None, "", "tone")?;
        let mut costs = Vec::new();
        for kill in 1..=KILLS {
            let mut robot = Process::start("broadcaster", &recorder.arguments(NO_SERVER)?)?;
            let file = until(|| files(&recorder.dir()).get(kill - 1).cloned()).await?;
            // By how far it has grown, and then at any moment between two writes.
            let enough = rand::rng().random_range(15_000..80_000);
            until(|| (length(&file) > enough).then_some(())).await?;
            tokio::time::sleep(Duration::from_millis(rand::rng().random_range(0..400))).await;
            let killed = SystemTime::now();
            robot.kill()?;
            costs.push(killed.duration_since(check(&file)?)?);
        }
        costs.sort_unstable();
        let (most, others) = costs.split_last().context("there were kills")?;
        assert!(*most <= ONCE_MAY_COST && others.iter().all(|cost| *cost <= MAY_COST), "kills cost {costs:?}");
        assert_eq!(files(&recorder.dir()).len(), KILLS, "those of before are left alone");
        println!("{KILLS} kills cost {most:?} at most");
        Ok(())
    })
}

#[test]
fn a_robot_that_ends_well_says_how_long_its_recording_is() -> anyhow::Result<()> {
    alone(async {
        let recorder = Recorder::new(None, "", "tone")?;
        let mut robot = Process::start("broadcaster", &recorder.arguments(NO_SERVER)?)?;
        let file = until(|| files(&recorder.dir()).pop()).await?;
        until(|| (length(&file) > 40_000).then_some(())).await?;
        robot.stop()?;
        check(&file)?;
        let playback = Playback::of(&file)?;
        let last = playback.pictures.last().and_then(|picture| picture.at).context("there are pictures")?;
        assert!(playback.sounds > 30, "and is heard: {}", playback.sounds);
        let says = playback.duration.context("it says so")?;
        assert!(says > last && says < last + Duration::from_millis(300), "{says:?}, and the last is at {last:?}");
        Ok(())
    })
}

#[test]
fn recordings_keep_to_their_quota_and_leave_others_files_alone() -> anyhow::Result<()> {
    alone(async {
        let recorder = Recorder::new(None, "quota = \"1MB\"", "tone")?;
        std::fs::create_dir_all(recorder.dir())?;
        let old = recorder.dir().join("2001-01-01T00-00-00.000Z.mp4");
        let leftover = recorder.dir().join("2002-01-01T00-00-00.000Z.mp4.part");
        let foreign = recorder.dir().join("1999.mp4");
        for path in [&old, &leftover, &foreign] {
            std::fs::write(path, vec![0; 900_000])?;
        }
        let mut robot = Process::start("broadcaster", &recorder.arguments(NO_SERVER)?)?;
        until(|| (!old.exists()).then_some(())).await?;
        // An eighth of the quota is as long as a file may become.
        until(|| (files(&recorder.dir()).len() > 3).then_some(())).await?;
        robot.stop()?;
        assert!(foreign.exists() && !leftover.exists());
        let ours: Vec<PathBuf> = files(&recorder.dir()).into_iter().filter(|path| *path != foreign).collect();
        assert!(ours.iter().map(|path| length(path)).sum::<u64>() < 1_000_000);
        for file in &ours {
            check(file)?;
        }
        Ok(())
    })
}

/// A disk of 8 MB.
struct SmallDisk(Folder);

impl SmallDisk {
    /// Nothing without the right to have one.
    fn mount() -> anyhow::Result<Option<Self>> {
        let folder = Folder::new()?;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder.path()).status()?;
        Ok(mounted.success().then_some(Self(folder)))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.0.path().display());
        }
    }
}

/// Blocks no other task.
async fn logged(log: Log, text: &'static str) -> anyhow::Result<(Log, String)> {
    tokio::task::spawn_blocking(move || log.wait(text).map(|line| (log, line))).await?
}

/// Others take so many bytes of the disk, until they are gone again.
fn a_full_disk_stops_recording_only(
    recording: &str,
    others: usize,
    stops: &'static str,
    goes_on: &'static str,
) -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount()? else {
        eprintln!("SKIPPED: only root can mount the small disk that this test fills");
        return Ok(());
    };
    alone(async {
        let world = World::start().await?;
        let recorder = Recorder::new(Some(disk.0.path()), recording, "none")?;
        let server = world.url().to_string();
        let (mut robot, log) = Process::start_logged("broadcaster", &recorder.arguments(&server)?)?;
        let mut viewer = world.viewer("demo");
        viewer.until(PATIENCE, |reception| reception.frames >= 10).await?;
        let dir = disk.0.path().join("demo/main");
        let before = until(|| files(&dir).pop()).await?;

        let filler = disk.0.path().join("filler");
        // It may not fit.
        let _ = std::fs::write(&filler, vec![7; others]);
        let (log, line) = logged(log, "recording stopped").await?;
        assert!(line.contains(stops) && line.contains("the video goes on"), "{line}");
        let frames = viewer.reception().frames;
        viewer.until(PATIENCE, |reception| reception.frames >= frames + 90).await?;
        assert!(robot.is_running()?);
        check(&before)?;

        std::fs::remove_file(&filler)?;
        logged(log, goes_on).await?;
        let after = until(|| files(&dir).pop().filter(|file| *file != before)).await?;
        until(|| (length(&after) > 20_000).then_some(())).await?;
        let reception = viewer.leave().await?;
        assert_eq!(reception.offers, 1, "its session went on: {reception:?}");
        // A machine that has much else to do may drop one even on its way to itself.
        assert!(reception.missed * 100 <= reception.packets, "nearly nothing was missed meanwhile: {reception:?}");
        assert!(reception.notices.is_empty(), "{reception:?}");
        robot.stop()?;
        check(&after)?;
        world.stop().await
    })
}

#[test]
fn a_disk_that_is_full_stops_recording_and_nothing_else() -> anyhow::Result<()> {
    let recording = "quota = \"100MB\"\nreserve = \"0B\"";
    a_full_disk_stops_recording_only(recording, 8 << 20, "free some space on its disk", "recording goes on")
}

#[test]
fn so_does_one_whose_reserve_others_have_taken() -> anyhow::Result<()> {
    let recording = "quota = \"20MB\"\nreserve = \"1MB\"";
    let stops = "its disk has too little free space";
    a_full_disk_stops_recording_only(recording, 7_500_000, stops, "there is room for recordings again")
}
