//! The encoders for H.264 that a machine may have, in the order in which they are preferred, and what each is told.
//!
//! All are set for the same: a constant bitrate with little to save up, no B-frames, and keyframes when they are asked for.
//! Those for hardware differ between versions and drivers: what one of them does not know it is not told, and whether its
//! stream will do is found out by a trial.

use gstreamer as gst;
use gstreamer::prelude::*;
use protocol::Rung;

use super::{
    super::{
        CaptureError,
        element::{JETPACK, filter, make, make_tolerant},
        source::parse,
    },
    Chain, Control, MAX_KEYFRAME_DISTANCE,
    control::{CONTROLS, Dial, Keyframes},
};
use crate::config::Encoder;

const BAD: &str = "gstreamer1.0-plugins-bad";
const GOOD: &str = "gstreamer1.0-plugins-good";
const UGLY: &str = "gstreamer1.0-plugins-ugly";

/// How much bitrate may be saved up for a keyframe, in milliseconds of it: 55 KB at 3 Mbit/s, sent in a tenth of a second.
const VBV_MILLIS: u32 = 300;

/// Below this width, cutting a picture in slices costs more than a second thread gains.
const NARROW: u32 = 640;

/// The converter that gives whatever comes as whatever is taken. It does nothing where both are the same.
const CONVERT: &str = "videoconvert dither=none chroma-mode=none";

/// Without them a receiver that joins can begin nowhere: not all encoders repeat what describes the stream.
const REPEAT_PARAMETERS: &str = "h264parse config-interval=-1";

/// How the names of these encoders' bins begin.
const BIN: &str = "h264-";

type Properties = Vec<(&'static str, String)>;

/// One encoder.
#[derive(Debug)]
pub(in crate::capture) struct Kind {
    /// By which the config knows it.
    pub(in crate::capture) encoder: Encoder,
    pub(in crate::capture) element: &'static str,
    /// Where it comes from.
    pub(super) package: &'static str,
    /// Elements in front of it and behind it, as for `gst-launch-1.0`.
    pub(super) before: Option<&'static str>,
    pub(super) behind: Option<&'static str>,
    pub(super) properties: fn(&Rung) -> Properties,
    /// What the stream is to be; the first that it can be.
    pub(super) profiles: &'static [&'static str],
    /// It must be told the stream's level, or takes the lowest.
    pub(super) needs_level: bool,
    pub(super) dial: Dial,
    pub(super) keyframes: Keyframes,
}

const ANY_PROFILE: &[&str] = &["constrained-baseline", "main", "high"];
const KILOBITS: Dial = Dial::Property { name: "bitrate", unit: 1000 };
const BITS: Dial = Dial::Property { name: "bitrate", unit: 1 };

