//! A robot whose uplink is for some, and not for all of them at their best.

use std::{num::NonZeroU32, time::Duration};

use anyhow::Context;
use broadcaster::config::Rung;
use protocol::{Code, Overview};
use tests::{Viewer, World};

use crate::{PATIENCE, leaving_nothing};

/// Widths and bitrates.
const RUNGS: [(u32, u32); 2] = [(320, 600_000), (160, 150_000)];

/// Bits per second: more than two of the best, and less than three.
const MAX: u32 = 1_700_000;

/// Waits until the robot says that its viewers get these qualities, whoever of them gets which.
async fn get(world: &World, enough: impl Fn(&[u8]) -> bool) -> anyhow::Result<()> {
    let mut again = tokio::time::interval(Duration::from_millis(50));
    let mut last = Vec::new();
    let told = async {
        while last.is_empty() || !enough(&last) {
            again.tick().await;
            let shown: Overview = serde_json::from_str(&world.get("/api/v1/overview").await?)?;
            let demo = shown.robots.first().context("it is live")?;
            last = demo.viewers.iter().filter_map(|viewer| viewer.sent.and_then(|sent| sent.rung)).collect();
            last.sort_unstable();
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(PATIENCE, told).await {
        Ok(told) => told,
        Err(_) => anyhow::bail!("not within {PATIENCE:?}: {last:?}"),
    }
}

#[test]
fn viewers_share_an_uplink_and_get_less_before_one_of_them_gets_nothing() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let rungs = RUNGS.map(|(width, bitrate)| Rung { width, fps: None, bitrate });
        let robot = world.robot_with_uplink("demo", rungs.to_vec(), NonZeroU32::new(MAX).context("some")?);
        let mut viewers: Vec<Viewer> = Vec::new();
        let refused = loop {
            let mut viewer = world.viewer("demo");
            let come = |reception: &tests::Reception| reception.frames > 0 || !reception.notices.is_empty();
            let seen = viewer.until(PATIENCE, come).await?;
            if let Some(notice) = seen.notices.first() {
                break (viewer, notice.clone());
            }
            viewers.push(viewer);
            if viewers.len() == 3 {
                get(&world, |rungs| rungs.len() == 3 && rungs.contains(&1)).await?;
            }
        };
        assert_eq!(refused.1.code, Code::Full, "{:?}", refused.1);
        assert!((4..=10).contains(&viewers.len()), "{} of them", viewers.len());
        get(&world, |rungs| rungs.len() == viewers.len() && rungs.iter().all(|rung| *rung == 1)).await?;
        let watching = viewers.split_off(1);
        for viewer in watching {
            viewer.leave().await?;
        }
        get(&world, |rungs| *rungs == [0]).await?;
        for viewer in viewers.into_iter().chain([refused.0]) {
            viewer.leave().await?;
        }
        robot.stop().await?;
        world.stop().await
    })
}
