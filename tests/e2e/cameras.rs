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

/// What a return typically takes at most: half of it is the fifteen pictures, and the wait before the first attempt.
const USUALLY_BACK_WITHIN: Duration = Duration::from_secs(3);
/// And what it may take on a machine that has much else to do.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// A leak of one picture each time would be 5 MB.
const GROWTH_KIB: u64 = 3 << 10;

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
            camera.replace()?;
            let (died, before) = (tokio::time::Instant::now(), viewer.reception().frames);
            viewer.until(PATIENCE, |reception| reception.frames > before + 15).await?;
            returns.push(died.elapsed());
            footprints.push(processes.broadcaster.footprint()?);
        }
        let (before, after) = (least(&footprints[SETTLED..SETTLED + 20]), least(&footprints[DEATHS - 20..]));
        returns.sort_unstable();
        let (typical, slowest) = (returns[DEATHS / 2], returns[DEATHS - 1]);
        println!("back after {typical:?}, at the slowest {slowest:?}; {before:?} became {after:?}");
        assert!(typical <= USUALLY_BACK_WITHIN && slowest <= BACK_WITHIN, "{returns:?}");
        assert!(after.threads <= before.threads && after.descriptors <= before.descriptors, "{before:?} {after:?}");
        assert!(after.resident_kib < before.resident_kib + GROWTH_KIB, "{before:?} {after:?}");
        let reception = viewer.leave().await?;
        assert_eq!(reception.offers, 1, "its session went on: {reception:?}");
        Ok(())
    })
}

/// A pipe that nobody writes into keeps whoever opens it, as a driver that hangs does.
#[test]
fn a_driver_that_hangs_ends_the_robots_process_for_another_to_begin() -> anyhow::Result<()> {
    leaving_nothing(async {
        let pipe = std::env::temp_dir().join(format!("panocast-pipe-{}", std::process::id()));
        anyhow::ensure!(std::process::Command::new("mkfifo").arg(&pipe).status()?.success(), "mkfifo failed");
        let section = format!("[[cameras]]\nid = \"main\"\nsource = \"file\"\npath = \"{}\"", pipe.display());
        let mut processes = Processes::with_cameras(&section)?;
        let mut look = tokio::time::interval(Duration::from_millis(100));
        let ended = async {
            while processes.broadcaster.is_running()? {
                look.tick().await;
            }
            anyhow::Ok(())
        };
        let ended = tokio::time::timeout(PATIENCE, ended).await;
        std::fs::remove_file(&pipe)?;
        ended?
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
