//! The broadcaster's config: what the file says, checked whole before anything starts.

mod attitude;
mod camera;
mod cube;
mod encoder;
mod lens;
mod recording;
mod rungs;
mod sight;
mod sound;
mod source;
mod spill;
#[cfg(test)]
mod tests;
mod uplink;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    path::Path,
};

use anyhow::Context;
use daemon::config::{Loaded, Surroundings};
use protocol::{CameraId, Fingerprint, RobotId, RobotKey};
use serde::Deserialize;

use crate::{media::PacketSize, signalling::ServerUrl};
pub use attitude::Attitude;
pub use camera::{Camera, Crop};
pub use encoder::Encoder;
pub use protocol::Turn;
pub use recording::{InvalidSize, Recording, Size};
pub use rungs::{MAX_RUNGS, Rung};
pub use sound::{Sound, SoundSystem};
pub use source::{RtspUrl, Source, V4l2Format};
pub use spill::{NoShare, Share, Spill};
pub use uplink::{MaxBitrate, Uplink};

const BITRATES: std::ops::RangeInclusive<u32> = 100_000..=50_000_000;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The server that viewers come through.
    pub server: ServerUrl,
    /// Of the server's certificate, where nobody vouches for it.
    pub fingerprint: Option<Fingerprint>,
    /// The name under which viewers find this robot.
    pub robot: RobotId,
    /// What proves it, where the server wants proof.
    pub key: Option<RobotKey>,
    pub media: Media,
    pub fanout: Fanout,
    pub uplink: Uplink,
    pub spill: Spill,
    pub cameras: Vec<Camera>,
    /// Empty: what each camera's own size suggests.
    pub rungs: Vec<Rung>,
    pub recording: Recording,
    pub attitude: Attitude,
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
    #[error(
        "fingerprint means nothing to server {0}, which shows no certificate: write https://, or remove fingerprint"
    )]
    NothingToKnow(String),
    #[error("there is no [[cameras]] section: add one with an id and a source")]
    NoCamera,
    #[error("two cameras have the id {0:?}: give each its own")]
    DuplicateCamera(String),
    #[error(
        "cameras {one} and {other} both have {key}, which only one can open: give each its own, or leave one of them out"
    )]
    SharedDevice { one: CameraId, other: CameraId, key: String },
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
        "camera {camera}: {key} is not possible with pictures that are sent on as they come: remove it, or let them be encoded \
         here ({instead})"
    )]
    Encoded { camera: CameraId, key: &'static str, instead: &'static str },
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
            fingerprint: None,
            robot: "demo".parse().expect("a valid id"),
            key: None,
            media: Media::default(),
            fanout: Fanout::default(),
            uplink: Uplink::default(),
            spill: Spill::default(),
            cameras: vec![Camera::synthetic("main".parse().expect("a valid id"))],
            rungs: Vec::new(),
            recording: Recording::default(),
            attitude: Attitude::default(),
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
    /// The keys that are secrets, which may come from files and the environment as well.
    pub const SECRETS: &[&str] = &["key"];

    /// Reads a file; without one, what holds by default.
    pub fn load(path: Option<&Path>, surroundings: &Surroundings) -> anyhow::Result<Loaded<Self>> {
        daemon::config::load(path, Self::SECRETS, surroundings).with_context(|| Self::named(path))
    }

    /// What people know it by.
    pub fn named(path: Option<&Path>) -> String {
        path.map_or_else(|| "config".to_owned(), |path| format!("config {}", path.display()))
    }

    /// What can work, but hardly is what was meant: a sentence each, without its full stop.
    pub(crate) fn doubts(&self) -> impl Iterator<Item = String> {
        self.cameras.iter().filter_map(Camera::doubt)
    }

    /// To be asked when nothing is going to be changed any more.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.fingerprint.is_some() && !self.server.is_encrypted() {
            return Err(ConfigError::NothingToKnow(self.server.to_string()));
        }
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
        let mut devices = BTreeMap::new();
        for camera in &self.cameras {
            if !ids.insert(&camera.id) {
                return Err(ConfigError::DuplicateCamera(camera.id.to_string()));
            }
            camera.check()?;
            if let Some(key) = camera.source.device()
                && let Some(one) = devices.insert(key.clone(), &camera.id)
            {
                return Err(ConfigError::SharedDevice { one: one.clone(), other: camera.id.clone(), key });
            }
        }
        rungs::check(&self.rungs, &self.cameras)
    }
}
