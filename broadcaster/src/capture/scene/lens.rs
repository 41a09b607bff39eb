//! How a camera sees: which direction each of its pixels looks in, and where it sees a direction.

/// A unit vector: x to the right, y up, −z to the front.
pub(super) type Direction = [f32; 3];

/// What an ordinary lens sees from side to side. Wide enough for the marker, which goes around below the horizon.
const FLAT_DEGREES: f32 = 110.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::capture) enum Lens {
    /// All around: longitude from left to right, latitude from top to bottom.
    Equirectangular,
    /// Straight lines stay straight.
    Flat,
}

impl Lens {
    /// Where a point of the picture looks, both coordinates from 0 to 1, down and to the right. `aspect` is width by height.
    pub(super) fn ray(self, x: f32, y: f32, aspect: f32) -> Direction {
        match self {
            Self::Equirectangular => direction(x * 360.0 - 180.0, 90.0 - y * 180.0),
            Self::Flat => {
                let half = half_width();
                normalised([(2.0 * x - 1.0) * half, (1.0 - 2.0 * y) * half / aspect, -1.0])
            }
        }
    }

    /// Where it sees a direction, if it does.
    pub(super) fn locate(self, [x, y, z]: Direction, aspect: f32) -> Option<(f32, f32)> {
        match self {
            Self::Equirectangular => {
                let (yaw, pitch) = (x.atan2(-z).to_degrees(), y.clamp(-1.0, 1.0).asin().to_degrees());
                Some((yaw / 360.0 + 0.5, 0.5 - pitch / 180.0))
            }
            Self::Flat => {
                let half = half_width();
                let at = ((x / -z / half + 1.0) / 2.0, (1.0 - y / -z * aspect / half) / 2.0);
                (z < 0.0 && (0.0..1.0).contains(&at.0) && (0.0..1.0).contains(&at.1)).then_some(at)
            }
        }
    }

    /// Whether the picture's left edge is also its right.
    pub(super) fn closes(self) -> bool {
        self == Self::Equirectangular
    }

    /// Width and height of something that looks so wide there, as shares of the picture's.
    pub(super) fn extent(self, degrees: f32, pitch: f32, aspect: f32) -> (f32, f32) {
        match self {
            // Circles of latitude shrink towards the poles.
            Self::Equirectangular => (degrees / 360.0 / pitch.to_radians().cos(), degrees / 180.0),
            Self::Flat => {
                let width = degrees.to_radians().tan() / half_width() / 2.0;
                (width, width * aspect)
            }
        }
    }
}

fn half_width() -> f32 {
    (FLAT_DEGREES / 2.0).to_radians().tan()
}

/// Yaw grows to the right, pitch upward, both in degrees.
pub(super) fn direction(yaw: f32, pitch: f32) -> Direction {
    let (yaw_sin, yaw_cos) = yaw.to_radians().sin_cos();
    let (pitch_sin, pitch_cos) = pitch.to_radians().sin_cos();
    [pitch_cos * yaw_sin, pitch_sin, -pitch_cos * yaw_cos]
}

/// Yaw and pitch of a direction.
pub(super) fn angles([x, y, z]: Direction) -> (f32, f32) {
    (x.atan2(-z).to_degrees(), y.clamp(-1.0, 1.0).asin().to_degrees())
}

pub(super) fn dot(a: Direction, b: Direction) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn normalised(vector: Direction) -> Direction {
    let length = dot(vector, vector).sqrt();
    vector.map(|part| part / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pixel_sees_is_seen_by_that_pixel() {
        for lens in [Lens::Equirectangular, Lens::Flat] {
            for (x, y) in [(0.5, 0.5), (0.1, 0.2), (0.9, 0.3), (0.33, 0.8)] {
                let ray = lens.ray(x, y, 16.0 / 9.0);
                assert!((dot(ray, ray) - 1.0).abs() < 1e-5);
                let (seen_x, seen_y) = lens.locate(ray, 16.0 / 9.0).expect("it is seen");
                assert!((seen_x - x).abs() < 1e-4 && (seen_y - y).abs() < 1e-4, "{lens:?} {x} {y}");
            }
            let front = lens.ray(0.5, 0.5, 2.0);
            assert!(dot(front, [0.0, 0.0, -1.0]) > 0.9999, "the middle is in front");
            assert!(lens.ray(0.6, 0.5, 2.0)[0] > 0.0 && lens.ray(0.5, 0.4, 2.0)[1] > 0.0, "right is right, up is up");
        }
        assert_eq!(Lens::Flat.locate(direction(180.0, 0.0), 2.0), None, "nothing behind");
        let edge = angles(Lens::Flat.ray(1.0, 0.5, 2.0)).0;
        assert!((edge - FLAT_DEGREES / 2.0).abs() < 0.01);
    }
}
