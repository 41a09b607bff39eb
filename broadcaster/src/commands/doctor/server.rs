//! What the server's answers mean. Pure.

use std::{
    error::Error,
    io,
    time::{Duration, SystemTime},
};

use protocol::RobotId;
use rustls::CertificateError;
use serde::Deserialize;

use super::{finding::Finding, web::Reply};
use crate::{
    signalling::{ConnectionError, ServerUrl},
    tls,
};

/// Viewers are told when a picture was captured: what the clock is wrong by, its delay is wrong by.
const CLOCK: Duration = Duration::from_secs(2);

/// A server's time comes in whole seconds, cut off.
const HALF: Duration = Duration::from_millis(500);

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct About {
    version: String,
    protocol: u32,
    /// Urls of STUN and TURN servers.
    pub(super) ice: Vec<String>,
}

impl About {
    pub(super) fn read(status: u16, body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().filter(|_| status == 200)
    }
}

pub(super) fn unreachable(server: &ServerUrl, error: &(dyn Error + 'static)) -> Finding {
    let (says, advice) = explain(error, server);
    Finding::fail("server", format!("{server}: {says}"), advice)
}

pub(super) fn greeted(server: &ServerUrl, reply: &Reply, about: Option<&About>, took: Duration) -> Finding {
    let status = reply.status;
    match about {
        Some(About { version, protocol, .. }) if *protocol == protocol::VERSION => {
            let millis = took.as_secs_f64() * 1e3;
            Finding::ok("server", format!("{server}: Panocast {version} answers within {millis:.0} ms"))
        }
        Some(About { version, protocol, .. }) => Finding::fail(
            "server",
            format!(
                "{server}: Panocast {version} speaks version {protocol} of the protocol, and this is {}",
                protocol::VERSION
            ),
            "install the same release on both",
        ),
        None if (300..400).contains(&status) => Finding::fail(
            "server",
            format!("{server}: it has moved to {}", reply.location.as_deref().unwrap_or("somewhere else")),
            "set `server` in the config to that address, without what follows the host and its port",
        ),
        None if status == 404 => Finding::warn(
            "server",
            format!("{server}: something answers, but does not say that it is Panocast"),
            "check the address and its path; an older server does not say so, either",
        ),
        None => Finding::fail(
            "server",
            format!("{server}: it answers with status {status}"),
            "look into its log, and into that of a proxy before it",
        ),
    }
}

pub(super) fn signalling_works() -> Finding {
    Finding::ok("signalling", "Socket.IO over WebSocket works")
}

pub(super) fn no_signalling(error: &ConnectionError) -> Finding {
    let says = format!("HTTP works, Socket.IO does not: {}", causes(error));
    Finding::fail("signalling", says, "a proxy before the server must pass on WebSocket upgrades on /socket.io/")
}

pub(super) fn robot(robot: &RobotId, is_live: bool) -> Finding {
    if is_live {
        return Finding::ok("robot", format!("{robot} is live: a broadcaster runs, here or elsewhere"));
    }
    Finding::ok("robot", format!("{robot} is not live now"))
}

/// `date` was said somewhen between `asked` and `answered`.
pub(super) fn clock(date: Option<SystemTime>, asked: SystemTime, answered: SystemTime) -> Finding {
    let Some(date) = date else {
        return Finding::warn(
            "clock",
            "the server does not say what time it is",
            "does a proxy remove its Date header?",
        );
    };
    let ours = asked + answered.duration_since(asked).unwrap_or_default() / 2;
    let theirs = date + HALF;
    let (off, way) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if off > CLOCK {
        let says = format!("this machine's clock is {:.0} s {way} of the server's", off.as_secs_f64());
        return Finding::warn("clock", says, "set it by NTP, as in `timedatectl set-ntp true`, on whichever is wrong");
    }
    Finding::ok("clock", "agrees with the server's within two seconds")
}

/// What a failed connection means for people, and what to do about it.
fn explain(error: &(dyn Error + 'static), server: &ServerUrl) -> (String, String) {
    if let Some(error) = find::<rustls::Error>(error) {
        return explain_tls(error, server);
    }
    let host = server.host();
    let says = |says: &str, advice: String| (says.to_owned(), advice);
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => {
            says("nobody listens there", format!("start the server; is {} its port?", server.port()))
        }
        Some(io::ErrorKind::TimedOut) => {
            says("no answer in time", "is the machine on, and does a firewall let its port through?".to_owned())
        }
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            says("there is no way to it", "check this machine's network".to_owned())
        }
        _ if causes(error).contains("lookup") => {
            says("its name leads nowhere", format!("is {host} right, and does this machine's DNS work?"))
        }
        _ => (causes(error), "check the address, and the network on the way".to_owned()),
    }
}