pub(super) static KINDS: [Kind; 8] = [
    // Intel's low-power encoder leaves the graphics processor free.
    Kind { element: "vah264lpenc", ..VAAPI },
    VAAPI,
    Kind {
        encoder: Encoder::Nvenc,
        element: "nvh264enc",
        package: BAD,
        before: Some(CONVERT),
        behind: Some(REPEAT_PARAMETERS),
        properties: |rung| {
            list([
                ("bitrate", kilobits(rung)),
                ("rc-mode", "cbr-ld-hq".to_owned()),
                ("preset", "low-latency-hq".to_owned()),
                ("zerolatency", "true".to_owned()),
                ("bframes", "0".to_owned()),
                ("vbv-buffer-size", vbv_kilobits(rung)),
                ("gop-size", MAX_KEYFRAME_DISTANCE.to_owned()),
            ])
        },
        profiles: ANY_PROFILE,
        needs_level: false,
        dial: KILOBITS,
        keyframes: Keyframes::Event,
    },
    Kind {
        encoder: Encoder::Jetson,
        element: "nvv4l2h264enc",
        package: JETPACK,
        before: Some("nvvidconv ! capsfilter caps=\"video/x-raw(memory:NVMM),format=NV12\""),
        behind: Some(REPEAT_PARAMETERS),
        properties: |rung| {
            list([
                ("bitrate", rung.bitrate.to_string()),
                ("control-rate", "constant_bitrate".to_owned()),
                ("vbv-size", (u64::from(rung.bitrate) * u64::from(VBV_MILLIS) / 1000).to_string()),
                ("preset-level", "UltraFastPreset".to_owned()),
                ("maxperf-enable", "true".to_owned()),
                ("insert-sps-pps", "true".to_owned()),
                ("num-B-Frames", "0".to_owned()),
                ("iframeinterval", MAX_KEYFRAME_DISTANCE.to_owned()),
                ("idrinterval", MAX_KEYFRAME_DISTANCE.to_owned()),
            ])
        },
        profiles: &[],
        needs_level: false,
        dial: BITS,
        keyframes: Keyframes::Signal("force-IDR"),
    },
    // The Raspberry Pi's, up to the fourth, and those of many other small boards.
    Kind {
        encoder: Encoder::V4l2,
        element: "v4l2h264enc",
        package: GOOD,
        before: Some(CONVERT),
        behind: Some(REPEAT_PARAMETERS),
        properties: |rung| list([(CONTROLS, v4l2_controls(rung.bitrate))]),
        profiles: ANY_PROFILE,
        needs_level: true,
        dial: Dial::Controls(v4l2_controls),
        keyframes: Keyframes::Control("force_key_frame=1"),
    },
    Kind {
        encoder: Encoder::Qsv,
        element: "qsvh264enc",
        package: BAD,
        before: Some(CONVERT),
        behind: Some(REPEAT_PARAMETERS),
        properties: |rung| {
            list([
                ("bitrate", kilobits(rung)),
                ("rate-control", "cbr".to_owned()),
                ("low-latency", "true".to_owned()),
                ("target-usage", "7".to_owned()),
                ("b-frames", "0".to_owned()),
                ("gop-size", MAX_KEYFRAME_DISTANCE.to_owned()),
            ])
        },
        profiles: ANY_PROFILE,
        needs_level: false,
        dial: KILOBITS,
        keyframes: Keyframes::Event,
    },
    Kind {
        encoder: Encoder::X264,
        element: "x264enc",
        package: UGLY,
        before: None,
        behind: None,
        properties: |rung| {
            let (threads, sliced) = if rung.width < NARROW { ("1", "false") } else { ("2", "true") };
            list([
                ("tune", "zerolatency".to_owned()),
                ("speed-preset", "superfast".to_owned()),
                ("bitrate", kilobits(rung)),
                ("vbv-buf-capacity", VBV_MILLIS.to_string()),
                ("key-int-max", MAX_KEYFRAME_DISTANCE.to_owned()),
                ("aud", "false".to_owned()),
                ("threads", threads.to_owned()),
                ("sliced-threads", sliced.to_owned()),
                ("option-string", "scenecut=0".to_owned()),
            ])
        },
        profiles: &["constrained-baseline"],
        needs_level: false,
        dial: KILOBITS,
        keyframes: Keyframes::Event,
    },
    Kind {
        encoder: Encoder::Openh264,
        element: "openh264enc",
        package: BAD,
        before: None,
        behind: None,
        properties: |rung| {
            let slices = if rung.width < NARROW { "1" } else { "2" };
            list([
                ("bitrate", rung.bitrate.to_string()),
                ("rate-control", "bitrate".to_owned()),
                // It keeps to its bitrate no other way when a picture is hard.
                ("enable-frame-skip", "true".to_owned()),
                ("complexity", "low".to_owned()),
                ("gop-size", MAX_KEYFRAME_DISTANCE.to_owned()),
                // It would make keyframes that nobody has asked for.
                ("scene-change-detection", "false".to_owned()),
                ("multi-thread", slices.to_owned()),
                ("slice-mode", "n-slices".to_owned()),
                ("num-slices", slices.to_owned()),
            ])
        },
        profiles: &["constrained-baseline"],
        needs_level: false,
        dial: BITS,
        keyframes: Keyframes::Event,
    },
];

const VAAPI: Kind = Kind {
    encoder: Encoder::Vaapi,
    element: "vah264enc",
    package: BAD,
    before: Some("vapostproc ! capsfilter caps=\"video/x-raw(memory:VAMemory),format=NV12\""),
    behind: Some(REPEAT_PARAMETERS),
    properties: |rung| {
        list([
            ("bitrate", kilobits(rung)),
            ("rate-control", "cbr".to_owned()),
            ("cpb-size", vbv_kilobits(rung)),
            ("key-int-max", "256".to_owned()),
            ("b-frames", "0".to_owned()),
            ("target-usage", "7".to_owned()),
        ])
    },
    profiles: ANY_PROFILE,
    needs_level: false,
    dial: KILOBITS,
    keyframes: Keyframes::Event,
};

