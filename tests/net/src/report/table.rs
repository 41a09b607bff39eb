//! The table: a row for each line of each scenario, a column for each seed.

use std::fmt::Write;

use super::{Entry, Report};
use crate::{
    scenario::Form,
    verdict::{Bound, Judged},
};

pub(super) fn of(report: &Report) -> String {
    let heading = &report.heading;
    let seeds = heading.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let seeds = format!("seed{} {seeds}", if heading.seeds.len() == 1 { "" } else { "s" });
    let form = if heading.form == Form::Short { ", the short form" } else { "" };
    let mut table = format!("{}, {}, {seeds}{form}:\n\n", heading.date, heading.machine);
    let columns: String = heading.seeds.iter().map(|seed| format!(" {seed} |")).collect();
    let rule: String = heading.seeds.iter().map(|_| "--:|").collect();
    let _ = writeln!(table, "| Scenario | Line | Must be |{columns}\n|---|---|--:|{rule}");
    let mut scenarios: Vec<&str> = Vec::new();
    for entry in &report.entries {
        if !scenarios.contains(&entry.scenario) {
            scenarios.push(entry.scenario);
            let runs: Vec<&Entry> = report.entries.iter().filter(|other| other.scenario == entry.scenario).collect();
            rows(&mut table, &runs, &heading.seeds);
        }
    }
    everywhere(&mut table, report);
    table
}

/// Of each line that all have, the worst of all.
fn everywhere(table: &mut String, report: &Report) {
    let worst = |seed: &u64| {
        let mut entry = Entry {
            scenario: "everywhere",
            title: "in each of them",
            seed: *seed,
            failed: None,
            lines: Vec::new(),
            everywhere: Vec::new(),
            marks: Vec::new(),
        };
        for line in report.entries.iter().filter(|run| run.seed == *seed).flat_map(|run| &run.everywhere) {
            match entry.lines.iter_mut().find(|known| is_same(known, line)) {
                // Each of them is a most, and none of them is ever without a figure.
                Some(known) => known.got = if line.got > known.got { line.got } else { known.got },
                None => entry.lines.push(line.clone()),
            }
        }
        entry
    };
    let worst: Vec<Entry> = report.heading.seeds.iter().map(worst).collect();
    rows(table, &worst.iter().collect::<Vec<_>>(), &report.heading.seeds);
}

fn rows(table: &mut String, runs: &[&Entry], seeds: &[u64]) {
    let title = runs.first().map_or("", |run| run.title);
    let mut names: Vec<&Judged> = Vec::new();
    for line in runs.iter().flat_map(|run| &run.lines) {
        if !names.iter().any(|known| is_same(known, line)) {
            names.push(line);
        }
    }
    let cells = |of: &dyn Fn(&Entry) -> String| -> String {
        let of_seed = |seed: &u64| runs.iter().find(|run| run.seed == *seed).map_or("–".to_owned(), |run| of(run));
        seeds.iter().map(|seed| format!(" {} |", of_seed(seed))).collect()
    };
    for (index, name) in names.iter().enumerate() {
        let first = if index == 0 { title } else { "" };
        let bound = match name.bound {
            Bound::AtLeast => "≥",
            Bound::AtMost => "≤",
            Bound::Exactly => "=",
        };
        let figures = cells(&|run| {
            let Some(line) = run.lines.iter().find(|line| is_same(name, line)) else { return "–".to_owned() };
            let got = line.got.map_or("nothing".to_owned(), |got| got.to_string());
            if line.holds() { got } else { format!("**{got}**") }
        });
        let _ = writeln!(table, "| {first} | {} | {bound} {} |{figures}", name.what, name.limit);
    }
    if runs.iter().any(|run| run.failed.is_some()) {
        let errors = cells(&|run| run.failed.as_ref().map_or(String::new(), |_| "**failed**".to_owned()));
        let first = if names.is_empty() { title } else { "" };
        let _ = writeln!(table, "| {first} | came to its end | |{errors}");
    }
}

fn is_same(one: &Judged, other: &Judged) -> bool {
    one.what == other.what && one.bound == other.bound && one.limit == other.limit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::Heading, verdict::Figure};

    #[test]
    fn a_row_has_a_figure_of_each_seed_and_shows_what_does_not_hold() {
        let line = |got| Judged {
            what: "pictures".to_owned(),
            bound: Bound::AtLeast,
            limit: Figure::Share(0.95),
            got: Some(Figure::Share(got)),
            counts: true,
        };
        let entry = |seed, lines: Vec<Judged>, failed| Entry {
            scenario: "loss",
            title: "Loss",
            seed,
            failed,
            everywhere: vec![Judged { what: "lies".to_owned(), bound: Bound::AtMost, ..lines[0].clone() }],
            lines,
            marks: vec![],
        };
        let heading = Heading {
            date: "2000-01-01".to_owned(),
            machine: "a machine".to_owned(),
            form: Form::Full,
            seeds: vec![1, 2],
        };
        let entries = [(1, 0.96), (1, 0.97), (2, 0.9)].map(|(seed, got)| entry(seed, vec![line(got)], None)).into();
        let table = Report { heading, entries }.table();
        assert!(table.contains("| Loss | pictures | ≥ 95.0 % | 96.0 % | **90.0 %** |"), "{table}");
        assert!(table.contains("| in each of them | lies | ≤ 95.0 % | **97.0 %** | 90.0 % |"), "{table}");
    }
}
