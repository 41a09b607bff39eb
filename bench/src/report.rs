//! What was measured: a table for people, and JSON for whoever compares runs.

use std::{fs, path::Path, time::SystemTime};

use anyhow::Context;
use serde::Serialize;

#[derive(Serialize)]
struct Entry {
    name: String,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    /// Measurements, of which the value is the median.
    n: usize,
    /// Seconds since 1970.
    when: u64,
}

#[derive(Default)]
pub(crate) struct Report(Vec<Entry>);

impl Report {
    pub(crate) fn add(&mut self, name: impl Into<String>, values: &[f64], unit: &'static str) {
        self.0.push(Entry {
            name: name.into(),
            value: median(values),
            unit,
            floor: None,
            ratio: None,
            n: values.len(),
            when: now(),
        });
    }

    /// Of measurements in turns with those of the floor. Returns medians: of the ratio, of the value, and of the floor.
    pub(crate) fn compare(
        &mut self,
        name: impl Into<String>,
        values: &[f64],
        floors: &[f64],
        unit: &'static str,
    ) -> (f64, f64, f64) {
        let ratios: Vec<f64> = values.iter().zip(floors).map(|(value, floor)| value / floor).collect();
        let (ratio, value, floor) = (median(&ratios), median(values), median(floors));
        let (floor_of, ratio_of) = (Some(floor), Some(ratio));
        let entry =
            Entry { name: name.into(), value, unit, floor: floor_of, ratio: ratio_of, n: values.len(), when: now() };
        self.0.push(entry);
        (ratio, value, floor)
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let json = serde_json::to_string_pretty(&self.0)?;
        fs::write(path, json + "\n").with_context(|| format!("write {}", path.display()))
    }
}

/// Of no values, it is no number.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.get(middle) {
        None => f64::NAN,
        Some(value) if sorted.len() % 2 == 1 => *value,
        Some(value) => (value + sorted[middle - 1]) / 2.0,
    }
}

/// Prints cells below each other, right-aligned.
pub(crate) fn print(table: &[Vec<String>]) {
    let columns = table.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        table.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in table {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        println!("  {}", cells.join("   ").trim_end());
    }
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn ratios_are_of_what_was_measured_together() {
        let (ratio, value, floor) = Report::default().compare("x", &[2.0, 8.0, 3.0], &[1.0, 4.0, 3.0], "µs");
        assert_eq!((ratio, value, floor), (2.0, 3.0, 3.0));
    }
}
