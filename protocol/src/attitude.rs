//! How a robot leans, for pages that keep its horizon level.
//!
//! It goes over a data channel of the viewer's own connection, which both ends know without asking: unordered, never repeated,
//! with [`ATTITUDE_STREAM`] for its number. A message holds readings one after the other, oldest first; each is the time in
//! NTP's format by the robot's clock, as its pictures have it, and which way is up from the robot, as three shares of 32767.

/// The number of the data channel.
pub const ATTITUDE_STREAM: u16 = 0;

const LENGTH: usize = 14;

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Seconds since 1900 in the upper half, their fraction in the lower.
    pub at: u64,
    pub up: Up,
}

/// Which way is up, from the robot: of length one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Up([i16; 3]);

impl Up {
    /// The direction of a vector of any length; nothing for one that has none.
    pub fn of(vector: [f64; 3]) -> Option<Self> {
        let length = vector.iter().map(|part| part * part).sum::<f64>().sqrt();
        #[expect(clippy::cast_possible_truncation, reason = "shares of one fit")]
        let share = |part: f64| (part / length * f64::from(i16::MAX)).round() as i16;
        (length.is_normal()).then(|| Self(vector.map(share)))
    }

    /// How far the other is from it, in degrees.
    pub fn angle(self, other: Self) -> f64 {
        let [one, other] = [self, other].map(|Self(parts)| parts.map(f64::from));
        let cross = [1, 2, 0].map(|i| {
            let k = (i + 1) % 3;
            one[i] * other[k] - one[k] * other[i]
        });
        let sine = cross.iter().map(|part| part * part).sum::<f64>().sqrt();
        let cosine = one.iter().zip(other).map(|(one, other)| one * other).sum::<f64>();
        sine.atan2(cosine).to_degrees()
    }
}

/// A message with these readings.
pub fn message(readings: &[Reading]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(readings.len() * LENGTH);
    for Reading { at, up: Up(up) } in readings {
        bytes.extend(at.to_be_bytes());
        bytes.extend(up.iter().flat_map(|part| part.to_be_bytes()));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Example {
        message: String,
        readings: Vec<Said>,
    }

    #[derive(serde::Deserialize)]
    struct Said {
        at: String,
        up: [f64; 3],
    }

    #[test]
    fn messages_are_as_the_page_reads_them() {
        let example: Example = serde_json::from_str(include_str!("../fixtures/attitude.json")).expect("a fixture");
        let readings = example.readings.iter().map(|Said { at, up }| Reading {
            at: u64::from_str_radix(at, 16).expect("a time"),
            up: Up::of(*up).expect("a direction"),
        });
        let bytes = message(&readings.collect::<Vec<_>>());
        assert_eq!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), example.message);
    }

    #[test]
    fn directions_have_no_length() {
        let up = |x, y, z| Up::of([x, y, z]);
        assert_eq!(up(0.0, 9.81, 0.0), up(0.0, 1.0, 0.0));
        for nothing in [[0.0; 3], [f64::NAN, 1.0, 0.0], [f64::INFINITY, 1.0, 0.0], [1e-320, 0.0, 0.0]] {
            assert_eq!(Up::of(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn small_angles_are_told_apart() {
        let leaning =
            |degrees: f64| Up::of([degrees.to_radians().sin(), degrees.to_radians().cos(), 0.0]).expect("one");
        for degrees in [0.05, 1.0, 90.0, 179.0] {
            let angle = leaning(10.0).angle(leaning(10.0 + degrees));
            assert!((angle - degrees).abs() < 0.004, "{angle} instead of {degrees}");
        }
        assert!(leaning(10.0).angle(leaning(10.0)) < 1e-9);
    }
}
