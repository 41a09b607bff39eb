//! From what a device says of itself to what is to be done with it. Pure.

use crate::{
    capture::{Api, Device, DeviceKind, Mode, PixelFormat},
    config::{Camera, SoundSystem},
};

/// A file in `/dev`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) path: String,
    /// It is there, and this user may not open it.
    pub(super) is_forbidden: bool,
}

/// More pixels than this cost encoders and uplinks more than viewers gain, unless there is a reason.
const PLENTY: u32 = 1920 * 1080;

/// Fewer pictures a second than this look like single ones.
const FLUENT: u32 = 20;

/// Sizes of one format that are named; the others are counted.
const NAMED_SIZES: usize = 4;

/// Bits a second and pixel, at 30 pictures a second: 3 Mbit/s at 1920×960.
const BITS_PER_PIXEL: f64 = 1.6;

/// The section that would use this camera, after so many others. `None`: it is none, or one that gives nothing usable.
pub(super) fn camera_section(device: &Device, address: Option<&str>, place: usize) -> Option<String> {
    let (DeviceKind::Camera, Some(address)) = (device.kind, address) else { return None };
    let (mode, fps) = best(device)?;
    let Mode { width, height, .. } = *mode;
    let id = if place == 0 { "main".to_owned() } else { format!("camera-{}", place + 1) };
    let source = match &device.api {
        Api::V4l2 => {
            let format = match mode.format {
                PixelFormat::Raw => "raw",
                PixelFormat::Mjpeg => "mjpeg",
                PixelFormat::H264 => "h264",
            };
            format!("source = \"v4l2\"\ndevice = {}\nformat = \"{format}\"", quoted(address))
        }
        Api::Libcamera => {
            format!("source = \"libcamera\"\ndevice = {}", quoted(address))
        }
        Api::Pulse | Api::Pipewire | Api::Alsa | Api::Other(_) => return None,
    };
    let mut lines = vec![
        "[[cameras]]".to_owned(),
        format!("id = \"{id}\""),
        format!("title = {}", quoted(&device.name)),
        source,
        format!("width = {width}"),
        format!("height = {height}"),
        format!("fps = {fps}"),
        format!("bitrate = {}", bitrate(width, height)),
    ];
    if mode.format != PixelFormat::H264
        && let Some(encoded) =
            device.modes.iter().find(|mode| mode.format == PixelFormat::H264 && usable(mode).is_some())
    {
        lines.push(format!(
            "# It also encodes by itself: format = \"h264\", width = {} and height = {} would send that on as it comes, at \
             that one quality.",
            encoded.width, encoded.height
        ));
    }
    Some(lines.join("\n") + "\n")
}

/// The lines of a camera's section that would give it this microphone's sound. `None`: it is none, or of a system that is not
/// used.
pub(super) fn microphone_lines(device: &Device) -> Option<String> {
    let (DeviceKind::Microphone, Some(address)) = (device.kind, device.address.as_deref()) else { return None };
    let system = match device.api {
        Api::Pulse => SoundSystem::Pulse,
        Api::Pipewire => SoundSystem::Pipewire,
        Api::Alsa => SoundSystem::Alsa,
        Api::V4l2 | Api::Libcamera | Api::Other(_) => return None,
    };
    Some(format!("sound = \"{system}\"\nsound_device = {}\n", quoted(address)))
}

/// A line for each format: its best sizes, each with its best rate.
pub(super) fn modes_lines(device: &Device) -> String {
    let mut out = String::new();
    for (format, name) in [(PixelFormat::Raw, "raw"), (PixelFormat::Mjpeg, "mjpeg"), (PixelFormat::H264, "h264")] {
        let modes: Vec<&Mode> = device.modes.iter().filter(|mode| mode.format == format).collect();
        if modes.is_empty() {
            continue;
        }
        let size = |mode: &&Mode| match mode.fps.first() {
            Some(fps) => format!("{}×{} at {fps} fps", mode.width, mode.height),
            None => format!("{}×{}", mode.width, mode.height),
        };
        let mut sizes: Vec<String> = modes.iter().take(NAMED_SIZES).map(size).collect();
        match modes.len().saturating_sub(NAMED_SIZES) {
            0 => {}
            more => sizes.push(format!("{more} smaller")),
        }
        out.push_str(&format!("  {name:<6}{}\n", sizes.join(", ")));
    }
    out
}

