//! A room with known things in known directions, as a lens sees it.

use std::{f32::consts::PI, time::Duration};

use super::{
    label::Label,
    lens::{Direction, Lens, Spot, angles, direction, dot},
    picture::{Colour, Picture},
};

/// Half of a patch's side, as the tangent of the angle: patches look 24° wide.
const PATCH: f32 = 0.2126;
/// The height of a patch's letters, in the same measure.
const LETTERS: f32 = 0.09;
/// Letters stand above the patch's centre, which stays clear for probes.
const LETTERS_UP: f32 = 0.11;

const GRATICULE_DEGREES: f32 = 15.0;
/// How near a line of the graticule a pixel must lie, in degrees.
const LINE: f32 = 0.2;

const MARKER_PITCH: f32 = -30.0;
const MARKER_RADIUS: f32 = 3.0;
/// Once around in ten seconds, and in front whenever the seconds of Unix time end in 5.
const MARKER_DEGREES_PER_SECOND: f32 = 36.0;

/// Where each patch is: yaw grows to the right, pitch upward, both in degrees.
const PATCHES: [(&str, f32, f32, [u8; 3]); 6] = [
    ("FRONT", 0.0, 0.0, [214, 48, 49]),
    ("RIGHT", 90.0, 0.0, [39, 174, 96]),
    ("BACK", 180.0, 0.0, [52, 101, 220]),
    ("LEFT", -90.0, 0.0, [241, 196, 15]),
    ("UP", 0.0, 90.0, [26, 188, 200]),
    ("DOWN", 0.0, -90.0, [190, 60, 200]),
];

pub(super) struct Room {
    lens: Lens,
    width: usize,
    height: usize,
}

/// A coloured square that touches the sphere of directions at its centre.
struct Patch {
    centre: Direction,
    right: Direction,
    up: Direction,
    colour: Colour,
    label: Label,
}

impl Room {
    pub(super) fn new(lens: Lens, width: usize, height: usize) -> Self {
        Self { lens, width, height }
    }

    pub(super) fn draw_base(&self) -> Picture {
        let patches: Vec<Patch> =
            PATCHES.iter().map(|(name, yaw, pitch, rgb)| Patch::new(name, *yaw, *pitch, *rgb)).collect();
        let mut picture = Picture::new(self.width, self.height);
        for y in 0..self.height {
            for x in 0..self.width {
                let at = ((x as f32 + 0.5) / self.width as f32, (y as f32 + 0.5) / self.height as f32);
                let colour = self.lens.ray(at.0, at.1).map_or(Colour::BLACK, |ray| {
                    patches.iter().find_map(|patch| patch.colour(ray)).unwrap_or_else(|| wall(ray))
                });
                picture.set(x, y, colour);
            }
        }
        picture
    }

    pub(super) fn draw_marker(&self, picture: &mut Picture, unix: Duration) {
        let yaw = (unix.as_millis() % 10_000) as f32 / 1000.0 * MARKER_DEGREES_PER_SECOND - 180.0;
        for spot in self.lens.locate(direction(yaw, MARKER_PITCH), MARKER_RADIUS) {
            self.draw_spot(picture, spot);
        }
    }

    fn draw_spot(&self, picture: &mut Picture, Spot { x, y, radius_x, radius_y, within }: Spot) {
        let (width, height) = (self.width as f32, self.height as f32);
        let (radius_x, radius_y) = (radius_x * width, radius_y * height);
        let (centre_x, centre_y) = ((x * width).floor() as isize, (y * height).floor() as isize);
        let (reach_x, reach_y) = (radius_x.ceil() as isize, radius_y.ceil() as isize);
        let [[left, right], [top, bottom]] = within;
        let [left, right] = [left, right].map(|share| (share * width).round() as isize);
        let [top, bottom] = [top, bottom].map(|share| (share * height).round() as isize);
        // However large a lens makes it: no further than it may be drawn.
        let across = if self.lens.closes() {
            let most = reach_x.min((right - 1) / 2);
            centre_x - most..=centre_x + most
        } else {
            centre_x.saturating_sub(reach_x).max(left)..=centre_x.saturating_add(reach_x).min(right - 1)
        };
        for row in centre_y.saturating_sub(reach_y).max(top)..=centre_y.saturating_add(reach_y).min(bottom - 1) {
            for column in across.clone() {
                let (dx, dy) = ((column - centre_x) as f32, (row - centre_y) as f32);
                let colour = match (dx / radius_x).hypot(dy / radius_y) {
                    0.0..0.7 => Colour::WHITE,
                    0.7..1.0 => Colour::BLACK,
                    _ => continue,
                };
                // Beyond an edge where the picture closes is at the other.
                if let (Ok(x), Ok(y)) = (usize::try_from(column.rem_euclid(self.width as isize)), usize::try_from(row))
                {
                    picture.set(x, y, colour);
                }
            }
        }
    }
}

