//! Real encoders, those that only look like one, and those that are not there.

use std::time::Duration;

use gstreamer as gst;
use protocol::Rung;

use super::{
    Chain,
    choice::Chooser,
    control::{Dial, Keyframes},
    h264::{KINDS, Kind},
    trial::{Run, try_out},
    vp8,
};
use crate::{capture::moment, config::Encoder};

const DIAL: Dial = Dial::Property { name: "bitrate", unit: 1000 };

const GOOD: Kind = Kind {
    encoder: Encoder::X264,
    element: "x264enc",
    package: "gstreamer1.0-plugins-ugly",
    before: None,
    behind: None,
    properties: |_| vec![("tune", "zerolatency".to_owned())],
    profiles: &["constrained-baseline"],
    needs_level: false,
    dial: DIAL,
    keyframes: Keyframes::Event,
};

static DOUBTFUL: [Kind; 7] = [
    Kind { element: "nosuchenc", package: "nosuchpackage", ..GOOD },
    Kind { behind: Some("identity error-after=3"), ..GOOD },
    Kind { before: Some("capsfilter caps=\"video/x-raw,format=GRAY8\""), ..GOOD },
    Kind { properties: |_| vec![("bframes", "2".to_owned())], profiles: &["main"], ..GOOD },
    Kind { profiles: &["high-4:4:4"], before: Some("videoconvert"), ..GOOD },
    Kind { keyframes: Keyframes::Control("force_key_frame=1"), ..GOOD },
    Kind { encoder: Encoder::Openh264, ..GOOD },
];

/// One passes its trial, and fails later; the other goes on.
pub(in crate::capture) static WEARING_OUT: [Kind; 2] = [
    Kind { behind: Some("identity error-after=20"), ..GOOD },
    Kind { element: "openh264enc", properties: |_| Vec::new(), ..GOOD },
];

fn rung(width: u32, fps: u32) -> Rung {
    Rung { width, height: width / 2, fps, bitrate: 500_000 }
}

fn start() {
    gstreamer::init().expect("GStreamer starts");
}

#[test]
fn software_encoders_work_at_every_size() {
    start();
    for kind in KINDS.iter().filter(|kind| [Encoder::X264, Encoder::Openh264].contains(&kind.encoder)) {
        let outcome = try_out(kind, &[rung(64, 1), rung(160, 10), rung(484, 30), rung(1280, 60)]);
        assert!(outcome.is_ok(), "{}: {outcome:?}", kind.element);
    }
}

#[test]
fn what_does_not_work_is_passed_by_with_its_reason() {
    start();
    let candidates = Chooser::among(&DOUBTFUL, Encoder::Auto).candidates();
    let choice = candidates.first_that_works(|kind| try_out(kind, &[rung(160, 30)])).expect("the last one works");
    assert_eq!(choice.kind().encoder, Encoder::Openh264);
    let reasons = choice.refused().to_string();
    let expected = [
        "not there: nosuchenc; ",
        "the encoder identity",
        "do not fit together",
        "B-frames",
        "profile is number 244",
        "keyframe",
    ];
    let mut rest = reasons.as_str();
    for reason in expected {
        let at = rest.find(reason);
        rest = &rest[at.unwrap_or_else(|| panic!("{reason} is not in {rest:?}"))..];
    }
}

#[test]
fn what_no_encoder_of_this_machine_has_is_said_for_the_one_that_is_named() {
    start();
    let candidates = Chooser::among(&DOUBTFUL[..1], Encoder::X264).candidates();
    let error = candidates.first_that_works(|kind| try_out(kind, &[rung(160, 30)])).expect_err("it is not there");
    let text = error.to_string();
    assert!(text.contains("encoder is \"x264\"") && text.contains("nosuchpackage"), "{text}");
}

const HANG: Duration = Duration::from_secs(60);
const NOMINAL: u32 = 1_200_000;
const PICTURES: usize = 45;

/// What an encoder makes of noise, which takes all that it is given.
struct Noise {
    run: Run,
    keyframes: usize,
}

impl Noise {
    fn by(elements: Vec<gst::Element>) -> Self {
        Self { run: Run::start(elements, &quality(), "snow").expect("it runs"), keyframes: 0 }
    }

    fn next(&mut self) -> gst::Buffer {
        let unit = self.run.next(moment::now() + HANG).expect("pictures come");
        self.keyframes += usize::from(!unit.flags().contains(gst::BufferFlags::DELTA_UNIT));
        unit
    }

    /// Bits per second of the pictures' own time.
    fn rate(&mut self) -> f64 {
        let mut last = self.next();
        // What changed has its effect by then.
        for _ in 0..20 {
            last = self.next();
        }
        let (began, mut bytes) = (last.pts(), 0);
        for _ in 0..PICTURES {
            last = self.next();
            bytes += last.size();
        }
        let took = last.pts().zip(began).map(|(end, begin)| Duration::from(end - begin)).expect("they have a time");
        bytes as f64 * 8.0 / took.as_secs_f64()
    }
}

/// How many keyframes it makes, after the first, of a bitrate that changes and changes back.
fn follows(name: &str, chain: Chain) -> usize {
    let Chain { elements, mut control } = chain;
    let mut noise = Noise::by(elements);
    noise.next();
    assert_eq!(noise.keyframes, 1, "{name} begins with one");
    let whole = noise.rate();
    control.set_bitrate(NOMINAL * 2 / 5);
    let less = noise.rate();
    control.set_bitrate(NOMINAL);
    let again = noise.rate();
    let seen = format!("{name}: {whole:.0}, {less:.0}, {again:.0}");
    assert!((0.7..1.4).contains(&(whole / f64::from(NOMINAL))), "{seen}");
    assert!((0.3..0.5).contains(&(less / whole)), "{seen}");
    assert!((0.7..1.4).contains(&(again / whole)), "{seen}");
    noise.keyframes - 1
}

fn quality() -> Rung {
    Rung { bitrate: NOMINAL, ..rung(160, 30) }
}

fn h264(encoder: Encoder) -> Chain {
    start();
    let kind = KINDS.iter().find(|kind| kind.encoder == encoder).expect("it is known");
    kind.build(&quality()).expect("it can be built")
}

#[test]
fn x264_follows_a_new_bitrate_without_a_keyframe() {
    assert_eq!(follows("x264", h264(Encoder::X264)), 0);
}

#[test]
fn vp8_follows_a_new_bitrate_without_a_keyframe() {
    start();
    assert_eq!(follows("vp8", vp8(&quality()).expect("it can be built")), 0);
}

#[test]
fn openh264_follows_a_new_bitrate_and_begins_anew_at_most_once() {
    assert!(follows("openh264", h264(Encoder::Openh264)) <= 1);
}