/// What to look at, where there are so many cameras that can be used.
pub(super) fn advise(cameras: usize, nodes: &[Node], missing: &[&str]) -> Vec<String> {
    let mut advice = Vec::new();
    for node in nodes.iter().filter(|node| node.is_forbidden) {
        advice.push(format!(
            "{} may not be opened by this user: add it to the group video, as in `sudo usermod -aG video $USER`, and log in \
             again.",
            node.path
        ));
    }
    if cameras == 0 && nodes.is_empty() {
        advice.push(
            "Linux shows no camera at all, there is no /dev/video0: check the cable and `dmesg`; a container or a virtual \
             machine must be given the device."
                .to_owned(),
        );
    } else if cameras == 0 && advice.is_empty() {
        advice.push("Another program may hold the camera, or it gives formats that cannot be used here.".to_owned());
    }
    for package in missing {
        let what = if package.contains("libcamera") { "Cameras on a ribbon cable" } else { "USB cameras" };
        advice.push(format!("{what} are not looked for: install the Debian package {package} to find them."));
    }
    if cameras == 0 {
        advice.push("Network cameras are not looked for: name one with source = \"rtsp\" and its url.".to_owned());
    }
    advice
}

/// The mode to use: fluent before slow, then the largest that is not too much, then what costs least to take in.
fn best(device: &Device) -> Option<(&Mode, u32)> {
    let usable = device.modes.iter().filter_map(|mode| usable(mode).map(|fps| (mode, fps)));
    usable.max_by_key(|(mode, fps)| {
        let pixels = mode.width * mode.height;
        let worth = if pixels > PLENTY { 0 } else { pixels };
        (*fps >= FLUENT, worth, std::cmp::Reverse(pixels), std::cmp::Reverse(mode.format), *fps)
    })
}

/// The rate at which the config could have this mode.
fn usable(mode: &Mode) -> Option<u32> {
    let fits = |fps: &u32| {
        let id = "main".parse().expect("an id");
        Camera { width: mode.width, height: mode.height, fps: *fps, ..Camera::synthetic(id) }.check().is_ok()
    };
    // More than 30 pictures a second cost twice as much and are seldom missed.
    let rates = || mode.fps.iter().copied().filter(fits);
    rates().filter(|fps| *fps <= 30).max().or_else(|| rates().min())
}

/// Rounded to what people would write.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels are few")]
fn bitrate(width: u32, height: u32) -> u32 {
    let bits = f64::from(width * height) * BITS_PER_PIXEL;
    ((bits / 100_000.0).round() as u32).clamp(2, 500) * 100_000
}

