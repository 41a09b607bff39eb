//! Runs the scenarios, and shows what they came to.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use torture::{
    ground,
    report::{self, Entry, Heading, Report},
    scenario::{ALL, Form, Scenario},
    stage::{Length, Stage},
    verdict::Outcome,
};
use tracing_subscriber::EnvFilter;

/// What is not run is not passed: as test runners have it.
const SKIPPED: u8 = 77;

/// Puts robot, server and viewers on networks that fail, and says what holds.
///
/// Needs root, for networks of its own; touches nothing of this machine's. Ends with 77 where it has none of that.
#[derive(Parser)]
struct Cli {
    /// Only these; all without any
    scenarios: Vec<String>,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often each is run, each time with the next seed
    #[arg(long, default_value_t = 1)]
    times: u64,
    /// The short form: only whether everything happens, not how fast
    #[arg(long)]
    short: bool,
    /// Only those that take long; once is enough for them
    #[arg(long)]
    soak: bool,
    /// Where results, logs and pictures go
    #[arg(long, default_value = "target/torture")]
    out: PathBuf,
    /// A file with a place for the table, of all that there is
    #[arg(long, conflicts_with_all = ["scenarios", "short"])]
    readme: Option<PathBuf>,
    /// Only say which scenarios there are
    #[arg(long)]
    list: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    // Viewers without a screen say much about paths that fail, as they are meant to here.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off,torture=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let chosen = choose(&cli)?;
    if cli.list {
        for scenario in chosen {
            println!("{:<18} {}", scenario.name, scenario.title);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(obstacle) = ground::obstacle() {
        eprintln!("SKIPPED, and nothing of it is shown to hold: networks need root and /dev/net/tun: {obstacle:#}");
        return Ok(ExitCode::from(SKIPPED));
    }
    ground::equipped()?;
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        report = run(&cli, &chosen) => report,
        // What has been started ends with what was to watch it.
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::FAILURE),
        _ = terminated.recv() => Ok(ExitCode::FAILURE),
    }
}

impl Cli {
    fn form(&self) -> Form {
        match self {
            Self { soak: true, .. } => Form::Soak,
            Self { short: true, .. } => Form::Short,
            _ => Form::Full,
        }
    }
}

fn choose(cli: &Cli) -> anyhow::Result<Vec<&'static Scenario>> {
    let unknown = cli.scenarios.iter().find(|name| !ALL.iter().any(|scenario| scenario.name == **name));
    anyhow::ensure!(unknown.is_none(), "there is no scenario {:?}; --list names all", unknown.map_or("", |name| name));
    let is_chosen = |scenario: &&Scenario| match cli.scenarios.is_empty() {
        true => match cli.form() {
            Form::Soak => scenario.form == Form::Soak,
            form @ (Form::Short | Form::Full) => scenario.form <= form,
        },
        false => cli.scenarios.iter().any(|name| name == scenario.name),
    };
    Ok(ALL.iter().filter(is_chosen).collect())
}

async fn run(cli: &Cli, chosen: &[&'static Scenario]) -> anyhow::Result<ExitCode> {
    let length = if cli.short { Length::Short } else { Length::Full };
    let seeds: Vec<u64> = (cli.seed..cli.seed + cli.times).collect();
    std::fs::create_dir_all(&cli.out)?;
    let mut report = Report { heading: Heading::of_now(cli.form(), seeds.clone()), entries: Vec::new() };
    for scenario in chosen {
        for seed in &seeds {
            let folder = cli.out.join(format!("{}-{seed}", scenario.name));
            let entry = play(scenario, *seed, length, folder).await;
            print(&entry);
            report.entries.push(entry);
            // Whatever comes after, this was.
            report.write(&cli.out)?;
        }
    }
    println!("\n{}", report.table());
    if let Some(readme) = &cli.readme {
        report.show_in(readme)?;
    }
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn play(scenario: &'static Scenario, seed: u64, length: Length, folder: PathBuf) -> Entry {
    let mut entry = Entry {
        scenario: scenario.name,
        title: scenario.title,
        seed,
        failed: None,
        lines: Vec::new(),
        everywhere: Vec::new(),
        marks: Vec::new(),
    };
    match outcome(scenario, seed, length, folder).await {
        Ok(outcome) => {
            let Outcome { lines, everywhere, marks, .. } = outcome;
            (entry.lines, entry.everywhere, entry.marks) = (lines, everywhere, marks);
        }
        Err(error) => entry.failed = Some(format!("{error:#}")),
    }
    entry
}

/// With what is left to look at in the folder.
async fn outcome(scenario: &Scenario, seed: u64, length: Length, folder: PathBuf) -> anyhow::Result<Outcome> {
    // What a run before has left says nothing of this one.
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("tidy {}", folder.display()))?;
    }
    let mut stage = Stage::new(folder.clone(), seed, length).await?;
    let outcome = scenario.run(&mut stage).await?;
    report::draw(&format!("{}, seed {seed}", scenario.title), &outcome, &folder.join("seen.svg"))?;
    std::fs::write(folder.join("seen.json"), serde_json::to_string(&outcome.sight)?)?;
    Ok(outcome)
}

fn print(entry: &Entry) {
    let verdict = if entry.holds() { "holds" } else { "FAILS" };
    println!("{} {verdict} (seed {}): {}", entry.scenario, entry.seed, entry.title);
    for line in entry.all() {
        println!("    {line}");
    }
    if let Some(error) = &entry.failed {
        println!("    it came to no end: {error}");
    }
}
