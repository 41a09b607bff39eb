//! `[recording]`: what is kept on disk, and how much of it.

use std::{fmt, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration};

use protocol::RobotId;
use serde::Deserialize;

use super::ConfigError;

const MIN_QUOTA: Size = Size(1_000_000);
const SEGMENTS: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recording {
    /// Robots on one machine may share it: each has a folder of its own there.
    pub dir: PathBuf,
    /// What all recordings of one robot together may take.
    pub quota: Size,
    /// What stays free for everybody else.
    pub reserve: Size,
    /// How long a file is.
    #[serde(with = "humantime_serde")]
    pub segment: Duration,
}

/// Bytes, written as people do: "20GB".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no size: write a whole number and its unit, as in \"500MB\", \"20GB\" or \"16GiB\"")]
pub struct InvalidSize(String);

const UNITS: [(&str, u64); 10] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl Default for Recording {
    fn default() -> Self {
        Self {
            dir: "/var/lib/panocast-broadcaster/recordings".into(),
            quota: Size(20_000_000_000),
            reserve: Size(1_000_000_000),
            segment: Duration::from_secs(10 * 60),
        }
    }
}

impl Recording {
    /// Where this robot's recordings go, a folder for each camera.
    pub fn folder(&self, robot: &RobotId) -> PathBuf {
        self.dir.join(robot.as_str())
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |key, value: String, rule| Err(ConfigError::Recording { key, value, rule });
        if self.dir.as_os_str().is_empty() {
            return refuse("dir", "\"\"".to_owned(), "the folder that recordings go to");
        }
        if self.quota < MIN_QUOTA {
            return refuse("quota", self.quota.to_string(), "1MB or more");
        }
        if !SEGMENTS.contains(&self.segment) {
            return refuse("segment", format!("{:?}", self.segment), "from \"10s\" to \"24h\"");
        }
        Ok(())
    }
}

impl FromStr for Size {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        let invalid = || InvalidSize(text.to_owned());
        let (number, unit) =
            UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit))).ok_or_else(invalid)?;
        let number: u64 = number.trim_end().parse().map_err(|_| invalid())?;
        number.checked_mul(*unit).map(Self).ok_or_else(invalid)
    }
}

impl TryFrom<String> for Size {
    type Error = InvalidSize;

    fn try_from(text: String) -> Result<Self, InvalidSize> {
        text.parse()
    }
}

/// In the largest unit that leaves a digit before the point.
impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
        match units.iter().find(|(unit, _)| self.0 >= *unit) {
            Some((unit, name)) if self.0.is_multiple_of(*unit) => write!(formatter, "{} {name}", self.0 / unit),
            Some((unit, name)) => write!(formatter, "{:.1} {name}", self.0 as f64 / *unit as f64),
            None => write!(formatter, "{} B", self.0),
        }
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_as_people_write_them() {
        for (text, bytes) in [("20GB", 20_000_000_000), ("1 GiB", 1 << 30), ("500kB", 500_000), ("7B", 7), ("0B", 0)] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for bad in ["", "20", "GB", "1.5GB", "-1GB", "20 gigs", "99999999999TB"] {
            let error = bad.parse::<Size>().expect_err(bad).to_string();
            assert!(error.contains(&format!("{bad:?}")) && error.contains("20GB"), "{error}");
        }
        let written = |bytes| Size(bytes).to_string();
        assert_eq!([written(20_000_000_000), written(1_550_000), written(7)], ["20 GB", "1.6 MB", "7 B"]);
    }
}
