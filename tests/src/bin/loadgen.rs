//! Many viewers without a screen, over the real protocol.
//!
//! Prints one JSON line per viewer and one for all of them; on a terminal it shows how far it is.

use std::{
    io::{IsTerminal, Write},
    num::NonZeroU32,
    process::ExitCode,
    time::Duration,
};

use broadcaster::signalling::ServerUrl;
use clap::Parser;
use protocol::{CameraId, RobotId};
use serde::Serialize;
use tests::{Options, Reception, Viewer};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Watches a robot with many viewers at once and says what each of them got.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// The server's web address.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    server: ServerUrl,
    /// The robot to watch; the server's default one if absent.
    #[arg(long)]
    robot: Option<RobotId>,
    /// The camera to watch; the robot's first one if absent.
    #[arg(long)]
    camera: Option<CameraId>,
    /// How many viewers.
    #[arg(long, short = 'n', default_value = "20")]
    viewers: NonZeroU32,
    /// How many of them join in a second; all at once if absent.
    #[arg(long)]
    per_second: Option<NonZeroU32>,
    /// How many seconds to watch after the last one has asked to join.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// What to log.
    #[arg(long, default_value = "warn")]
    log: daemon::log::Filter,
}

#[derive(Serialize)]
struct ViewerLine<'a> {
    viewer: usize,
    #[serde(flatten)]
    reception: &'a Reception,
}

#[derive(Default, Serialize)]
struct Summary {
    viewers: usize,
    with_video: usize,
    refused: usize,
    packets: u64,
    bytes: u64,
    missed: u64,
    frames: u64,
    /// From the start of joining to the first whole picture, in milliseconds.
    first_frame_p50: Option<f64>,
    first_frame_p95: Option<f64>,
    first_frame_max: Option<f64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    daemon::log::init(&daemon::log::Log { filter: cli.log.clone(), ..Default::default() }, broadcaster::QUIET);
    match daemon::shutdown::run(|cancel| run(cli, cancel)).await {
        Ok(Some(true)) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("loadgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True when every viewer got video.
async fn run(cli: Cli, cancel: CancellationToken) -> anyhow::Result<bool> {
    let options = Options { robot: cli.robot, camera: cli.camera, ..Options::new(cli.server) };
    let mut viewers = Vec::new();
    for _ in 0..cli.viewers.get() {
        viewers.push(Viewer::join(options.clone()));
        if let Some(rate) = cli.per_second {
            tokio::time::sleep(Duration::from_secs(1) / rate.get()).await;
        }
        if cancel.is_cancelled() {
            break;
        }
    }
    watch(&viewers, Duration::from_secs(cli.seconds), &cancel).await?;

    let mut receptions = Vec::new();
    for viewer in viewers {
        let reception = viewer.reception();
        if let Err(error) = viewer.leave().await {
            eprintln!("loadgen: a viewer failed: {error:#}");
        }
        receptions.push(reception);
    }
    let mut out = std::io::stdout().lock();
    for (viewer, reception) in receptions.iter().enumerate() {
        writeln!(out, "{}", serde_json::to_string(&ViewerLine { viewer, reception })?)?;
    }
    let summary = summarise(&receptions);
    writeln!(out, "{}", serde_json::to_string(&summary)?)?;
    Ok(summary.with_video == summary.viewers)
}

async fn watch(viewers: &[Viewer], time: Duration, cancel: &CancellationToken) -> anyhow::Result<()> {
    let until = Instant::now() + time;
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            () = tokio::time::sleep_until(until) => break,
            _ = tick.tick() => progress(viewers)?,
        }
    }
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    Ok(())
}

fn progress(viewers: &[Viewer]) -> std::io::Result<()> {
    let mut out = std::io::stderr();
    if !out.is_terminal() {
        return Ok(());
    }
    let summary = summarise(&viewers.iter().map(Viewer::reception).collect::<Vec<_>>());
    let Summary { viewers, with_video, packets, missed, .. } = summary;
    write!(out, "\r{with_video} of {viewers} viewers have video · {packets} packets · {missed} missed   ")?;
    out.flush()
}

fn summarise(receptions: &[Reception]) -> Summary {
    let mut summary = Summary { viewers: receptions.len(), ..Default::default() };
    let mut first_frames = Vec::new();
    for reception in receptions {
        summary.with_video += usize::from(reception.first_frame.is_some());
        summary.refused += usize::from(reception.refused.is_some());
        summary.packets += reception.packets;
        summary.bytes += reception.bytes;
        summary.missed += reception.missed;
        summary.frames += reception.frames;
        first_frames.extend(reception.first_frame);
    }
    first_frames.sort();
    let at = |quantile: f64| {
        let index = (quantile * first_frames.len() as f64).ceil() as usize;
        first_frames.get(index.saturating_sub(1)).map(|time| (time.as_secs_f64() * 1e6).round() / 1e3)
    };
    (summary.first_frame_p50, summary.first_frame_p95, summary.first_frame_max) = (at(0.5), at(0.95), at(1.0));
    summary
}
