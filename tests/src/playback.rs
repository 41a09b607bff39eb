//! What a player sees in a file, and when it was: the scene's time stamp tells.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use gstreamer as gst;
use gstreamer::prelude::*;

/// No file of the tests takes longer.
const PLAYS_WITHIN: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// The time stamp: so many blocks, a preamble, and a seed for the checksum.
const BLOCKS: usize = 44;
const PREAMBLE: u64 = 0b1010;
const CHECKSUM_SEED: u8 = 0x5a;

/// Below this width blocks are half as large.
const NARROW: usize = 704;

/// A file, played to its end.
#[derive(Clone, Debug, Default)]
pub struct Playback {
    pub pictures: Vec<Shown>,
    /// Packets of sound.
    pub sounds: usize,
    /// What the file itself says.
    pub duration: Option<Duration>,
}

/// One decoded picture.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Since the file's beginning; of a single picture there is none.
    pub at: Option<Duration>,
    pub width: usize,
    pub height: usize,
    /// From black, 0, to white, 255, in rows.
    pub grey: Vec<u8>,
}

impl Playback {
    /// Decodes everything in the file. An error in it fails.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let seen = play(path, "decodebin ! videoconvert ! video/x-raw,format=GRAY8 ! fakesink name=eye")?;
        // Decoders find each other in other ways than players that know what they play.
        let Self { sounds, .. } = match seen.pictures.first().and_then(|picture| picture.at) {
            Some(_) => play(path, "qtdemux name=tracks tracks.audio_0 ! fakesink name=ear").unwrap_or_default(),
            None => Self::default(),
        };
        Ok(Self { sounds, ..seen })
    }
}

impl Shown {
    /// When the picture was taken, if it is the scene's and its stamp is whole.
    pub fn taken(&self) -> Option<SystemTime> {
        let block = if self.width < NARROW { 8 } else { 16 };
        let row = &self.grey[block / 2 * self.width..][..self.width];
        let mut bits = (0..BLOCKS).map(|index| row.get(index * block + block / 2).map(|grey| u64::from(*grey > 127)));
        let bits = bits.try_fold(0, |bits, bit| Some(bits << 1 | bit?))?;
        let (millis, checksum) = ((bits >> 8) as u32, bits as u8);
        let expected = millis.to_be_bytes().into_iter().fold(CHECKSUM_SEED, u8::wrapping_add);
        if bits >> 40 != PREAMBLE || checksum != expected {
            return None;
        }
        // It counts modulo 2³² milliseconds, seven weeks.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis() as u64;
        let age = (now as u32).wrapping_sub(millis);
        // Clocks are read one after the other.
        let taken =
            if age > u32::MAX / 2 { now + u64::from(millis.wrapping_sub(now as u32)) } else { now - u64::from(age) };
        Some(UNIX_EPOCH + Duration::from_millis(taken))
    }
}

fn play(path: &Path, rest: &str) -> anyhow::Result<Playback> {
    gst::init()?;
    let pipeline = gst::parse::launch(&format!("filesrc name=file ! {rest} sync=false async=false"))?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("several elements make a pipeline")?;
    pipeline.by_name("file").context("it is there")?.set_property("location", path);
    let seen = Arc::new(Mutex::new(Playback::default()));
    for (name, is_eye) in [("eye", true), ("ear", false)] {
        let Some(pad) = pipeline.by_name(name).and_then(|sink| sink.static_pad("sink")) else { continue };
        let seen = seen.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match info.buffer().filter(|_| is_eye).map(|buffer| shown(pad, buffer)) {
                Some(Some(picture)) => seen.pictures.push(picture),
                Some(None) => {}
                None => seen.sounds += 1,
            }
            gst::PadProbeReturn::Ok
        });
    }
    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().context("a pipeline has a bus")?;
    let ended = bus.timed_pop_filtered(PLAYS_WITHIN, &[gst::MessageType::Eos, gst::MessageType::Error]);
    let duration = pipeline.query_duration::<gst::ClockTime>().map(Duration::from);
    pipeline.set_state(gst::State::Null)?;
    let path = path.display();
    match ended.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Eos(_)) => {}
        Some(gst::MessageView::Error(error)) => anyhow::bail!("{path}: {} ({:?})", error.error(), error.debug()),
        Some(_) | None => anyhow::bail!("{path} does not end"),
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Playback { duration, ..seen })
}

fn shown(pad: &gst::Pad, buffer: &gst::Buffer) -> Option<Shown> {
    let caps = pad.current_caps()?;
    let side = |name| caps.structure(0)?.get::<i32>(name).ok().and_then(|side| usize::try_from(side).ok());
    let (width, height) = (side("width")?, side("height")?);
    let data = buffer.map_readable().ok()?;
    // Rows begin at multiples of four bytes.
    let rows = data.chunks(width.next_multiple_of(4)).take(height);
    let grey = rows.flat_map(|row| &row[..width]).copied().collect();
    Some(Shown { at: buffer.pts().map(Duration::from), width, height, grey })
}
