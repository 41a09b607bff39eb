//! The `server` binary: reads its command line and config, then runs the library.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use daemon::supervisor::Supervisor;

use cli::{Cli, Command};

/// What a shell takes for wrong usage, as clap does.
const BAD_CONFIG: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let config = match cli.config() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(BAD_CONFIG);
        }
    };
    if let Some(Command::Check) = cli.command {
        print!("{}", server::report::describe(&config));
        return ExitCode::SUCCESS;
    }
    daemon::log::init(&config.log, &[]);
    match daemon::shutdown::run(|cancel| server::run(config, Supervisor::from_env(), cancel)).await {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the server failed");
            ExitCode::FAILURE
        }
    }
}
