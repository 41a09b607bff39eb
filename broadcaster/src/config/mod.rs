//! The broadcaster's config: what the file says, checked whole before anything starts.

mod rungs;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    path::Path,
};

use anyhow::Context;
use protocol::{CameraId, CameraInfo, Projection, RobotId, Video};
use serde::Deserialize;

use crate::{media::PacketSize, signalling::ServerUrl};
pub use rungs::{MAX_RUNGS, Rung};

const MAX_SIDE: u32 = 4096;
/// The largest picture of H.264's level 5.1, the highest that browsers' decoders commonly take: 36,864 macroblocks.
const MAX_PIXELS: u32 = 36_864 * 256;
const MAX_FPS: u32 = 120;
const BITRATES: std::ops::RangeInclusive<u32> = 100_000..=50_000_000;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The server that viewers come through.
    pub server: ServerUrl,
    /// The name under which viewers find this robot.
    pub robot: RobotId,
    pub media: Media,
    pub fanout: Fanout,
    pub cameras: Vec<Camera>,
    /// Empty: what each camera's own size suggests.
    pub rungs: Vec<Rung>,
    pub log: daemon::log::Log,
}

/// `[media]`: the socket that all viewers share.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// An unspecified IPv6 address serves IPv4 as well; port 0 picks a free one.
    pub listen: SocketAddr,
    pub max_viewers: usize,
    /// Bytes of one packet on the wire, headers included.
    pub max_packet: u16,
}

/// `[fanout]`: who sends to viewers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fanout {
    pub threads: NonZeroUsize,
}

/// `[[cameras]]`: one picture that viewers can choose.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    pub id: CameraId,
    #[serde(default)]
    pub title: Option<String>,
    pub source: Source,
    #[serde(default = "Camera::default_width")]
    pub width: u32,
    #[serde(default = "Camera::default_height")]
    pub height: u32,
    #[serde(default = "Camera::default_fps")]
    pub fps: u32,
    /// Bits per second at full size; the config's own rungs have theirs.
    #[serde(default = "Camera::default_bitrate")]
    pub bitrate: u32,
    #[serde(default)]
    pub sound: Sound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A drawn 360° scene with known things at known directions.
    Test,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sound {
    #[default]
    None,
    /// A beep with each second of the wall clock.
    Tone,
}

/// A value that parses but cannot work. Names the key, the value and what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no [[cameras]] section: add one with an id and a source")]
    NoCamera,
    #[error("two cameras have the id {0:?}: give each its own")]
    DuplicateCamera(String),
    #[error("camera {camera}: {key} is {value}, but must be {rule}")]
    Value { camera: CameraId, key: &'static str, value: u32, rule: &'static str },
    #[error("there are {0} [[rungs]] sections: keep {MAX_RUNGS} at most, or none")]
    TooManyRungs(usize),
    #[error("[[rungs]] number {number}: {key} is {value}, but must be {rule}")]
    Rung { number: usize, key: &'static str, value: u32, rule: String },
    #[error("media.max_viewers is 0: nobody could watch; use 1 or more")]
    NoViewers,
    #[error("media.max_packet is {0}, but must be from 576 to 1500 bytes")]
    PacketSize(u16),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerUrl::default(),
            robot: "demo".parse().expect("a valid id"),
            media: Media::default(),
            fanout: Fanout::default(),
            cameras: vec![Camera::synthetic("main".parse().expect("a valid id"))],
            rungs: Vec::new(),
            log: daemon::log::Log::default(),
        }
    }
}

