//! The qualities at which cameras are offered: `[[rungs]]`, or what a camera's own size suggests.

use serde::Deserialize;

use super::{BITRATES, Camera, ConfigError};

/// Each costs an encoder for each codec that its viewers need.
pub const MAX_RUNGS: usize = 4;

/// Without a config, as many as cover both a wall and a phone in a lift.
const DERIVED_RUNGS: usize = 3;
/// Below this width a panorama's view, a quarter of it, shows nothing.
const MIN_DERIVED_WIDTH: u32 = 480;
const MIN_WIDTH: u32 = 64;
/// One macroblock.
const MIN_HEIGHT: u32 = 16;

/// `[[rungs]]`: one quality of every camera. The height follows the camera's shape.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    pub width: u32,
    /// Absent: as many as the camera gives.
    #[serde(default)]
    pub fps: Option<u32>,
    /// Bits per second.
    pub bitrate: u32,
}

pub(super) fn check(rungs: &[Rung], cameras: &[Camera]) -> Result<(), ConfigError> {
    if rungs.len() > MAX_RUNGS {
        return Err(ConfigError::TooManyRungs(rungs.len()));
    }
    for (index, rung) in rungs.iter().enumerate() {
        let refuse = |key, value, rule| Err(ConfigError::Rung { number: index + 1, key, value, rule });
        if rung.width < MIN_WIDTH || !rung.width.is_multiple_of(2) {
            return refuse("width", rung.width, format!("an even number from {MIN_WIDTH}"));
        }
        if !BITRATES.contains(&rung.bitrate) {
            let rule = format!("from {} to {} bits per second", BITRATES.start(), BITRATES.end());
            return refuse("bitrate", rung.bitrate, rule);
        }
        if let Some(better) = index.checked_sub(1).map(|index| &rungs[index]) {
            if rung.bitrate >= better.bitrate {
                let rule = format!("below {}, as that comes before it: list the best first", better.bitrate);
                return refuse("bitrate", rung.bitrate, rule);
            }
            if rung.width > better.width {
                let rule = format!("at most {}, as that comes before it: list the best first", better.width);
                return refuse("width", rung.width, rule);
            }
        }
        // What is sent on as it comes has one quality, its own.
        for camera in cameras.iter().filter(|camera| !camera.source.is_passthrough()) {
            if rung.width > camera.width {
                let rule = format!("at most {}, as camera {} is no wider", camera.width, camera.id);
                return refuse("width", rung.width, rule);
            }
            if let Some(fps) = rung.fps
                && !(1..=camera.fps).contains(&fps)
            {
                let rule = format!("from 1 to {}, as camera {} gives no more", camera.fps, camera.id);
                return refuse("fps", fps, rule);
            }
        }
    }
    Ok(())
}

/// A camera's rungs, best first.
pub(super) fn of(camera: &Camera, configured: &[Rung]) -> Vec<protocol::Rung> {
    if camera.source.is_passthrough() {
        return vec![sized(camera, camera.width, camera.fps, camera.bitrate)];
    }
    if configured.is_empty() {
        return derive(camera);
    }
    let fps = |rung: &Rung| rung.fps.unwrap_or(camera.fps);
    configured.iter().map(|rung| sized(camera, rung.width, fps(rung), rung.bitrate)).collect()
}

/// Half the width at a third of the bitrate, until either would be too little to be of use.
fn derive(camera: &Camera) -> Vec<protocol::Rung> {
    let full = sized(camera, camera.width, camera.fps, camera.bitrate);
    let smaller = |rung: &protocol::Rung| {
        let (width, bitrate) = (rung.width / 4 * 2, rung.bitrate / 3);
        let useful = width >= MIN_DERIVED_WIDTH && BITRATES.contains(&bitrate);
        useful.then(|| sized(camera, width, camera.fps, bitrate))
    };
    std::iter::successors(Some(full), smaller).take(DERIVED_RUNGS).collect()
}

fn sized(camera: &Camera, width: u32, fps: u32, bitrate: u32) -> protocol::Rung {
    // Rounded to the nearest even number.
    let height = (width * camera.height + camera.width) / (2 * camera.width) * 2;
    protocol::Rung { width, height: height.max(MIN_HEIGHT), fps, bitrate }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(width: u32, height: u32, bitrate: u32) -> Camera {
        Camera { width, height, bitrate, ..Camera::synthetic("main".parse().expect("an id")) }
    }

    fn sizes(rungs: &[protocol::Rung]) -> Vec<(u32, u32, u32)> {
        rungs.iter().map(|rung| (rung.width, rung.height, rung.bitrate)).collect()
    }

    fn rung(width: u32, bitrate: u32) -> Rung {
        Rung { width, fps: None, bitrate }
    }

    #[test]
    fn a_cameras_size_suggests_its_rungs() {
        let derived = |width, height, bitrate| sizes(&of(&camera(width, height, bitrate), &[]));
        let expected = [(1920, 960, 3_000_000), (960, 480, 1_000_000), (480, 240, 333_333)];
        assert_eq!(derived(1920, 960, 3_000_000), expected);
        assert_eq!(derived(3840, 1920, 8_000_000).len(), 3, "and no fourth");
        assert_eq!(derived(1280, 720, 1_500_000), [(1280, 720, 1_500_000), (640, 360, 500_000)]);
        assert_eq!(derived(1920, 960, 290_000), [(1920, 960, 290_000)], "a third of it shows nothing");
        assert_eq!(derived(320, 160, 300_000), [(320, 160, 300_000)]);
        assert_eq!(derived(1922, 1080, 3_000_000)[1], (960, 540, 1_000_000), "sides are even");
    }

    #[test]
    fn a_rung_keeps_the_cameras_shape_and_its_pace() {
        let rungs = [rung(1280, 2_000_000), Rung { fps: Some(15), ..rung(426, 300_000) }];
        let camera = camera(1920, 1080, 5_000_000);
        let rungs = of(&camera, &rungs);
        assert_eq!(sizes(&rungs), [(1280, 720, 2_000_000), (426, 240, 300_000)]);
        assert_eq!((rungs[0].fps, rungs[1].fps), (camera.fps, 15));
    }

    #[test]
    fn what_cannot_work_is_named() {
        let cameras = [camera(1920, 960, 3_000_000)];
        let refused = |rungs: &[Rung]| check(rungs, &cameras).expect_err("refused").to_string();
        assert_eq!(check(&[rung(1920, 3_000_000), rung(1920, 1_000_000)], &cameras), Ok(()));
        assert!(refused(&[rung(1922, 3_000_000)]).contains("width is 1922, but must be at most 1920"));
        assert!(refused(&[rung(961, 3_000_000)]).contains("width is 961"));
        assert!(refused(&[rung(960, 5)]).contains("bitrate is 5"));
        let fast = Rung { fps: Some(60), ..rung(960, 1_000_000) };
        assert!(refused(&[fast]).contains("fps is 60, but must be from 1 to 30"));
        let rising = refused(&[rung(960, 1_000_000), rung(960, 1_000_000)]);
        assert!(rising.contains("number 2: bitrate is 1000000") && rising.contains("best first"), "{rising}");
        assert!(refused(&[rung(480, 2_000_000), rung(960, 1_000_000)]).contains("number 2: width is 960"));
        let many: Vec<Rung> = (1..=5).map(|step| rung(960, 1_000_000 - step)).collect();
        assert!(refused(&many).contains("5 [[rungs]]"));
    }
}
