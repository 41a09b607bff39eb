//! What is plugged in, as GStreamer's providers of devices tell.

use gstreamer as gst;
use gstreamer::prelude::*;
use serde::Serialize;

use super::CaptureError;

/// A camera or a microphone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Device {
    pub(crate) kind: DeviceKind,
    /// What people call it.
    pub(crate) name: String,
    pub(crate) api: Api,
    /// The device's file, or what its API calls it.
    pub(crate) address: Option<String>,
    /// A camera's, the largest first. A microphone has none.
    pub(crate) modes: Vec<Mode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeviceKind {
    Camera,
    Microphone,
}

/// Whose device it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Api {
    V4l2,
    Libcamera,
    Pulse,
    Pipewire,
    Alsa,
    Other(String),
}

/// One size of a camera's, and the whole pictures a second that it can give in it, most first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mode {
    pub(crate) format: PixelFormat,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PixelFormat {
    Raw,
    Mjpeg,
    H264,
}

/// What there is, and what cannot be found for want of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Devices {
    pub(crate) devices: Vec<Device>,
    /// Debian's packages that would find more kinds of cameras.
    pub(crate) missing: Vec<&'static str>,
}

/// Sizes that are usual, for cameras that take any in a range.
const USUAL_SIZES: [(u32, u32); 6] = [(3840, 2160), (2560, 1440), (1920, 1080), (1280, 720), (800, 600), (640, 480)];

/// A rate that is usual, for cameras that take any in a range.
const USUAL_FPS: i32 = 30;

/// What finds cameras, and where Debian has it.
const PROVIDERS: [(&str, &str); 2] =
    [("v4l2deviceprovider", "gstreamer1.0-plugins-good"), ("libcameraprovider", "gstreamer1.0-libcamera")];

/// Looks at what is plugged in. Blocks while devices are asked what they can do.
pub(crate) fn devices() -> Result<Devices, CaptureError> {
    super::init()?;
    let monitor = gst::DeviceMonitor::new();
    monitor.add_filter(Some("Video/Source"), None);
    monitor.add_filter(Some("Audio/Source"), None);
    // It fails where no provider has anything to provide.
    let found = monitor.start().map(|()| monitor.devices());
    let devices = found.iter().flatten().filter_map(describe).collect();
    if found.is_ok() {
        monitor.stop();
    }
    let missing = PROVIDERS.iter().filter(|(name, _)| gst::DeviceProviderFactory::find(name).is_none());
    Ok(Devices { devices, missing: missing.map(|(_, package)| *package).collect() })
}

fn describe(device: &gst::Device) -> Option<Device> {
    let properties = device.properties();
    let property = |names: &[&str]| {
        let properties = properties.as_ref()?;
        names.iter().find_map(|name| properties.get::<String>(*name).ok())
    };
    // Sound servers pass on what the card below them is called by its driver, so the provider goes first.
    let provider = device.type_().name().to_ascii_lowercase();
    let is_by = |name: &str| provider.contains(name);
    let api = match property(&["device.api"]).as_deref() {
        _ if is_by("pulse") => Api::Pulse,
        _ if is_by("alsa") => Api::Alsa,
        Some("v4l2") => Api::V4l2,
        Some("libcamera") => Api::Libcamera,
        _ if is_by("pipewire") => Api::Pipewire,
        Some(other) => Api::Other(other.to_owned()),
        // libcamera's own provider names none.
        None if is_by("libcamera") => Api::Libcamera,
        None => Api::Other("unknown".to_owned()),
    };
    // What a sound card plays is no microphone.
    if property(&["device.class"]).as_deref() == Some("monitor") {
        return None;
    }
    let kind = if device.has_classes("Video/Source") { DeviceKind::Camera } else { DeviceKind::Microphone };
    let name = device.display_name().to_string();
    let address = match api {
        Api::Libcamera => Some(name.clone()),
        // What the element would be told that opens it.
        Api::Pulse | Api::Alsa => {
            let element = device.create_element(None).ok();
            element.filter(|element| element.has_property("device")).and_then(|element| element.property("device"))
        }
        Api::Pipewire => property(&["node.name"]),
        Api::V4l2 | Api::Other(_) => property(&["device.path", "api.v4l2.path", "node.name", "device.string"]),
    };
    let modes = match (kind, device.caps()) {
        (DeviceKind::Camera, Some(caps)) => modes(&caps),
        (DeviceKind::Camera, None) | (DeviceKind::Microphone, _) => Vec::new(),
    };
    Some(Device { kind, name, api, address, modes })
}

