//! `encoder`: what turns a camera's pictures into H.264.

use std::fmt;

use protocol::CameraId;

use super::{ConfigError, Source};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoder {
    /// The first of the others that works.
    #[default]
    Auto,
    Vaapi,
    Nvenc,
    Jetson,
    V4l2,
    Qsv,
    X264,
    Openh264,
}

impl Encoder {
    const ALL: [Self; 8] =
        [Self::Auto, Self::Vaapi, Self::Nvenc, Self::Jetson, Self::V4l2, Self::Qsv, Self::X264, Self::Openh264];

    /// What the section says, for a camera of this source.
    pub(super) fn of(camera: &CameraId, source: &Source, text: Option<String>) -> Result<Self, ConfigError> {
        let Some(value) = text else { return Ok(Self::Auto) };
        if source.is_passthrough() {
            return Err(ConfigError::Encoded {
                camera: camera.clone(),
                key: "encoder",
                instead: source.instead_of_passthrough(),
            });
        }
        let known = Self::ALL.into_iter().find(|encoder| encoder.name() == value);
        known.ok_or_else(|| ConfigError::Text {
            camera: camera.clone(),
            key: "encoder",
            value,
            rule: "\"auto\", \"vaapi\", \"nvenc\", \"jetson\", \"v4l2\", \"qsv\", \"x264\" or \"openh264\"",
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Vaapi => "vaapi",
            Self::Nvenc => "nvenc",
            Self::Jetson => "jetson",
            Self::V4l2 => "v4l2",
            Self::Qsv => "qsv",
            Self::X264 => "x264",
            Self::Openh264 => "openh264",
        }
    }
}

impl fmt::Display for Encoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
