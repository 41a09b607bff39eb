//! Where a camera's pictures come from: `source`, and the keys that belong to it.

use std::{fmt, path::PathBuf};

use protocol::CameraId;
use serde::Deserialize;

use super::{ConfigError, sight::Shape};

/// A source with all that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A drawn room, seen all around.
    Test,
    /// The same room through an ordinary lens.
    TestFlat,
    /// Through the one fisheye lens that the config describes.
    TestFisheye,
    /// Through two of them.
    TestDualFisheye,
    /// On the faces of a cube.
    TestCubeMap,
    /// On those whose angles are even.
    TestEquiangular,
    V4l2 {
        device: PathBuf,
        format: V4l2Format,
    },
    /// A camera of a Raspberry Pi, or any other that libcamera knows.
    Libcamera {
        /// Absent: the first.
        device: Option<String>,
    },
    /// A camera at a Jetson's own port.
    Nvargus {
        sensor: u32,
    },
    /// A RICOH THETA on USB, whose H.264 shows all around.
    Theta {
        passthrough: bool,
    },
    Rtsp {
        url: RtspUrl,
        passthrough: bool,
    },
    /// Played over and over.
    File {
        path: PathBuf,
    },
    /// The operator's own elements, as for `gst-launch-1.0`.
    Pipeline {
        description: String,
        passthrough: bool,
    },
}

/// What a V4L2 device is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum V4l2Format {
    /// Whatever gives the size and rate that the config wants.
    #[default]
    Auto,
    Raw,
    Mjpeg,
    /// Sent on as it comes.
    H264,
}

/// An address with what it takes to get in: that is not for logs.
#[derive(Clone, PartialEq, Eq)]
pub struct RtspUrl(String);

/// What a section's `source` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Test,
    TestFlat,
    TestFisheye,
    TestDualFisheye,
    TestCubeMap,
    TestEquiangular,
    V4l2,
    Libcamera,
    Nvargus,
    Theta,
    Rtsp,
    File,
    Pipeline,
}

/// The keys of a section that belong to one source or another.
pub(super) struct Keys {
    pub(super) device: Option<String>,
    pub(super) format: Option<String>,
    pub(super) url: Option<String>,
    pub(super) path: Option<String>,
    pub(super) pipeline: Option<String>,
    pub(super) passthrough: Option<bool>,
    pub(super) sensor: Option<u32>,
}

impl Keys {
    pub(super) fn source(mut self, camera: &CameraId, kind: Kind) -> Result<Source, ConfigError> {
        let missing = |key, example| ConfigError::Missing { camera: camera.clone(), kind: kind.name(), key, example };
        let source = match kind {
            Kind::Test => Source::Test,
            Kind::TestFlat => Source::TestFlat,
            Kind::TestFisheye => Source::TestFisheye,
            Kind::TestDualFisheye => Source::TestDualFisheye,
            Kind::TestCubeMap => Source::TestCubeMap,
            Kind::TestEquiangular => Source::TestEquiangular,
            Kind::V4l2 => Source::V4l2 {
                device: self.device.take().ok_or_else(|| missing("device", "\"/dev/video0\""))?.into(),
                format: V4l2Format::parse(camera, self.format.take())?,
            },
            Kind::Libcamera => Source::Libcamera { device: self.device.take() },
            Kind::Nvargus => Source::Nvargus { sensor: self.sensor.take().unwrap_or(0) },
            Kind::Theta => Source::Theta { passthrough: self.passthrough.take().unwrap_or(true) },
            Kind::Rtsp => Source::Rtsp {
                url: RtspUrl::parse(
                    camera,
                    self.url.take().ok_or_else(|| missing("url", "\"rtsp://192.0.2.7/stream\""))?,
                )?,
                passthrough: self.passthrough.take().unwrap_or(false),
            },
            Kind::File => {
                Source::File { path: self.path.take().ok_or_else(|| missing("path", "\"/srv/tour.mp4\""))?.into() }
            }
            Kind::Pipeline => Source::Pipeline {
                description: self
                    .pipeline
                    .take()
                    .ok_or_else(|| missing("pipeline", "\"videotestsrc is-live=true\""))?,
                passthrough: self.passthrough.take().unwrap_or(false),
            },
        };
        match self.left() {
            Some(key) => Err(ConfigError::ForeignKey { camera: camera.clone(), kind: kind.name(), key }),
            None => Ok(source),
        }
    }

