//! Microphones, by the sound system that gives access to them.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    CaptureError,
    element::{filter, make},
};
use crate::config::{Sound, SoundSystem};

/// In the order in which they are tried: who is asked first knows best which microphone people mean.
const SYSTEMS: [SoundSystem; 3] = [SoundSystem::Pulse, SoundSystem::Pipewire, SoundSystem::Alsa];

/// As Opus works inside.
const RATE: i32 = 48_000;

/// A microphone that can be opened, and which one of the systems it is of.
pub(super) fn open(sound: &Sound, attempt: usize) -> Result<(gst::Element, usize), CaptureError> {
    match sound {
        Sound::Microphone { system, device } => Ok((source(*system, device.as_deref())?, 0)),
        Sound::Auto => any(attempt),
        Sound::None | Sound::Tone => unreachable!("there is no microphone in it"),
    }
}

/// One that GStreamer could open, whether or not there is any.
pub(super) fn unopened(sound: &Sound) -> Result<gst::Element, CaptureError> {
    match sound {
        Sound::Microphone { system, device } => source(*system, device.as_deref()),
        Sound::Auto => SYSTEMS.iter().map(|system| source(*system, None)).reduce(Result::or).expect("three"),
        Sound::None | Sound::Tone => unreachable!("there is no microphone in it"),
    }
}

/// The first one from this attempt's on that lets itself be opened.
fn any(attempt: usize) -> Result<(gst::Element, usize), CaptureError> {
    for place in (0..SYSTEMS.len()).map(|step| (attempt + step) % SYSTEMS.len()) {
        let Ok(source) = source(SYSTEMS[place], None) else { continue };
        if source.set_state(gst::State::Ready).is_ok() {
            return Ok((source, place));
        }
        let _ = source.set_state(gst::State::Null);
    }
    Err(CaptureError::NoMicrophone)
}

fn source(system: SoundSystem, device: Option<&str>) -> Result<gst::Element, CaptureError> {
    // Read in pieces of a hundredth of a second. The buffer is only for a busy machine, and delays nothing.
    let pieces = [("latency-time", "10000"), ("buffer-time", "200000")];
    let (source, property) = match system {
        SoundSystem::Pulse => (make("pulsesrc", "gstreamer1.0-pulseaudio", &pieces)?, "device"),
        SoundSystem::Alsa => (make("alsasrc", "gstreamer1.0-alsa", &pieces)?, "device"),
        // Its own time stamps are on its own clock.
        SoundSystem::Pipewire => {
            (make("pipewiresrc", "gstreamer1.0-pipewire", &[("do-timestamp", "true")])?, "target-object")
        }
    };
    if let Some(device) = device {
        source.set_property(property, device);
    }
    Ok(source)
}

/// What makes any microphone's sound what the encoder takes: one channel or two, as it comes.
pub(super) fn conform() -> Result<[gst::Element; 3], CaptureError> {
    const BASE: &str = "gstreamer1.0-plugins-base";
    let caps = gst::Caps::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("layout", "interleaved")
        .field("rate", RATE)
        .field("channels", gst::IntRange::new(1, 2))
        .build();
    Ok([make("audioconvert", BASE, &[])?, make("audioresample", BASE, &[])?, filter(caps)?])
}
