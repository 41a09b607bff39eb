//! The picture of one fisheye lens, a circle, as its calibration describes it.

use protocol::Bend;

use super::lens::{Direction, Spot, Turn, WHOLE};

/// Enough for eight digits, from a start that is half right.
const STEPS: usize = 8;

/// Steps for distortion that is small beside the distance from the centre.
const MEI_STEPS: usize = 12;

#[derive(Clone, Debug)]
pub(super) struct Circle {
    rotation: Turn,
    center: [f32; 2],
    focal: [f32; 2],
    bend: Model,
    /// Radians off the axis.
    edge: f32,
}

#[derive(Clone, Copy, Debug)]
enum Model {
    KannalaBrandt { k: [f32; 4] },
    Mei { xi: f32, k: [f32; 2], p: [f32; 2] },
}

impl Circle {
    pub(super) fn new(lens: &protocol::Lens) -> Self {
        let bend = match &lens.bend {
            Bend::KannalaBrandt { k } => Model::KannalaBrandt { k: k.map(|k| k.get() as f32) },
            Bend::Mei { xi, k, p } => {
                Model::Mei { xi: xi.get() as f32, k: k.map(|k| k.get() as f32), p: p.map(|p| p.get() as f32) }
            }
        };
        Self {
            rotation: Turn::new(lens.rotation),
            center: lens.center.map(|share| share.get() as f32),
            focal: lens.focal.map(|share| share.get() as f32),
            bend,
            edge: (lens.fov.get() as f32 / 2.0).to_radians(),
        }
    }

    /// Where a point of the picture looks, from the camera; nothing outside of the circle.
    pub(super) fn ray(&self, x: f32, y: f32) -> Option<Direction> {
        let bent = [(x - self.center[0]) / self.focal[0], (y - self.center[1]) / self.focal[1]];
        let seen = self.bend.unbend(bent)?;
        // To the front is −z; rounding must not undo what the edge itself sees.
        (seen[2] <= -self.edge.cos() + 1e-6).then(|| self.rotation.outward(seen))
    }

    /// Where it sees something that looks so large from its middle, if it does.
    pub(super) fn locate(&self, direction: Direction, degrees: f32) -> Option<Spot> {
        let seen = self.rotation.inward(direction);
        if seen[2] > -self.edge.cos() + 1e-6 {
            return None;
        }
        let [x, y] = self.bend.bend(seen);
        let radius = degrees.to_radians();
        Some(Spot {
            x: self.center[0] + self.focal[0] * x,
            y: self.center[1] + self.focal[1] * y,
            radius_x: radius * self.focal[0],
            radius_y: radius * self.focal[1],
            within: WHOLE,
        })
    }
}

impl Model {
    /// Where a direction comes to lie, with focal length 1: to the right and down.
    fn bend(self, [x, y, z]: Direction) -> [f32; 2] {
        match self {
            Self::KannalaBrandt { k } => {
                let off_axis = x.hypot(y);
                let theta = off_axis.atan2(-z);
                // Near the axis the angle is its own sine.
                let scale = if off_axis > 1e-6 { distance(k, theta) / off_axis } else { 1.0 };
                [x * scale, -y * scale]
            }
            Self::Mei { xi, k, p } => distort(k, p, [x / (xi - z), -y / (xi - z)]),
        }
    }

    /// The direction that comes to lie there, if there is one.
    fn unbend(self, [x, y]: [f32; 2]) -> Option<Direction> {
        match self {
            Self::KannalaBrandt { k } => {
                let radius = x.hypot(y);
                let mut theta = radius;
                for _ in 0..STEPS {
                    theta -= (distance(k, theta) - radius) / growth(k, theta);
                }
                if !(0.0..=std::f32::consts::PI).contains(&theta) || (distance(k, theta) - radius).abs() > 1e-3 {
                    return None;
                }
                let scale = if radius > 1e-6 { theta.sin() / radius } else { 1.0 };
                Some([x * scale, -y * scale, -theta.cos()])
            }
            Self::Mei { xi, k, p } => {
                let mut plain = [x, y];
                for _ in 0..MEI_STEPS {
                    let off = distort(k, p, plain);
                    plain = [plain[0] + x - off[0], plain[1] + y - off[1]];
                }
                let [x, y] = plain;
                let square = x * x + y * y;
                let root = 1.0 + (1.0 - xi * xi) * square;
                if root < 0.0 {
                    return None;
                }
                let scale = (xi + root.sqrt()) / (1.0 + square);
                Some([x * scale, -y * scale, xi - scale])
            }
        }
    }
}

