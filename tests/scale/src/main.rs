//! What more viewers take than one machine has, by calculation: `docs/scale.md` is what it says, with what follows from it.
//!
//! `costs` is what was measured, `tiers` what each way of showing a robot takes, and `storm` simulates many who join at once.

mod costs;
mod storm;
mod tiers;

use std::path::PathBuf;

use clap::Parser;

use costs::{Costs, Market, Quality};
use storm::{Storm, simulate};
use tiers::{Way, bill, servers};

/// Says what more viewers take than one machine has.
#[derive(Parser)]
struct Cli {
    /// What `make bench` has measured: target/bench/report.json; without it, what docs/scale.md is made of
    #[arg(long)]
    report: Option<PathBuf>,

    /// Dollars for an hour of a core
    #[arg(long)]
    core_hour: Option<f64>,

    /// Dollars for a gigabyte that leaves a host
    #[arg(long)]
    gigabyte: Option<f64>,
}

const VIEWERS: [f64; 4] = [10.0, 1e3, 1e5, 1e7];

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let costs = match &cli.report {
        Some(report) => Costs::default().measured(report)?,
        None => Costs::default(),
    };
    let mut market = Market::default();
    market.core_hour = cli.core_hour.unwrap_or(market.core_hour);
    market.gigabyte = cli.gigabyte.unwrap_or(market.gigabyte);

    println!(
        "| viewers | way | quality | robot's uplink | its cores | its memory | hosts that pass on | $ per viewer and hour |"
    );
    println!("|--:|---|---|--:|--:|--:|--:|--:|");
    for viewers in VIEWERS {
        for (way, name) in [(Way::Straight, "straight"), (Way::Relayed, "relayed"), (Way::Sfu, "SFU")] {
            for (quality, which) in [(Quality::BEST, "best"), (Quality::LOWEST, "lowest")] {
                let taken = bill(way, viewers, quality, &costs, &market);
                println!(
                    "| {} | {name} | {which} | {} | {:.3} | {:.1} MB | {} | {:.5} |",
                    count(viewers),
                    rate(taken.uplink),
                    taken.robot_cores,
                    taken.robot_memory / 1e6,
                    count(taken.hosts),
                    taken.viewer_hour,
                );
            }
        }
    }

    println!(
        "\n| connections | servers that signal | their memory | Redis, of a core, if a tenth joins anew in a minute |"
    );
    println!("|--:|--:|--:|--:|");
    for connections in VIEWERS {
        let joins = connections / 10.0 / 60.0;
        println!(
            "| {} | {} | {:.1} GB | {:.3} |",
            count(connections),
            count(servers(connections, &costs)),
            connections * costs.server_memory / 1e9,
            joins * costs.redis,
        );
    }

    println!("\n| who joins | within | robots | servers | half see it after | 99 % after |");
    println!("|--:|--:|--:|--:|--:|--:|");
    for (viewers, within, robots, servers) in [
        (10, 0.0, 1, 1),
        (1000, 0.0, 1, 1),
        (1000, 10.0, 1, 1),
        (1000, 0.0, 100, 1),
        (10_000, 10.0, 1, 1),
        (10_000, 10.0, 1000, 1),
        (10_000, 10.0, 1000, 2),
        (100_000, 10.0, 10_000, 2),
        (100_000, 10.0, 10_000, 8),
        (100_000, 10.0, 10_000, 32),
    ] {
        let waits = simulate(Storm { viewers, within, robots, servers }, &costs, 1);
        println!(
            "| {} | {within:.0} s | {robots} | {servers} | {} | {} |",
            count(viewers as f64),
            seconds(waits.half),
            seconds(waits.most)
        );
    }
    Ok(())
}

fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn rate(bits: f64) -> String {
    let (value, unit) = [(1e12, "Tbit/s"), (1e9, "Gbit/s"), (1e6, "Mbit/s")]
        .into_iter()
        .find(|(of, _)| bits >= *of)
        .map_or((bits / 1e3, "kbit/s"), |(of, unit)| (bits / of, unit));
    format!("{value:.1} {unit}")
}

fn seconds(time: f64) -> String {
    if time < 1.0 { format!("{:.0} ms", time * 1e3) } else { format!("{time:.1} s") }
}
