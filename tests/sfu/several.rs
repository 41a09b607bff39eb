//! Several of what there was one of: nodes of LiveKit, servers, and more viewers than an uplink is for.

use std::{num::NonZeroU32, time::Duration};

use broadcaster::config::{MaxBitrate, Uplink};
use protocol::RobotId;
use server::config::Sfu;
use tests::{Guest, Viewer, World, leaving_nothing};
use tokio::time::Instant;

use crate::{
    BACK_WITHIN, CROWD, PATIENCE, crowd,
    livekit::{self, LiveKit, SECRET},
    redis::Redis,
    spilling, until_sent,
};

/// Servers that share robots and viewers, and a media server.
async fn member(redis: &Redis, sfu: Sfu) -> anyhow::Result<World> {
    let url = format!("redis://{}/", redis.address()).try_into()?;
    World::configured(|config| {
        config.cluster.redis = Some(url);
        config.sfu = sfu;
    })
    .await
}

/// Goes where it is sent, and waits for a picture.
async fn guest(world: &World, robot: &RobotId) -> anyhow::Result<Guest> {
    let mut guest = Guest::join(&world.url(), robot, None).await?;
    guest.until(PATIENCE, |seen| seen.frames > 30).await?;
    Ok(guest)
}

#[test]
#[ignore = "needs LiveKit"]
fn a_crowd_at_two_servers_watches_by_two_nodes_of_livekit() -> anyhow::Result<()> {
    leaving_nothing(async {
        let Some(program) = livekit::program() else { return Ok(()) };
        let demo: RobotId = "demo".parse()?;
        let redis = Redis::start().await?;
        let shared = format!("redis:\n  address: {}\n", redis.address());
        let nodes = [LiveKit::with(program.clone(), &shared).await?, LiveKit::with(program, &shared).await?];
        // This server asks one node, and its viewers join at the other; with the other server it is the other way round.
        let here = member(&redis, nodes[0].known(&nodes[1], SECRET)?).await?;
        let there = member(&redis, nodes[1].known(&nodes[0], SECRET)?).await?;
        let robot = spilling(&here, Uplink::default());
        let viewers = crowd(&here).await?;
        for world in [&here, &there] {
            until_sent(world, &demo, true, PATIENCE).await?;
        }
        let mut guests = vec![guest(&here, &demo).await?];
        for _ in 0..CROWD.get() {
            guests.push(guest(&there, &demo).await?);
        }
        for viewer in viewers {
            viewer.leave().await?;
        }
        // The robot hears of those who came to the other server as well: it would have recalled one alone by then.
        tokio::time::sleep(Duration::from_secs(15)).await;
        until_sent(&there, &demo, true, Duration::from_secs(1)).await?;
        for guest in guests {
            guest.leave().await?;
        }
        until_sent(&there, &demo, false, PATIENCE).await?;
        robot.stop().await?;
        there.stop().await?;
        here.stop().await
    })
}

/// Bits per second: the lowest quality for ten, or some less for what goes with it.
const MAX: NonZeroU32 = NonZeroU32::new(1_150_000).unwrap();
const SERVED: std::ops::RangeInclusive<usize> = 7..=10;
const ALL: usize = 12;

#[test]
#[ignore = "needs LiveKit"]
fn without_its_media_server_a_robot_serves_as_many_as_its_uplink_carries_and_the_rest_are_told() -> anyhow::Result<()> {
    leaving_nothing(async {
        let Some(program) = livekit::program() else { return Ok(()) };
        let demo: RobotId = "demo".parse()?;
        let mut livekit = LiveKit::start(program).await?;
        let sfu = livekit.known(&livekit, SECRET)?;
        let world = World::configured(|config| config.sfu = sfu).await?;
        let robot = spilling(&world, Uplink { max_bitrate: Some(MaxBitrate::Known(MAX)) });
        // As many as make the uplink full, at less than their best.
        let mut stay = crowd(&world).await?;
        until_sent(&world, &demo, true, PATIENCE).await?;
        let mut guests = Vec::new();
        for _ in stay.len()..ALL {
            guests.push(guest(&world, &demo).await?);
        }
        let before: Vec<u64> = stay.iter().map(|viewer| viewer.reception().frames).collect();
        let killed = Instant::now();
        livekit.kill().await?;
        until_sent(&world, &demo, false, BACK_WITHIN).await?;
        // In the place of those who asked again.
        let mut back: Vec<Viewer> = guests.iter().map(|_| world.viewer("demo")).collect();
        let (mut pictures, mut told) = (0, 0);
        for viewer in &mut back {
            let left = BACK_WITHIN.saturating_sub(killed.elapsed());
            let seen = viewer.until(left, |seen| seen.frames > 0 || !seen.notices.is_empty()).await?;
            let refused = seen.notices.first().is_some_and(|notice| notice.code == protocol::Code::Full);
            (pictures, told) = (pictures + usize::from(!refused), told + usize::from(refused));
        }
        println!(
            "{:?} after LiveKit was killed {pictures} have a picture again, and {told} are told",
            killed.elapsed()
        );
        anyhow::ensure!(SERVED.contains(&(stay.len() + pictures)) && told > 0, "{pictures} more, {told} are told");
        for (viewer, before) in stay.iter_mut().zip(before) {
            viewer.until(PATIENCE, |seen| seen.frames > before + 60).await?;
            let seen = viewer.reception();
            anyhow::ensure!(seen.offers == 1 && seen.notices.is_empty(), "{seen:?}");
        }
        for guest in guests {
            guest.leave().await?;
        }
        for viewer in stay.into_iter().chain(back) {
            viewer.leave().await?;
        }
        robot.stop().await?;
        world.stop().await
    })
}