impl Patch {
    fn new(name: &str, yaw: f32, pitch: f32, [r, g, b]: [u8; 3]) -> Self {
        let (yaw_sin, yaw_cos) = yaw.to_radians().sin_cos();
        let (pitch_sin, pitch_cos) = pitch.to_radians().sin_cos();
        Self {
            centre: direction(yaw, pitch),
            right: [yaw_cos, 0.0, yaw_sin],
            up: [-pitch_sin * yaw_sin, pitch_cos, pitch_sin * yaw_cos],
            colour: Colour::rgb(r, g, b),
            label: Label::new(name),
        }
    }

    fn colour(&self, direction: Direction) -> Option<Colour> {
        let depth = dot(direction, self.centre);
        if depth <= 0.0 {
            return None;
        }
        let (x, y) = (dot(direction, self.right) / depth, dot(direction, self.up) / depth);
        if x.abs() > PATCH || y.abs() > PATCH {
            return None;
        }
        let ink = self.label.ink(x / LETTERS, (LETTERS_UP - y) / LETTERS);
        Some(if ink { Colour::WHITE } else { self.colour })
    }
}

/// Walls, sky and floor, with the graticule on them.
fn wall(ray: Direction) -> Colour {
    let (yaw, pitch) = angles(ray);
    let off_line = |degrees: f32| {
        let past = degrees.rem_euclid(GRATICULE_DEGREES);
        past.min(GRATICULE_DEGREES - past)
    };
    let across = off_line(yaw) * (pitch / 180.0 * PI).cos();
    if across < LINE || off_line(pitch) < LINE {
        return if pitch.abs() < 2.0 * LINE { Colour::rgb(250, 250, 250) } else { Colour::rgb(150, 160, 175) };
    }
    let height = (pitch + 90.0) / 180.0;
    let shade = |low: f32, high: f32| (low + (high - low) * height) as u8;
    Colour::rgb(shade(34.0, 70.0), shade(38.0, 84.0), shade(46.0, 112.0))
}

#[cfg(test)]
mod tests {
    use protocol::{Projection, Rotation};

    use super::*;

    const WIDTH: usize = 720;
    const HEIGHT: usize = 360;

    fn room(projection: &Projection) -> Room {
        Room::new(Lens::new(projection, Rotation::default(), WIDTH as f32 / HEIGHT as f32), WIDTH, HEIGHT)
    }

    fn at(yaw: f32, pitch: f32) -> (usize, usize) {
        let x = (yaw + 180.0) / 360.0 * WIDTH as f32;
        let y = (90.0 - pitch) / 180.0 * HEIGHT as f32;
        ((x as usize).min(WIDTH - 1), (y as usize).min(HEIGHT - 1))
    }

    #[test]
    fn each_patch_lies_where_it_is_said_to() {
        let picture = room(&Projection::Equirectangular { coverage: None }).draw_base();
        for (name, yaw, pitch, [r, g, b]) in PATCHES {
            let (x, y) = at(yaw, pitch);
            assert_eq!(picture.colour(x, y), Colour::rgb(r, g, b), "{name}");
        }
        let (x, y) = at(7.0, 20.0);
        assert_eq!(picture.colour(x, y), wall(direction(7.0, 20.0)), "between the patches is the room");
    }

    #[test]
    fn an_ordinary_lens_sees_what_is_in_front() {
        let room = room(&Projection::Flat);
        let mut picture = room.draw_base();
        let [front, ..] = PATCHES.map(|(_, _, _, [r, g, b])| Colour::rgb(r, g, b));
        assert_eq!(picture.colour(WIDTH / 2, HEIGHT / 2), front);
        room.draw_marker(&mut picture, Duration::from_secs(1_700_000_005));
        let lowest = (HEIGHT / 2..HEIGHT).find(|y| picture.colour(WIDTH / 2, *y) == Colour::WHITE);
        assert!(lowest.is_some(), "the marker is in front, below the horizon");
    }

    #[test]
    fn the_marker_goes_around_to_the_right_and_over_the_seam() {
        let room = room(&Projection::Equirectangular { coverage: None });
        let base = room.draw_base();
        for (millis, yaw) in [(0, -180.0), (2_500, -90.0), (5_000, 0.0), (7_500, 90.0), (9_999, 179.9)] {
            let mut picture = base.clone();
            room.draw_marker(&mut picture, Duration::from_millis(1_700_000_000_000 + millis));
            let (x, y) = at(yaw, MARKER_PITCH);
            assert_eq!(picture.colour(x, y), Colour::WHITE, "at {millis} ms");
        }
    }
}
