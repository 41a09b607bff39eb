//! Viewers come and go, before the robot and after it.

use protocol::Code;
use tests::{Process, Viewer, World};

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
