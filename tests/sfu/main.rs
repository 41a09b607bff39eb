//! A robot, a server and a real LiveKit: a crowd is sent there, and comes back.
//!
//! `make test-scale` builds LiveKit and says where it is; without it these tests say that they are skipped.

mod livekit;
mod redis;
mod several;

use std::{num::NonZeroUsize, time::Duration};

use anyhow::Context;
use broadcaster::config::{Rung, Spill, Uplink};
use protocol::{Media, RobotId};
use server::{auth::UnixTime, config::AuthMode};
use tests::{Guest, Robot, Viewer, World, ask, leaving_nothing};
use tokio::{task::JoinSet, time::Instant};

use livekit::{LiveKit, SECRET};

const PATIENCE: Duration = Duration::from_secs(30);

/// Widths and bitrates: two cores carry all of this.
const RUNGS: [(u32, u32); 2] = [(320, 300_000), (160, 100_000)];

/// From so many on viewers are sent to the media server.
const CROWD: NonZeroUsize = NonZeroUsize::new(5).unwrap();
const ALL: usize = 200;

/// The robot's uplink may differ by so much from the least to the most viewers.
const CONSTANT: f64 = 0.05;

/// For so long, at least, it is measured: a keyframe every ten seconds is a good part of what is sent.
const MEASURED: Duration = Duration::from_secs(60);

/// Whoever watched by a media server that ends has a picture again within so long.
const BACK_WITHIN: Duration = Duration::from_secs(5);

struct Stage {
    livekit: LiveKit,
    world: World,
    demo: RobotId,
}

/// Nothing where there is no LiveKit.
async fn stage(secret: &str, mode: AuthMode) -> anyhow::Result<Option<Stage>> {
    let Some(program) = livekit::program() else {
        eprintln!("SKIPPED: there is no LiveKit ($LIVEKIT); `make test-scale` builds one where there is Go");
        return Ok(None);
    };
    let livekit = LiveKit::start(program).await?;
    let sfu = livekit.known(&livekit, secret)?;
    let world = World::configured(|config| (config.auth.mode, config.sfu) = (mode, sfu)).await?;
    Ok(Some(Stage { livekit, world, demo: "demo".parse()? }))
}

/// A robot that goes to the media server from a crowd on.
fn spilling(world: &World, uplink: Uplink) -> Robot {
    let rungs = RUNGS.map(|(width, bitrate)| Rung { width, fps: None, bitrate });
    // Whoever is in the way of an uplink is counted by that.
    let viewers = uplink.max_bitrate.is_none().then_some(CROWD);
    world.robot_that_spills("demo", rungs.to_vec(), Spill { viewers, cpu: None }, uplink)
}

async fn crowd(world: &World) -> anyhow::Result<Vec<Viewer>> {
    let mut viewers: Vec<Viewer> = (0..CROWD.get()).map(|_| world.viewer("demo")).collect();
    for viewer in &mut viewers {
        viewer.until(PATIENCE, |seen| seen.frames > 0).await?;
    }
    Ok(viewers)
}

