//! The broadcaster's config: what the file says, checked whole before anything starts.

mod camera;
mod encoder;
mod lens;
mod recording;
mod rungs;
mod sight;
mod sound;
mod source;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    path::Path,
};

use anyhow::Context;
use protocol::{CameraId, RobotId};
use serde::Deserialize;

use crate::{media::PacketSize, signalling::ServerUrl};
pub use camera::{Camera, Crop, Turn};
pub use encoder::Encoder;
pub use recording::{InvalidSize, Recording, Size};
pub use rungs::{MAX_RUNGS, Rung};
pub use sound::{Sound, SoundSystem};
pub use source::{RtspUrl, Source, V4l2Format};

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
    pub recording: Recording,
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

/// A value that parses but cannot work. Names the key, the value and what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("there is no [[cameras]] section: add one with an id and a source")]
    NoCamera,
    #[error("two cameras have the id {0:?}: give each its own")]
    DuplicateCamera(String),
    #[error("camera {camera}: {key} is {value}, but must be {rule}")]
    Value { camera: CameraId, key: &'static str, value: u32, rule: &'static str },
    #[error("camera {camera}: {key} is {value:?}, but must be {rule}")]
    Text { camera: CameraId, key: &'static str, value: String, rule: &'static str },
    #[error("camera {camera}: {key} is missing, which source {kind:?} needs: add it, as in {key} = {example}")]
    Missing { camera: CameraId, kind: &'static str, key: &'static str, example: &'static str },
    #[error("camera {camera}: {key} means nothing to source {kind:?}: remove it, or choose another source")]
    ForeignKey { camera: CameraId, kind: &'static str, key: &'static str },
    #[error("camera {camera}: {key} means nothing to projection {shape:?}: remove it, or choose another projection")]
    ForeignToShape { camera: CameraId, shape: &'static str, key: &'static str },
    #[error("camera {camera}: lenses number {number}: {key} is {value}, but must be {rule}")]
    Lens { camera: CameraId, number: usize, key: &'static str, value: String, rule: &'static str },
    #[error(
        "camera {camera}: {key} is not possible with pictures that are sent on as they come: remove it, or let them be encoded here (passthrough = false)"
    )]
    Encoded { camera: CameraId, key: &'static str },
    #[error(
        "camera {camera}: sound_device means nothing to sound {kind:?}: remove it, or name the system that has it, as in \
         sound = \"alsa\""
    )]
    SoundDevice { camera: CameraId, kind: &'static str },
    #[error("there are {0} [[rungs]] sections: keep {MAX_RUNGS} at most, or none")]
    TooManyRungs(usize),
    #[error("[[rungs]] number {number}: {key} is {value}, but must be {rule}")]
    Rung { number: usize, key: &'static str, value: u32, rule: String },
    #[error("recording.{key} is {value}, but must be {rule}")]
    Recording { key: &'static str, value: String, rule: &'static str },
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
            recording: Recording::default(),
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
        self.recording.check()?;
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
