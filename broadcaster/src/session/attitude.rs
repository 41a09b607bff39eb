//! How the robot leans, as the viewer hears it.

use std::time::Instant;

use bytes::Bytes;

use super::{Channel, Phase, Session};

impl Session {
    /// Whether it hears how the robot leans.
    pub(crate) fn listens(&self) -> bool {
        self.is_live() && self.channel.as_ref().is_some_and(Channel::is_open)
    }

    /// Has a viewer that listens told how the robot leans.
    pub(crate) fn tell_attitude(&mut self, message: &Bytes, now: Instant) {
        let Some(channel) = self.channel.as_mut().filter(|_| self.phase == Phase::Live) else { return };
        if let Err(error) = channel.tell(message, now) {
            tracing::debug!(viewer = %self.viewer, %error, "the viewer does not listen any more");
            self.channel = None;
        }
        self.pass_on(now);
    }

    /// Sends what the channel has to say.
    pub(super) fn pass_on(&mut self, now: Instant) {
        while let Some(data) = self.channel.as_mut().and_then(Channel::poll_transmit) {
            self.transport.send(&data, now);
        }
    }
}
