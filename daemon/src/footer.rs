//! A line that stays below what is logged, on a terminal.

use std::{
    env,
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::log::{Format, Log};

/// To the line's beginning, and everything from there on away.
const CLEAR: &str = "\r\x1b[K";

/// Columns of a terminal that does not say how many it has.
const USUAL_WIDTH: usize = 80;

/// What stands in the terminal's last line. Held only while something is written.
#[derive(Clone, Debug, Default)]
pub struct Footer(Arc<Mutex<String>>);

impl Footer {
    /// There is one where people read the log as it is written.
    pub fn for_people(log: &Log) -> Option<Self> {
        let simple = env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        (log.format == Format::Text && io::stderr().is_terminal() && !simple).then(Self::default)
    }

    /// How many columns a line may fill: one that reached the edge would begin another.
    pub fn width() -> usize {
        let columns = rustix::termios::tcgetwinsize(io::stderr()).ok().map(|size| usize::from(size.ws_col));
        columns.filter(|columns| *columns > 0).unwrap_or(USUAL_WIDTH) - 1
    }

    /// Shows this line instead of the one before. An empty one leaves the terminal as it was without.
    pub fn show(&self, line: String) {
        let mut shown = self.lock();
        // Who cannot be shown anything misses nothing.
        let _ = io::stderr().write_all(format!("{CLEAR}{line}").as_bytes());
        *shown = line;
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One event of the log, which comes as a whole.
impl Write for Footer {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let shown = self.lock();
        io::stderr().write_all(&above(&shown, event))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn above(shown: &str, event: &[u8]) -> Vec<u8> {
    if shown.is_empty() {
        return event.to_vec();
    }
    [CLEAR.as_bytes(), event, shown.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_takes_the_lines_place_and_the_line_comes_after_it() {
        assert_eq!(above("3 viewers", b"INFO a robot\n"), b"\r\x1b[KINFO a robot\n3 viewers");
        assert_eq!(above("", b"INFO a robot\n"), b"INFO a robot\n");
    }
}