/// As TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Config, Sound, Source, V4l2Format};

    fn mode(format: PixelFormat, width: u32, height: u32, fps: &[u32]) -> Mode {
        Mode { format, width, height, fps: fps.to_vec() }
    }

    fn camera(api: Api, modes: Vec<Mode>) -> Device {
        let name = "HD \"Pro\" Webcam".to_owned();
        Device { kind: DeviceKind::Camera, name, api, address: Some("/dev/video0".to_owned()), modes }
    }

    fn webcam() -> Device {
        let modes = vec![
            mode(PixelFormat::Mjpeg, 3840, 2160, &[30]),
            mode(PixelFormat::Raw, 1920, 1080, &[5]),
            mode(PixelFormat::Mjpeg, 1920, 1080, &[60, 30, 15]),
            mode(PixelFormat::H264, 1920, 1080, &[30]),
            mode(PixelFormat::Raw, 640, 480, &[30]),
        ];
        camera(Api::V4l2, modes)
    }

    /// What the config makes of it.
    fn parsed(section: &str) -> Camera {
        let config: Config = toml::from_str(section).expect("a config");
        config.check().expect("one that can work");
        config.cameras.into_iter().next().expect("a camera")
    }

    #[test]
    fn a_webcam_is_used_as_it_gives_fluent_pictures() {
        let section = camera_section(&webcam(), Some("/dev/v4l/by-id/usb-x"), 0).expect("usable");
        let camera = parsed(&section);
        let device = PathBuf::from("/dev/v4l/by-id/usb-x");
        assert_eq!(camera.source, Source::V4l2 { device, format: V4l2Format::Mjpeg });
        assert_eq!((camera.width, camera.height, camera.fps, camera.bitrate), (1920, 1080, 30, 3_300_000));
        assert_eq!((camera.id.to_string(), camera.title.as_deref()), ("main".to_owned(), Some("HD \"Pro\" Webcam")));
        assert!(section.contains("format = \"h264\""), "{section}");
    }

    #[test]
    fn a_microphone_goes_into_a_cameras_section() {
        let mut microphone = camera(Api::Alsa, Vec::new());
        (microphone.kind, microphone.address) = (DeviceKind::Microphone, Some("hw:CARD=Mic \"2\",DEV=0".to_owned()));
        let section = camera_section(&webcam(), Some("/dev/video0"), 0).expect("usable");
        let lines = microphone_lines(&microphone).expect("usable");
        let device = microphone.address.clone();
        let sound = Sound::Microphone { system: SoundSystem::Alsa, device };
        assert_eq!(parsed(&format!("{section}{lines}")).sound, sound, "{lines}");
        microphone.api = Api::Other("jack".to_owned());
        assert_eq!(microphone_lines(&microphone), None);
        assert_eq!(microphone_lines(&webcam()), None, "it is a camera");
    }

    #[test]
    fn every_section_is_a_config_that_works() {
        let slow =
            camera(Api::V4l2, vec![mode(PixelFormat::Raw, 1280, 720, &[10]), mode(PixelFormat::Raw, 640, 480, &[15])]);
        assert_eq!(parsed(&camera_section(&slow, Some("/dev/video0"), 0).expect("usable")).width, 1280);
        let huge = camera(Api::V4l2, vec![mode(PixelFormat::H264, 3840, 1920, &[30])]);
        let huge = parsed(&camera_section(&huge, Some("/dev/video0"), 1).expect("usable"));
        assert_eq!((huge.id.to_string(), huge.width), ("camera-2".to_owned(), 3840));
        let odd =
            camera(Api::V4l2, vec![mode(PixelFormat::Raw, 641, 481, &[30]), mode(PixelFormat::Raw, 320, 240, &[])]);
        assert_eq!(camera_section(&odd, Some("/dev/video0"), 0), None);
        let mut ribbon = camera(Api::Libcamera, vec![mode(PixelFormat::Raw, 1280, 720, &[30])]);
        let ribbon_section = camera_section(&ribbon, Some("/base/i2c@1\\imx \"219\""), 0).expect("usable");
        let device = Some("/base/i2c@1\\imx \"219\"".to_owned());
        assert_eq!(parsed(&ribbon_section).source, Source::Libcamera { device }, "{ribbon_section}");
        ribbon.kind = DeviceKind::Microphone;
        assert_eq!(camera_section(&ribbon, Some("x"), 0), None);
    }

    #[test]
    fn two_hundred_modes_are_told_in_a_line_a_format() {
        let mut many = webcam();
        many.modes.extend((1..100).map(|n| mode(PixelFormat::Raw, 600 - n, 400, &[30])));
        let text = modes_lines(&many);
        assert_eq!(text.lines().count(), 3);
        assert!(
            text.contains("raw   1920×1080 at 5 fps, 640×480 at 30 fps, ") && text.contains("97 smaller"),
            "{text}"
        );
    }

    #[test]
    fn who_finds_nothing_hears_what_to_look_at() {
        let advice = |cameras, nodes: &[Node], missing: &[&str]| advise(cameras, nodes, missing).join("\n");
        let node = |is_forbidden| Node { path: "/dev/video0".to_owned(), is_forbidden };
        assert!(advice(0, &[], &[]).contains("cable"));
        assert!(advice(0, &[node(true)], &[]).contains("group video"));
        assert!(advice(0, &[node(false)], &[]).contains("Another program"));
        assert!(advice(1, &[node(false)], &["gstreamer1.0-libcamera"]).contains("ribbon"));
        assert_eq!(advice(1, &[node(false)], &[]), "");
    }
}
