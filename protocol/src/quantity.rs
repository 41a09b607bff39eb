//! Numbers that robots and viewers measure.
//!
//! Whoever reports one may be wrong or lie, and what is made of it must hold all the same: a number beyond its range becomes
//! the nearest in it, and what is none is refused.

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::NotReal;

/// Nothing that is measured here is known any better, and messages stay short.
const PLACES: f64 = 10_000.0;

macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident, up to $most:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64")]
        #[cfg_attr(test, derive(ts_rs::TS), ts(type = "number"))]
        pub struct $name(f64);

        impl $name {
            /// The nearest that there is; what is no number counts as nothing.
            pub fn nearest(number: f64) -> Self {
                let number = if number.is_nan() { 0.0 } else { number.clamp(0.0, $most) };
                Self((number * PLACES).round() / PLACES)
            }

            pub fn get(self) -> f64 {
                self.0
            }
        }

        // What is not equal to itself does not get in.
        impl Eq for $name {}

        impl TryFrom<f64> for $name {
            type Error = NotReal;

            fn try_from(number: f64) -> Result<Self, NotReal> {
                if number.is_finite() { Ok(Self::nearest(number)) } else { Err(NotReal) }
            }
        }
    )*};
}

quantities! {
    /// Bits per second.
    Bitrate, up to 100_000_000_000.0;
    /// Pictures per second.
    Fps, up to 1000.0;
    /// Milliseconds: of a minute, as what takes longer is no live picture any more.
    Millis, up to 60_000.0;
    /// How much of the whole, from 0 to 1.
    Share, up to 1.0;
}

/// How often something has happened since it began to be counted. JavaScript counts no further.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u64")]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "number"))]
pub struct Count(u64);

impl Count {
    pub const MAX: u64 = (1 << 53) - 1;

    pub fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for Count {
    fn from(count: u64) -> Self {
        Self(count.min(Self::MAX))
    }
}

/// For lists that a message may have only so much of.
pub(crate) fn at_most<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let list = Vec::deserialize(deserializer)?;
    if list.len() <= MOST { Ok(list) } else { Err(D::Error::custom(format!("there are more than {MOST}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_brought_into_it_and_what_is_no_number_is_refused() {
        let share = |text: &str| serde_json::from_str::<Share>(text).map(Share::get);
        assert_eq!(share("0.25").expect("a share"), 0.25);
        assert_eq!(share("17").expect("too much"), 1.0);
        assert_eq!(share("-1e300").expect("too little"), 0.0);
        for none in ["null", "\"1\"", "1e999", "NaN", "[]"] {
            assert!(share(none).is_err(), "{none}");
        }
        assert_eq!(Fps::nearest(f64::NAN), Fps::default());
        assert_eq!(Bitrate::nearest(f64::INFINITY).get(), 1e11);
        assert!(Millis::try_from(f64::NAN).is_err());
        assert_eq!(serde_json::to_string(&Millis::nearest(12.345_678_9)).expect("encodes"), "12.3457");
    }

    #[test]
    fn counts_end_where_javascript_does() {
        let count = |text: &str| serde_json::from_str::<Count>(text).map(Count::get);
        assert_eq!(count("18446744073709551615").expect("a count"), Count::MAX);
        assert!(count("-1").is_err() && count("0.5").is_err());
    }
}
