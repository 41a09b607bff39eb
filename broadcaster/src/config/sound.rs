//! What a camera's pictures sound like: `sound`, and the key that belongs to it.

use std::fmt;

use protocol::CameraId;
use serde::Deserialize;

use super::ConfigError;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sound {
    #[default]
    None,
    /// A beep with each second of the wall clock.
    Tone,
    /// Whichever sound system of the machine gives some.
    Auto,
    Microphone {
        system: SoundSystem,
        /// As the system calls it; without it, the system's usual one.
        device: Option<String>,
    },
}

/// Who gives access to microphones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoundSystem {
    Pulse,
    Pipewire,
    Alsa,
}

/// What a section's `sound` may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    #[default]
    None,
    Tone,
    Auto,
    Pulse,
    Pipewire,
    Alsa,
}

impl Kind {
    pub(super) fn sound(self, camera: &CameraId, device: Option<String>) -> Result<Sound, ConfigError> {
        let foreign = |kind| match &device {
            Some(_) => Err(ConfigError::SoundDevice { camera: camera.clone(), kind }),
            None => Ok(()),
        };
        let sound = match self {
            Self::None => foreign("none").map(|()| Sound::None)?,
            Self::Tone => foreign("tone").map(|()| Sound::Tone)?,
            // What a device is called differs from one to the other.
            Self::Auto => foreign("auto").map(|()| Sound::Auto)?,
            Self::Pulse => Sound::Microphone { system: SoundSystem::Pulse, device },
            Self::Pipewire => Sound::Microphone { system: SoundSystem::Pipewire, device },
            Self::Alsa => Sound::Microphone { system: SoundSystem::Alsa, device },
        };
        Ok(sound)
    }
}

/// For people.
impl fmt::Display for Sound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("no sound"),
            Self::Tone => formatter.write_str("a test tone"),
            Self::Auto => formatter.write_str("a microphone, whichever there is"),
            Self::Microphone { system, device: None } => write!(formatter, "a microphone, {system}"),
            Self::Microphone { system, device: Some(device) } => write!(formatter, "a microphone, {system} {device:?}"),
        }
    }
}

impl fmt::Display for SoundSystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Pulse => "pulse",
            Self::Pipewire => "pipewire",
            Self::Alsa => "alsa",
        })
    }
}
