//! A reading as it comes: JSON, in degrees or as ROS has it. Pure.

use std::time::Duration;

use protocol::{Reading, Up};
use serde::Deserialize;

use crate::media::NtpTime;

/// Clocks of one robot that differ by more than this do not mean the same time.
const APART: Duration = Duration::from_secs(10);

/// Fields that nobody knows are nobody's business: drivers send whole messages.
#[derive(Deserialize)]
struct Datagram {
    /// Seconds since 1970, of the measurement, by this machine's clock.
    time: Option<f64>,
    /// Clockwise, as seen from behind, and upwards; in degrees.
    roll: Option<f64>,
    pitch: Option<f64>,
    orientation: Option<Quaternion>,
    /// ROS's way to say that there is no orientation: the first is -1.
    #[serde(default)]
    orientation_covariance: Vec<f64>,
}

/// As in ROS's `sensor_msgs/Imu`: turns directions of the robot (x ahead, y left, z up) into those of the world (z up).
#[derive(Deserialize)]
struct Quaternion {
    x: f64,
    y: f64,
    z: f64,
    w: f64,
}

/// Why a reading is of no use. Its text is meant for the sender.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error(
        "{0}: send JSON as in {{\"roll\": 1.5, \"pitch\": -3.0}}, in degrees, or {{\"orientation\": {{\"x\": 0, \"y\": 0, \"z\": 0, \"w\": 1}}}}, \
         as ROS has it; and \"time\" in Unix seconds, if you know it"
    )]
    Malformed(#[from] serde_json::Error),
    #[error("there is neither roll and pitch, in degrees, nor orientation, as ROS has it: send one or the other")]
    Nothing,
    #[error("orientation is no turn: send one of length 1")]
    NoTurn,
    #[error("orientation_covariance begins with -1, by which ROS says that the orientation is not known: send none")]
    Unknown,
    #[error("{key} is {value}: send degrees from -180 to 180")]
    NoAngle { key: &'static str, value: f64 },
    #[error(
        "time is {0}, which is more than {APART:?} from this machine's clock: send its Unix seconds, or leave it out"
    )]
    OtherClock(f64),
}

/// Reads a datagram that came at this time, since 1970.
pub(super) fn read(datagram: &[u8], came: Duration) -> Result<Reading, Unread> {
    let Datagram { time, roll, pitch, orientation, orientation_covariance } = serde_json::from_slice(datagram)?;
    let up = match (roll, pitch, orientation) {
        (Some(roll), Some(pitch), _) => leaning(roll, pitch)?,
        (_, _, Some(_)) if orientation_covariance.first() == Some(&-1.0) => return Err(Unread::Unknown),
        (_, _, Some(orientation)) => turned(&orientation)?,
        (_, _, None) => return Err(Unread::Nothing),
    };
    let measured = match time {
        None => came,
        Some(time) => Duration::try_from_secs_f64(time)
            .ok()
            .filter(|measured| measured.abs_diff(came) <= APART)
            .ok_or(Unread::OtherClock(time))?,
    };
    Ok(Reading { at: NtpTime::of_unix(measured).0, up })
}

fn leaning(roll: f64, pitch: f64) -> Result<Up, Unread> {
    for (key, value) in [("roll", roll), ("pitch", pitch)] {
        if !(-180.0..=180.0).contains(&value) {
            return Err(Unread::NoAngle { key, value });
        }
    }
    let ((sr, cr), (sp, cp)) = (roll.to_radians().sin_cos(), pitch.to_radians().sin_cos());
    Ok(Up::of([-sr * cp, cr * cp, -sp]).expect("it has the length of one"))
}

