//! Readings of how a robot leans, over its own UDP: what goes on to viewers is a direction, and refusals are a line.

use std::time::Duration;

use broadcaster::fuzz::attitude::Horizon;

use crate::script::{Script, is_one_line, start};

/// It goes back to whoever sent the datagram.
const MAX_REFUSAL: usize = 1024;

/// As the page reads it: a time, and three shares of 32767.
const READING: usize = 14;

pub fn attitude(data: &[u8]) {
    let mut script = Script::new(data);
    let mut horizon = Horizon::default();
    let (mut now, mut came) = (start(), Duration::from_secs(1_800_000_000));
    while let Some(step) = script.step() {
        let passed = Duration::from_millis(u64::from(step) * 2);
        (now, came) = (now + passed, came + passed);
        let datagram = script.bytes();
        match horizon.hear(datagram, came, now) {
            Ok(None) => {}
            Ok(Some(message)) => readings(&message),
            Err(refusal) => {
                assert!(is_one_line(&refusal), "{refusal:?}");
                assert!(refusal.len() <= MAX_REFUSAL, "{} bytes", refusal.len());
            }
        }
    }
}

fn readings(message: &[u8]) {
    assert!(matches!(message.len(), READING | 28), "one reading, or the one before it too");
    for reading in message.chunks(READING) {
        let part = |at: usize| f64::from(i16::from_be_bytes([reading[at], reading[at + 1]]));
        let length = (part(8).powi(2) + part(10).powi(2) + part(12).powi(2)).sqrt();
        assert!((length / f64::from(i16::MAX) - 1.0).abs() < 1e-3, "{reading:?}");
    }
}
