//! What the server says in numbers of robots and viewers, beside what these know of themselves.

use std::time::Duration;

use anyhow::Context;
use protocol::{EventKind, Overview};
use tests::{Exposition, Viewer, World};

use crate::{PATIENCE, leaving_nothing};

/// Reads until what was read satisfies `enough`.
async fn metrics(world: &World, enough: impl Fn(&Exposition) -> bool) -> anyhow::Result<Exposition> {
    let mut again = tokio::time::interval(Duration::from_millis(50));
    let mut last = None;
    let read = async {
        loop {
            again.tick().await;
            let text = world.get("/metrics").await?;
            let page = Exposition::parse(&text).map_err(anyhow::Error::msg).with_context(|| text.clone())?;
            if enough(&page) {
                return anyhow::Ok(page);
            }
            last = Some(text);
        }
    };
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(page) => page,
        Err(_) => anyhow::bail!("not within {PATIENCE:?}: {}", last.unwrap_or_default()),
    }
}

async fn overview(world: &World) -> anyhow::Result<Overview> {
    Ok(serde_json::from_str(&world.get("/api/v1/overview").await?)?)
}

const DEMO: (&str, &str) = ("robot", "demo");
const MAIN: (&str, &str) = ("camera", "main");

#[test]
fn the_figures_are_those_of_robot_and_viewers_and_go_with_them() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let robot = world.robot("demo");
        let mut viewers: Vec<Viewer> = (0..3).map(|_| world.viewer("demo")).collect();
        for viewer in &mut viewers {
            viewer.until(PATIENCE, |reception| reception.frames >= 30).await?;
        }
        metrics(&world, |page| {
            let fps = page.value("panocast_robot_mean_shown_frames_per_second", &[DEMO]);
            page.value("panocast_robot_sent_bytes_per_second", &[DEMO]).is_some_and(|rate| rate > 0.0)
                && fps.is_some_and(|fps| fps > 0.0)
        })
        .await?;

        // What the robot says that it has sent, as soon as it says so, and what the viewers have got by then.
        let total = |page: &Exposition| page.value("panocast_robot_sent_bytes_total", &[DEMO]).unwrap_or_default();
        let told = async |viewers: &[Viewer]| {
            let former = total(&metrics(&world, |_| true).await?);
            let page = metrics(&world, |page| total(page) > former).await?;
            anyhow::Ok((total(&page), bytes(viewers)))
        };
        let (sent_before, got_before) = told(&viewers).await?;
        for viewer in &mut viewers {
            let frames = viewer.reception().frames;
            viewer.until(PATIENCE, |reception| reception.frames >= frames + 150).await?;
        }
        let (sent, got) = told(&viewers).await?;
        let ratio = (sent - sent_before) / (got - got_before);
        println!("sent by the robot's report / received by the viewers: {ratio:.3}");
        assert!((0.75..1.25).contains(&ratio), "{ratio}");

        let after = metrics(&world, |_| true).await?;
        let value = |name, labels: &[(&str, &str)]| after.value(name, labels);
        assert_eq!(value("panocast_robots", &[]), Some(1.0));
        assert_eq!(value("panocast_viewers", &[]), Some(3.0));
        assert_eq!(value("panocast_connections", &[]), Some(4.0));
        assert_eq!(value("panocast_joins_total", &[]), Some(3.0));
        assert_eq!(value("panocast_join_seconds_count", &[]), Some(3.0));
        assert_eq!(value("panocast_camera_viewers", &[DEMO, MAIN]), Some(3.0));
        assert_eq!(value("panocast_camera_running", &[DEMO, MAIN]), Some(1.0));
        let encoding = [DEMO, MAIN, ("rung", "0"), ("codec", "h264")];
        assert_eq!(value("panocast_robot_relayed_viewers", &[DEMO]), Some(0.0));
        assert!(value("panocast_robot_max_loss_ratio", &[DEMO]).is_some());
        assert!(value("panocast_process_open_fds", &[]).is_some_and(|files| files > 4.0));

        // A machine that has much else to do may be late for a second, but not always.
        let near_30 = |fps: Option<f64>| fps.is_some_and(|fps| (28.0..32.0).contains(&fps));
        // The config's 300,000 bits, which an encoder meets as well as it can.
        let as_wanted =
            |bytes: Option<f64>| bytes.is_some_and(|bytes| (37_500.0 * 0.5..37_500.0 * 1.5).contains(&bytes));
        metrics(&world, |page| {
            as_wanted(page.value("panocast_encoding_bytes_per_second", &encoding))
                && near_30(page.value("panocast_camera_frames_per_second", &[DEMO, MAIN]))
                && near_30(page.value("panocast_encoding_frames_per_second", &encoding))
                && near_30(page.value("panocast_robot_mean_shown_frames_per_second", &[DEMO]))
        })
        .await?;

        let shown = overview(&world).await?;
        let demo = shown.robots.first().context("it is live")?;
        assert_eq!((demo.viewers.len(), demo.cameras.len(), shown.connections), (3, 1, 4));
        for viewer in &demo.viewers {
            assert!(viewer.sent.is_some_and(|sent| sent.rung == Some(0)) && viewer.shown.is_some(), "{viewer:?}");
        }
        assert_eq!(shown.events.iter().filter(|event| event.kind == EventKind::Joined).count(), 3);

        viewers.pop().context("there are three")?.leave().await?;
        metrics(&world, |page| page.value("panocast_camera_viewers", &[DEMO, MAIN]) == Some(2.0)).await?;
        robot.stop().await?;
        let after = metrics(&world, |page| page.value("panocast_robots", &[]) == Some(0.0)).await?;
        assert_eq!(after.count(DEMO.0, DEMO.1), 0, "nothing of it is left");
        assert_eq!(overview(&world).await?.robots, []);
        for viewer in viewers {
            viewer.leave().await?;
        }
        metrics(&world, |page| page.value("panocast_viewers", &[]) == Some(0.0)).await?;
        world.stop().await
    })
}

fn bytes(viewers: &[Viewer]) -> f64 {
    viewers.iter().map(|viewer| viewer.reception().bytes as f64).sum()
}

#[test]
fn every_metric_is_explained_and_every_explanation_is_of_one() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::relaying().await?;
        let page = metrics(&world, |_| true).await?;
        let table = include_str!("../../docs/metrics.md").lines().filter_map(|line| line.strip_prefix("| `"));
        let mut explained: Vec<&str> = table.filter_map(|row| row.split(['{', '`']).next()).collect();
        explained.sort_unstable();
        assert_eq!(explained, page.families().collect::<Vec<_>>());
        world.stop().await
    })
}
