//! A viewer whose path carries little for a while.
//!
//! How soon it must get what fits is shown where time is invented (`session/tests/bandwidth.rs`); here, that it does so over
//! real sockets, however slow this machine is.

use std::time::Duration;

use broadcaster::config::Rung;
use protocol::{Want, Wishes};
use tests::{Conditions, Options, Order, Picture, Puppet, World};

use crate::{PATIENCE, alone};

/// Widths and bitrates.
const RUNGS: [(u32, u32); 3] = [(1920, 3_000_000), (640, 400_000), (320, 150_000)];

const MAX_QUEUE: Duration = Duration::from_millis(300);

/// Two seconds of them are no coincidence.
const PICTURES: usize = 60;

/// Bits per second: more than the second quality, and less than the best while somebody keeps asking for keyframes.
const CAP: f64 = 1e6;

/// Whether all of the last pictures are so.
fn lately(pictures: &[Picture], is: impl Fn(&Picture) -> bool) -> bool {
    pictures.len() >= PICTURES && pictures[pictures.len() - PICTURES..].iter().all(is)
}

#[test]
fn a_viewer_gets_what_fits_while_its_path_is_capped_and_the_best_again_after() -> anyhow::Result<()> {
    alone(async {
        let world = World::start().await?;
        let rungs = RUNGS.map(|(width, bitrate)| Rung { width, fps: None, bitrate });
        let robot = world.robot_with_rungs("demo", rungs.to_vec());
        // The drawn scene moves little. With two keyframes a second it takes as much as a scene that moves.
        let wishes = Wishes { want: Some(Want { rung: Some(0), ..Want::default() }), ..Wishes::default() };
        let mut restless = Puppet::join(Options { wishes, ..Options::new(world.url()) });
        restless.order(Order::Flood(3));
        let best = restless.until(PATIENCE, |seen| !seen.pictures.is_empty()).await?.pictures[0].quality;

        let mut puppet = Puppet::join(Options::new(world.url()));
        puppet.until(PATIENCE, |seen| lately(&seen.pictures, |picture| picture.quality == best)).await?;

        let delay = Duration::from_millis(20);
        let open = Conditions { delay, ..Conditions::PERFECT };
        let capped = Conditions { rate: Some(CAP), room: Duration::from_secs(2), ..open };
        puppet.order(Order::Path { down: capped, up: open });
        let fits = |picture: &Picture| picture.quality != best && picture.queue < MAX_QUEUE;
        puppet.until(PATIENCE, |seen| lately(&seen.pictures, fits)).await?;

        puppet.order(Order::Path { down: open, up: open });
        puppet.until(PATIENCE, |seen| lately(&seen.pictures, |picture| picture.quality == best)).await?;
        puppet.leave().await?;
        restless.leave().await?;
        robot.stop().await?;
        world.stop().await
    })
}