impl Default for Fanout {
    fn default() -> Self {
        Self { threads: NonZeroUsize::MIN }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self { listen: SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 8190), max_viewers: 500, max_packet: 1200 }
    }
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("config {}", path.display());
        let config: Self = daemon::config::load(path).with_context(context)?;
        config.check().with_context(context)?;
        Ok(config)
    }

    pub fn check(&self) -> Result<(), ConfigError> {
        if self.cameras.is_empty() {
            return Err(ConfigError::NoCamera);
        }
        if self.media.max_viewers == 0 {
            return Err(ConfigError::NoViewers);
        }
        if !(PacketSize::MIN_WIRE..=PacketSize::MAX_WIRE).contains(&usize::from(self.media.max_packet)) {
            return Err(ConfigError::PacketSize(self.media.max_packet));
        }
        let mut ids = BTreeSet::new();
        for camera in &self.cameras {
            if !ids.insert(&camera.id) {
                return Err(ConfigError::DuplicateCamera(camera.id.to_string()));
            }
            camera.check()?;
        }
        rungs::check(&self.rungs, &self.cameras)
    }
}

impl Camera {
    /// The drawn scene in its usual size.
    pub fn synthetic(id: CameraId) -> Self {
        Self {
            id,
            title: None,
            source: Source::Test,
            width: Self::default_width(),
            height: Self::default_height(),
            fps: Self::default_fps(),
            bitrate: Self::default_bitrate(),
            sound: Sound::default(),
        }
    }

    /// What viewers need to know of it, when the config has these rungs.
    pub fn info(&self, rungs: &[Rung]) -> CameraInfo {
        let projection = match self.source {
            Source::Test => Projection::Equirectangular,
        };
        let rungs = rungs::of(self, rungs);
        CameraInfo { id: self.id.clone(), title: self.title.clone(), video: Video { projection, rungs } }
    }

    fn check(&self) -> Result<(), ConfigError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../config/broadcaster.toml");

    #[test]
    fn shipped_sample_is_valid_and_typos_are_not() {
        let config: Config = toml::from_str(SAMPLE).expect("sample parses");
        assert_eq!(config.check(), Ok(()));
        assert_eq!((config.robot.as_str(), config.cameras[0].id.as_str()), ("demo", "main"));
        let typo = SAMPLE.replace("max_viewers", "max_veiwers");
        let error = toml::from_str::<Config>(&typo).expect_err("a typo").to_string();
        assert!(error.contains("max_veiwers") && error.contains("line"), "{error}");
    }

    #[test]
    fn the_sample_states_the_defaults() {
        let (sample, default) = (toml::from_str::<Config>(SAMPLE).expect("sample parses"), Config::default());
        let mut titled = default.cameras[0].clone();
        titled.title.clone_from(&sample.cameras[0].title);
        assert_eq!(format!("{:?}", sample.media), format!("{:?}", default.media));
        assert_eq!(format!("{:?}", sample.cameras[0]), format!("{titled:?}"));
        assert_eq!(format!("{:?}", sample.server), format!("{:?}", default.server));
    }

    /// They stand there as comments: as sections they would hold for a camera of any other size as well.
    #[test]
    fn the_samples_rungs_are_what_its_camera_has_without_them() {
        let keys = ["[[rungs]]", "width =", "bitrate ="];
        let sample = keys.iter().fold(SAMPLE.to_owned(), |text, key| text.replace(&format!("# {key}"), key));
        let config: Config = toml::from_str(&sample).expect("the comments parse");
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.rungs.len(), 3);
        assert_eq!(config.cameras[0].info(&config.rungs), config.cameras[0].info(&[]));
    }

    #[test]
    fn what_cannot_work_is_named() {
        let broken = |change: &str| {
            let text = format!("[[cameras]]\nid = \"main\"\nsource = \"test\"\n{change}");
            toml::from_str::<Config>(&text).expect("parses").check().expect_err("refused").to_string()
        };
        assert!(broken("width = 1921").contains("width is 1921"));
        assert!(broken("width = 4096\nheight = 4096").contains("4096×2304"));
        assert!(broken("[media]\nmax_packet = 1501").contains("max_packet is 1501"));
        assert!(broken("fps = 0").contains("fps is 0"));
        assert!(broken("bitrate = 5").contains("bitrate is 5"));
        assert!(broken("[[cameras]]\nid = \"main\"\nsource = \"test\"").contains("\"main\""));
        assert!(toml::from_str::<Config>("cameras = []").expect("parses").check().is_err());
    }
}
