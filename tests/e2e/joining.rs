//! Viewers come and go, before the robot and after it, alone and in crowds.

use protocol::Code;
use tests::{Process, Processes, Viewer, World};

use crate::{PATIENCE, leaving_nothing};

#[test]
fn viewers_may_come_before_the_robot_and_after_it_any_number_of_times() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let mut early = world.viewer("demo");
        let refused = early.until(PATIENCE, |reception| reception.refused.is_some()).await?;
        assert_eq!(refused.refused.map(|notice| notice.code), Some(Code::RobotOffline));

        let robot = world.robot("demo");
        early.until(PATIENCE, |reception| reception.frames >= 10).await?;
        for _ in 0..3 {
            let mut late = world.viewer("demo");
            let reception = late.until(PATIENCE, |reception| reception.frames >= 10).await?;
            assert_eq!((reception.offers, reception.missed), (1, 0), "{reception:?}");
            late.leave().await?;
        }
        let reception = early.leave().await?;
        assert_eq!((reception.offers, reception.missed), (1, 0), "{reception:?}");
        robot.stop().await?;
        world.stop().await
    })
}

#[test]
fn twenty_viewers_at_once_all_get_video_and_lose_nothing() -> anyhow::Result<()> {
    leaving_nothing(async {
        let processes = Processes::start()?;
        let mut first = processes.viewer();
        first.until(PATIENCE, |reception| reception.frames >= 5).await?;

        let lines =
            Process::run("loadgen", &["--server", &processes.url.to_string(), "-n", "20", "--seconds", "6"]).await?;
        let (summary, viewers) = lines.split_last().expect("a line for each viewer, and one for all");
        assert_eq!(viewers.len(), 20);
        for viewer in viewers {
            assert_eq!((&viewer["missed"], &viewer["offers"]), (&0.into(), &1.into()), "{viewer}");
            assert!(viewer["first_frame"].is_number() && viewer["notices"] == serde_json::json!([]), "{viewer}");
        }
        assert_eq!((&summary["with_video"], &summary["missed"]), (&20.into(), &0.into()), "{summary}");
        let reception = first.leave().await?;
        assert_eq!((reception.offers, reception.missed), (1, 0), "who was there first noticed nothing: {reception:?}");
        Ok(())
    })
}

#[test]
fn when_a_crowd_has_left_the_broadcaster_holds_what_it_held_before() -> anyhow::Result<()> {
    leaving_nothing(async {
        let processes = Processes::start()?;
        let crowd = async || -> anyhow::Result<()> {
            let mut viewers: Vec<Viewer> = (0..20).map(|_| processes.viewer()).collect();
            for viewer in &mut viewers {
                viewer.until(PATIENCE, |reception| reception.frames >= 5).await?;
            }
            for viewer in viewers {
                viewer.leave().await?;
            }
            Ok(())
        };
        // The first crowds fill the allocator's pools and the kernel's caches.
        crowd().await?;
        crowd().await?;
        let before = processes.broadcaster.footprint()?;
        for _ in 0..5 {
            crowd().await?;
        }
        // One more viewer's whole life comes after the crowd's last goodbye on the same ordered line.
        let mut last = processes.viewer();
        last.until(PATIENCE, |reception| reception.frames >= 5).await?;
        last.leave().await?;
        let after = processes.broadcaster.footprint()?;
        assert_eq!((after.threads, after.descriptors), (before.threads, before.descriptors));
        // A hundred viewers at 120 KiB or more each would show; an allocator's slack does not.
        let growth = after.resident_kib.saturating_sub(before.resident_kib);
        assert!(growth < 4096, "{growth} KiB more than before: {before:?} → {after:?}");
        Ok(())
    })
}

#[test]
fn everybody_sees_the_robot_and_the_camera_of_their_choice() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let one = world.robot_with_cameras("one", &["front", "rear"]);
        let two = world.robot("two");
        let watch = |robot: &str, camera: Option<&str>| {
            Viewer::join(tests::Options {
                robot: Some(robot.parse().expect("a valid id")),
                camera: camera.map(|camera| camera.parse().expect("a valid id")),
                ..tests::Options::new(world.url())
            })
        };
        for (robot, camera) in [("one", None), ("one", Some("rear")), ("two", Some("main"))] {
            let mut viewer = watch(robot, camera);
            viewer.until(PATIENCE, |reception| reception.frames >= 5).await?;
            viewer.leave().await?;
        }
        let mut lost = watch("one", Some("cellar"));
        let refusal = lost.until(PATIENCE, |reception| reception.refused.is_some()).await?.refused;
        let refusal = refusal.map(|notice| notice.message).unwrap_or_default();
        assert!(refusal.contains("front") && refusal.contains("rear"), "the cameras there are: {refusal}");
        lost.leave().await?;
        one.stop().await?;
        two.stop().await?;
        world.stop().await
    })
}

#[test]
fn a_robot_starts_without_any_network() -> anyhow::Result<()> {
    let mut robot = Process::start_without_network("broadcaster", &[], "camera runs")?;
    assert!(robot.is_running()?);
    Ok(())
}

#[test]
fn several_threads_share_the_viewers_and_none_notices() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let robot = world.robot_with_threads("demo", 3.try_into()?);
        let mut viewers: Vec<Viewer> = (0..9).map(|_| world.viewer("demo")).collect();
        for viewer in &mut viewers {
            viewer.until(PATIENCE, |reception| reception.frames >= 30).await?;
        }
        let mut late = world.viewer("demo");
        late.until(PATIENCE, |reception| reception.frames >= 10).await?;
        viewers.push(late);
        for viewer in viewers {
            let reception = viewer.leave().await?;
            assert_eq!((reception.offers, reception.missed), (1, 0), "{reception:?}");
        }
        robot.stop().await?;
        world.stop().await
    })
}
