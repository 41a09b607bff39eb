//! The synthetic camera: a room with known things at known directions, so that every part after it can be checked.
//!
//! The base picture is drawn once; each frame is a copy of it with the marker moved and the time painted in.

mod equirectangular;
mod label;
mod picture;
mod stamp;

use std::time::Duration;

use equirectangular::Equirectangular;
pub(super) use picture::Picture;
use stamp::Stamp;

/// Draws the frames of one synthetic camera.
pub(super) struct Scene {
    base: Picture,
    room: Equirectangular,
    stamp: Stamp,
}

impl Scene {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let room = Equirectangular::new(width, height);
        Self { base: room.draw_base(), room, stamp: Stamp::for_width(width) }
    }

    /// The scene at an instant, given as the time since the Unix epoch.
    pub(super) fn frame(&self, unix: Duration) -> Picture {
        let mut picture = self.base.clone();
        self.room.draw_marker(&mut picture, unix);
        self.stamp.paint(&mut picture, unix);
        picture
    }
}
