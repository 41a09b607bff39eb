//! Bytes, read as a script of steps.

use std::time::{Duration, Instant};

/// What is left of the script. Whoever reads beyond its end gets zeros.
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next step, while there is one.
    pub(crate) fn step(&mut self) -> Option<u8> {
        let (step, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*step)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.step().unwrap_or_default()
    }

    pub(crate) fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    pub(crate) fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// As many bytes as the next two say, or as there are.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.number()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// A while: mostly moments, and now and then minutes.
    pub(crate) fn time(&mut self) -> Duration {
        let number = u64::from(self.number());
        if number >> 15 == 0 { Duration::from_millis(number) } else { Duration::from_secs(number & 0x0fff) }
    }
}

/// Changes bytes as the script says: cuts, appends, or writes over.
pub(crate) fn spoil(bytes: &mut Vec<u8>, script: &mut Script<'_>) {
    let at = usize::from(script.number()) % (bytes.len() + 1);
    match script.below(3) {
        0 => bytes.truncate(at),
        1 => {
            bytes.splice(at..at, script.bytes().iter().copied());
        }
        _ => {
            let end = (at + usize::from(script.below(4)) + 1).min(bytes.len());
            for byte in &mut bytes[at.min(end)..end] {
                *byte = script.byte();
            }
        }
    }
}

/// Where invented time begins.
#[expect(clippy::disallowed_methods, reason = "an instant to count from; std has no other way to make one")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// Whether a person can be told this in one line of a log or a terminal.
pub(crate) fn is_one_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|letter| letter.is_control())
}
