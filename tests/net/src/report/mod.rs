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
    scenario::Form,
    verdict::{Judged, Mark, Outcome},
};

/// Between these the README has what the last run gave.
const BEGIN: [(Form, &str); 2] = [
    (Form::Full, "<!-- What follows is written by `make torture`, from its scenarios. -->"),
    (Form::Soak, "<!-- What follows is written by `make torture`, from its soak. -->"),
];
const END: &str = "<!-- Up to here. -->";

/// When, where and with what.
#[derive(Debug, Serialize)]
pub struct Heading {
    pub date: String,
    pub machine: String,
    pub form: Form,
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
    /// Those that every scenario has.
    pub everywhere: Vec<Judged>,
    pub marks: Vec<Mark>,
}

impl Entry {
    pub fn all(&self) -> impl Iterator<Item = &Judged> {
        self.lines.iter().chain(&self.everywhere)
    }

    pub fn holds(&self) -> bool {
        self.failed.is_none() && self.all().all(|line| line.holds() || !line.counts)
    }
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub heading: Heading,
    pub entries: Vec<Entry>,
}

impl Heading {
    pub fn of_now(form: Form, seeds: Vec<u64>) -> Self {
        let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self { date: date[..10].to_owned(), machine: machine(), form, seeds }
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
        let place = BEGIN.iter().find(|(form, _)| *form == self.heading.form).map(|(_, begin)| *begin);
        let text = place.and_then(|begin| replaced(&text, begin, &self.table()));
        Ok(fs::write(readme, text.context("the README has no place for the table")?)?)
    }

    pub fn table(&self) -> String {
        table::of(self)
    }
}

fn replaced(text: &str, begin: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{begin}\n\n{table}\n{END}{after}"))
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
        let (_, begin) = BEGIN[1];
        let text = format!("before\n{begin}\nold\n{END}\nafter\n");
        assert_eq!(replaced(&text, begin, "new\n"), Some(format!("before\n{begin}\n\nnew\n\n{END}\nafter\n")));
        assert_eq!(replaced("none", begin, "new"), None);
    }
}
