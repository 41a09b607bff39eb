//! The `server` binary: reads its command line and config, then runs the library.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use daemon::{
    config::{Loaded, Surroundings},
    supervisor::Supervisor,
};

use cli::{Cli, Command};
use server::{Config, auth::UnixTime, report, upkeep::Upkeep};

/// What a shell takes for wrong usage, as clap does.
const BAD_CONFIG: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let surroundings = Surroundings::of_process();
    let loaded = match cli.load(&surroundings) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let said = match cli.command.clone() {
        None => return serve(cli, loaded, surroundings).await,
        Some(Command::Check) => match report::describe(&loaded.config) {
            Ok(said) => Ok(said + &report::explain(&loaded, report::open_files())),
            Err(error) => {
                eprintln!("error: {error:#}");
                return ExitCode::from(BAD_CONFIG);
            }
        },
        Some(Command::Robot(command)) => command.run(&loaded.config, UnixTime::now()),
        Some(Command::Operator(command)) => command.run(&loaded.config, UnixTime::now()),
        Some(Command::Link(command)) => command.run(&loaded.config, UnixTime::now()),
    };
    match said {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(cli: Cli, loaded: Loaded<Config>, surroundings: Surroundings) -> ExitCode {
    match run(cli, loaded, surroundings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the server failed");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli, loaded: Loaded<Config>, surroundings: Surroundings) -> anyhow::Result<()> {
    let logging = daemon::log::init(&loaded.config.log, &[]);
    for suspicion in report::suspicions(&loaded, report::open_files()) {
        tracing::warn!(suspicion, "the config can work, but");
    }
    let file = cli.config.clone();
    // Flags hold over every config that is read later, too.
    let read = Box::new(move || Ok(cli.load(&surroundings)?.replacing()?));
    let upkeep = Upkeep::new(file, read, Some(logging))?;
    daemon::shutdown::run(|cancel| server::run(loaded.config, upkeep, Supervisor::from_env(), cancel)).await.map(drop)
}