async fn until_sent(world: &World, robot: &RobotId, there: bool, within: Duration) -> anyhow::Result<()> {
    let sent = async {
        loop {
            let (link, admission) = ask(&world.url(), robot, None).await?;
            link.close().await;
            if matches!(admission.media, Media::Livekit { .. }) == there {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(within, sent).await.context("it does not change where viewers are sent")?
}

impl Stage {
    fn robot(&self) -> Robot {
        spilling(&self.world, Uplink::default())
    }

    /// Viewers that take nothing but the robot, all of them with a picture.
    async fn crowd(&self) -> anyhow::Result<Vec<Viewer>> {
        crowd(&self.world).await
    }

    /// Waits until the server sends viewers to the media server, or not any more.
    async fn until_sent(&self, there: bool, within: Duration) -> anyhow::Result<()> {
        until_sent(&self.world, &self.demo, there, within).await
    }

    /// Bits per second that the robot sends, over some seconds.
    async fn uplink(&self) -> anyhow::Result<f64> {
        // The robot tells every few seconds: what is between two of those moments is what it sent between them.
        let (told, _) = self.sent(None).await?;
        let (before, since) = self.sent(Some(told)).await?;
        let (mut after, mut at) = (before, since);
        while at < since + MEASURED {
            (after, at) = self.sent(Some(after)).await?;
        }
        Ok(8.0 * (after - before) as f64 / (at - since).as_secs_f64())
    }

    /// What the robot says that it has sent, as soon as that is not what it said before, and when that was.
    async fn sent(&self, before: Option<u64>) -> anyhow::Result<(u64, Instant)> {
        const FIGURE: &str = "panocast_robot_sent_bytes_total{robot=\"demo\"} ";
        let told = async {
            loop {
                let metrics = self.world.get("/metrics").await?;
                let sent = metrics.lines().find_map(|line| line.strip_prefix(FIGURE)).map(str::parse).transpose()?;
                match sent.filter(|sent| Some(*sent) != before) {
                    Some(sent) => return anyhow::Ok((sent, Instant::now())),
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, told).await.context("the robot says nothing more")?
    }

    async fn guests(&self, count: usize) -> anyhow::Result<Vec<Guest>> {
        let mut joining = JoinSet::new();
        for _ in 0..count {
            let (url, demo) = (self.world.url(), self.demo.clone());
            joining.spawn(async move {
                let mut guest = Guest::join(&url, &demo, None).await?;
                guest.until(PATIENCE, |seen| seen.frames > 0).await?;
                anyhow::Ok(guest)
            });
            // One a hundredth of a second: two cores do all of their handshakes as well as LiveKit's.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        joining.join_all().await.into_iter().collect()
    }
}

#[test]
#[ignore = "needs LiveKit"]
fn an_uplink_does_not_feel_whether_five_watch_or_two_hundred() -> anyhow::Result<()> {
    leaving_nothing(async {
        let Some(stage) = stage(SECRET, AuthMode::Open).await? else { return Ok(()) };
        let robot = stage.robot();
        let viewers = stage.crowd().await?;
        stage.until_sent(true, PATIENCE).await?;
        // What their paths carry is tried in the beginning.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let few = stage.uplink().await?;
        println!("uplink: {few:.0} bit/s with {CROWD} viewers");
        let guests = stage.guests(ALL - CROWD.get()).await?;
        let many = stage.uplink().await?;
        println!("uplink: {many:.0} bit/s with {ALL}");
        anyhow::ensure!((many / few - 1.0).abs() <= CONSTANT, "{few} and {many}");
        let mut leaving = JoinSet::new();
        for guest in guests {
            leaving.spawn(guest.leave());
        }
        leaving.join_all().await.into_iter().collect::<anyhow::Result<()>>()?;
        for viewer in viewers {
            viewer.leave().await?;
        }
        stage.until_sent(false, PATIENCE).await?;
        robot.stop().await?;
        stage.world.stop().await
    })
}

#[test]
#[ignore = "needs LiveKit"]
fn a_media_server_that_is_killed_costs_seconds_and_is_used_again_when_it_is_back() -> anyhow::Result<()> {
    leaving_nothing(async {
        let Some(mut stage) = stage(SECRET, AuthMode::Open).await? else { return Ok(()) };
        let robot = stage.robot();
        let mut viewers = stage.crowd().await?;
        stage.until_sent(true, PATIENCE).await?;
        let mut guests = stage.guests(3).await?;
        let before = viewers[0].reception().frames;
        let killed = Instant::now();
        stage.livekit.kill().await?;
        stage.until_sent(false, BACK_WITHIN).await?;
        println!("viewers are sent to the robot again {:?} after LiveKit was killed", killed.elapsed());
        // Whoever watches the robot itself does not notice.
        viewers[0].until(PATIENCE, |seen| seen.frames > before + 60).await?;
        anyhow::ensure!(viewers[0].reception().offers == 1, "{:?}", viewers[0].reception());
        for guest in &mut guests {
            guest.until_silent(Duration::from_secs(1)).await;
        }
        stage.livekit.come_back().await?;
        stage.until_sent(true, Duration::from_secs(60)).await?;
        for guest in guests {
            guest.leave().await?;
        }
        for viewer in viewers {
            viewer.leave().await?;
        }
        robot.stop().await?;
        stage.world.stop().await
    })
}

#[test]
#[ignore = "needs LiveKit"]
fn a_key_that_livekit_does_not_know_harms_nobody_who_watches_the_robot() -> anyhow::Result<()> {
    leaving_nothing(async {
        let Some(stage) = stage("fedcba9876543210fedcba9876543210", AuthMode::Open).await? else { return Ok(()) };
        let robot = stage.robot();
        let mut viewers = stage.crowd().await?;
        // Long enough for the robot to have tried.
        for viewer in &mut viewers {
            let before = viewer.reception().frames;
            viewer.until(PATIENCE, |seen| seen.frames > before + 90).await?;
        }
        stage.until_sent(false, PATIENCE).await?;
        for viewer in viewers {
            let seen = viewer.leave().await?;
            anyhow::ensure!(seen.offers == 1 && seen.notices.is_empty(), "{seen:?}");
        }
        robot.stop().await?;
        stage.world.stop().await
    })
}

#[test]
#[ignore = "needs LiveKit"]
fn a_link_that_is_taken_back_ends_the_picture_there_as_well() -> anyhow::Result<()> {
    leaving_nothing(async {
        let Some(stage) = stage(SECRET, AuthMode::Keys).await? else { return Ok(()) };
        let robot = stage.robot();
        let (_, stays) = stage.world.link("demo")?;
        let (link, goes) = stage.world.link("demo")?;
        let mut viewers: Vec<Viewer> = (0..CROWD.get()).map(|_| stage.world.viewer_by("demo", &stays)).collect();
        for viewer in &mut viewers {
            viewer.until(PATIENCE, |seen| seen.frames > 0).await?;
        }
        let join = async |token: &str| {
            loop {
                match Guest::join(&stage.world.url(), &stage.demo, Some(token)).await {
                    Ok(guest) => return guest,
                    Err(error) => println!("not yet: {error:#}"),
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let join = async |token: &str| tokio::time::timeout(PATIENCE, join(token)).await.context("it is sent there");
        let mut stays = join(stays.as_str()).await?;
        let mut goes = join(goes.as_str()).await?;
        for guest in [&mut stays, &mut goes] {
            guest.until(PATIENCE, |seen| seen.frames > 0).await?;
        }
        stage.world.store()?.revoke_link(&link.id, UnixTime::now())?;
        let revoked = Instant::now();
        let last = goes.until_silent(Duration::from_secs(2)).await;
        let after = last.saturating_duration_since(revoked);
        println!("the last packet by a link came {after:?} after it was taken back");
        anyhow::ensure!(after < Duration::from_secs(3), "it goes on");
        stays.until(PATIENCE, |seen| seen.frames > 60).await?;
        for guest in [stays, goes] {
            guest.leave().await?;
        }
        for viewer in viewers {
            viewer.leave().await?;
        }
        robot.stop().await?;
        stage.world.stop().await
    })
}
