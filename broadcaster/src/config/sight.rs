//! How a camera sees: `projection`, and the keys that belong to one or another.

use protocol::{CameraId, Projection, Real, Rotation};
use serde::Deserialize;

use super::{
    ConfigError,
    cube::{self, Faces},
    lens::{ANGLES, LensSection, Place, Turned, real},
};

/// What a section's `projection` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Shape {
    Flat,
    Equirectangular,
    Fisheye,
    DualFisheye,
    CubeMap,
    Equiangular,
}

/// The keys of a section that say how its camera sees.
pub(super) struct Sight {
    pub(super) shape: Shape,
    pub(super) coverage: Option<[f64; 2]>,
    pub(super) lenses: Vec<LensSection>,
    pub(super) blend: Option<f64>,
    pub(super) faces: Faces,
    pub(super) mount: Option<Turned>,
    pub(super) leans: Option<bool>,
    /// The picture's, in pixels.
    pub(super) size: [u32; 2],
}

impl Shape {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Equirectangular => "equirectangular",
            Self::Fisheye => "fisheye",
            Self::DualFisheye => "dual-fisheye",
            Self::CubeMap => "cube-map",
            Self::Equiangular => "equiangular",
        }
    }
}

impl Sight {
    pub(super) fn read(self, camera: &CameraId) -> Result<(Projection, Rotation), ConfigError> {
        self.only_keys_with_a_meaning(camera)?;
        let refuse = |key, value: String, rule| ConfigError::Text { camera: camera.clone(), key, value, rule };
        let mount = self.mount.unwrap_or_default().rotation(|key, value| {
            let key = match key {
                "yaw" => "mount.yaw",
                "pitch" => "mount.pitch",
                _ => "mount.roll",
            };
            refuse(key, value.to_string(), ANGLES)
        })?;
        let projection = match self.shape {
            Shape::Flat => Projection::Flat,
            Shape::Equirectangular => Projection::Equirectangular { coverage: self.coverage(camera)? },
            Shape::Fisheye => Projection::Fisheye { lens: Box::new(self.lens(camera, 1, 1)?) },
            Shape::DualFisheye => {
                let lenses = Box::new([self.lens(camera, 1, 2)?, self.lens(camera, 2, 2)?]);
                // What both see, if they look in opposite directions.
                let shared = (lenses[0].fov.get() + lenses[1].fov.get() - 360.0).max(0.0) / 2.0;
                let blend = self.blend.unwrap_or(USUAL_BLEND.min(shared));
                let rule = "from 0 to 40 degrees";
                let blend = real(blend, 0.0..=40.0).ok_or_else(|| refuse("blend", blend.to_string(), rule))?;
                Projection::DualFisheye { lenses, blend }
            }
            Shape::CubeMap => Projection::CubeMap { layout: self.faces.layout(&cube::PLAIN, self.size, refuse)? },
            Shape::Equiangular => {
                Projection::Equiangular { layout: self.faces.layout(&cube::EQUIANGULAR, self.size, refuse)? }
            }
        };
        Ok((projection, mount))
    }

    fn only_keys_with_a_meaning(&self, camera: &CameraId) -> Result<(), ConfigError> {
        let fisheye = matches!(self.shape, Shape::Fisheye | Shape::DualFisheye);
        let cube = matches!(self.shape, Shape::CubeMap | Shape::Equiangular);
        let Faces { columns, faces, turns, padding } = &self.faces;
        let keys = [
            ("coverage", self.coverage.is_some(), self.shape == Shape::Equirectangular),
            ("lenses", !self.lenses.is_empty(), fisheye),
            ("blend", self.blend.is_some(), self.shape == Shape::DualFisheye),
            ("columns", columns.is_some(), cube),
            ("faces", faces.is_some(), cube),
            ("turns", turns.is_some(), cube),
            ("padding", padding.is_some(), cube),
            ("mount", self.mount.is_some(), self.shape != Shape::Flat),
            ("leans", self.leans.is_some(), self.shape != Shape::Flat),
        ];
        match keys.into_iter().find(|(_, given, meant)| *given && !meant) {
            Some((key, ..)) => {
                Err(ConfigError::ForeignToShape { camera: camera.clone(), shape: self.shape.name(), key })
            }
            None => Ok(()),
        }
    }

    fn coverage(&self, camera: &CameraId) -> Result<Option<[Real; 2]>, ConfigError> {
        let Some([width, height]) = self.coverage else { return Ok(None) };
        match (real(width, 1.0..=360.0), real(height, 1.0..=180.0)) {
            (Some(width), Some(height)) => Ok(Some([width, height])),
            _ => Err(ConfigError::Text {
                camera: camera.clone(),
                key: "coverage",
                value: format!("[{width}, {height}]"),
                rule: "degrees from side to side, up to 360, and from top to bottom, up to 180",
            }),
        }
    }

    /// The lens with this number, which is one of so many that stand side by side unless the config says otherwise.
    fn lens(&self, camera: &CameraId, number: usize, of: usize) -> Result<protocol::Lens, ConfigError> {
        if !self.lenses.is_empty() && self.lenses.len() != of {
            let rule = if of == 1 { "one section, or none" } else { "two sections, or none" };
            let value = format!("{} sections", self.lenses.len());
            return Err(ConfigError::Text { camera: camera.clone(), key: "lenses", value, rule });
        }
        let [width, height] = self.size.map(f64::from);
        let share = width / of as f64;
        let place = Place {
            camera,
            number,
            size: [width, height],
            center: [share * (number as f64 - 0.5), height / 2.0],
            radius: share.min(height) / 2.0,
            // The second looks the other way.
            yaw: 180.0 * (number as f64 - 1.0),
        };
        self.lenses.get(number - 1).unwrap_or(&LensSection::default()).lens(&place)
    }
}

/// Narrow, since things that are near lie in two places where two lenses see them.
const USUAL_BLEND: f64 = 5.0;
