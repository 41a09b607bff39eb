//! `[spill]`: from when on the server's media server takes over, if it has one.

use std::num::NonZeroUsize;

use serde::Deserialize;

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spill {
    /// From so many viewers on. Absent: however many there are.
    pub viewers: Option<NonZeroUsize>,
    /// From so much of the machine's computing time on. Absent: however much it takes.
    pub cpu: Option<Share>,
}

/// A part of the whole.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "f64")]
pub struct Share(f64);

#[derive(Debug, thiserror::Error)]
#[error("it must be a part of the whole, from 0.05 to 1.0")]
pub struct NoShare;

impl Share {
    pub(crate) fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = NoShare;

    fn try_from(share: f64) -> Result<Self, NoShare> {
        if (0.05..=1.0).contains(&share) { Ok(Self(share)) } else { Err(NoShare) }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn it_is_a_count_and_a_share() {
        let read = |text: &str| toml::from_str::<Config>(&format!("[spill]\n{text}"));
        let spill = read("viewers = 5\ncpu = 0.8").expect("valid").spill;
        assert_eq!(spill.viewers.map(std::num::NonZeroUsize::get), Some(5));
        assert_eq!(spill.cpu.map(super::Share::get), Some(0.8));
        assert_eq!(Config::default().spill, super::Spill::default());
        for wrong in ["viewers = 0", "cpu = 0.0", "cpu = 80", "cpu = nan", "viewer = 5"] {
            let refused = read(wrong).expect_err(wrong).to_string();
            assert!(refused.contains("spill") || refused.contains(wrong), "{refused}");
        }
    }
}
