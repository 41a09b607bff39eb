//! `[[cameras]]`: one picture that viewers can choose.

use protocol::{CameraId, CameraInfo, Projection, Rotation, Turn, Video};
use serde::Deserialize;

use super::{
    BITRATES, ConfigError, Encoder, Rung, Sound,
    cube::{self, Faces},
    lens::{LensSection, Turned},
    rungs,
    sight::{Shape, Sight},
    sound,
    source::{Keys, Kind, Source},
};

/// The largest picture of H.264's level 5.1, the highest that browsers' decoders commonly take: 36,864 macroblocks.
const MAX_PIXELS: u32 = 36_864 * 256;
const MAX_FPS: u32 = 120;
const MAX_CROP: u32 = 8192;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Section")]
pub struct Camera {
    pub id: CameraId,
    pub title: Option<String>,
    pub source: Source,
    /// What is cut off what the source gives, before anything else.
    pub crop: Crop,
    /// How it is turned then.
    pub rotate: Turn,
    /// Of the encoded picture, cut and turned.
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    /// Bits per second at full size; the config's own rungs have theirs.
    pub bitrate: u32,
    /// Makes H.264 of its pictures, unless they come as that.
    pub encoder: Encoder,
    pub projection: Projection,
    pub mount: Rotation,
    /// As the robot does: on a gimbal it does not.
    pub leans: bool,
    pub sound: Sound,
    /// Its best quality is kept on disk.
    pub record: bool,
}

/// Rows and columns to leave out, in pixels of what the source gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Crop {
    pub left: u32,
    pub right: u32,
    pub top: u32,
    pub bottom: u32,
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
    sensor: Option<u32>,
    #[serde(default = "Camera::default_width")]
    width: u32,
    #[serde(default = "Camera::default_height")]
    height: u32,
    #[serde(default = "Camera::default_fps")]
    fps: u32,
    #[serde(default = "Camera::default_bitrate")]
    bitrate: u32,
    #[serde(default)]
    crop: Crop,
    #[serde(default)]
    rotate: u32,
    encoder: Option<String>,
    projection: Option<Shape>,
    coverage: Option<[f64; 2]>,
    #[serde(default)]
    lenses: Vec<LensSection>,
    blend: Option<f64>,
    columns: Option<u32>,
    faces: Option<Vec<String>>,
    turns: Option<Vec<u32>>,
    padding: Option<f64>,
    mount: Option<Turned>,
    leans: Option<bool>,
    #[serde(default)]
    sound: sound::Kind,
    sound_device: Option<String>,
    #[serde(default)]
    record: bool,
}

impl TryFrom<Section> for Camera {
    type Error = ConfigError;

    fn try_from(section: Section) -> Result<Self, ConfigError> {
        let Section { id, title, device, format, url, path, pipeline, passthrough, sensor, .. } = section;
        let source = Keys { device, format, url, path, pipeline, passthrough, sensor }.source(&id, section.source)?;
        let encoder = Encoder::of(&id, &source, section.encoder)?;
        let Section { width, height, fps, bitrate, crop, coverage, lenses, blend, mount, leans, record, .. } = section;
        let sound = section.sound.sound(&id, section.sound_device)?;
        let rotate = Turn::try_from(section.rotate).map_err(|_| ConfigError::Value {
            camera: id.clone(),
            key: "rotate",
            value: section.rotate,
            rule: "0, 90, 180 or 270 degrees, clockwise",
        })?;
        let shape = section.projection.unwrap_or(source.shape());
        if source.is_drawn() && shape != source.shape() {
            let (key, value) = ("projection", shape.name().to_owned());
            return Err(ConfigError::Text {
                camera: id,
                key,
                value,
                rule: "left out, as this source is drawn in its own",
            });
        }
        let touched = [("crop", crop != Crop::default()), ("rotate", rotate != Turn::None)];
        if let Some((key, _)) = touched.into_iter().find(|(_, touched)| *touched) {
            if source.is_passthrough() {
                return Err(ConfigError::Encoded { camera: id, key, instead: source.instead_of_passthrough() });
            }
            if source.is_drawn() {
                return Err(ConfigError::ForeignKey { camera: id, kind: section.source.name(), key });
            }
        }
        let Section { columns, faces, turns, padding, .. } = section;
        let faces = Faces { columns, faces, turns, padding };
        let sight = Sight { shape, coverage, lenses, blend, faces, mount, leans, size: [width, height] };
        let (projection, mount) = sight.read(&id)?;
        Ok(Self {
            id,
            title,
            source,
            crop,
            rotate,
            width,
            height,
            fps,
            bitrate,
            encoder,
            projection,
            mount,
            leans: leans.unwrap_or(shape != Shape::Flat),
            sound,
            record,
        })
    }
}

impl Camera {
    pub(crate) const MAX_SIDE: u32 = 4096;

    /// The drawn room in its usual size.
    pub fn synthetic(id: CameraId) -> Self {
        Self {
            id,
            title: None,
            source: Source::Test,
            crop: Crop::default(),
            rotate: Turn::None,
            width: Self::default_width(),
            height: Self::default_height(),
            fps: Self::default_fps(),
            bitrate: Self::default_bitrate(),
            encoder: Encoder::default(),
            projection: Projection::Equirectangular { coverage: None },
            mount: Rotation::default(),
            leans: true,
            sound: Sound::default(),
            record: false,
        }
    }

    /// What viewers need to know of it, when the config has these rungs.
    pub fn info(&self, rungs: &[Rung]) -> CameraInfo {
        let rungs = rungs::of(self, rungs);
        let video = Video { projection: self.projection.clone(), mount: self.mount, leans: false, rungs };
        CameraInfo { id: self.id.clone(), title: self.title.clone(), video }
    }

    /// How large the pictures must be that the source gives.
    pub(crate) fn given_size(&self) -> (u32, u32) {
        let (width, height) = match self.rotate {
            Turn::None | Turn::Half => (self.width, self.height),
            Turn::Quarter | Turn::ThreeQuarters => (self.height, self.width),
        };
        let Crop { left, right, top, bottom } = self.crop;
        (width + left + right, height + top + bottom)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let even_side = |side: u32| (64..=Self::MAX_SIDE).contains(&side) && side.is_multiple_of(2);
        let rules = [
            ("width", self.width, even_side(self.width), "an even number from 64 to 4096"),
            ("height", self.height, even_side(self.height), "an even number from 64 to 4096"),
            ("fps", self.fps, (1..=MAX_FPS).contains(&self.fps), "from 1 to 120"),
            ("crop.left", self.crop.left, self.crop.left <= MAX_CROP, "at most 8192"),
            ("crop.right", self.crop.right, self.crop.right <= MAX_CROP, "at most 8192"),
            ("crop.top", self.crop.top, self.crop.top <= MAX_CROP, "at most 8192"),
            ("crop.bottom", self.crop.bottom, self.crop.bottom <= MAX_CROP, "at most 8192"),
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

    /// What can work, but hardly is what was meant.
    pub(crate) fn doubt(&self) -> Option<String> {
        let Self { id, width, height, projection, .. } = self;
        cube::doubt(projection, [*width, *height]).map(|doubt| format!("camera {id}: {doubt}"))
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
