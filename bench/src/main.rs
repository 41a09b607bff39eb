//! Measures what a viewer costs the robot, beside what it must cost; and what its camera does.
//!
//! This process is the robot; it starts itself again for the viewers, on another core. Prints tables and writes a report.
//! Nothing passes or fails here: how fast a machine is says nothing of what runs on it, only the ratios do.

mod capture;
mod crowd;
mod encoder;
mod floor;
mod joins;
mod levels;
mod machine;
mod micro;
mod receiver;
mod report;
mod rounds;
mod wire;

use std::path::PathBuf;

use anyhow::Context;
use broadcaster::config::Camera;
use clap::{Parser, Subcommand, ValueEnum};

use report::Report;
use rounds::Sender;

/// What the made-up pictures come to at 30 a second.
const BITRATE: u32 = 3_700_000;

/// Measures what a viewer costs.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    /// Numbers of viewers, ascending.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 100, 500, crowd::MAX_VIEWERS])]
    viewers: Vec<usize>,
    /// How often floor and fan-out take turns; their medians count.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Leave out all but the costs per packet.
    #[arg(long)]
    packets_only: bool,
    /// Do only one thing, for a profiler: all rounds, and nothing else, with the last number of viewers.
    #[arg(long)]
    only: Option<Only>,
    /// What the robot logs.
    #[arg(long, default_value = "error")]
    log: daemon::log::Filter,
    /// Where cargo builds: the report goes there, and criterion's comes from there.
    #[arg(long, default_value = "target")]
    target: PathBuf,
}

/// Who sends to whom.
#[derive(Clone, Copy, ValueEnum)]
enum Only {
    Floor,
    FanOut,
    /// The fan-out, to viewers that report.
    Reporting,
}

#[derive(Subcommand)]
enum Role {
    /// The other process.
    #[command(hide = true)]
    Receive {
        #[arg(long)]
        core: usize,
    },
    /// Measure what a camera costs, beside its encoders alone.
    Capture {
        /// How often they take turns; the medians count.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Where cargo builds: the report goes there.
        #[arg(long, default_value = "target")]
        target: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.role {
        Some(Role::Receive { core }) => receiver::run(core),
        Some(Role::Capture { rounds, target }) => capture::run(rounds, &target),
        None => measure(&cli),
    }
}

impl Only {
    fn sender(self) -> Sender {
        match self {
            Self::Floor => Sender::Floor,
            Self::FanOut => Sender::FanOut { reports: false },
            Self::Reporting => Sender::FanOut { reports: true },
        }
    }
}

fn measure(cli: &Cli) -> anyhow::Result<()> {
    anyhow::ensure!(cli.viewers.is_sorted(), "numbers of viewers must ascend: nobody leaves");
    anyhow::ensure!(cli.viewers.last().is_some_and(|most| *most <= crowd::MAX_VIEWERS), "at most 1000 viewers");
    daemon::log::init(&daemon::log::Log { filter: cli.log.clone(), ..Default::default() }, broadcaster::QUIET);
    let mut report = Report::default();
    let cores = machine::cores()?;
    let [robot_core, .., viewers_core] = cores[..] else {
        anyhow::bail!("there is only one core: the viewers would take the robot's time");
    };
    println!("{}; the robot on core {robot_core}, the viewers on core {viewers_core}", machine::name());
    let encoder = Camera::synthetic("main".parse()?);
    if let Some(only) = cli.only {
        machine::pin(robot_core)?;
        let camera = Camera { bitrate: BITRATE, ..encoder };
        let viewers = *cli.viewers.last().context("a number of viewers")?;
        return levels::repeat(&camera, viewers_core, viewers, only.sender(), cli.rounds);
    }
    if !cli.packets_only {
        // Before anything is pinned: an encoder has threads of its own.
        encoder::run(&encoder, viewers_core, &mut report)?;
    }
    machine::pin(robot_core)?;
    let camera = Camera { bitrate: BITRATE, ..encoder };
    if !cli.packets_only {
        joins::run(&camera, viewers_core, cli.rounds, &mut report)?;
    }
    levels::run(&camera, viewers_core, &cli.viewers, cli.rounds, &mut report)?;
    if !cli.packets_only {
        micro::run(&cli.target, &mut report)?;
    }
    let path = cli.target.join("bench/report.json");
    report.write(&path)?;
    println!("\n{}", path.display());
    Ok(())
}
