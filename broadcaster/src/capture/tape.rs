//! A camera's second way out: to a recorder, which may be seconds behind and is nobody else's trouble.

use tokio::sync::{mpsc, watch};

use super::Capture;
use crate::media::{AccessUnit, Encoding, Running, VideoCodec};

/// Units that a disk may be behind by: four seconds of most cameras. What it cannot take then is left out, up to the next
/// keyframe.
const PICTURES_WAITING: usize = 128;
const SOUNDS_WAITING: usize = 200;

/// Who takes what a camera gives. What each gets begins with a keyframe, and when it falls behind goes on with one, whatever
/// the other does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Taker {
    Viewers,
    Recorder,
}

/// One camera, as a recorder sees it: its best pictures, and its sound.
pub(crate) struct Tape {
    pub(crate) picture: Encoding,
    pub(crate) pictures: mpsc::Receiver<AccessUnit>,
    /// A camera without sound has none.
    pub(crate) sounds: Option<mpsc::Receiver<AccessUnit>>,
    /// Which encoders are to run for the recorder; initially none.
    pub(crate) running: watch::Sender<Running>,
    /// A message asks for a keyframe of that encoding.
    pub(crate) keyframes: mpsc::Sender<Encoding>,
}

impl Capture {
    /// Opens this way out, before the capture runs. Nothing when the camera's pictures do not come in H.264.
    pub(crate) fn tape(&mut self) -> Option<Tape> {
        let picture = Encoding::Video { rung: 0, codec: VideoCodec::H264 };
        let outlet = self.outlets.iter_mut().find(|outlet| outlet.encoding == picture)?;
        let keyframes = outlet.keyframes.clone();
        let (pictures, taken) = mpsc::channel(PICTURES_WAITING);
        outlet.tape = Some(pictures);
        let (running, recorded) = watch::channel(Running::new());
        let sounds = self.sound.as_mut().map(|sound| {
            let (sounds, taken) = mpsc::channel(SOUNDS_WAITING);
            sound.tape(sounds, recorded.clone());
            taken
        });
        self.recorded = recorded;
        Some(Tape { picture, pictures: taken, sounds, running, keyframes })
    }
}
