//! The synthetic camera: a room with known things at known directions, so that every part after it can be checked.
//!
//! The base picture is drawn once; each frame is a copy of it with the marker moved and the time painted in.

mod label;
mod lens;
mod picture;
mod room;
mod stamp;

use std::time::Duration;

pub(super) use lens::Lens;
pub(super) use picture::Picture;
use room::Room;
use stamp::Stamp;

/// Draws the frames of one synthetic camera.
pub(super) struct Scene {
    base: Picture,
    room: Room,
    stamp: Stamp,
}

impl Scene {
    pub(super) fn new(lens: Lens, width: usize, height: usize) -> Self {
        let room = Room::new(lens, width, height);
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
