//! The `broadcaster` command.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use broadcaster::{check_camera, check_media, config::Config, signalling::ServerUrl};
use clap::{Args, Parser, Subcommand};
use protocol::RobotId;

/// As the command line's own errors: the same command can only fail again.
const BAD_CONFIG: u8 = 2;

/// Shows a robot's cameras to everyone who opens its link.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Validate the config and say what it would do, without doing it.
    Check(Options),
}

#[derive(Args)]
struct Options {
    /// The config file; without it the synthetic camera is sent to a server on this machine.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The server's web address, instead of the file's `server`.
    #[arg(long, value_name = "URL")]
    server: Option<ServerUrl>,
    /// The robot's name, instead of the file's `robot`.
    #[arg(long, value_name = "ID")]
    robot: Option<RobotId>,
    /// What to log, instead of the file's `log.filter`: a level, or directives such as "info,broadcaster=debug".
    #[arg(long, value_name = "FILTER")]
    log: Option<daemon::log::Filter>,
}

impl Options {
    fn load(self) -> anyhow::Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::load(path)?,
            None => Config::default(),
        };
        if let Some(server) = self.server {
            config.server = server;
        }
        if let Some(robot) = self.robot {
            config.robot = robot;
        }
        if let Some(filter) = self.log {
            config.log.filter = filter;
        }
        Ok(config)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let (options, checking) = match cli.command {
        Some(Command::Check(options)) => (options, true),
        None => (cli.options, false),
    };
    let config = match options.load() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("broadcaster: {error:#}");
            return ExitCode::from(BAD_CONFIG);
        }
    };
    if checking {
        return match check(&config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("broadcaster: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the broadcaster failed");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    daemon::log::init(&config.log, broadcaster::QUIET);
    daemon::shutdown::run(|cancel| broadcaster::run(config, cancel)).await.map(|_| ())
}

fn check(config: &Config) -> anyhow::Result<()> {
    println!("robot     {} at {}", config.robot, config.server);
    check_media(config)?;
    println!("media     UDP {}, at most {} viewers", config.media.listen, config.media.max_viewers);
    for camera in &config.cameras {
        let encoder = check_camera(camera, &config.rungs).with_context(|| format!("camera {}", camera.id))?;
        println!("camera    {}: {}, {}", camera.id, camera.source, camera.sound);
        match encoder {
            Some(choice) if choice.refused().is_empty() => println!("  H.264   by {choice}"),
            Some(choice) => println!("  H.264   by {choice}; {}", choice.refused()),
            None => println!("  H.264   as it comes"),
        }
        for (place, rung) in camera.info(&config.rungs).video.rungs.iter().enumerate() {
            let megabits = f64::from(rung.bitrate) / 1e6;
            println!("  rung {place}  {}×{} at {} fps, {megabits:.1} Mbit/s", rung.width, rung.height, rung.fps);
        }
    }
    println!("what is encoded comes in H.264 and VP8 (libvpx), each rung only while somebody watches it");
    println!("the port is free, and each camera's pipeline can be built on this machine with all of its encoders");
    Ok(())
}
