//! `[[cameras.lenses]]`: what a fisheye lens does to what it sees.

use std::ops::RangeInclusive;

use protocol::{Bend, CameraId, Lens, Real, Rotation};
use serde::Deserialize;

use super::ConfigError;

/// What most lenses of cameras that see all around have, in degrees from edge to edge.
const USUAL_FOV: f64 = 190.0;

/// Steps in which a calibration is tried from the axis to the edge.
const STEPS: u32 = 280;

/// How something is turned, in degrees.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Turned {
    pub(super) yaw: f64,
    pub(super) pitch: f64,
    pub(super) roll: f64,
}

/// One lens, in pixels of the whole picture at the camera's own size.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LensSection {
    fov: Option<f64>,
    center: Option<[f64; 2]>,
    /// Where the circle ends, for a lens that bends nothing.
    radius: Option<f64>,
    kannala_brandt: Option<KannalaBrandt>,
    mei: Option<Mei>,
    yaw: Option<f64>,
    pitch: f64,
    roll: f64,
    gain: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KannalaBrandt {
    focal: [f64; 2],
    k: [f64; 4],
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mei {
    focal: [f64; 2],
    xi: f64,
    k: [f64; 2],
    p: [f64; 2],
}

/// Which lens of which camera, and how its picture usually lies.
pub(super) struct Place<'a> {
    pub(super) camera: &'a CameraId,
    /// From 1.
    pub(super) number: usize,
    /// The whole picture's, in pixels.
    pub(super) size: [f64; 2],
    pub(super) center: [f64; 2],
    pub(super) radius: f64,
    pub(super) yaw: f64,
}

impl LensSection {
    pub(super) fn lens(&self, place: &Place<'_>) -> Result<Lens, ConfigError> {
        let [width, height] = place.size;
        let fov = place.within("fov", self.fov.unwrap_or(USUAL_FOV), 10.0..=280.0, "from 10 to 280 degrees")?;
        let edge = (fov.get() / 2.0).to_radians();
        let radius = self.radius.unwrap_or(place.radius);
        place.within("radius", radius, 8.0..=10.0 * width, "from 8 pixels to ten times the picture's width")?;
        if self.radius.is_some() && (self.kannala_brandt.is_some() || self.mei.is_some()) {
            return Err(place.refuse("radius", radius, "left out beside a calibration, whose focal says the same"));
        }
        let (focal, bend) = match (&self.kannala_brandt, &self.mei) {
            (None, None) => ([radius / edge; 2], Bend::KannalaBrandt { k: [Real::default(); 4] }),
            (Some(KannalaBrandt { focal, k }), None) => {
                (*focal, Bend::KannalaBrandt { k: place.coefficients("kannala_brandt.k", *k, 100.0)? })
            }
            (None, Some(Mei { focal, xi, k, p })) => {
                let xi = place.within("mei.xi", *xi, 0.0..=10.0, "from 0 to 10")?;
                let (k, p) = (place.coefficients("mei.k", *k, 100.0)?, place.coefficients("mei.p", *p, 1.0)?);
                (*focal, Bend::Mei { xi, k, p })
            }
            (Some(_), Some(_)) => {
                return Err(place.refuse("mei", "there", "the only model: remove kannala_brandt or mei"));
            }
        };
        if let Some(limit) = sees_up_to(&bend, edge) {
            let rule = "smaller for these coefficients, which beyond some angle see what is further out further in: take \
                        twice the angle up to which the calibration holds, or look for a slip in it";
            return Err(place.refuse("fov", format!("{fov} (they hold up to {:.0})", 2.0 * limit.to_degrees()), rule));
        }
        let [center, focal] = [
            ("center", self.center.unwrap_or(place.center), -width..=2.0 * width, "in pixels, in or near the picture"),
            ("focal", focal, 8.0..=10.0 * width, "from 8 pixels to ten times the picture's width"),
        ]
        .map(|(key, [x, y], range, rule)| {
            let [x, y] = [(x, width), (y, height)].map(|(value, side)| {
                place.within(key, value, range.clone(), rule)?;
                place.within(key, value / side, f64::MIN..=f64::MAX, rule)
            });
            Ok::<_, ConfigError>([x?, y?])
        });
        let turned = Turned { yaw: self.yaw.unwrap_or(place.yaw), pitch: self.pitch, roll: self.roll };
        Ok(Lens {
            rotation: turned.rotation(|key, value| place.refuse(key, value, ANGLES))?,
            center: center?,
            focal: focal?,
            bend,
            fov,
            gain: place.within("gain", self.gain.unwrap_or(1.0), 0.25..=4.0, "from 0.25 to 4")?,
        })
    }
}

pub(super) const ANGLES: &str = "from -360 to 360 degrees";

impl Turned {
    pub(super) fn rotation(self, refuse: impl Fn(&'static str, f64) -> ConfigError) -> Result<Rotation, ConfigError> {
        let angle = |key, value| real(value, -360.0..=360.0).ok_or_else(|| refuse(key, value));
        Ok(Rotation {
            yaw: angle("yaw", self.yaw)?,
            pitch: angle("pitch", self.pitch)?,
            roll: angle("roll", self.roll)?,
        })
    }
}

impl Place<'_> {
    fn within(
        &self,
        key: &'static str,
        value: f64,
        range: RangeInclusive<f64>,
        rule: &'static str,
    ) -> Result<Real, ConfigError> {
        real(value, range).ok_or_else(|| self.refuse(key, value, rule))
    }

    fn coefficients<const N: usize>(
        &self,
        key: &'static str,
        values: [f64; N],
        most: f64,
    ) -> Result<[Real; N], ConfigError> {
        let mut checked = [Real::default(); N];
        for (checked, value) in checked.iter_mut().zip(values) {
            *checked = self.within(key, value, -most..=most, "nearer to 0, as calibrations come")?;
        }
        Ok(checked)
    }

    fn refuse(&self, key: &'static str, value: impl ToString, rule: &'static str) -> ConfigError {
        let (camera, number) = (self.camera.clone(), self.number);
        ConfigError::Lens { camera, number, key, value: value.to_string(), rule }
    }
}

/// Nothing for what is not in the range, which also what is no number is not.
pub(super) fn real(value: f64, range: RangeInclusive<f64>) -> Option<Real> {
    range.contains(&value).then(|| Real::try_from(value).ok()).flatten()
}

/// The angle from which on the lens sees further in what is further out; nothing when there is none before its edge.
fn sees_up_to(bend: &Bend, edge: f64) -> Option<f64> {
    let angles = (1..=STEPS).map(|step| edge * f64::from(step) / f64::from(STEPS));
    let mut last = (0.0, 0.0);
    for angle in angles {
        match distance(bend, angle) {
            Some(further) if further > last.1 => last = (angle, further),
            Some(_) | None => return Some(last.0),
        }
    }
    None
}

/// How far from the centre it sees what lies so far off its axis, with focal length 1.
fn distance(bend: &Bend, angle: f64) -> Option<f64> {
    match bend {
        Bend::KannalaBrandt { k } => {
            let square = angle * angle;
            let [k1, k2, k3, k4] = k.map(Real::get);
            Some(angle * (1.0 + square * (k1 + square * (k2 + square * (k3 + square * k4)))))
        }
        Bend::Mei { xi, k, .. } => {
            let depth = angle.cos() + xi.get();
            let plain = angle.sin() / depth;
            let [k1, k2] = k.map(Real::get);
            let square = plain * plain;
            (depth > 0.0).then_some(plain * (1.0 + square * (k1 + square * k2)))
        }
    }
}
