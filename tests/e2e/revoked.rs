//! Links that are taken back while somebody watches by them.
//!
//! These viewers keep their connections, whatever they are told: it is for the robot to stop.

use std::time::Duration;

use protocol::{Code, LinkId};
use server::auth::UnixTime;
use tests::{Exposition, Line, Robot, Viewer, World};
use tokio::time::Instant;

use crate::{PATIENCE, leaving_nothing};

/// How soon the picture has to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// Thirty pictures a second come as long as any do.
const QUIET: Duration = Duration::from_secs(2);

/// Two who came by links of their own and see the robot; one of the links is going to be taken back.
struct Audience {
    world: World,
    line: Line,
    robot: Robot,
    link: LinkId,
    viewer: Viewer,
    neighbour: Viewer,
}

impl Audience {
    async fn gather() -> anyhow::Result<Self> {
        let world = World::guarded().await?;
        let line = Line::to(world.address()).await?;
        let robot = world.robot_with_key("demo", &line)?;
        let ((link, token), (_, other)) = (world.link("demo")?, world.link("demo")?);
        let (mut viewer, mut neighbour) = (world.viewer_by("demo", &token), world.viewer_by("demo", &other));
        goes_on(&mut viewer).await?;
        goes_on(&mut neighbour).await?;
        Ok(Self { world, line, robot, link: link.id, viewer, neighbour })
    }

    fn revoke(&self) -> anyhow::Result<()> {
        Ok(self.world.store()?.revoke_link(&self.link, UnixTime::now())?)
    }

    /// The picture stops for who came by the link soon after this, and for nobody else.
    async fn stops_after(&mut self, at: Instant) -> anyhow::Result<()> {
        let last = self.viewer.until_silent(QUIET, PATIENCE).await?;
        let after = last.saturating_duration_since(at);
        assert!(after <= STOPS_WITHIN, "it went on for {after:?}");
        goes_on(&mut self.neighbour).await
    }

    /// How often the neighbour was offered the picture.
    async fn leave(self) -> anyhow::Result<u32> {
        self.viewer.leave().await?;
        let offers = self.neighbour.leave().await?.offers;
        self.robot.stop().await?;
        drop(self.line);
        self.world.stop().await?;
        Ok(offers)
    }
}

async fn is_told(viewer: &mut Viewer, code: Code) -> anyhow::Result<()> {
    let told = |reception: &tests::Reception| reception.notices.iter().any(|notice| notice.code == code);
    viewer.until(PATIENCE, told).await.map(drop)
}

async fn goes_on(viewer: &mut Viewer) -> anyhow::Result<()> {
    let before = viewer.reception().frames;
    viewer.until(PATIENCE, |reception| reception.frames >= before + 30).await.map(drop)
}

/// Waits until the server has so many robots, and says when.
async fn robots(world: &World, count: f64) -> anyhow::Result<Instant> {
    let asked = async {
        loop {
            let page = Exposition::parse(&world.get("/metrics").await?).map_err(anyhow::Error::msg)?;
            if page.value("panocast_robots", &[]) == Some(count) {
                return anyhow::Ok(Instant::now());
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await?
}

#[test]
fn the_picture_stops_for_who_came_by_it_and_for_nobody_else() -> anyhow::Result<()> {
    leaving_nothing(async {
        let mut audience = Audience::gather().await?;
        let at = Instant::now();
        audience.revoke()?;
        is_told(&mut audience.viewer, Code::TokenRevoked).await?;
        audience.stops_after(at).await?;
        audience.leave().await.map(drop)
    })
}

#[test]
fn a_robot_that_was_away_is_told_when_it_is_back() -> anyhow::Result<()> {
    leaving_nothing(async {
        let mut audience = Audience::gather().await?;
        audience.line.cut();
        robots(&audience.world, 0.0).await?;
        audience.revoke()?;
        is_told(&mut audience.viewer, Code::TokenRevoked).await?;
        // Nobody can stop it from here.
        goes_on(&mut audience.viewer).await?;
        audience.line.mend();
        let back = robots(&audience.world, 1.0).await?;
        audience.stops_after(back).await?;
        audience.leave().await.map(drop)
    })
}

#[test]
fn a_link_that_is_taken_back_while_the_server_is_away_ends_when_it_is_there_again() -> anyhow::Result<()> {
    leaving_nothing(async {
        let Audience { world, link, line, robot, viewer, neighbour } = Audience::gather().await?;
        let world = world.restart(|store| Ok(store.revoke_link(&link, UnixTime::now())?)).await?;
        let mut audience = Audience { world, line, robot, link, viewer, neighbour };
        let back = robots(&audience.world, 1.0).await?;
        audience.stops_after(back).await?;
        audience.neighbour.until(PATIENCE, |reception| reception.resumed >= 1).await?;
        goes_on(&mut audience.neighbour).await?;
        assert_eq!(audience.leave().await?, 1, "its session went on");
        Ok(())
    })
}
