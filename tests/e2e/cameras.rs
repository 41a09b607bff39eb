//! Cameras that stop, die and come back, while somebody watches.

use protocol::Code;
use serde_json::json;
use tests::{Reception, RtspCamera, Viewer, World};

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
