//! What a robot knows a server's certificate by when no authority vouches for it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer};

const PREFIX: &str = "sha256:";

/// A certificate's SHA-256, as servers print it and robots' configs have it: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is \"sha256:\" and 64 hexadecimal digits, as the server's log and `server check` print it")]
pub struct InvalidFingerprint;

impl Fingerprint {
    /// Of a certificate with this SHA-256.
    pub const fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }
}

/// Colons between the digits, which other programs write, are passed over.
impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let digits: Vec<u8> = text
            .strip_prefix(PREFIX)
            .ok_or(InvalidFingerprint)?
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(InvalidFingerprint))
            .collect::<Result<_, _>>()?;
        let (pairs, []) = digits.as_chunks::<2>() else { return Err(InvalidFingerprint) };
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        Ok(Self(bytes.try_into().map_err(|_| InvalidFingerprint)?))
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read_and_nothing_else() {
        let fingerprint = Fingerprint::new(std::array::from_fn(|index| u8::try_from(index * 8).expect("small")));
        let text = fingerprint.to_string();
        assert!(text.starts_with("sha256:0008101820") && text.len() == 71, "{text}");
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(text.to_uppercase().replace("SHA256", "sha256").parse(), Ok(fingerprint));
        assert_eq!(text.replacen("0008", "00:08:", 1).parse(), Ok(fingerprint));
        let short = &text[..70];
        for bad in ["", "sha256:", short, &text[1..], &format!("{text}0"), &format!("{text}00"), &format!("{short}g")] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(InvalidFingerprint), "{bad}");
        }
    }
}
