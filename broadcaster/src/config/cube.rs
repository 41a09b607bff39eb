//! `columns`, `faces`, `turns` and `padding`: how a picture is shared among the faces of a cube.

use protocol::{CubeCell, CubeFace, CubeLayout, InvalidLayout, Projection, Turn};

use super::{ConfigError, lens::real};

/// A row may lose so many pixels at each side. What programs leave there is a few.
const MAX_PADDING: f64 = 16.0;

/// Sides are even, so that no faces may be exactly square.
const NEAR: u32 = 2;

/// The keys of a section that say where the faces are.
pub(super) struct Faces {
    pub(super) columns: Option<u32>,
    pub(super) faces: Option<Vec<String>>,
    pub(super) turns: Option<Vec<u32>>,
    pub(super) padding: Option<f64>,
}

/// Faces as they usually come, in three columns.
pub(super) struct Usual {
    faces: [CubeFace; 6],
    turns: [Turn; 6],
}

/// As ffmpeg's `c3x2`; with one row or column, as its `c6x1` and `c1x6`.
pub(super) const PLAIN: Usual = Usual {
    faces: [CubeFace::Right, CubeFace::Left, CubeFace::Up, CubeFace::Down, CubeFace::Front, CubeFace::Back],
    turns: [Turn::None; 6],
};

/// As ffmpeg's `eac`, and YouTube's: the lower row goes on from face to face as the upper one does.
pub(super) const EQUIANGULAR: Usual = Usual {
    faces: [CubeFace::Left, CubeFace::Front, CubeFace::Right, CubeFace::Down, CubeFace::Back, CubeFace::Up],
    turns: [Turn::None, Turn::None, Turn::None, Turn::ThreeQuarters, Turn::Quarter, Turn::ThreeQuarters],
};

impl Faces {
    /// `refuse` is told the key, its value and the rule that this breaks.
    pub(super) fn layout(
        self,
        usual: &Usual,
        [width, height]: [u32; 2],
        refuse: impl Fn(&'static str, String, &'static str) -> ConfigError,
    ) -> Result<CubeLayout, ConfigError> {
        // Who says which faces are where says as well how they are turned.
        let usual_turns = if self.faces.is_some() { [Turn::None; 6] } else { usual.turns };
        let six_faces = "each of \"front\", \"right\", \"back\", \"left\", \"up\" and \"down\" once, row by row from the \
                         upper left one";
        let faces = self.faces.map(|names| {
            let face = |name: &String| CubeFace::ALL.into_iter().find(|face| face.name() == name);
            let faces: Option<Vec<_>> = names.iter().map(face).collect();
            faces.and_then(|faces| faces.try_into().ok()).ok_or_else(|| refuse("faces", names.join(", "), six_faces))
        });
        let faces: [CubeFace; 6] = faces.transpose()?.unwrap_or(usual.faces);
        let turns = self.turns.map(|degrees| {
            let turns: Option<Vec<_>> = degrees.iter().map(|degrees| Turn::try_from(*degrees).ok()).collect();
            let rule = "six of 0, 90, 180 and 270, by which the faces are turned clockwise, in the order of faces";
            turns.and_then(|turns| turns.try_into().ok()).ok_or_else(|| refuse("turns", format!("{degrees:?}"), rule))
        });
        let turns: [Turn; 6] = turns.transpose()?.unwrap_or(usual_turns);
        let padding = self.padding.map(|pixels| {
            let rule = "from 0 to 16 pixels, and at most a tenth of the picture's width and height";
            let share =
                |side: u32| real(pixels, 0.0..=MAX_PADDING).and_then(|_| real(pixels / f64::from(side), 0.0..=0.1));
            let shares = share(width).zip(share(height)).map(|(across, down)| [across, down]);
            shares.ok_or_else(|| refuse("padding", pixels.to_string(), rule))
        });
        let cells = std::array::from_fn(|cell| CubeCell { face: faces[cell], turn: turns[cell] });
        let columns = self.columns.unwrap_or(3);
        CubeLayout::new(columns, padding.transpose()?, cells).map_err(|invalid| match invalid {
            InvalidLayout::Columns(_) => refuse("columns", columns.to_string(), "1, 2, 3 or 6, which six faces fill"),
            InvalidLayout::Faces => refuse("faces", faces.map(CubeFace::name).join(", "), six_faces),
            InvalidLayout::Padding => unreachable!("it is at most a tenth"),
        })
    }
}

/// Faces are square where nobody has stretched the picture. It shows each thing in its direction all the same.
pub(super) fn doubt(projection: &Projection, [width, height]: [u32; 2]) -> Option<String> {
    let (layout, name) = match projection {
        Projection::CubeMap { layout } => (layout, "cube-map"),
        Projection::Equiangular { layout } => (layout, "equiangular"),
        Projection::Flat
        | Projection::Equirectangular { .. }
        | Projection::Fisheye { .. }
        | Projection::DualFisheye { .. } => return None,
    };
    let (columns, rows) = (layout.columns(), layout.rows());
    let fitting = u64::from(width) * u64::from(rows) / u64::from(columns);
    // YouTube stretches its own to the shape of a screen.
    let is_screen = name == "equiangular" && columns == 3 && width * 9 == height * 16;
    let is_square = fitting.abs_diff(u64::from(height)) <= u64::from(NEAR);
    (!is_square && !is_screen).then(|| {
        format!(
            "width is {width} and height is {height}, but {columns}×{rows} square faces of projection {name:?} would be \
             {width}×{fitting}: look whether the picture is one, and came stretched, or has other columns"
        )
    })
}
