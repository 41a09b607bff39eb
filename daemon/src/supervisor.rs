//! What whoever started the process is told of it: systemd, by the protocol of `sd_notify(3)`.
//!
//! Without a supervisor that wants to know, nothing is told.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{ffi::OsStrExt, net::SocketAddr, net::UnixDatagram},
    },
    time::Duration,
};

/// The line to a supervisor, if there is one.
#[derive(Debug, Default)]
pub struct Supervisor {
    line: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// As the environment names it. A line that cannot be opened is logged and done without.
    pub fn from_env() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        let Some(path) = variable("NOTIFY_SOCKET") else { return Self::default() };
        let text = |name| variable(name).and_then(|value| value.into_string().ok());
        match open(path.as_bytes()) {
            Ok(line) => {
                let watchdog = watchdog(text("WATCHDOG_USEC"), text("WATCHDOG_PID"), std::process::id());
                Self { line: Some(line), watchdog }
            }
            Err(error) => {
                tracing::warn!(%error, socket = ?path, "the supervisor cannot be told anything");
                Self::default()
            }
        }
    }

    /// It does what it is there for from now on.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// It takes another config from now on, until it is [`Self::ready`] again.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        // Supervisors that wait for a config to be taken tell by the time which of two answers is meant.
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1000));
    }

    /// It has begun to end.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// What it is doing, in one line for people.
    pub fn status(&self, line: &str) {
        self.tell(&format!("STATUS={}", line.replace('\n', " ")));
    }

    /// It is well. Who does not say so for long enough is started anew.
    pub fn well(&self) {
        self.tell("WATCHDOG=1");
    }

    /// How often [`Self::well`] is wanted: twice as often as the supervisor insists on. `None`: never.
    pub fn heartbeat(&self) -> Option<Duration> {
        self.watchdog.map(|within| within / 2)
    }

    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.line
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::debug!(%error, state, "the supervisor was not told");
        }
    }
}

/// The name begins with `@` where it lies in no file system.
fn open(name: &[u8]) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name")),
    };
    let socket = UnixDatagram::unbound()?;
    // A supervisor that is behind must not hold up what it supervises.
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

/// How long it may say nothing. What is meant for another process says nothing to this one.
fn watchdog(micros: Option<String>, pid: Option<String>, own: u32) -> Option<Duration> {
    if pid.is_some_and(|pid| pid.parse() != Ok(own)) {
        return None;
    }
    let micros = micros?.parse().ok().filter(|micros| *micros > 0)?;
    Some(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_for_the_process_that_it_names() {
        let watchdog = |micros: &str, pid: Option<&str>| watchdog(Some(micros.to_owned()), pid.map(str::to_owned), 7);
        assert_eq!(watchdog("30000000", Some("7")), Some(Duration::from_secs(30)));
        assert_eq!(watchdog("1", None), Some(Duration::from_micros(1)));
        for (micros, pid) in [("30000000", Some("8")), ("0", None), ("soon", None), ("1", Some("me"))] {
            assert_eq!(watchdog(micros, pid), None, "{micros} {pid:?}");
        }
    }

    #[test]
    fn an_abstract_name_and_a_path_are_both_reached() {
        let name = format!("panocast-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let heard = UnixDatagram::bind_addr(&address).expect("binds");
        let supervisor = Supervisor { line: open(format!("@{name}").as_bytes()).ok(), watchdog: None };
        let mut buffer = [0; 100];
        let mut hear = || {
            let length = heard.recv(&mut buffer).expect("told");
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        supervisor.status("two\nlines");
        assert_eq!(hear(), "STATUS=two lines");
        supervisor.ready();
        assert_eq!(hear(), "READY=1");
        supervisor.reloading();
        let reloading = hear();
        let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("with the time");
        assert!(since.parse::<u64>().is_ok_and(|micros| micros > 0), "{reloading}");
        assert!(open(b"/nonexistent").is_ok(), "found missing when it is told something, and then done without");
        assert!(open(b"relative").is_err());
    }
}