fn distance([k1, k2, k3, k4]: [f32; 4], theta: f32) -> f32 {
    let square = theta * theta;
    theta * (1.0 + square * (k1 + square * (k2 + square * (k3 + square * k4))))
}

fn growth([k1, k2, k3, k4]: [f32; 4], theta: f32) -> f32 {
    let square = theta * theta;
    1.0 + square * (3.0 * k1 + square * (5.0 * k2 + square * (7.0 * k3 + square * 9.0 * k4)))
}

fn distort([k1, k2]: [f32; 2], [p1, p2]: [f32; 2], [x, y]: [f32; 2]) -> [f32; 2] {
    let square = x * x + y * y;
    let radial = 1.0 + square * (k1 + square * k2);
    [
        x * radial + 2.0 * p1 * x * y + p2 * (square + 2.0 * x * x),
        y * radial + p1 * (square + 2.0 * y * y) + 2.0 * p2 * x * y,
    ]
}

#[cfg(test)]
mod tests {
    use protocol::{Lens, Real, Rotation};

    use super::{
        super::lens::{direction, dot},
        *,
    };

    fn real(value: f64) -> Real {
        value.try_into().expect("a number")
    }

    fn circle(bend: Bend, yaw: f64) -> Circle {
        Circle::new(&Lens {
            rotation: Rotation { yaw: real(yaw), pitch: real(3.0), roll: real(-12.0) },
            center: [0.24, 0.51].map(real),
            focal: [0.15, 0.3].map(real),
            bend,
            fov: real(200.0),
            gain: real(1.0),
        })
    }

    fn models() -> [Bend; 3] {
        [
            Bend::KannalaBrandt { k: [0.0; 4].map(real) },
            Bend::KannalaBrandt { k: [-0.03, 0.01, -0.004, 0.0005].map(real) },
            Bend::Mei { xi: real(1.3), k: [-0.05, 0.01].map(real), p: [0.001, -0.0005].map(real) },
        ]
    }

    #[test]
    fn what_a_pixel_sees_is_seen_by_that_pixel() {
        for bend in models() {
            let circle = circle(bend, 170.0);
            let mut seen = 0;
            for step in 0..2500 {
                let (x, y) = ((step % 50) as f32 / 50.0, (step / 50) as f32 / 50.0);
                let Some(ray) = circle.ray(x, y) else { continue };
                assert!((dot(ray, ray) - 1.0).abs() < 1e-3, "{circle:?} {ray:?}");
                let spot = circle.locate(ray, 1.0).expect("it sees it");
                assert!((spot.x - x).abs() < 1e-3 && (spot.y - y).abs() < 1e-3, "{circle:?} {x} {y} {spot:?}");
                seen += 1;
            }
            assert!(seen > 200, "most of the circle looks somewhere: {seen}");
        }
    }

    #[test]
    fn an_even_lens_sees_each_angle_equally_far() {
        let [even, ..] = models();
        let circle = Circle { rotation: Turn::new(Rotation::default()), ..circle(even, 0.0) };
        let spot = circle.locate(direction(90.0, 0.0), 1.0).expect("it sees to the side");
        assert!((spot.x - (0.24 + 0.15 * std::f32::consts::FRAC_PI_2)).abs() < 1e-5 && (spot.y - 0.51).abs() < 1e-5);
        assert!(circle.locate(direction(0.0, 60.0), 1.0).expect("it sees up").y < 0.51, "up is up");
        assert_eq!(circle.locate(direction(101.0, 0.0), 1.0), None, "beyond its edge it sees nothing");
        assert_eq!(circle.ray(0.24 + 0.15 * 1.76, 0.51), None);
    }
}
