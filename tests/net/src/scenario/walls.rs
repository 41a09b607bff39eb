//! Routers and firewalls between robot and viewer.

use super::play::seen;
use crate::{
    ground::{Behind, Nat, Path},
    sight::Span,
    stage::{PATIENCE, PORT, Server, Stage, now},
    verdict::{Figure, Outcome},
};

/// The server's own relay, which tells everybody as well where they are seen.
const RELAY: &str = "[turn]\nenabled = true\nlisten = [\"$ADDRESS:3478\"]\npublic_address = \"$ADDRESS\"\n";

const FIRST_PICTURE: f64 = 5000.0;

/// Both behind full cones: straight from one to the other.
pub(super) async fn cones(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let server = stage.server(RELAY).await?;
    let (mut outcome, path) = behind(stage, server, Nat::FullCone).await?;
    let is_straight = path.contains("udp") && !path.contains("relay");
    outcome.exactly("straight ways", usize::from(is_straight), 1);
    Ok(outcome)
}

/// Both behind routers through which nobody finds the other.
pub(super) async fn symmetric(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let server = stage.server(RELAY).await?;
    let (mut outcome, path) = behind(stage, server, Nat::Symmetric).await?;
    outcome.at_least("relays on the way", Figure::Count(path.matches("relay").count() as f64), Figure::Count(1.0));
    Ok(outcome)
}

/// Both behind firewalls that let no UDP through.
pub(super) async fn without_udp(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let server = stage.server(RELAY).await?;
    let (mut outcome, path) = behind(stage, server, Nat::WithoutUdp).await?;
    outcome.exactly("relays on the way, over TCP", usize::from(path.contains("relay tcp")), 1);
    Ok(outcome)
}

/// Both behind firewalls that let nothing through but what goes to the port of pages, encrypted.
pub(super) async fn only_pages(stage: &mut Stage) -> anyhow::Result<Outcome> {
    let server = stage.encrypted_server(RELAY).await?;
    let (mut outcome, path) = behind(stage, server, Nat::OnlyTo(PORT)).await?;
    outcome.exactly("relays on the way, over TLS", usize::from(path.contains("relay tls")), 1);
    Ok(outcome)
}

/// And what the path is, in its own words.
async fn behind(stage: &mut Stage, server: Server, nat: Nat) -> anyhow::Result<(Outcome, String)> {
    let Behind { machine: robot, router: _robots, uplink: _uplink } =
        stage.ground.behind("robot", nat, Path::PERFECT).await?;
    let _broadcaster = stage.broadcaster(&robot, &server).await?;
    let viewer = stage.ground.behind("viewer", nat, Path::PERFECT).await?;
    let page = stage.page(&viewer.machine, &server).await?;
    let begun = now();
    tokio::time::sleep(stage.takes(10)).await;
    let span = Span::new(begun, now());
    let mut outcome = seen(stage, &page, begun, Vec::new()).await?;
    // A page that has just been opened says when: its first words.
    let opened = outcome.sight.words.first().map_or(begun, |words| words.at);
    let first = outcome.flows_after(opened);
    outcome.within("first picture", first, FIRST_PICTURE, PATIENCE.as_secs_f64() * 1000.0);
    let decoded = outcome.sight.decoded(span);
    outcome.fast_at_least("pictures", Figure::Share(decoded), Figure::Share(0.95));
    let last = outcome.sight.last(span);
    Ok((outcome, format!("{} {}", last.path, last.remote)))
}
