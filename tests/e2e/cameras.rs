//! Cameras that stop, die and come back, while somebody watches.

use std::time::Duration;

use protocol::Code;
use serde_json::json;
use tests::{Footprint, Process, Processes, Reception, RtspCamera, Viewer, World};

use crate::{PATIENCE, leaving_nothing};

/// A second's pictures more.
async fn sees_on(viewer: &mut Viewer) -> anyhow::Result<()> {
    let before = viewer.reception().frames;
    viewer.until(PATIENCE, |reception| reception.frames > before + 30).await?;
    Ok(())
}

/// How often the viewer was told that the camera is lost.
fn losses(reception: &Reception) -> usize {
    reception.notices.iter().filter(|notice| notice.code == Code::CameraLost).count()
}

fn a_network_camera_comes_back(passthrough: bool) -> anyhow::Result<()> {
    leaving_nothing(async {
        let mut camera = RtspCamera::start()?;
        let world = World::start().await?;
        let section = json!({
            "id": "main", "source": "rtsp", "url": camera.url(), "passthrough": passthrough,
            "width": 320, "height": 160, "fps": 30, "bitrate": 300_000,
        });
        let robot = world.robot_with_camera("demo", section)?;
        let mut viewer = world.viewer("demo");
        sees_on(&mut viewer).await?;

        camera.replace()?;
        sees_on(&mut viewer).await?;

        let told = losses(&viewer.reception());
        camera.freeze()?;
        viewer.until(PATIENCE, |reception| losses(reception) > told).await?;
        camera.thaw()?;
        sees_on(&mut viewer).await?;

        let reception = viewer.leave().await?;
        assert_eq!(reception.offers, 1, "its session went on: {reception:?}");
        robot.stop().await?;
        world.stop().await
    })
}

#[test]
fn a_network_camera_that_died_or_froze_is_seen_again_in_the_same_session() -> anyhow::Result<()> {
    a_network_camera_comes_back(false)
}

#[test]
fn so_is_one_whose_pictures_are_sent_on_as_they_come() -> anyhow::Result<()> {
    a_network_camera_comes_back(true)
}

/// What it may take until the picture is there again, once the camera is.
const BACK_WITHIN: Duration = Duration::from_secs(3);
/// How much of that may be the camera's and the robot's own work, from the attempt that finds the camera there to the viewer.
const BEGUN_WITHIN: Duration = Duration::from_millis(1200);

/// The longer a camera is away, the longer robots wait between two attempts: the wait in which it comes back is the first
/// one's half a second and a third more than its absence at most, as each wait is between 3/4 and the whole of twice the one
/// before. A machine on which such a camera takes seconds to start sees that, and not a slower robot.
fn back_within(absence: Duration) -> Duration {
    BACK_WITHIN.max(Duration::from_millis(500) + absence * 4 / 3 + BEGUN_WITHIN)
}
/// A leak of one picture each time would be 5 MB.
const GROWTH_KIB: u64 = 3 << 10;

/// One may be open for a moment; one that is left each time would make some fifty.
const FEW: usize = 5;

const DEATHS: usize = 100;
/// By then GStreamer has loaded what it needs, and the allocator has found its size.
const SETTLED: usize = 30;

#[test]
fn a_camera_that_dies_a_hundred_times_leaves_nothing_behind_in_the_robot() -> anyhow::Result<()> {
    leaving_nothing(async {
        let mut camera = RtspCamera::start()?;
        let section = format!(
            "[[cameras]]\nid = \"main\"\nsource = \"rtsp\"\nurl = \"{}\"\nwidth = 320\nheight = 160\nbitrate = 300000",
            camera.url()
        );
        let processes = Processes::with_cameras(&section)?;
        let mut viewer = processes.viewer();
        sees_on(&mut viewer).await?;
        let mut footprints = Vec::new();
        let mut returns = Vec::new();
        for _ in 0..DEATHS {
            let absence = camera.replace()?;
            let (back, before) = (tokio::time::Instant::now(), viewer.reception().frames);
            viewer.until(PATIENCE, |reception| reception.frames > before).await?;
            returns.push((back.elapsed(), absence));
            // A camera that only just begins each time is waited for ever longer.
            viewer.until(PATIENCE, |reception| reception.frames > before + 15).await?;
            footprints.push(processes.broadcaster.footprint()?);
        }
        let (before, after) = (least(&footprints[SETTLED..SETTLED + 20]), least(&footprints[DEATHS - 20..]));
        returns.sort_unstable();
        let (typical, slowest) = (returns[DEATHS / 2], returns[DEATHS - 1]);
        println!("back (and away before) {typical:?}, at the slowest {slowest:?}; {before:?} became {after:?}");
        assert!(returns.iter().all(|&(took, absence)| took <= back_within(absence)), "{returns:?}");
        assert!(after.threads < before.threads + FEW, "{before:?} {after:?}");
        assert!(after.descriptors < before.descriptors + FEW, "{before:?} {after:?}");
        assert!(after.resident_kib < before.resident_kib + GROWTH_KIB, "{before:?} {after:?}");
        let reception = viewer.leave().await?;
        assert_eq!(reception.offers, 1, "its session went on: {reception:?}");
        Ok(())
    })
}

#[test]
fn one_camera_that_is_not_there_keeps_all_from_starting() -> anyhow::Result<()> {
    leaving_nothing(async {
        let config = std::env::temp_dir().join(format!("panocast-half-{}.toml", std::process::id()));
        let cameras = "[[cameras]]\nid = \"front\"\nsource = \"test\"\n\
                       [[cameras]]\nid = \"back\"\nsource = \"v4l2\"\ndevice = \"/dev/video-nobody\"";
        std::fs::write(&config, format!("[media]\nlisten = \"127.0.0.1:0\"\n{cameras}"))?;
        let ended = Process::run("broadcaster", &["--config", &config.to_string_lossy()]).await;
        std::fs::remove_file(&config)?;
        let said = ended.expect_err("it cannot").to_string();
        assert!(said.contains("camera back: device /dev/video-nobody"), "{said}");
        assert!(!said.contains("starts"), "not even one of them: {said}");
        Ok(())
    })
}

/// What several had at least: what is kept for ever shows in that, and what goes away a moment later does not.
fn least(footprints: &[Footprint]) -> Footprint {
    let of = |what: fn(&Footprint) -> u64| footprints.iter().map(what).min().unwrap_or_default();
    Footprint {
        resident_kib: of(|footprint| footprint.resident_kib),
        threads: of(|footprint| footprint.threads as u64) as usize,
        descriptors: of(|footprint| footprint.descriptors as u64) as usize,
    }
}
