//! Pictures that hold the six faces of a cube around the camera.

use serde::{Deserialize, Serialize};

use crate::Real;

/// What a picture may lose at each side of a row of faces; more would be no padding.
const MAX_PADDING: f64 = 0.1;

/// How a picture is shared among the faces of a cube: in cells as large as one another, row by row from the upper left one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct CubeLayout {
    columns: u32,
    /// What each row is kept from the picture's sides, and from what is above and below it, as shares of the picture's width
    /// and height; without it, nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    padding: Option<[Real; 2]>,
    cells: [CubeCell; 6],
}

/// A face, and how it lies in its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CubeCell {
    pub face: CubeFace,
    pub turn: Turn,
}

/// Where a face lies. Upright, it is seen as by who looks ahead, and then turns around or raises the eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum CubeFace {
    Front,
    Right,
    Back,
    Left,
    Up,
    Down,
}

/// How a picture is turned, clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "0 | 90 | 180 | 270"))]
pub enum Turn {
    #[default]
    None,
    Quarter,
    Half,
    ThreeQuarters,
}

/// No picture is shared like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLayout {
    #[error("six faces do not fill {0} columns: 1, 2, 3 or 6 are needed")]
    Columns(u32),
    #[error("each of the six faces is needed once")]
    Faces,
    #[error("padding is needed to be from 0 to {MAX_PADDING} of the picture")]
    Padding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} degrees are no quarter turns: 0, 90, 180 or 270 are")]
pub struct InvalidTurn(u32);

#[derive(Deserialize)]
struct Unchecked {
    columns: u32,
    #[serde(default)]
    padding: Option<[Real; 2]>,
    cells: [CubeCell; 6],
}

impl CubeLayout {
    pub fn new(columns: u32, padding: Option<[Real; 2]>, cells: [CubeCell; 6]) -> Result<Self, InvalidLayout> {
        if ![1, 2, 3, 6].contains(&columns) {
            return Err(InvalidLayout::Columns(columns));
        }
        if !CubeFace::ALL.iter().all(|face| cells.iter().any(|cell| cell.face == *face)) {
            return Err(InvalidLayout::Faces);
        }
        if padding.iter().flatten().any(|share| !(0.0..=MAX_PADDING).contains(&share.get())) {
            return Err(InvalidLayout::Padding);
        }
        Ok(Self { columns, padding, cells })
    }

    pub fn columns(&self) -> u32 {
        self.columns
    }

    pub fn rows(&self) -> u32 {
        6 / self.columns
    }

    /// Of the picture's width and height.
    pub fn padding(&self) -> [f64; 2] {
        self.padding.unwrap_or_default().map(Real::get)
    }

    pub fn cells(&self) -> &[CubeCell; 6] {
        &self.cells
    }
}

impl TryFrom<Unchecked> for CubeLayout {
    type Error = InvalidLayout;

    fn try_from(Unchecked { columns, padding, cells }: Unchecked) -> Result<Self, InvalidLayout> {
        Self::new(columns, padding, cells)
    }
}

impl CubeFace {
    pub const ALL: [Self; 6] = [Self::Front, Self::Right, Self::Back, Self::Left, Self::Up, Self::Down];

    pub fn name(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Right => "right",
            Self::Back => "back",
            Self::Left => "left",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl Turn {
    pub fn degrees(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Quarter => 90,
            Self::Half => 180,
            Self::ThreeQuarters => 270,
        }
    }
}

impl TryFrom<u32> for Turn {
    type Error = InvalidTurn;

    fn try_from(degrees: u32) -> Result<Self, InvalidTurn> {
        match degrees {
            0 => Ok(Self::None),
            90 => Ok(Self::Quarter),
            180 => Ok(Self::Half),
            270 => Ok(Self::ThreeQuarters),
            _ => Err(InvalidTurn(degrees)),
        }
    }
}

impl From<Turn> for u32 {
    fn from(turn: Turn) -> Self {
        turn.degrees()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_layout_that_can_be_is_one() {
        let read = |columns: u32, last: &str, turn: u32, more: &str| {
            let cells = ["front", "right", "back", "left", "up"].map(|face| format!(r#"{{"face":"{face}","turn":0}}"#));
            let cells = format!(r#"{},{{"face":"{last}","turn":{turn}}}"#, cells.join(","));
            serde_json::from_str::<CubeLayout>(&format!(r#"{{"columns":{columns}{more},"cells":[{cells}]}}"#))
        };
        let why = |layout: Result<CubeLayout, serde_json::Error>| layout.expect_err("none").to_string();
        let right = read(2, "down", 270, r#","padding":[0.0,0.01]"#).expect("a layout");
        assert_eq!((right.rows(), right.padding(), right.cells()[5].turn), (3, [0.0, 0.01], Turn::ThreeQuarters));
        assert_eq!(read(3, "down", 0, "").expect("a layout").padding(), [0.0, 0.0]);
        assert!(why(read(4, "down", 0, "")).contains("4 columns"));
        assert!(why(read(0, "down", 0, "")).contains("0 columns"));
        assert!(why(read(3, "up", 0, "")).contains("once"));
        assert!(why(read(3, "top", 0, "")).contains("top"));
        assert!(why(read(3, "down", 45, "")).contains("45 degrees"));
        assert!(why(read(3, "down", 0, r#","padding":[0.5,0.0]"#)).contains("padding"));
        assert!(why(read(3, "down", 0, r#","padding":[-0.1,0.0]"#)).contains("padding"));
    }
}
