//! The faces of a cube in one picture, as its layout shares it among them.

use std::f32::consts::{FRAC_2_PI, FRAC_PI_4};

use protocol::{CubeCell, CubeFace, CubeLayout, Real, Rotation};

use super::lens::{Direction, Spot, Turn, normalised};

/// What lies further off a face's axis, as the cosine of the angle, is not near it either.
const NEAR_FACE: f32 = 0.3;

#[derive(Clone, Debug)]
pub(super) struct Cube {
    /// A quarter of each face's 90° takes as much of the picture as any other.
    even_angles: bool,
    columns: usize,
    rows: usize,
    padding: [f32; 2],
    /// Of a face, as shares of the picture.
    span: [f32; 2],
    cells: Vec<Cell>,
}

#[derive(Clone, Debug)]
struct Cell {
    rotation: Turn,
    /// Its upper left one.
    corner: [f32; 2],
}

impl Cube {
    pub(super) fn new(layout: &CubeLayout, even_angles: bool) -> Self {
        let (columns, rows) = (layout.columns() as usize, layout.rows() as usize);
        let padding = layout.padding().map(|share| share as f32);
        let [across, down] = padding;
        let span = [(1.0 - 2.0 * across) / columns as f32, 1.0 / rows as f32 - 2.0 * down];
        let cells = layout.cells().iter().enumerate().map(|(index, cell)| {
            let (column, row) = (index % columns, index / columns);
            let corner = [across + span[0] * column as f32, row as f32 / rows as f32 + down];
            Cell { rotation: Turn::new(rotation(*cell)), corner }
        });
        Self { even_angles, columns, rows, padding, span, cells: cells.collect() }
    }

    /// Where a point of the picture looks, from the camera. Padding goes on a little beyond the face.
    pub(super) fn ray(&self, x: f32, y: f32) -> Direction {
        let column = ((x - self.padding[0]) / self.span[0]).max(0.0) as usize;
        let row = (y * self.rows as f32).max(0.0) as usize;
        let cell = &self.cells[row.min(self.rows - 1) * self.columns + column.min(self.columns - 1)];
        let [right, down] = [0, 1].map(|axis| {
            let along = ([x, y][axis] - cell.corner[axis]) / self.span[axis] * 2.0 - 1.0;
            if self.even_angles { (along * FRAC_PI_4).tan() } else { along }
        });
        cell.rotation.outward(normalised([right, -down, -1.0]))
    }

    /// Where it sees something that looks so large from its middle: on one face, or on up to three where these meet.
    pub(super) fn locate(&self, direction: Direction, degrees: f32) -> Vec<Spot> {
        let spot = |cell: &Cell| {
            let [x, y, z] = cell.rotation.inward(direction);
            let plane = [x / -z, -y / -z];
            let far = 1.0 + plane[0] * plane[0] + plane[1] * plane[1];
            let [(x, radius_x), (y, radius_y)] = [0, 1].map(|axis| {
                let tangent = plane[axis];
                let square = 1.0 + tangent * tangent;
                // How fast the tangent grows in a direction that changes as fast as it can there.
                let plain = (tangent, degrees.to_radians() * (square * far).sqrt());
                let even = (tangent.atan() / FRAC_PI_4, plain.1 * 2.0 * FRAC_2_PI / square);
                let (along, reach) = if self.even_angles { even } else { plain };
                let half = self.span[axis] / 2.0;
                (cell.corner[axis] + (1.0 + along) * half, reach * half)
            });
            let within = [0, 1].map(|axis| [cell.corner[axis], cell.corner[axis] + self.span[axis]]);
            let spot = Spot { x, y, radius_x, radius_y, within };
            (z < -NEAR_FACE && spot.is_to_be_seen()).then_some(spot)
        };
        self.cells.iter().filter_map(spot).collect()
    }
}

/// How somebody would have to look who is to see the cell as it lies in the picture.
fn rotation(CubeCell { face, turn }: CubeCell) -> Rotation {
    let (yaw, pitch) = match face {
        CubeFace::Front => (0.0, 0.0),
        CubeFace::Right => (90.0, 0.0),
        CubeFace::Back => (180.0, 0.0),
        CubeFace::Left => (-90.0, 0.0),
        CubeFace::Up => (0.0, 90.0),
        CubeFace::Down => (0.0, -90.0),
    };
    // What is turned clockwise looks so to who leans to the left.
    let roll = -f64::from(turn.degrees());
    let [yaw, pitch, roll] = [yaw, pitch, roll].map(|angle| Real::try_from(angle).expect("a number"));
    Rotation { yaw, pitch, roll }
}

#[cfg(test)]
mod tests {
    use super::{
        super::lens::{direction, dot},
        *,
    };

