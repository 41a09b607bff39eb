//! The broadcaster: captures a robot's cameras, encodes each once, and sends to every viewer.
//!
//! A frame's way: `capture` (GStreamer) → `media` (packets, made once, in a ring) → `fanout` (one thread, one UDP port) →
//! `session` (one per viewer), which is a `transport` (ICE and DTLS) and a `delivery` (a place in the ring, sealed with
//! `srtp`); `publish` sends it to a media server for crowds; `reach` knows how the port is reached from elsewhere, `attitude` how the robot leans. [`signalling`] is the line to
//! the server, through which
//! viewers come and go. `record` keeps what cameras give: files on disk, and single pictures for the server. [`run`] owns all
//! tasks, and says in a [`report`] how they do; [`commands`] are what the binary offers.

mod attitude;
#[cfg(feature = "bench")]
pub mod bench;
mod capture;
pub mod commands;
pub mod config;
mod delivery;
mod fanout;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod media;
mod networks;
mod publish;
mod reach;
mod record;
pub mod report;
mod session;
pub mod signalling;
mod srtp;
mod tls;
mod transport;

pub use capture::{CaptureError, Choice, NoEncoder, check as check_camera};
pub use tls::Mismatch;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use futures_util::future::join_all;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use attitude::Listener;
use config::Config;
use fanout::{Fanout, Limits, Named, Port, Surroundings};
use media::PacketSize;
use publish::Publisher;
use reach::ReachTasks;
use record::Photographer;
use report::Report;
use signalling::Link;
use transport::Identity;

/// Parts of the WebRTC stack that warn of what is normal here, such as checks that find nobody yet.
pub const QUIET: &[&str] = &["rtc", "rtc_ice", "rtc_dtls", "rtc_srtp", "rtc_sctp"];

/// Goodbyes are worth a moment; a server that does not take them is not worth more.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Messages between robot and link: offers to a crowd that joins at once.
const SIGNALLING_QUEUE: usize = 1024;

/// Requests for snapshots that wait, and pieces of them that wait for the link.
const SNAPSHOT_QUEUE: usize = 8;

/// Finds out whether the media port is to be had, without keeping it.
pub fn check_media(config: &Config) -> anyhow::Result<()> {
    Port::bind(config.media.listen, config.server.is_loopback()).context("open the media port")?;
    Ok(())
}