/// The largest first; of each size and format there is one.
fn modes(caps: &gst::CapsRef) -> Vec<Mode> {
    let mut modes: Vec<Mode> = Vec::new();
    for structure in caps.iter() {
        let format = match structure.name().as_str() {
            "video/x-raw" => PixelFormat::Raw,
            "image/jpeg" => PixelFormat::Mjpeg,
            "video/x-h264" => PixelFormat::H264,
            _ => continue,
        };
        let rates = rates(structure);
        for (width, height) in sizes(structure) {
            let same = |mode: &&mut Mode| (mode.format, mode.width, mode.height) == (format, width, height);
            if let Some(mode) = modes.iter_mut().find(same) {
                mode.fps.extend(&rates);
                mode.fps.sort_unstable_by(|a, b| b.cmp(a));
                mode.fps.dedup();
            } else {
                modes.push(Mode { format, width, height, fps: rates.clone() });
            }
        }
    }
    modes.sort_by_key(|mode| (std::cmp::Reverse(mode.width * mode.height), mode.format));
    modes
}

fn sizes(structure: &gst::StructureRef) -> Vec<(u32, u32)> {
    let side = |name: &str| structure.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
    if let (Some(width), Some(height)) = (side("width"), side("height")) {
        return vec![(width, height)];
    }
    let within = |name: &str, side: u32| {
        let side = i32::try_from(side).expect("the usual ones are small");
        match (structure.get::<i32>(name), structure.get::<gst::IntRange<i32>>(name)) {
            (Ok(only), _) => only == side,
            (_, Ok(range)) => {
                (range.min()..=range.max()).contains(&side) && (side - range.min()) % range.step().max(1) == 0
            }
            (Err(_), Err(_)) => false,
        }
    };
    USUAL_SIZES.into_iter().filter(|(width, height)| within("width", *width) && within("height", *height)).collect()
}

/// Whole pictures a second: the config has no others. None is known where nothing is said.
fn rates(structure: &gst::StructureRef) -> Vec<u32> {
    let whole = |rate: gst::Fraction| {
        (rate.denom() == 1).then(|| u32::try_from(rate.numer()).ok()).flatten().filter(|rate| *rate > 0)
    };
    let mut rates: Vec<u32> = if let Ok(rate) = structure.get::<gst::Fraction>("framerate") {
        whole(rate).into_iter().collect()
    } else if let Ok(list) = structure.get::<gst::List>("framerate") {
        list.iter().filter_map(|rate| whole(rate.get().ok()?)).collect()
    } else if let Ok(range) = structure.get::<gst::FractionRange>("framerate") {
        let most = range.max().numer() / range.max().denom().max(1);
        u32::try_from(most.min(USUAL_FPS)).ok().filter(|rate| *rate > 0).into_iter().collect()
    } else {
        Vec::new()
    };
    rates.sort_unstable_by(|a, b| b.cmp(a));
    rates
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn of(caps: &str) -> Vec<(PixelFormat, u32, u32, Vec<u32>)> {
        gst::init().expect("GStreamer starts");
        let caps = gst::Caps::from_str(caps).expect("caps");
        modes(&caps).into_iter().map(|mode| (mode.format, mode.width, mode.height, mode.fps)).collect()
    }

    #[test]
    fn what_a_camera_can_do_is_condensed_to_sizes_and_whole_rates() {
        let webcam = "video/x-raw,format=YUY2,width=640,height=480,framerate={(fraction)30/1,(fraction)15/2,(fraction)15/1};\
                      video/x-raw,format=NV12,width=640,height=480,framerate=60/1;\
                      image/jpeg,width=1920,height=1080,framerate=30/1;\
                      video/x-h264,width=1920,height=1080,framerate=30/1;\
                      video/x-bayer,width=1920,height=1080,framerate=30/1";
        let expected = [
            (PixelFormat::Mjpeg, 1920, 1080, vec![30]),
            (PixelFormat::H264, 1920, 1080, vec![30]),
            (PixelFormat::Raw, 640, 480, vec![60, 30, 15]),
        ];
        assert_eq!(of(webcam), expected);
    }

    #[test]
    fn of_a_range_the_usual_is_named() {
        let sensor = "video/x-raw,format=NV12,width=[32,1600,2],height=[32,1200,2],framerate=[0/1,120/1]";
        let sizes: Vec<_> = of(sensor).into_iter().map(|(_, width, height, fps)| (width, height, fps)).collect();
        assert_eq!(sizes, [(1280, 720, vec![30]), (800, 600, vec![30]), (640, 480, vec![30])]);
        assert_eq!(of("video/x-raw,width=640,height=480"), [(PixelFormat::Raw, 640, 480, vec![])]);
        assert_eq!(of("video/x-raw,width=640,height=480,framerate=30000/1001")[0].3, [0; 0]);
    }
}