    fn cube(even_angles: bool, columns: u32, padding: Option<[f64; 2]>, cells: [(CubeFace, u32); 6]) -> Cube {
        let cells = cells.map(|(face, turn)| CubeCell { face, turn: turn.try_into().expect("a turn") });
        let padding = padding.map(|shares| shares.map(|share| share.try_into().expect("a number")));
        Cube::new(&CubeLayout::new(columns, padding, cells).expect("a layout"), even_angles)
    }

    fn plain(columns: u32) -> Cube {
        use CubeFace::*;
        cube(false, columns, None, [Right, Left, Up, Down, Front, Back].map(|face| (face, 0)))
    }

    fn equiangular(padding: Option<[f64; 2]>) -> Cube {
        use CubeFace::*;
        cube(true, 3, padding, [(Left, 0), (Front, 0), (Right, 0), (Down, 270), (Back, 90), (Up, 270)])
    }

    fn close(a: Direction, b: Direction) -> bool {
        dot(a, b) > 0.99999
    }

    #[test]
    fn what_a_pixel_sees_is_seen_by_that_pixel() {
        for cube in [plain(1), plain(2), plain(3), plain(6), equiangular(None), equiangular(Some([0.002, 0.004]))] {
            for step in 0..2500 {
                let (x, y) = ((step % 50) as f32 / 50.0 + 0.013, (step / 50) as f32 / 50.0 + 0.013);
                let ray = cube.ray(x, y);
                assert!((dot(ray, ray) - 1.0).abs() < 1e-5, "{cube:?} {ray:?}");
                let spots = cube.locate(ray, 1.0);
                let near = |spot: &Spot| (spot.x - x).abs() < 1e-3 && (spot.y - y).abs() < 1e-3;
                assert!(spots.iter().any(near), "{cube:?} {x} {y} {spots:?}");
            }
        }
    }

    #[test]
    fn each_face_lies_in_its_cell_upright_unless_it_is_turned() {
        let plain = plain(3);
        assert!(close(plain.ray(0.5, 0.75), direction(0.0, 0.0)), "the front is below in the middle");
        assert!(close(plain.ray(1.0 / 6.0, 0.25), direction(90.0, 0.0)), "the right above on the left");
        assert!(close(plain.ray(0.5, 0.5), direction(0.0, 45.0)), "the front ends half way up");
        assert!(close(plain.ray(1.0 / 6.0, 0.125), direction(90.0, 26.565)), "straight lines stay straight");
        assert!(close(plain.ray(5.0 / 6.0, 0.4), direction(0.0, 90.0 - 30.964)), "who looks up has the front below");
        assert!(close(plain.ray(1.0 / 6.0, 0.6), direction(0.0, 30.964 - 90.0)), "who looks down has it above");
        let even = equiangular(None);
        assert!(close(even.ray(0.5, 0.125), direction(0.0, 22.5)), "a quarter of the face is a quarter of its angle");
        assert!(close(even.ray(5.0 / 6.0, 0.75), direction(0.0, 90.0)));
        assert!(close(even.ray(5.5 / 6.0, 0.75), direction(0.0, 67.5)), "what is up has the front on the right");
        assert!(close(even.ray(0.5 / 6.0, 0.75), direction(0.0, -67.5)), "what is down has it on the left");
        assert!(close(even.ray(3.5 / 6.0, 0.75), direction(180.0, 22.5)), "the back has up on the right");
    }

    #[test]
    fn rows_go_on_from_face_to_face_and_padding_beyond_them() {
        for cube in [equiangular(None), equiangular(Some([0.002, 0.004]))] {
            for (x, y) in [(1.0, 0.1), (2.0, 0.4), (1.0, 0.6), (2.0, 0.9)] {
                let border = cube.padding[0] + cube.span[0] * x;
                let [before, after] = [border - 1e-5, border + 1e-5].map(|x| cube.ray(x, y));
                assert!(close(before, after), "{x} {y}: {before:?} {after:?}");
            }
        }
        let padded = equiangular(Some([0.002, 0.004]));
        let [edge, beyond] = [0.004, 0.0].map(|y| padded.ray(0.5, y));
        assert!(close(edge, direction(0.0, 45.0)) && beyond[1] > edge[1] + 1e-3, "{edge:?} {beyond:?}");
    }

    #[test]
    fn what_lies_where_faces_meet_is_on_each_of_them_and_on_nothing_else() {
        let cube = plain(3);
        assert_eq!(cube.locate(direction(3.0, 0.0), 3.0).len(), 1);
        assert_eq!(cube.locate(direction(45.0, 0.0), 3.0).len(), 2);
        assert_eq!(cube.locate(direction(45.0, 35.264), 3.0).len(), 3);
        for spot in cube.locate(direction(45.0, 0.0), 3.0) {
            let [[left, right], _] = spot.within;
            assert!((right - left - 1.0 / 3.0).abs() < 1e-6, "{spot:?}");
        }
    }
}
