//! Robot and server die and come back; what the viewer sees goes on.

use tests::{Processes, World};

use crate::{PATIENCE, leaving_nothing};

#[test]
fn a_robot_that_comes_back_is_seen_again_by_those_who_stayed() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let robot = world.robot("demo");
        let mut viewer = world.viewer("demo");
        let before = viewer.until(PATIENCE, |reception| reception.frames >= 10).await?.frames;
        robot.stop().await?;
        let robot = world.robot("demo");
        let after = viewer.until(PATIENCE, |reception| reception.offers >= 2 && reception.frames > before + 30).await?;
        assert_eq!(after.offers, 2, "{after:?}");
        viewer.leave().await?;
        robot.stop().await?;
        world.stop().await
    })
}

#[test]
fn a_killed_robot_is_replaced_by_the_next() -> anyhow::Result<()> {
    leaving_nothing(async {
        let mut processes = Processes::start()?;
        let mut viewer = processes.viewer();
        let before = viewer.until(PATIENCE, |reception| reception.frames >= 10).await?.frames;
        processes.replace_broadcaster()?;
        viewer.until(PATIENCE, |reception| reception.offers >= 2 && reception.frames > before + 30).await?;
        viewer.leave().await.map(drop)
    })
}

#[test]
fn a_killed_server_stops_no_picture_and_lets_viewers_in_again() -> anyhow::Result<()> {
    leaving_nothing(async {
        let mut processes = Processes::start()?;
        let mut first = processes.viewer();
        first.until(PATIENCE, |reception| reception.frames >= 10).await?;

        processes.kill_server()?;
        let before = first.reception().frames;
        first.until(PATIENCE, |reception| reception.frames >= before + 30).await?;
        processes.start_server()?;
        let resumed = first.until(PATIENCE, |reception| reception.resumed >= 1).await?;
        assert!(processes.server.is_running()?);

        let mut second = processes.viewer();
        second.until(PATIENCE, |reception| reception.frames >= 10).await?;
        first.until(PATIENCE, |reception| reception.frames >= resumed.frames + 30).await?;
        second.leave().await?;
        let reception = first.leave().await?;
        assert_eq!((reception.offers, reception.missed), (1, 0), "its session went on: {reception:?}");
        Ok(())
    })
}