/// Runs until cancelled, or until a camera cannot go on. `reports` has a new one every second.
pub async fn run(
    config: Config,
    reports: watch::Sender<Option<Report>>,
    cancel: CancellationToken,
) -> anyhow::Result<()> {
    let mut opened = Vec::new();
    for camera in config.cameras {
        let (mut feed, capture) = capture::open(camera.clone(), &config.rungs);
        feed.info.video.leans = camera.leans && config.attitude.listen.is_some();
        opened.push((camera, feed, capture));
    }
    // A broadcaster that cannot show all of its cameras shows none: somebody would have to find out.
    let rehearsals = opened
        .iter_mut()
        .map(async |(camera, _, capture)| capture.rehearse().await.with_context(|| format!("camera {}", camera.id)));
    tokio::select! {
        () = cancel.cancelled() => return Ok(()),
        // Together, as each may take its time; what is said is of the first in the config.
        rehearsed = join_all(rehearsals) => rehearsed.into_iter().collect::<anyhow::Result<()>>()?,
    }
    let identity = Identity::generate().context("make a certificate")?;
    let port = Port::bind(config.media.listen, config.server.is_loopback()).context("open the media port")?;
    tracing::info!(robot = %config.robot, server = %config.server, media_port = port.number(), "broadcaster starts");

    let (listener, attitude) = match config.attitude.listen {
        Some(address) => {
            let bound = Listener::bind(address).await;
            let (listener, attitude) =
                bound.with_context(|| format!("listen for the attitude at attitude.listen, {address}"))?;
            (Some(listener), attitude)
        }
        None => (None, mpsc::channel(1).1),
    };

    // Cameras stop last: viewers get their goodbye while there is still somebody to say it.
    let cameras_cancel = CancellationToken::new();
    let mut cameras = JoinSet::new();
    let (mut feeds, mut tapes, mut shutters) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (camera, feed, mut capture) in opened {
        let id = camera.id.clone();
        feeds.push(feed);
        shutters.insert(id.clone(), capture.shutter());
        if camera.record {
            let tape = capture.tape().with_context(|| format!("camera {id}: only H.264 can be recorded"))?;
            tapes.push((id.clone(), tape));
        }
        let run = capture.run(cameras_cancel.child_token());
        cameras
            .spawn(async move { run.await.map_err(|error| error.of(&camera)).with_context(|| format!("camera {id}")) });
    }

    let (events, link_events) = mpsc::channel(SIGNALLING_QUEUE);
    let (server, outgoing) = mpsc::channel(SIGNALLING_QUEUE);
    let (snapshots, requests) = mpsc::channel(SNAPSHOT_QUEUE);
    let (answers, pictures) = mpsc::channel(SNAPSHOT_QUEUE);
    let is_at_home = config.server.is_loopback();
    let link = Link { server: config.server, fingerprint: config.fingerprint, events, outgoing, snapshots, pictures };
    let mut recorders = JoinSet::new();
    let record_cancel = CancellationToken::new();
    recorders.spawn(Photographer { cameras: shutters, requests, answers }.run(record_cancel.child_token()));
    if !tapes.is_empty() {
        recorders.spawn(record::run(config.recording, config.robot.clone(), tapes, record_cancel.child_token()));
    }
    let (publisher, published) = Publisher::new();
    let limits = Limits {
        threads: config.fanout.threads.get(),
        max_viewers: config.media.max_viewers,
        packet_size: PacketSize::on_wire(usize::from(config.media.max_packet)),
        max_bitrate: config.uplink.max_bitrate,
        spill: config.spill,
        is_at_home,
    };
    let (requests, inputs, reach) = ReachTasks::new();
    let surroundings =
        Surroundings { port, link: link_events, server, requests, inputs, attitude, reports, publisher: published };
    let fanout = Fanout::new(Named { robot: config.robot, key: config.key }, feeds, identity, limits, surroundings);
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let tasks_cancel = CancellationToken::new();
    let fanout_cancel = tasks_cancel.child_token();
    tasks.spawn_blocking(move || fanout.run(&fanout_cancel).context("serve the media port"));
    let link_cancel = CancellationToken::new();
    let run_link = link.run(link_cancel.child_token());
    tasks.spawn(async move {
        run_link.await;
        Ok(())
    });
    if let Some(listener) = listener {
        let run_listener = listener.run(tasks_cancel.child_token());
        tasks.spawn(async move {
            run_listener.await;
            Ok(())
        });
    }
    let run_publisher = publisher.run(link_cancel.child_token());
    tasks.spawn(async move {
        run_publisher.await;
        Ok(())
    });
    let run_reach = reach.run(link_cancel.child_token());
    tasks.spawn(async move {
        run_reach.await;
        Ok(())
    });

    let ended = loop {
        tokio::select! {
            () = cancel.cancelled() => break Ok(()),
            Some(camera) = cameras.join_next() => break camera.context("a camera's task panicked").flatten(),
            Some(task) = tasks.join_next() => {
                break task.context("a task panicked").flatten().and_then(|()| anyhow::bail!("a task ended early"));
            }
            Some(recorder) = recorders.join_next() => recorded(recorder),
        }
    };
    // The fan-out says goodbye through the link and to relays, these hang up when that is said, the cameras stop.
    tasks_cancel.cancel();
    let hung_up = async {
        drain(&mut tasks, 3).await;
        link_cancel.cancel();
        drain(&mut tasks, 0).await;
    };
    if tokio::time::timeout(DRAIN_TIMEOUT, hung_up).await.is_err() {
        tracing::warn!("the goodbyes did not get through in time");
        tasks.shutdown().await;
    }
    record_cancel.cancel();
    let done = async {
        while let Some(recorder) = recorders.join_next().await {
            recorded(recorder);
        }
    };
    if tokio::time::timeout(DRAIN_TIMEOUT, done).await.is_err() {
        tracing::warn!("the disk did not take the end of the recordings in time");
        recorders.shutdown().await;
    }
    cameras_cancel.cancel();
    while let Some(camera) = cameras.join_next().await {
        if let Ok(Err(error)) = camera {
            tracing::debug!(error = error.as_ref() as &dyn std::error::Error, "a camera ended, too");
        }
    }
    tracing::info!("broadcaster ended");
    ended
}

/// The video goes on without.
fn recorded(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "what records or takes snapshots panicked; until a restart there are none; the video goes on");
    }
}

/// Waits until only `left` tasks run.
async fn drain(tasks: &mut JoinSet<anyhow::Result<()>>, left: usize) {
    while tasks.len() > left {
        match tasks.join_next().await {
            Some(Ok(Err(error))) => tracing::error!(error = error.as_ref() as &dyn std::error::Error, "a task failed"),
            Some(Err(error)) => tracing::error!(%error, "a task panicked"),
            Some(Ok(Ok(()))) | None => {}
        }
    }
}