fn turned(Quaternion { x, y, z, w }: &Quaternion) -> Result<Up, Unread> {
    let length = x * x + y * y + z * z + w * w;
    // Drivers that know nothing yet send zeros.
    if !(0.9..=1.1).contains(&length) {
        return Err(Unread::NoTurn);
    }
    // Where the world's z lies from the robot, in the robot's ROS axes.
    let [ahead, left, up] = [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), length - 2.0 * (x * x + y * y)];
    Up::of([-left, up, -ahead]).ok_or(Unread::NoTurn)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAME: Duration = Duration::from_secs(1_800_000_000);

    fn up(json: &str) -> Up {
        read(json.as_bytes(), CAME).expect("a reading").up
    }

    fn near(json: &str, [x, y, z]: [f64; 3]) {
        let expected = Up::of([x, y, z]).expect("a direction");
        assert!(up(json).angle(expected) < 0.01, "{json}: {:?} instead of {expected:?}", up(json));
    }

    #[test]
    fn who_leans_to_the_right_has_up_on_the_left() {
        let half = 0.5_f64.sqrt();
        near(r#"{"roll": 0, "pitch": 0}"#, [0.0, 1.0, 0.0]);
        near(r#"{"roll": 90, "pitch": 0}"#, [-1.0, 0.0, 0.0]);
        near(r#"{"roll": 0, "pitch": 45}"#, [0.0, half, -half]);
        near(r#"{"roll": 180, "pitch": 0, "voltage": 12.1}"#, [0.0, -1.0, 0.0]);
    }

    #[test]
    fn ros_means_the_same() {
        // About x, which is ahead, by 30°: the left side rises. About y, which is left, by −20°: the nose rises.
        for (roll, pitch) in [(0.0, 0.0), (30.0, 0.0), (0.0, 20.0), (-50.0, -10.0), (170.0, 5.0)] {
            let ((sr, cr), (sp, cp)) = (f64::to_radians(roll / 2.0).sin_cos(), f64::to_radians(-pitch / 2.0).sin_cos());
            // First rolled, then raised.
            let (x, y, z, w) = (sr * cp, cr * sp, -sr * sp, cr * cp);
            // Whatever it is turned around by, the horizon stays.
            for yaw in [0.0, 120.0] {
                let (sy, cy) = f64::to_radians(yaw / 2.0).sin_cos();
                let (x, y, z, w) = (cy * x - sy * y, cy * y + sy * x, cy * z + sy * w, cy * w - sy * z);
                let ros = format!(r#"{{"orientation": {{"x": {x}, "y": {y}, "z": {z}, "w": {w}}}}}"#);
                let degrees = format!(r#"{{"roll": {roll}, "pitch": {pitch}}}"#);
                let angle = up(&ros).angle(up(&degrees));
                assert!(angle < 0.01, "{ros} is {angle}° from {degrees}");
            }
        }
    }

    #[test]
    fn readings_are_of_when_they_were_measured() {
        let at = |json: &str| NtpTime(read(json.as_bytes(), CAME).expect("a reading").at).since_1970();
        assert_eq!(at(r#"{"roll": 0, "pitch": 0}"#), CAME);
        let measured = at(r#"{"roll": 0, "pitch": 0, "time": 1799999999.75}"#);
        assert!(measured.abs_diff(CAME - Duration::from_millis(250)) < Duration::from_micros(1), "{measured:?}");
    }

    #[test]
    fn who_says_nothing_that_can_be_read_hears_what_to_say() {
        let wrong = [
            ("", "JSON"),
            ("[1, 2]", "JSON"),
            (r#"{"roll": 1e999, "pitch": 0}"#, "JSON"),
            (r#"{"roll": 1}"#, "neither"),
            (r#"{"roll": 200, "pitch": 0}"#, "roll is 200"),
            (r#"{"orientation": {"x": 0, "y": 0, "z": 0}}"#, "missing field `w`"),
            (r#"{"orientation": {"x": 0, "y": 0, "z": 0, "w": 0}}"#, "length 1"),
            (
                r#"{"orientation": {"x": 0, "y": 0, "z": 0, "w": 1}, "orientation_covariance": [-1, 0, 0, 0, 0, 0, 0, 0, 0]}"#,
                "not known",
            ),
            (r#"{"roll": 0, "pitch": 0, "time": 12.5}"#, "time is 12.5"),
            (r#"{"roll": 0, "pitch": 0, "time": -1e300}"#, "clock"),
        ];
        for (datagram, hint) in wrong {
            let error = read(datagram.as_bytes(), CAME).expect_err("it is wrong").to_string();
            assert!(error.contains(hint), "{datagram}: {error}");
        }
    }
}
