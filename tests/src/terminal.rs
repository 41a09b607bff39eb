//! What a person would see who starts a program by hand.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    sync::mpsc,
    time::Duration,
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// To the line's beginning, and everything from there on away.
const CLEAR: &str = "\r\x1b[K";

const SHOWS_WITHIN: Duration = Duration::from_secs(60);

/// Read to the end, so that nobody waits for that.
pub struct Terminal {
    screen: OwnedFd,
    written: mpsc::Receiver<Vec<u8>>,
    text: Vec<u8>,
}

impl Terminal {
    /// With the end of it that a program has.
    pub(crate) fn open(columns: u16) -> io::Result<(Self, File)> {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&screen)?;
        unlockpt(&screen)?;
        let name = ptsname(&screen, Vec::new())?;
        let end = File::options().read(true).write(true).open(OsStr::from_bytes(name.to_bytes()))?;
        let mut reader = File::from(screen.try_clone()?);
        let (tell, written) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // It fails when the program has ended.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if tell.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let terminal = Self { screen, written, text: Vec::new() };
        terminal.resize(columns)?;
        Ok((terminal, end))
    }

    pub fn resize(&self, columns: u16) -> io::Result<()> {
        let size = Winsize { ws_row: 25, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(&self.screen, size)?)
    }

    /// Waits until one of these is, or was, the last line. Blocks.
    pub fn until(&mut self, shown: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        loop {
            let text = String::from_utf8_lossy(&self.text);
            if let Some(line) = text.rsplit(CLEAR).find(|line| shown(line)) {
                return Ok(line.to_owned());
            }
            let Ok(more) = self.written.recv_timeout(SHOWS_WITHIN) else {
                anyhow::bail!("nothing of the kind is shown, but {text:?}");
            };
            self.text.extend(more);
        }
    }

    /// What stands behind the last line that was taken away when the program has ended. Blocks.
    pub fn rest(mut self) -> String {
        self.text.extend(self.written.iter().flatten());
        let text = String::from_utf8_lossy(&self.text);
        text.rsplit(CLEAR).next().unwrap_or_default().to_owned()
    }
}