    /// A key that the source has no use for.
    fn left(&self) -> Option<&'static str> {
        let Self { device, format, url, path, pipeline, passthrough, sensor } = self;
        let keys = [
            ("device", device.is_some()),
            ("format", format.is_some()),
            ("url", url.is_some()),
            ("path", path.is_some()),
            ("pipeline", pipeline.is_some()),
            ("passthrough", passthrough.is_some()),
            ("sensor", sensor.is_some()),
        ];
        keys.into_iter().find_map(|(key, is_there)| is_there.then_some(key))
    }
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::TestFlat => "test-flat",
            Self::TestFisheye => "test-fisheye",
            Self::TestDualFisheye => "test-dual-fisheye",
            Self::TestCubeMap => "test-cube-map",
            Self::TestEquiangular => "test-equiangular",
            Self::V4l2 => "v4l2",
            Self::Libcamera => "libcamera",
            Self::Nvargus => "nvargus",
            Self::Theta => "theta",
            Self::Rtsp => "rtsp",
            Self::File => "file",
            Self::Pipeline => "pipeline",
        }
    }
}

impl Source {
    /// Its pictures come encoded, and are sent on as they are.
    pub fn is_passthrough(&self) -> bool {
        match self {
            Self::Rtsp { passthrough, .. } | Self::Pipeline { passthrough, .. } | Self::Theta { passthrough } => {
                *passthrough
            }
            Self::V4l2 { format, .. } => *format == V4l2Format::H264,
            Self::Test
            | Self::TestFlat
            | Self::TestFisheye
            | Self::TestDualFisheye
            | Self::TestCubeMap
            | Self::TestEquiangular
            | Self::Libcamera { .. }
            | Self::Nvargus { .. }
            | Self::File { .. } => false,
        }
    }

    /// What lets pictures be encoded here that would be sent on as they come.
    pub(crate) fn instead_of_passthrough(&self) -> &'static str {
        if matches!(self, Self::V4l2 { .. }) { "format = \"auto\"" } else { "passthrough = false" }
    }

    /// The key and value by which the config names a device that can be opened once only.
    pub(super) fn device(&self) -> Option<String> {
        match self {
            Self::V4l2 { device, .. } => Some(format!("device = {device:?}")),
            Self::Libcamera { device: Some(device) } => Some(format!("device = {device:?}")),
            Self::Libcamera { device: None } => Some("source = \"libcamera\" without a device".to_owned()),
            Self::Nvargus { sensor } => Some(format!("sensor = {sensor}")),
            // There is no way to say which.
            Self::Theta { .. } => Some("source = \"theta\"".to_owned()),
            Self::Test
            | Self::TestFlat
            | Self::TestFisheye
            | Self::TestDualFisheye
            | Self::TestCubeMap
            | Self::TestEquiangular
            | Self::Rtsp { .. }
            | Self::File { .. }
            | Self::Pipeline { .. } => None,
        }
    }

    /// The key that says where its pictures come from, for those who look for what to mend; and its value, unless that is long
    /// or has passwords in it.
    pub(crate) fn origin(&self) -> String {
        match self {
            Self::V4l2 { device, .. } => format!("device {}", device.display()),
            Self::Libcamera { device: Some(device) } => format!("device {device}"),
            Self::Nvargus { sensor } => format!("sensor {sensor}"),
            Self::Rtsp { url, .. } => format!("url {url:?}"),
            Self::File { path } => format!("path {}", path.display()),
            Self::Pipeline { .. } => "pipeline".to_owned(),
            Self::Test
            | Self::TestFlat
            | Self::TestFisheye
            | Self::TestDualFisheye
            | Self::TestCubeMap
            | Self::TestEquiangular
            | Self::Libcamera { device: None }
            | Self::Theta { .. } => format!("source {self}"),
        }
    }

    /// There is no camera: the pictures are made here.
    pub fn is_drawn(&self) -> bool {
        matches!(
            self,
            Self::Test
                | Self::TestFlat
                | Self::TestFisheye
                | Self::TestDualFisheye
                | Self::TestCubeMap
                | Self::TestEquiangular
        )
    }

    /// It may come later: what is not there yet is waited for instead of given up.
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Rtsp { .. })
    }

    /// How directions in space lie in its pictures, where the config does not say.
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Test | Self::Theta { .. } => Shape::Equirectangular,
            Self::TestFisheye => Shape::Fisheye,
            Self::TestDualFisheye => Shape::DualFisheye,
            Self::TestCubeMap => Shape::CubeMap,
            Self::TestEquiangular => Shape::Equiangular,
            Self::TestFlat
            | Self::V4l2 { .. }
            | Self::Libcamera { .. }
            | Self::Nvargus { .. }
            | Self::Rtsp { .. }
            | Self::File { .. }
            | Self::Pipeline { .. } => Shape::Flat,
        }
    }
}

