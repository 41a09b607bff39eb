//! What criterion has measured before, if it has.

use std::{fs, path::Path};

use serde::Deserialize;

use crate::report::{self, Report};

/// Groups and names, as in `benches/`.
const BENCHES: [(&str, &str); 4] =
    [("packetise", "picture"), ("packetise", "keyframe"), ("ring", "push"), ("ring", "find")];

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

pub(crate) fn run(target: &Path, report: &mut Report) -> anyhow::Result<()> {
    let mut table = Vec::new();
    for (group, name) in BENCHES {
        let path = target.join("criterion").join(group).join(name).join("new/estimates.json");
        let Ok(json) = fs::read_to_string(path) else { continue };
        let Estimates { median: Estimate { point_estimate: nanos } } = serde_json::from_str(&json)?;
        report.add(format!("{group}/{name}"), &[nanos / 1000.0], "µs");
        table.push(vec![format!("{group}/{name}"), format!("{:.2} µs", nanos / 1000.0)]);
    }
    if !table.is_empty() {
        println!("\n  once for all viewers\n");
        report::print(&table);
    }
    Ok(())
}
