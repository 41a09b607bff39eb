//! Whose datagram is it? By the address it comes from, and for ICE checks by the name that they carry.

use std::{collections::BTreeMap, net::SocketAddr};

use protocol::SessionId;

use crate::session::Ufrag;

/// Addresses that one session may be reached under: every pair of candidates that was ever tried.
const MAX_ADDRESSES: usize = 64;

#[derive(Default)]
pub(super) struct Routes {
    names: BTreeMap<Ufrag, SessionId>,
    addresses: BTreeMap<SocketAddr, SessionId>,
}

impl Routes {
    pub(super) fn add(&mut self, name: Ufrag, session: SessionId) {
        self.names.insert(name, session);
    }

    pub(super) fn remove(&mut self, name: &Ufrag, session: &SessionId) {
        self.names.remove(name);
        self.addresses.retain(|_, owner| owner != session);
    }

    /// Remembers that a session has written to an address, so that what comes back finds it.
    pub(super) fn learn(&mut self, address: SocketAddr, session: &SessionId) {
        // Whoever has an address keeps it for as long as it lives: naming it is no way to another viewer's datagrams.
        if self.addresses.contains_key(&address) {
            return;
        }
        if self.addresses.values().filter(|owner| *owner == session).count() < MAX_ADDRESSES {
            self.addresses.insert(address, session.clone());
        }
    }

    pub(super) fn find(&self, data: &[u8], from: SocketAddr) -> Option<&SessionId> {
        // A check says whom it means, which counts for more than an address that a former session may have had.
        let named = username(data).and_then(Ufrag::from_username).and_then(|name| self.names.get(&name));
        named.or_else(|| self.addresses.get(&from))
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.addresses.is_empty()
    }
}

/// The USERNAME attribute of a STUN message (RFC 8489, sections 5 and 14.3).
fn username(data: &[u8]) -> Option<&str> {
    const HEADER: usize = 20;
    const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    const USERNAME: u16 = 6;
    if data.len() < HEADER || data[0] > 3 || data[4..8] != MAGIC_COOKIE {
        return None;
    }
    let mut rest = &data[HEADER..];
    while let [kind_high, kind_low, length_high, length_low, value @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        if u16::from_be_bytes([*kind_high, *kind_low]) == USERNAME {
            return std::str::from_utf8(value.get(..length)?).ok();
        }
        rest = value.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str) -> Vec<u8> {
        let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        message.extend([0; 12]);
        message.extend([0x80, 0x22, 0, 3, b'x', b'y', b'z', 0]);
        message.extend([0, 6, 0, name.len() as u8]);
        message.extend(name.as_bytes());
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn id(text: &str) -> SessionId {
        text.parse().expect("an id")
    }

    fn name(text: &str) -> Ufrag {
        Ufrag::from_username(&format!("{text}:")).expect("a name")
    }

    #[test]
    fn checks_go_by_name_and_the_rest_by_address() {
        let (old, new): (SocketAddr, SocketAddr) =
            ("10.0.0.1:1".parse().expect("address"), "10.0.0.2:2".parse().expect("address"));
        let mut routes = Routes::default();
        routes.add(name("ours"), id("a"));
        routes.add(name("other"), id("b"));
        assert_eq!(routes.find(&check("ours:theirs"), old), Some(&id("a")));
        assert_eq!(routes.find(&check("nobody:theirs"), old), None);
        assert_eq!(routes.find(&[22, 1, 2], old), None);
        routes.learn(old, &id("a"));
        assert_eq!(routes.find(&[22, 1, 2], old), Some(&id("a")));
        assert_eq!(routes.find(&check("other:theirs"), old), Some(&id("b")), "an address can change hands");
        assert_eq!(routes.find(&[22, 1, 2], new), None);
        routes.remove(&name("ours"), &id("a"));
        routes.remove(&name("other"), &id("b"));
        assert!(routes.is_empty());
    }

    #[test]
    fn a_session_holds_a_bounded_number_of_addresses() {
        let mut routes = Routes::default();
        for port in 0..1000 {
            routes.learn(SocketAddr::from(([10, 0, 0, 1], port)), &id("a"));
        }
        assert_eq!(routes.addresses.len(), MAX_ADDRESSES);
    }

    #[test]
    fn no_datagram_makes_the_reader_panic() {
        let whole = check("ours:theirs");
        for end in 0..whole.len() {
            assert!(username(&whole[..end]).is_none_or(|name| name == "ours:theirs"));
        }
        let mut endless = whole.clone();
        endless[22] = 0xff;
        assert_eq!(username(&endless), None);
    }
}