/// For people: what it is and where, without passwords.
impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test => formatter.write_str("test"),
            Self::TestFlat => formatter.write_str("test-flat"),
            Self::TestFisheye => formatter.write_str("test-fisheye"),
            Self::TestDualFisheye => formatter.write_str("test-dual-fisheye"),
            Self::TestCubeMap => formatter.write_str("test-cube-map"),
            Self::TestEquiangular => formatter.write_str("test-equiangular"),
            Self::V4l2 { device, .. } => write!(formatter, "v4l2 {}", device.display()),
            Self::Libcamera { device: Some(device) } => write!(formatter, "libcamera {device}"),
            Self::Libcamera { device: None } => formatter.write_str("libcamera"),
            Self::Nvargus { sensor } => write!(formatter, "nvargus {sensor}"),
            Self::Theta { .. } => formatter.write_str("theta"),
            Self::Rtsp { url, .. } => write!(formatter, "rtsp {url:?}"),
            Self::File { path } => write!(formatter, "file {}", path.display()),
            Self::Pipeline { description, .. } => write!(formatter, "pipeline {description:?}"),
        }
    }
}

impl V4l2Format {
    fn parse(camera: &CameraId, text: Option<String>) -> Result<Self, ConfigError> {
        match text.as_deref() {
            None | Some("auto") => Ok(Self::Auto),
            Some("raw") => Ok(Self::Raw),
            Some("mjpeg") => Ok(Self::Mjpeg),
            Some("h264") => Ok(Self::H264),
            Some(_) => Err(ConfigError::Text {
                camera: camera.clone(),
                key: "format",
                value: text.unwrap_or_default(),
                rule: "\"auto\", \"raw\", \"mjpeg\" or \"h264\"",
            }),
        }
    }
}

impl RtspUrl {
    fn parse(camera: &CameraId, text: String) -> Result<Self, ConfigError> {
        let rest = ["rtsp://", "rtsps://"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
        if rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
            return Ok(Self(text));
        }
        let rule = "an address that begins with rtsp:// or rtsps:// and names a host";
        Err(ConfigError::Text { camera: camera.clone(), key: "url", value: Self(text).public(), rule })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Without name and password.
    fn public(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return self.0.clone() };
        let authority = rest.find('/').unwrap_or(rest.len());
        let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
        format!("{scheme}://{}", &rest[host..])
    }
}

impl fmt::Debug for RtspUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.public())
    }
}