impl Kind {
    /// The encoder for a quality, with all that it needs around it.
    pub(in crate::capture) fn build(&self, rung: &Rung) -> Result<Chain, CaptureError> {
        let properties = (self.properties)(rung);
        let properties = properties.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>();
        let encoder = match self.encoder {
            // These we know.
            Encoder::X264 | Encoder::Openh264 => make(self.element, self.package, &properties)?,
            Encoder::Auto | Encoder::Vaapi | Encoder::Nvenc | Encoder::Jetson | Encoder::V4l2 | Encoder::Qsv => {
                make_tolerant(self.element, self.package, &properties)?
            }
        };
        let mut elements = Vec::new();
        if let Some(before) = self.before {
            elements.push(parse(before, true)?.upcast::<gst::Element>());
        }
        elements.push(encoder.clone());
        elements.push(filter(self.caps(rung))?);
        if let Some(behind) = self.behind {
            elements.push(parse(behind, true)?.upcast());
        }
        // In a bin of their own: what goes wrong in there is the encoder's fault.
        let bin = gst::Bin::with_name(&format!("{BIN}{}x{}-{}", rung.width, rung.height, rung.bitrate));
        bin.add_many(&elements).map_err(CaptureError::Link)?;
        gst::Element::link_many(&elements).map_err(CaptureError::Link)?;
        let ends = [(elements.first(), "sink"), (elements.last(), "src")];
        for (element, name) in ends {
            let pad = element.and_then(|element| element.static_pad(name)).expect("each has these two");
            bin.add_pad(&gst::GhostPad::with_target(&pad).map_err(CaptureError::Link)?).map_err(CaptureError::Link)?;
        }
        let control = Control::new(encoder, self.dial, self.keyframes, rung.bitrate);
        Ok(Chain { elements: vec![bin.upcast()], control })
    }

    fn caps(&self, rung: &Rung) -> gst::Caps {
        let mut caps =
            gst::Caps::builder("video/x-h264").field("stream-format", "byte-stream").field("alignment", "au");
        match self.profiles {
            [] => {}
            [one] => caps = caps.field("profile", *one),
            several => caps = caps.field("profile", gst::List::new(several.iter().copied())),
        }
        if self.needs_level {
            caps = caps.field("level", level(rung));
        }
        caps.build()
    }
}

/// Whether an element is one of an encoder's.
pub(in crate::capture) fn is_part(element: &gst::Object) -> bool {
    element.name().starts_with(BIN) || element.parent().is_some_and(|parent| is_part(&parent))
}

fn list<const N: usize>(properties: [(&'static str, String); N]) -> Properties {
    properties.into()
}

fn kilobits(rung: &Rung) -> String {
    rung.bitrate.div_ceil(1000).to_string()
}

fn vbv_kilobits(rung: &Rung) -> String {
    (u64::from(rung.bitrate) * u64::from(VBV_MILLIS) / 1_000_000).to_string()
}

fn v4l2_controls(bitrate: u32) -> String {
    format!("controls,video_bitrate={bitrate},repeat_sequence_header=1,h264_i_frame_period={MAX_KEYFRAME_DISTANCE}")
}

/// The lowest level for pictures of this size and rate: macroblocks in a picture and in a second (ITU-T H.264, table A-1).
fn level(rung: &Rung) -> &'static str {
    const LEVELS: [(&str, u32, u32); 8] = [
        ("3.1", 3_600, 108_000),
        ("4", 8_192, 245_760),
        ("4.2", 8_704, 522_240),
        ("5", 22_080, 589_824),
        ("5.1", 36_864, 983_040),
        ("5.2", 36_864, 2_073_600),
        ("6", 139_264, 4_177_920),
        ("6.1", 139_264, 8_355_840),
    ];
    let picture = rung.width.div_ceil(16) * rung.height.div_ceil(16);
    let second = picture.saturating_mul(rung.fps);
    let fits = LEVELS.iter().find(|(_, most, rate)| picture <= *most && second <= *rate);
    fits.map_or("6.2", |(level, ..)| level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_covers_size_and_rate() {
        let level = |width, height, fps| level(&Rung { width, height, fps, bitrate: 1_000_000 });
        assert_eq!(level(640, 360, 30), "3.1");
        assert_eq!(level(1280, 720, 30), "3.1");
        assert_eq!(level(1280, 720, 60), "4", "the encoder of a Raspberry Pi goes no further");
        assert_eq!(level(1920, 960, 30), "4");
        assert_eq!(level(1920, 1080, 60), "4.2");
        assert_eq!(level(3840, 1920, 30), "5.1");
        assert_eq!(level(4096, 2304, 120), "6.1");
    }

    #[test]
    fn each_name_of_the_config_has_an_encoder() {
        let names = [
            Encoder::Vaapi,
            Encoder::Nvenc,
            Encoder::Jetson,
            Encoder::V4l2,
            Encoder::Qsv,
            Encoder::X264,
            Encoder::Openh264,
        ];
        assert!(names.iter().all(|name| KINDS.iter().any(|kind| kind.encoder == *name)));
    }
}
