//! The `broadcaster` command.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context;
use broadcaster::{
    CaptureError,
    commands::{self, Answer, Form, run::StatusLine},
    config::Config,
    signalling::ServerUrl,
};
use clap::{Args, Parser, Subcommand};
use daemon::config::{Loaded, Surroundings};
use protocol::RobotId;

/// What still runs when all is said and done is not waited for longer.
const LETS_GO_WITHIN: Duration = Duration::from_secs(1);

/// As the command line's own errors: the same command can only fail again, until somebody has mended the config.
const BAD_CONFIG: u8 = 2;

/// Shows a robot's cameras to everyone who opens its link.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
    /// Do not keep a line at the end of the terminal that says what goes on.
    #[arg(long)]
    no_status: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Validate the config and say what it would do, without doing it.
    Check(Options),
    /// List the cameras and microphones that are plugged in, and the config that would use them.
    Devices {
        #[command(flatten)]
        output: Output,
    },
    /// Try everything that a stream needs, and say what to do about what does not work.
    ///
    /// Opens each camera for some seconds. A broadcaster that runs meanwhile is not disturbed.
    Doctor {
        #[command(flatten)]
        options: Options,
        /// A STUN server to ask besides those that the server names, as in stun:stun.example.org:3478; may be repeated.
        #[arg(long, value_name = "URL")]
        stun: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Args)]
struct Output {
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
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
    fn load(self) -> anyhow::Result<Loaded<Config>> {
        let path = self.config.as_deref();
        let mut loaded = Config::load(path, &Surroundings::of_process())?;
        let config = &mut loaded.config;
        if let Some(server) = self.server {
            config.server = server;
        }
        if let Some(robot) = self.robot {
            config.robot = robot;
        }
        if let Some(filter) = self.log {
            config.log.filter = filter;
        }
        // Flags may have made right what the file says, or wrong.
        config.check().with_context(|| Config::named(path))?;
        Ok(loaded)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
    let code = runtime.block_on(obey(cli));
    // A driver that hangs keeps its thread for ever.
    runtime.shutdown_timeout(LETS_GO_WITHIN);
    code
}

async fn obey(Cli { command, options, no_status }: Cli) -> ExitCode {
    let ended = match command {
        None => match options.load() {
            Ok(loaded) => return run(loaded, no_status).await,
            Err(error) => Err(error),
        },
        Some(Command::Check(options)) => options.load().map(|loaded| commands::check::run(&loaded)),
        Some(Command::Devices { output }) => return answer(commands::devices::run(output.form()).await),
        Some(Command::Doctor { options, stun, output }) => match options.load() {
            Ok(loaded) => Ok(commands::doctor::run(loaded.config, stun, output.form()).await),
            Err(error) => Err(error),
        },
    };
    ended.map_or_else(
        |error| {
            eprintln!("broadcaster: {error:#}");
            ExitCode::from(BAD_CONFIG)
        },
        answer,
    )
}

async fn run(loaded: Loaded<Config>, no_status: bool) -> ExitCode {
    let status_line = if no_status { StatusLine::Off } else { StatusLine::Auto };
    match commands::run::run(loaded, status_line).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the broadcaster failed");
            let is_misfit = error.downcast_ref::<CaptureError>().is_some_and(CaptureError::is_misfit);
            if is_misfit { ExitCode::from(BAD_CONFIG) } else { ExitCode::FAILURE }
        }
    }
}

impl Output {
    fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

/// Prints it. What is said as JSON is complete; what is wrong is said to people apart.
fn answer(Answer { text, complaints }: Answer) -> ExitCode {
    print!("{text}");
    for complaint in &complaints {
        eprintln!("broadcaster: {complaint}");
    }
    if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
