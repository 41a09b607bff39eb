//! Players that speak WHEP.

use std::time::Duration;

use anyhow::Context;
use protocol::Overview;
use tests::{Line, Player, World, request};

use crate::{PATIENCE, leaving_nothing};

/// Waits until the server knows of so many viewers.
async fn viewers(world: &World, expected: usize) -> anyhow::Result<()> {
    let mut again = tokio::time::interval(Duration::from_millis(50));
    let known = async {
        loop {
            again.tick().await;
            let shown: Overview = serde_json::from_str(&world.get("/api/v1/overview").await?)?;
            if shown.robots.first().is_some_and(|robot| robot.viewers.len() == expected) {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(PATIENCE, known).await.with_context(|| format!("not {expected} viewers"))?
}

/// As soon as the robot is there.
async fn player(world: &World, path: &str, headers: &str) -> anyhow::Result<Player> {
    let mut again = tokio::time::interval(Duration::from_millis(50));
    let came = async {
        while !world.get("/api/v1/overview").await?.contains("\"demo\"") {
            again.tick().await;
        }
        Player::play(&world.url(), world.address(), path, headers).await
    };
    tokio::time::timeout(PATIENCE, came).await?
}

#[test]
fn a_player_sees_the_robot_until_it_leaves() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let robot = world.robot_with_cameras("demo", &["one", "two"]);
        let mut player = player(&world, "/whep/demo?camera=two", "").await?;
        assert!(player.answer.contains("a=setup:passive") && player.answer.contains("a=sendonly"), "{}", player.answer);
        let sound = player.answer.split("m=audio").nth(1);
        assert!(sound.is_some_and(|sound| sound.contains("a=inactive")), "there is none: {}", player.answer);
        let seen = tokio::time::timeout(PATIENCE, player.until(|reception| reception.frames >= 30)).await??;
        assert_eq!(seen.missed, 0);
        viewers(&world, 1).await?;
        let location = player.location.clone();
        assert_eq!(player.leave().await?.status, 200);
        viewers(&world, 0).await?;
        assert_eq!(request(world.address(), "DELETE", &location, "", "").await?.status, 404, "once");
        robot.stop().await?;
        world.stop().await
    })
}

#[test]
fn a_player_that_hangs_up_without_a_word_is_gone() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let robot = world.robot("demo");
        let mut player = player(&world, "/whep/demo", "").await?;
        tokio::time::timeout(PATIENCE, player.until(|reception| reception.frames >= 10)).await??;
        viewers(&world, 1).await?;
        player.hang_up().await?;
        viewers(&world, 0).await?;
        robot.stop().await?;
        world.stop().await
    })
}

#[test]
fn a_player_needs_a_link_where_viewers_do() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::guarded().await?;
        let line = Line::to(world.address()).await?;
        let robot = world.robot_with_key("demo", &line)?;
        let (link, token) = world.link("demo")?;
        let mut player = player(&world, "/whep/demo", &format!("authorization: Bearer {}\r\n", token.as_str())).await?;
        tokio::time::timeout(PATIENCE, player.until(|reception| reception.frames >= 10)).await??;
        let address = world.address();
        let offer = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n";
        let sdp = "content-type: application/sdp\r\n";
        assert_eq!(request(address, "POST", "/whep/demo", sdp, offer).await?.status, 403);
        let wrong = format!("{sdp}authorization: Bearer x\r\n");
        assert_eq!(request(address, "POST", "/whep/demo", &wrong, offer).await?.status, 403);
        world.store()?.revoke_link(&link.id, server::auth::UnixTime::now())?;
        let gone = request(address, "DELETE", &player.location, "", "");
        // It is taken back within a second, and with it the session.
        viewers(&world, 0).await?;
        assert_eq!(gone.await?.status, 404);
        player.hang_up().await?;
        robot.stop().await?;
        drop(line);
        world.stop().await
    })
}

#[test]
fn whoever_asks_wrongly_is_told_what_is_wrong() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let robot = world.robot("demo");
        player(&world, "/whep/demo", "").await?.leave().await?;
        let sdp = "content-type: application/sdp\r\n";
        let address = world.address();
        let fine = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n";
        for (path, headers, body, status, says) in [
            ("/whep/nobody", sdp, fine, 404, "nobody"),
            ("/whep/no%20robot", sdp, fine, 404, "robot"),
            ("/whep/demo?camera=none", sdp, fine, 404, "camera"),
            ("/whep/demo", "content-type: text/plain\r\n", fine, 415, "application/sdp"),
            ("/whep/demo", sdp, "hello", 400, "v=0"),
            ("/whep/demo", sdp, fine, 422, "offer"),
        ] {
            let answered = request(address, "POST", path, headers, body).await?;
            assert_eq!(answered.status, status, "{path} {body}: {answered:?}");
            assert!(answered.body.contains(says), "{path} {body}: {answered:?}");
        }
        let large = format!("v=0\r\n{}", "a=x\r\n".repeat(10_000));
        assert_eq!(request(address, "POST", "/whep/demo", sdp, &large).await?.status, 413);
        let options = request(address, "OPTIONS", "/whep/demo", "", "").await?;
        assert_eq!((options.status, options.header("access-control-allow-origin")), (204, Some("*")));
        viewers(&world, 0).await?;
        robot.stop().await?;
        world.stop().await
    })
}
