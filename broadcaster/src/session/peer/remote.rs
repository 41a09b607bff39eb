//! Where a viewer may be: how many of its addresses are tried, and which never.
//!
//! Each address is checked from each of ours, many times a second, by the task that also sends everybody's media: a viewer
//! that names hundreds of addresses would take it up, and one that names others' would have the robot write to them.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

/// A machine with two networks, each with IPv4 and IPv6, as it is and as its NAT shows it.
const MAX_CANDIDATES: usize = 8;

/// Sources of datagrams: the candidates, and what NATs make of them.
const MAX_SOURCES: usize = 32;

pub(super) struct Remotes {
    /// Robot and viewer may share the machine.
    loopback: bool,
    candidates: usize,
    sources: BTreeSet<SocketAddr>,
}

impl Remotes {
    pub(super) fn new(loopback: bool) -> Self {
        Self { loopback, candidates: 0, sources: BTreeSet::new() }
    }

    /// Whether a candidate is worth trying.
    pub(super) fn admit_candidate(&mut self, candidate: &str) -> bool {
        // A browser hides its addresses behind names that only multicast DNS knows. It is enough that it knows ours: its
        // first check tells us where it is.
        let admitted = self.candidates < MAX_CANDIDATES && udp_address(candidate).is_some_and(|ip| self.is_usable(ip));
        self.candidates += usize::from(admitted);
        admitted
    }

    /// Whether datagrams from there are still listened to.
    pub(super) fn admit_source(&mut self, from: SocketAddr) -> bool {
        self.sources.contains(&from) || (self.sources.len() < MAX_SOURCES && self.sources.insert(from))
    }

    fn is_usable(&self, ip: IpAddr) -> bool {
        let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
        !(ip.is_unspecified() || ip.is_multicast() || broadcast) && (self.loopback || !ip.is_loopback())
    }
}

/// The address in `candidate:<foundation> <component> udp <priority> <address> <port> typ …` (RFC 8839, section 5.1).
fn udp_address(candidate: &str) -> Option<IpAddr> {
    let mut fields = candidate.split_ascii_whitespace().skip(2);
    let udp = fields.next()?.eq_ignore_ascii_case("udp");
    let address: IpAddr = fields.nth(1)?.parse().ok()?;
    udp.then(|| address.to_canonical())
}

/// Takes the candidates out of a session description: they pass the same gate as those that trickle.
pub(super) fn split(sdp: &str) -> (String, Vec<String>) {
    let mut rest = String::with_capacity(sdp.len());
    let mut candidates = Vec::new();
    for line in sdp.lines() {
        match line.strip_prefix("a=") {
            Some(candidate) if candidate.starts_with("candidate:") => candidates.push(candidate.to_owned()),
            Some("end-of-candidates") => {}
            _ => {
                rest.push_str(line);
                rest.push_str("\r\n");
            }
        }
    }
    (rest, candidates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(address: &str) -> String {
        format!("candidate:1 1 udp 2113937151 {address} 51234 typ host")
    }

    #[test]
    fn only_addresses_that_a_viewer_can_have_are_tried() {
        let mut near = Remotes::new(true);
        let mut far = Remotes::new(false);
        assert!(near.admit_candidate(&candidate("127.0.0.1")) && !far.admit_candidate(&candidate("127.0.0.1")));
        assert!(far.admit_candidate(&candidate("192.168.1.7")) && far.admit_candidate(&candidate("2001:db8::7")));
        for bad in ["224.0.0.251", "ff02::fb", "0.0.0.0", "::", "255.255.255.255", "::ffff:127.0.0.1", "a1b2.local", ""]
        {
            assert!(!far.admit_candidate(&candidate(bad)), "{bad}");
        }
        assert!(!far.admit_candidate("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active"));
        assert!(!far.admit_candidate("") && !far.admit_candidate("candidate:"));
    }

    #[test]
    fn a_viewer_that_names_hundreds_of_addresses_is_tried_at_a_few() {
        let mut remotes = Remotes::new(false);
        let tried = (0..700).filter(|n| remotes.admit_candidate(&candidate(&format!("10.0.{}.{}", n / 250, n % 250))));
        assert_eq!(tried.count(), MAX_CANDIDATES);
        let heard = (0..700).filter(|port| remotes.admit_source(SocketAddr::from(([10, 0, 0, 1], *port))));
        assert_eq!(heard.count(), MAX_SOURCES);
        assert!(remotes.admit_source(SocketAddr::from(([10, 0, 0, 1], 3))), "who was heard is heard on");
    }

    #[test]
    fn candidates_leave_the_description_and_nothing_else_does() {
        let (rest, candidates) =
            split("v=0\r\nm=video 9 x 96\r\na=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\na=mid:0\r\n");
        assert_eq!(rest, "v=0\r\nm=video 9 x 96\r\na=mid:0\r\n");
        assert_eq!(candidates, ["candidate:1 1 udp 1 10.0.0.1 1 typ host"]);
    }
}