fn explain_tls(error: &rustls::Error, server: &ServerUrl) -> (String, String) {
    let host = server.host();
    if let Some(mismatch) = tls::mismatch(error) {
        return (
            format!("its certificate has the fingerprint {}, which is not the config's", mismatch.0),
            "if the server has a new certificate, take the line that `server check` prints there; if not, somebody else \
             answers in its place"
                .to_owned(),
        );
    }
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return (
            format!("TLS fails: {error}"),
            format!("does port {} speak https? If not, write http://", server.port()),
        );
    };
    let renew = "renew it on the server; is this machine's clock right?".to_owned();
    if matches!(certificate, CertificateError::Expired | CertificateError::ExpiredContext { .. }) {
        ("its certificate has expired".to_owned(), renew)
    } else if matches!(certificate, CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) {
        ("its certificate is not valid yet".to_owned(), renew)
    } else if matches!(certificate, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
    {
        (format!("its certificate is not for {host}"), "use the name that it is for".to_owned())
    } else if matches!(certificate, CertificateError::UnknownIssuer) {
        (
            "its certificate is from somebody whom this machine does not trust".to_owned(),
            "if the server signs it itself, put the line that `server check` prints there (fingerprint = …) into this \
             config; if not, put the issuer's certificate into /usr/local/share/ca-certificates and run \
             update-ca-certificates"
                .to_owned(),
        )
    } else {
        (format!("its certificate is refused: {error}"), "get another one for the server".to_owned())
    }
}

/// What lies inside an I/O error is not among its causes.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref::<E>() {
        return Some(found);
    }
    let inner =
        error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|inner| inner as &(dyn Error + 'static));
    inner.and_then(find).or_else(|| find(error.source()?))
}

/// From what happened to why, in one line.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.dedup();
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level;

    fn server() -> ServerUrl {
        "https://video.example.org".parse().expect("an address")
    }

    #[test]
    fn errors_are_told_in_plain_words() {
        let tls = |certificate| {
            let inner = rustls::Error::InvalidCertificate(certificate);
            explain(&io::Error::new(io::ErrorKind::InvalidData, inner), &server()).0
        };
        assert_eq!(tls(CertificateError::Expired), "its certificate has expired");
        assert_eq!(tls(CertificateError::NotValidForName), "its certificate is not for video.example.org");
        assert!(tls(CertificateError::UnknownIssuer).contains("does not trust"));
        let shown = protocol::Fingerprint::new([7; 32]);
        let stranger = CertificateError::Other(rustls::OtherError(std::sync::Arc::new(crate::Mismatch(shown))));
        assert!(tls(stranger).contains(&format!("fingerprint {shown}, which is not the config's")));
        let io = |kind: io::ErrorKind| explain(&io::Error::from(kind), &server()).0;
        assert_eq!(io(io::ErrorKind::ConnectionRefused), "nobody listens there");
        assert_eq!(io(io::ErrorKind::TimedOut), "no answer in time");
        let name = io::Error::other("failed to lookup address information: Name or service not known");
        assert_eq!(explain(&name, &server()).0, "its name leads nowhere");
    }

    #[test]
    fn a_server_of_another_version_is_told_from_something_else() {
        let about = |protocol| About { version: "0.1.0".to_owned(), protocol, ice: Vec::new() };
        let reply =
            |status| Reply { status, date: None, location: Some("https://a.example/".to_owned()), body: Vec::new() };
        let level = |status, about: Option<&About>| greeted(&server(), &reply(status), about, Duration::ZERO).level;
        let moved = greeted(&server(), &reply(307), None, Duration::ZERO);
        assert!(moved.level == Level::Fail && moved.says.contains("https://a.example/"), "{moved}");
        assert_eq!(level(200, Some(&about(protocol::VERSION))), Level::Ok);
        assert_eq!(level(200, Some(&about(protocol::VERSION + 1))), Level::Fail);
        assert_eq!(level(404, None), Level::Warn);
        assert_eq!(level(502, None), Level::Fail);
        assert_eq!(About::read(200, b"<html>"), None);
        assert_eq!(About::read(200, br#"{"version":"0.1.0","protocol":1,"ice":[],"more":1}"#), Some(about(1)));
    }

    #[test]
    fn a_clock_may_be_two_seconds_off() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let level = |off: f64, took: f64| {
            let asked = now + Duration::from_secs_f64(1000.0 + off);
            let said = now + Duration::from_secs(1000);
            clock(Some(said), asked, asked + Duration::from_secs_f64(took)).level
        };
        assert_eq!(level(0.5, 0.0), Level::Ok);
        assert_eq!(level(2.4, 0.0), Level::Ok);
        assert_eq!(level(2.6, 0.0), Level::Warn);
        assert_eq!(level(-2.0, 0.0), Level::Warn);
        assert_eq!(level(-2.0, 2.0), Level::Ok, "the answer took its time");
        assert_eq!(clock(None, now, now).level, Level::Warn);
    }
}
