//! How a camera sees: which direction each of its pixels looks in, and where it sees a direction.

use protocol::{Projection, Rotation};

use super::{circle::Circle, cube::Cube};

/// A unit vector: x to the right, y up, −z to the front.
pub(super) type Direction = [f32; 3];

/// What an ordinary lens sees from side to side. Wide enough for the marker, which goes around below the horizon.
const FLAT_DEGREES: f32 = 110.0;

/// A camera's lens or lenses, as they sit on the robot.
#[derive(Clone, Debug)]
pub(super) struct Lens {
    kind: Kind,
    mount: Turn,
    /// The picture's width by its height.
    aspect: f32,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Longitude from left to right, latitude from top to bottom, over so many degrees.
    Equirectangular {
        width: f32,
        height: f32,
    },
    /// Straight lines stay straight.
    Flat,
    Circles(Vec<Circle>),
    Cube(Cube),
}

/// Where something is seen, and how large: as shares of the picture's width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) radius_x: f32,
    pub(super) radius_y: f32,
    /// What of the picture it may be drawn in: from left to right, and from top to bottom.
    pub(super) within: [[f32; 2]; 2],
}

/// All of the picture.
pub(super) const WHOLE: [[f32; 2]; 2] = [[0.0, 1.0]; 2];

impl Spot {
    /// Some of it may be where it may be drawn.
    pub(super) fn is_to_be_seen(&self) -> bool {
        let [[left, right], [top, bottom]] = self.within;
        let reaches = |at: f32, radius: f32, from: f32, to: f32| at + radius > from && at - radius < to;
        reaches(self.x, self.radius_x, left, right) && reaches(self.y, self.radius_y, top, bottom)
    }
}

impl Lens {
    pub(super) fn new(projection: &Projection, mount: Rotation, aspect: f32) -> Self {
        let kind = match projection {
            Projection::Flat => Kind::Flat,
            Projection::Equirectangular { coverage } => {
                let [width, height] =
                    coverage.map_or([360.0, 180.0], |coverage| coverage.map(|real| real.get() as f32));
                Kind::Equirectangular { width, height }
            }
            Projection::Fisheye { lens } => Kind::Circles(vec![Circle::new(lens)]),
            Projection::DualFisheye { lenses, .. } => Kind::Circles(lenses.iter().map(Circle::new).collect()),
            Projection::CubeMap { layout } => Kind::Cube(Cube::new(layout, false)),
            Projection::Equiangular { layout } => Kind::Cube(Cube::new(layout, true)),
        };
        Self { kind, mount: Turn::new(mount), aspect }
    }

    /// Where a point of the picture looks, both coordinates from 0 to 1, to the right and down. Not all of a picture looks
    /// anywhere.
    pub(super) fn ray(&self, x: f32, y: f32) -> Option<Direction> {
        let seen = match &self.kind {
            Kind::Equirectangular { width, height } => direction((x - 0.5) * width, (0.5 - y) * height),
            Kind::Flat => {
                let half = half_width();
                normalised([(2.0 * x - 1.0) * half, (1.0 - 2.0 * y) * half / self.aspect, -1.0])
            }
            Kind::Circles(circles) => circles.iter().find_map(|circle| circle.ray(x, y))?,
            Kind::Cube(cube) => cube.ray(x, y),
        };
        Some(self.mount.outward(seen))
    }

    /// Where it sees something that looks so large from its middle: nowhere, once, or once in each lens or on each face.
    pub(super) fn locate(&self, direction: Direction, degrees: f32) -> Vec<Spot> {
        let seen = self.mount.inward(direction);
        let [x, y, z] = seen;
        match &self.kind {
            Kind::Equirectangular { width, height } => {
                let (yaw, pitch) = angles(seen);
                let (x, y) = (yaw / width + 0.5, 0.5 - pitch / height);
                // Circles of latitude shrink towards the poles.
                let radius_x = degrees / width / pitch.to_radians().cos();
                within(Spot { x, y, radius_x, radius_y: degrees / height, within: WHOLE })
            }
            Kind::Flat if z < 0.0 => {
                let half = half_width();
                let radius = degrees.to_radians().tan() / half / 2.0;
                let (x, y) = ((x / -z / half + 1.0) / 2.0, (1.0 - y / -z * self.aspect / half) / 2.0);
                within(Spot { x, y, radius_x: radius, radius_y: radius * self.aspect, within: WHOLE })
            }
            Kind::Flat => Vec::new(),
            Kind::Circles(circles) => circles.iter().filter_map(|circle| circle.locate(seen, degrees)).collect(),
            Kind::Cube(cube) => cube.locate(seen, degrees),
        }
    }

