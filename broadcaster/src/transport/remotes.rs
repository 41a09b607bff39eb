//! Where a viewer may be: how many of its addresses are tried, and which never.
//!
//! Each address is checked from each of ours, many times a second, by the task that also sends everybody's media: a viewer
//! that names hundreds of addresses would take it up, and one that names others' would have the robot write to them.

use std::net::IpAddr;

/// Candidates of each kind: a machine with three networks, each with IPv4 and IPv6; as NATs show it; and at relays, which
/// come last and count most where nothing else works.
const MAX_TAKEN: [usize; 3] = [6, 4, 4];

/// Ports of one address: more would be a way to have a stranger written to.
const MAX_PORTS: usize = 2;

/// The longest name that is asked for: browsers make one of a UUID.
const MAX_NAME: usize = 64;

pub(super) struct Remotes {
    /// Robot and viewer may share the machine.
    loopback: bool,
    /// Of each kind so far.
    taken: [usize; 3],
    addresses: Vec<IpAddr>,
    /// Candidates whose address hides behind a name.
    hidden: Vec<Hidden>,
}

struct Hidden {
    name: String,
    candidate: String,
}

/// What to do with a candidate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Try,
    /// Browsers hide their addresses behind names that only multicast DNS knows.
    Resolve(String),
    Ignore,
}

impl Remotes {
    pub(super) fn new(loopback: bool) -> Self {
        Self { loopback, taken: [0; 3], addresses: Vec::new(), hidden: Vec::new() }
    }

    /// Another path is sought: what was said of the old one does not count.
    pub(super) fn restart(&mut self) {
        self.taken = [0; 3];
        self.addresses.clear();
        self.hidden.clear();
    }

    pub(super) fn judge(&mut self, candidate: &str) -> Verdict {
        let Some(kind) = kind(candidate).filter(|kind| self.taken[*kind] < MAX_TAKEN[*kind]) else {
            return Verdict::Ignore;
        };
        let Some(address) = udp_address(candidate) else {
            return Verdict::Ignore;
        };
        let verdict = match address.parse::<IpAddr>() {
            Ok(ip) if self.admit(ip.to_canonical()) => Verdict::Try,
            Ok(_) => Verdict::Ignore,
            Err(_) if address.ends_with(".local") && address.len() <= MAX_NAME => {
                let name = address.to_ascii_lowercase();
                self.hidden.push(Hidden { name: name.clone(), candidate: candidate.to_owned() });
                Verdict::Resolve(name)
            }
            Err(_) => Verdict::Ignore,
        };
        self.taken[kind] += usize::from(verdict != Verdict::Ignore);
        verdict
    }

    fn admit(&mut self, ip: IpAddr) -> bool {
        let ports = self.addresses.iter().filter(|other| **other == ip).count();
        let admitted = ports < MAX_PORTS && self.is_usable(ip);
        if admitted {
            self.addresses.push(ip);
        }
        admitted
    }

    /// The candidate that was hidden behind a name, with its address.
    pub(super) fn resolved(&mut self, name: &str, ip: IpAddr) -> Option<String> {
        let place = self.hidden.iter().position(|hidden| hidden.name == name)?;
        let Hidden { candidate, .. } = self.hidden.swap_remove(place);
        let hidden = udp_address(&candidate)?.to_owned();
        self.admit(ip.to_canonical()).then(|| candidate.replacen(&hidden, &ip.to_canonical().to_string(), 1))
    }

    fn is_usable(&self, ip: IpAddr) -> bool {
        let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
        !(ip.is_unspecified() || ip.is_multicast() || broadcast) && (self.loopback || !ip.is_loopback())
    }
}

/// What follows `typ`, as a place in [`MAX_TAKEN`].
fn kind(candidate: &str) -> Option<usize> {
    match candidate.split_ascii_whitespace().skip_while(|field| *field != "typ").nth(1)? {
        "host" => Some(0),
        "srflx" | "prflx" => Some(1),
        "relay" => Some(2),
        _ => None,
    }
}

/// The address in `candidate:<foundation> <component> udp <priority> <address> <port> typ …` (RFC 8839, section 5.1).
fn udp_address(candidate: &str) -> Option<&str> {
    let mut fields = candidate.split_ascii_whitespace().skip(2);
    let udp = fields.next()?.eq_ignore_ascii_case("udp");
    fields.nth(1).filter(|_| udp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(address: &str) -> String {
        format!("candidate:1 1 udp 2113937151 {address} 51234 typ host")
    }

    fn verdict(remotes: &mut Remotes, address: &str) -> Verdict {
        remotes.judge(&candidate(address))
    }

    #[test]
    fn only_addresses_that_a_viewer_can_have_are_tried() {
        let (mut near, mut far) = (Remotes::new(true), Remotes::new(false));
        assert_eq!(verdict(&mut near, "127.0.0.1"), Verdict::Try);
        assert_eq!(verdict(&mut far, "127.0.0.1"), Verdict::Ignore);
        assert_eq!(verdict(&mut far, "192.168.1.7"), Verdict::Try);
        assert_eq!(verdict(&mut far, "2001:db8::7"), Verdict::Try);
        for bad in ["224.0.0.251", "ff02::fb", "0.0.0.0", "::", "255.255.255.255", "::ffff:127.0.0.1", "a1.example", ""]
        {
            assert_eq!(verdict(&mut far, bad), Verdict::Ignore, "{bad}");
        }
        assert_eq!(far.judge("candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active"), Verdict::Ignore);
        assert_eq!(far.judge("candidate:"), Verdict::Ignore);
    }

    #[test]
    fn a_hidden_address_is_tried_when_its_name_is_known() {
        let mut remotes = Remotes::new(false);
        assert_eq!(verdict(&mut remotes, "A1b2.local"), Verdict::Resolve("a1b2.local".to_owned()));
        let ip: IpAddr = "192.168.1.9".parse().expect("an address");
        assert_eq!(remotes.resolved("other.local", ip), None);
        assert_eq!(remotes.resolved("a1b2.local", ip), Some(candidate("192.168.1.9")));
        assert_eq!(remotes.resolved("a1b2.local", ip), None, "once");
        assert_ne!(verdict(&mut remotes, "c3.local"), Verdict::Ignore);
        assert_eq!(remotes.resolved("c3.local", "127.0.0.1".parse().expect("an address")), None);
    }

    #[test]
    fn a_viewer_that_names_hundreds_of_addresses_is_tried_at_a_few() {
        let mut remotes = Remotes::new(false);
        let tried =
            (0..700).filter(|n| verdict(&mut remotes, &format!("10.0.{}.{}", n / 250, n % 250)) == Verdict::Try);
        assert_eq!(tried.count(), MAX_TAKEN[0]);
        let ports = (0..9).filter(|_| verdict(&mut Remotes::new(false), "10.0.0.1") == Verdict::Try);
        assert_eq!(ports.count(), 9, "each viewer by itself");
        let mut remotes = Remotes::new(false);
        assert_eq!((0..9).filter(|_| verdict(&mut remotes, "10.0.0.1") == Verdict::Try).count(), MAX_PORTS);
        let relay = candidate("10.0.0.9").replace("typ host", "typ relay raddr 0.0.0.0 rport 0");
        assert_eq!(remotes.judge(&relay), Verdict::Try, "the relay comes last and is not turned away");
    }
}
