//! `[uplink]`: what all viewers share.

use std::num::NonZeroU32;

use serde::Deserialize;

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Uplink {
    /// Absent: as much as they ask for.
    pub max_bitrate: Option<MaxBitrate>,
}

/// What all viewers get together at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum MaxBitrate {
    /// Bits per second.
    Known(NonZeroU32),
    /// As much as they show that there is.
    Measured,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "it must be a number of bits per second, or \"measured\"")]
enum Written {
    Bitrate(u32),
    Word(String),
}

#[derive(Debug, thiserror::Error)]
#[error("it must be a number of bits per second from {MIN_UPLINK}, or \"measured\"")]
pub struct NoMaxBitrate;

/// Not even one picture fits into less.
const MIN_UPLINK: u32 = 100_000;

impl TryFrom<Written> for MaxBitrate {
    type Error = NoMaxBitrate;

    fn try_from(written: Written) -> Result<Self, NoMaxBitrate> {
        match written {
            Written::Bitrate(bitrate) if bitrate >= MIN_UPLINK => {
                NonZeroU32::new(bitrate).map(Self::Known).ok_or(NoMaxBitrate)
            }
            Written::Word(word) if word == "measured" => Ok(Self::Measured),
            Written::Bitrate(_) | Written::Word(_) => Err(NoMaxBitrate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn it_is_a_number_or_a_word() {
        let read = |value: &str| toml::from_str::<Config>(&format!("[uplink]\nmax_bitrate = {value}"));
        let max = |value: &str| read(value).expect(value).uplink.max_bitrate;
        assert_eq!(max("20_000_000"), NonZeroU32::new(20_000_000).map(MaxBitrate::Known));
        assert_eq!(max("\"measured\""), Some(MaxBitrate::Measured));
        for wrong in ["0", "99999", "-1", "\"a lot\"", "true", "5_000_000_000"] {
            let refused = read(wrong).expect_err(wrong).to_string();
            assert!(refused.contains("max_bitrate") && refused.contains("measured"), "{refused}");
        }
    }
}