    /// Whether the picture's left edge is also its right.
    pub(super) fn closes(&self) -> bool {
        matches!(self.kind, Kind::Equirectangular { width, .. } if width >= 360.0)
    }
}

fn within(spot: Spot) -> Vec<Spot> {
    let inside = (0.0..=1.0).contains(&spot.x) && (0.0..=1.0).contains(&spot.y);
    inside.then_some(spot).into_iter().collect()
}

/// A rotation, as three columns: where x, y and z end up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn([Direction; 3]);

impl Turn {
    pub(super) fn new(Rotation { yaw, pitch, roll }: Rotation) -> Self {
        let [(ys, yc), (ps, pc), (rs, rc)] =
            [yaw, pitch, roll].map(|angle| (angle.get() as f32).to_radians().sin_cos());
        // What is turned around is what was raised, and that is what was rolled.
        let around = |[x, y, z]: Direction| [x * yc - z * ys, y, x * ys + z * yc];
        let raise = |[x, y, z]: Direction| [x, y * pc - z * ps, y * ps + z * pc];
        let roll = |[x, y, z]: Direction| [x * rc + y * rs, y * rc - x * rs, z];
        Self([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|axis| around(raise(roll(axis)))))
    }

    /// From what was turned to what it was turned in.
    pub(super) fn outward(&self, [x, y, z]: Direction) -> Direction {
        let Self([right, up, back]) = self;
        std::array::from_fn(|axis| right[axis] * x + up[axis] * y + back[axis] * z)
    }

    /// The way back.
    pub(super) fn inward(&self, direction: Direction) -> Direction {
        self.0.map(|axis| dot(axis, direction))
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

pub(super) fn normalised(vector: Direction) -> Direction {
    let length = dot(vector, vector).sqrt();
    vector.map(|part| part / length)
}

#[cfg(test)]
mod tests {
    use protocol::Real;

    use super::*;

    fn real(value: f64) -> Real {
        value.try_into().expect("a number")
    }

    fn turned(yaw: f64, pitch: f64, roll: f64) -> Rotation {
        Rotation { yaw: real(yaw), pitch: real(pitch), roll: real(roll) }
    }

    fn close(a: Direction, b: Direction) -> bool {
        dot(a, b) > 0.99999
    }

    #[test]
    fn what_a_pixel_sees_is_seen_by_that_pixel() {
        let whole = Projection::Equirectangular { coverage: None };
        let half = Projection::Equirectangular { coverage: Some([180.0, 90.0].map(real)) };
        for projection in [whole, half, Projection::Flat] {
            let lens = Lens::new(&projection, turned(20.0, -10.0, 5.0), 16.0 / 9.0);
            for (x, y) in [(0.5, 0.5), (0.1, 0.2), (0.9, 0.3), (0.33, 0.8)] {
                let ray = lens.ray(x, y).expect("it looks somewhere");
                assert!((dot(ray, ray) - 1.0).abs() < 1e-5);
                let spot = lens.locate(ray, 1.0)[0];
                assert!((spot.x - x).abs() < 1e-4 && (spot.y - y).abs() < 1e-4, "{lens:?} {x} {y}");
            }
            let level = Lens::new(&projection, Rotation::default(), 2.0);
            let seen = |x, y| level.ray(x, y).expect("it looks somewhere");
            assert!(close(seen(0.5, 0.5), direction(0.0, 0.0)), "the middle is in front");
            assert!(seen(0.6, 0.5)[0] > 0.0 && seen(0.5, 0.4)[1] > 0.0, "right is right, up is up");
        }
        let flat = Lens::new(&Projection::Flat, Rotation::default(), 2.0);
        assert_eq!(flat.locate(direction(180.0, 0.0), 1.0), [], "nothing behind");
        let edge = angles(flat.ray(1.0, 0.5).expect("it looks somewhere")).0;
        assert!((edge - FLAT_DEGREES / 2.0).abs() < 0.01);
    }

    #[test]
    fn what_is_turned_is_rolled_then_raised_then_turned_around() {
        let [ahead, up] = [direction(0.0, 0.0), direction(0.0, 90.0)];
        let turn = Turn::new(turned(30.0, 20.0, 0.0));
        assert!(close(turn.outward(ahead), direction(30.0, 20.0)));
        assert!(close(turn.inward(direction(30.0, 20.0)), ahead));
        let rolled = Turn::new(turned(0.0, 0.0, 90.0)).outward(up);
        assert!(close(rolled, direction(90.0, 0.0)), "clockwise: what was up is on the right");
        assert!(close(Turn::new(turned(90.0, 0.0, 90.0)).outward(up), direction(180.0, 0.0)));
    }
}
