//! How a camera sees: what its viewers need to know to look around in its pictures.
//!
//! Directions are those of the robot: x to the right, y up, and ahead is −z. In pictures, x runs to the right and y down.
//! What is measured in a picture is given as a share of its width or height, so that it holds at every quality.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::CubeLayout;

/// A number that is one: neither infinite nor undefined.
#[derive(Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f64")]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "number"))]
pub struct Real(f64);

/// A number was expected, and this is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a finite number is needed")]
pub struct NotReal;

impl Real {
    pub fn get(self) -> f64 {
        self.0
    }
}

// What is not equal to itself does not get in.
impl Eq for Real {}

impl TryFrom<f64> for Real {
    type Error = NotReal;

    fn try_from(number: f64) -> Result<Self, NotReal> {
        if number.is_finite() { Ok(Self(number)) } else { Err(NotReal) }
    }
}

impl fmt::Debug for Real {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for Real {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// How directions in space lie in the picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub enum Projection {
    /// An ordinary camera.
    #[default]
    Flat,
    /// Longitude runs evenly from left to right, latitude from top to bottom, and ahead is in the middle.
    Equirectangular {
        /// How many degrees the picture covers from side to side and from top to bottom; without it, 360 and 180.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        coverage: Option<[Real; 2]>,
    },
    /// One lens, whose picture is a circle.
    Fisheye { lens: Box<Lens> },
    /// Two lenses in one picture.
    DualFisheye {
        lenses: Box<[Lens; 2]>,
        /// Over how many degrees one lens's picture becomes the other's, where both see.
        blend: Real,
    },
    /// The faces of a cube, each as a camera sees it for which straight lines stay straight.
    CubeMap { layout: CubeLayout },
    /// The same, but each face's angles run evenly from its middle to its sides.
    Equiangular { layout: CubeLayout },
}

/// A lens, where its picture lies, and how it bends what it sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Lens {
    /// Where it looks, from the camera.
    pub rotation: Rotation,
    /// Where it sees what lies on its axis.
    pub center: [Real; 2],
    /// How far from there it would see what lies one radian off its axis, if it bent nothing.
    pub focal: [Real; 2],
    pub bend: Bend,
    /// How many degrees it sees, from edge to edge.
    pub fov: Real,
    /// By how much its picture is to be made brighter, as a factor.
    pub gain: Real,
}

/// How the distance from the picture's centre grows with the angle off the axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum Bend {
    /// θ + k₁θ³ + k₂θ⁵ + k₃θ⁷ + k₄θ⁹, as OpenCV's `fisheye` calibrates; with nothing but zeros, equidistant.
    KannalaBrandt { k: [Real; 4] },
    /// Onto a sphere, from there through a point ξ off its centre, then radial (k₁, k₂) and tangential (p₁, p₂) distortion.
    Mei { xi: Real, k: [Real; 2], p: [Real; 2] },
}

/// How something is turned, in degrees: rolled first, then raised, then turned around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Rotation {
    /// To the right.
    pub yaw: Real,
    /// Upward.
    pub pitch: Real,
    /// Clockwise, as seen from behind.
    pub roll: Real,
}

impl Rotation {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
