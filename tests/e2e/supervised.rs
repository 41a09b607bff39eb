//! What systemd hears of the real binaries.

use std::{os::unix::net::UnixDatagram, path::PathBuf};

use anyhow::Context;
use tests::Process;

use crate::PATIENCE;

/// A supervisor's end of the line, in a folder that goes with it.
struct Supervisor {
    folder: PathBuf,
    heard: UnixDatagram,
}

impl Supervisor {
    fn listen(name: &str) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("panocast-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let heard = UnixDatagram::bind(folder.join("notify"))?;
        heard.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { folder, heard })
    }

    /// With a watchdog that wants to hear something every second.
    fn start(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        let socket = self.folder.join("notify").display().to_string();
        Process::start_with(name, arguments, &[("NOTIFY_SOCKET", &socket), ("WATCHDOG_USEC", "1000000")])
    }

    /// Listens until this is said.
    fn until(&self, awaited: &str) -> anyhow::Result<()> {
        self.until_begun(awaited, |rest| rest.is_empty())
    }

    /// Listens until something is said that begins so, and goes on so.
    fn until_begun(&self, awaited: &str, goes_on: impl Fn(&[u8]) -> bool) -> anyhow::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            let length = self.heard.recv(&mut buffer).with_context(|| format!("nobody says {awaited:?}"))?;
            if buffer[..length].strip_prefix(awaited.as_bytes()).is_some_and(&goes_on) {
                return Ok(());
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn the_server_says_that_it_serves_that_it_is_well_and_that_it_ends() -> anyhow::Result<()> {
    let supervisor = Supervisor::listen("server")?;
    let server = supervisor.start("server", &["--listen", "127.0.0.1:0", "--log", "warn"])?;
    supervisor.until("READY=1")?;
    for _ in 0..3 {
        supervisor.until("WATCHDOG=1")?;
    }
    server.terminate()?;
    supervisor.until("STOPPING=1")?;
    Ok(())
}

#[test]
fn the_server_says_that_it_reads_its_config_again_and_what_came_of_it() -> anyhow::Result<()> {
    let supervisor = Supervisor::listen("reloading")?;
    let config = supervisor.folder.join("server.toml");
    std::fs::write(&config, "[log]\nfilter = \"error\"\n")?;
    let path = config.display().to_string();
    let server = supervisor.start("server", &["--config", &path, "--listen", "127.0.0.1:0"])?;
    supervisor.until("READY=1")?;
    let with_the_time = |rest: &[u8]| rest.iter().all(u8::is_ascii_digit) && !rest.is_empty();
    // Whatever came of it, whoever asked hears the end of it.
    for (text, status) in [("[log]\nfilter = \"off\"\n", ""), ("nonsense", "a changed config was refused: ")] {
        std::fs::write(&config, text)?;
        server.hang_up()?;
        supervisor.until_begun("RELOADING=1\nMONOTONIC_USEC=", with_the_time)?;
        supervisor.until_begun(&format!("STATUS={status}"), |rest| rest.is_empty() == status.is_empty())?;
        supervisor.until("READY=1")?;
    }
    server.terminate()?;
    supervisor.until("STOPPING=1")?;
    Ok(())
}

#[test]
fn the_broadcaster_is_ready_with_its_cameras_whether_or_not_there_is_a_server() -> anyhow::Result<()> {
    let supervisor = Supervisor::listen("broadcaster")?;
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/broadcaster.toml");
    // Nobody listens there.
    let arguments = ["--config", config, "--server", "http://127.0.0.1:9", "--log", "error"];
    let broadcaster = supervisor.start("broadcaster", &arguments)?;
    supervisor.until("READY=1")?;
    // What it says before may have been followed by that at once.
    supervisor.until("STATUS=no link to the server, 0 viewers")?;
    for _ in 0..3 {
        supervisor.until("WATCHDOG=1")?;
    }
    broadcaster.terminate()?;
    supervisor.until("STOPPING=1")?;
    Ok(())
}
