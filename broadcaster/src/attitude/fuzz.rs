//! What `make fuzz` reaches of readings.

use std::time::{Duration, Instant};

use super::{pace::Pace, reading};

/// What comes by the robot's own UDP, without the socket.
#[derive(Default)]
pub struct Horizon(Pace);

impl Horizon {
    /// What viewers are told of a datagram that came at this time since 1970, or what its sender is.
    pub fn hear(&mut self, datagram: &[u8], came: Duration, now: Instant) -> Result<Option<Vec<u8>>, String> {
        let reading = reading::read(datagram, came).map_err(|unread| unread.to_string())?;
        Ok(self.0.take(reading, now).map(|readings| protocol::attitude_message(&readings)))
    }
}
