//! `[[cameras]]`: one picture that viewers can choose.

use protocol::{CameraId, CameraInfo, Projection, Video};
use serde::Deserialize;

use super::{
    BITRATES, ConfigError, Rung, rungs,
    source::{Keys, Kind, Source},
};

const MAX_SIDE: u32 = 4096;
/// The largest picture of H.264's level 5.1, the highest that browsers' decoders commonly take: 36,864 macroblocks.
const MAX_PIXELS: u32 = 36_864 * 256;
const MAX_FPS: u32 = 120;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Section")]
pub struct Camera {
    pub id: CameraId,
    pub title: Option<String>,
    pub source: Source,
    /// Of the encoded picture.
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// Bits per second at full size; the config's own rungs have theirs.
    pub bitrate: u32,
    pub projection: Projection,
    pub sound: Sound,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sound {
    #[default]
    None,
    /// A beep with each second of the wall clock.
    Tone,
}

/// What a section's `projection` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Shape {
    Flat,
    Equirectangular,
}

/// The section as it is written: which keys belong to which source, only the whole shows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    id: CameraId,
    title: Option<String>,
    source: Kind,
    device: Option<String>,
    format: Option<String>,
    url: Option<String>,
    path: Option<String>,
    pipeline: Option<String>,
    passthrough: Option<bool>,
    #[serde(default = "Camera::default_width")]
    width: u32,
    #[serde(default = "Camera::default_height")]
    height: u32,
    #[serde(default = "Camera::default_fps")]
    fps: u32,
    #[serde(default = "Camera::default_bitrate")]
    bitrate: u32,
    projection: Option<Shape>,
    #[serde(default)]
    sound: Sound,
}

impl TryFrom<Section> for Camera {
    type Error = ConfigError;

    fn try_from(section: Section) -> Result<Self, ConfigError> {
        let Section { id, title, device, format, url, path, pipeline, passthrough, width, height, .. } = section;
        let source = Keys { device, format, url, path, pipeline, passthrough }.source(&id, section.source)?;
        let projection = match section.projection {
            Some(Shape::Flat) => Projection::Flat,
            Some(Shape::Equirectangular) => Projection::Equirectangular,
            None => source.projection(),
        };
        let (fps, bitrate, sound) = (section.fps, section.bitrate, section.sound);
        Ok(Self { id, title, source, width, height, fps, bitrate, projection, sound })
    }
}

impl Camera {
    /// The drawn room in its usual size.
    pub fn synthetic(id: CameraId) -> Self {
        Self {
            id,
            title: None,
            source: Source::Test,
            width: Self::default_width(),
            height: Self::default_height(),
            fps: Self::default_fps(),
            bitrate: Self::default_bitrate(),
            projection: Projection::Equirectangular,
            sound: Sound::default(),
        }
    }

    /// What viewers need to know of it, when the config has these rungs.
    pub fn info(&self, rungs: &[Rung]) -> CameraInfo {
        let rungs = rungs::of(self, rungs);
        let video = Video { projection: self.projection.clone(), rungs };
        CameraInfo { id: self.id.clone(), title: self.title.clone(), video }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let even_side = |side: u32| (64..=MAX_SIDE).contains(&side) && side.is_multiple_of(2);
        let rules = [
            ("width", self.width, even_side(self.width), "an even number from 64 to 4096"),
            ("height", self.height, even_side(self.height), "an even number from 64 to 4096"),
            ("fps", self.fps, (1..=MAX_FPS).contains(&self.fps), "from 1 to 120"),
            ("bitrate", self.bitrate, BITRATES.contains(&self.bitrate), "from 100000 to 50000000 bits per second"),
        ];
        let pixels = self.width.saturating_mul(self.height);
        let rules = rules.into_iter().chain([(
            "width × height",
            pixels,
            pixels <= MAX_PIXELS,
            "at most 9437184 pixels, as in 4096×2304",
        )]);
        for (key, value, fine, rule) in rules {
            if !fine {
                return Err(ConfigError::Value { camera: self.id.clone(), key, value, rule });
            }
        }
        Ok(())
    }

    fn default_width() -> u32 {
        1920
    }

    fn default_height() -> u32 {
        960
    }

    fn default_fps() -> u32 {
        30
    }

    fn default_bitrate() -> u32 {
        3_000_000
    }
}
