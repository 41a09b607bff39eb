//! Viewers come and go in crowds.

use tests::{Process, Processes, Viewer, World};

use crate::{PATIENCE, alone};

#[test]
fn twenty_viewers_at_once_all_get_video_and_lose_nothing() -> anyhow::Result<()> {
    alone(async {
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
    alone(async {
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
        let after = processes.broadcaster.settles(&before).await?;
        // A hundred viewers at 120 KiB or more each would show; an allocator's slack does not.
        let growth = after.resident_kib.saturating_sub(before.resident_kib);
        assert!(growth < 4096, "{growth} KiB more than before: {before:?} → {after:?}");
        Ok(())
    })
}

#[test]
fn several_threads_share_the_viewers_and_none_notices() -> anyhow::Result<()> {
    alone(async {
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
