//! The synthetic camera: a room with known things at known directions, so that every part after it can be checked.
//!
//! The base picture is drawn once; each frame is a copy of it with the marker moved and the time painted in.

mod circle;
mod cube;
mod label;
mod lens;
mod picture;
mod room;
mod stamp;

use std::time::Duration;

use lens::Lens;
pub(super) use picture::Picture;
use room::Room;
use stamp::Stamp;

use crate::config::Camera;

/// Draws the frames of one synthetic camera.
pub(super) struct Scene {
    base: Picture,
    room: Room,
    stamp: Stamp,
}

impl Scene {
    /// What a camera sees there, if it is one that is drawn. Takes a moment.
    pub(super) fn of(camera: &Camera) -> Option<Self> {
        camera.source.is_drawn().then(|| Self::new(camera))
    }

    fn new(camera: &Camera) -> Self {
        let (width, height) = (camera.width as usize, camera.height as usize);
        let lens = Lens::new(&camera.projection, camera.mount, width as f32 / height as f32);
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
