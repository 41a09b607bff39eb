//! What is left of a run: a table, JSON, and a picture of each scenario.

mod drawing;
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use anyhow::Context;
use serde::Serialize;

use crate::{
    stage::Length,
    verdict::{Judged, Mark, Outcome},
};

/// Between these the README has what the last run gave.
const BEGIN: &str = "<!-- What follows is written by `make torture`. -->";
const END: &str = "<!-- Up to here. -->";

/// When, where and with what.
#[derive(Debug, Serialize)]
pub struct Heading {
    pub date: String,
    pub machine: String,
    pub length: Length,
    pub seeds: Vec<u64>,
}

/// One run of one scenario.
#[derive(Debug, Serialize)]
pub struct Entry {
    pub scenario: &'static str,
    pub title: &'static str,
    pub seed: u64,
    /// Why it came to no end.
    pub failed: Option<String>,
    pub lines: Vec<Judged>,
    pub marks: Vec<Mark>,
}

impl Entry {
    pub fn holds(&self) -> bool {
        self.failed.is_none() && self.lines.iter().all(|line| line.holds() || !line.counts)
    }
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub heading: Heading,
    pub entries: Vec<Entry>,
}

impl Heading {
    pub fn of_now(length: Length, seeds: Vec<u64>) -> Self {
        let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self { date: date[..10].to_owned(), machine: machine(), length, seeds }
    }
}

/// Cores and kernel of this machine, as far as it tells.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = Command::new("uname").arg("-sr").output().map(|output| output.stdout).unwrap_or_default();
    let kernel = String::from_utf8_lossy(&kernel);
    // What follows the number names who built it.
    let kernel = kernel.trim().split('-').next().unwrap_or_default().to_owned();
    format!("{cores} cores of {}, {kernel}", model.map_or("an unknown processor", |(_, model)| model))
}

impl Report {
    pub fn holds(&self) -> bool {
        self.entries.iter().all(Entry::holds)
    }

    /// Leaves all of it in a folder.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::write(folder.join("results.json"), serde_json::to_string_pretty(self)?)?;
        fs::write(folder.join("table.md"), self.table())?;
        Ok(())
    }

    /// Puts the table where a README has a place for it.
    pub fn show_in(&self, readme: &PathBuf) -> anyhow::Result<()> {
        let text = fs::read_to_string(readme).with_context(|| format!("read {}", readme.display()))?;
        fs::write(readme, replaced(&text, &self.table()).context("the README has no place for the table")?)?;
        Ok(())
    }

    pub fn table(&self) -> String {
        table::of(self)
    }
}

fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

/// Draws what a viewer saw.
pub fn draw(title: &str, outcome: &Outcome, file: &Path) -> anyhow::Result<()> {
    Ok(fs::write(file, drawing::of(title, outcome))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readme_keeps_what_is_around_the_table() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        assert_eq!(replaced(&text, "new\n"), Some(format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n")));
        assert_eq!(replaced("none", "new"), None);
    }
}
