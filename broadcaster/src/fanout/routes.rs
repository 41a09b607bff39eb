//! Whose datagram is it? ICE checks say so by name, their answers are for whoever asked there, and everything else is of the
//! viewer that has proven to be where it comes from.

use std::{collections::BTreeMap, net::SocketAddr};

use super::audience::Key;
use crate::transport::Ufrag;

/// Addresses that one session may write to: every pair of candidates that was ever tried.
const MAX_ASKED: usize = 64;

/// Sessions that may have to do with one address: viewers behind one NAT may name the same one.
const MAX_SHARERS: usize = 8;

#[derive(Default)]
pub(super) struct Routes {
    names: BTreeMap<Ufrag, Key>,
    proven: BTreeMap<SocketAddr, Vec<Key>>,
    asked: BTreeMap<SocketAddr, Vec<Key>>,
    /// What each session has here, for when it ends.
    traces: BTreeMap<Key, Traces>,
}

#[derive(Default)]
struct Traces {
    names: Vec<Ufrag>,
    proven: Vec<SocketAddr>,
    asked: Vec<SocketAddr>,
}

impl Routes {
    pub(super) fn add_name(&mut self, name: Ufrag, session: Key) {
        let names = &mut self.traces.entry(session).or_default().names;
        if names.contains(&name) {
            return;
        }
        names.push(name.clone());
        // The one before is in use until a restart is agreed on.
        if names.len() > 2 {
            self.names.remove(&names.remove(0));
        }
        self.names.insert(name, session);
    }

    /// The session's viewer has shown to be there. So may others: a source can be forged, and what is not for a session its
    /// keys do not fit.
    pub(super) fn prove(&mut self, address: SocketAddr, session: Key) {
        let there = self.proven.entry(address).or_default();
        if !there.contains(&session) {
            // The latest is the likeliest.
            there.insert(0, session);
            there.truncate(MAX_SHARERS);
            self.traces.entry(session).or_default().proven.push(address);
        }
    }

    /// The session has asked there, and awaits an answer.
    pub(super) fn ask(&mut self, address: SocketAddr, session: Key) {
        let askers = self.asked.get(&address).map(Vec::as_slice).unwrap_or_default();
        let traces = self.traces.entry(session).or_default();
        if askers.contains(&session) || askers.len() >= MAX_SHARERS || traces.asked.len() >= MAX_ASKED {
            return;
        }
        traces.asked.push(address);
        self.asked.entry(address).or_default().push(session);
    }

    pub(super) fn remove(&mut self, session: Key) {
        let Some(traces) = self.traces.remove(&session) else { return };
        for name in traces.names {
            self.names.remove(&name);
        }
        for (addresses, table) in [(traces.proven, &mut self.proven), (traces.asked, &mut self.asked)] {
            for address in addresses {
                if let Some(sessions) = table.get_mut(&address) {
                    sessions.retain(|other| *other != session);
                    if sessions.is_empty() {
                        table.remove(&address);
                    }
                }
            }
        }
    }

    /// Who may have use for a datagram, the likeliest first.
    pub(super) fn find(&self, data: &[u8], from: SocketAddr) -> Found {
        match kind(data) {
            Kind::Check(name) => {
                let named = Ufrag::from_username(name).and_then(|name| self.names.get(&name));
                Found { first: named.copied(), others: Vec::new() }
            }
            Kind::Answer => Found::among(self.asked.get(&from)),
            Kind::Other => Found::among(self.proven.get(&from)),
            Kind::Nothing => Found::default(),
        }
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.proven.is_empty() && self.asked.is_empty() && self.traces.is_empty()
    }
}

/// Sessions that a datagram may be for: nearly always one.
#[derive(Default)]
pub(super) struct Found {
    pub(super) first: Option<Key>,
    pub(super) others: Vec<Key>,
}

impl Found {
    fn among(sessions: Option<&Vec<Key>>) -> Self {
        match sessions.and_then(|sessions| sessions.split_first()) {
            Some((first, others)) => Self { first: Some(*first), others: others.to_vec() },
            None => Self::default(),
        }
    }
}

/// What a datagram is, as far as its way goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// An ICE check, with the name that it carries.
    Check(&'a str),
    /// An answer to one.
    Answer,
    /// Not ICE's at all.
    Other,
    /// Nobody's.
    Nothing,
}

/// Tells a STUN request with a USERNAME, another STUN message, and anything else (RFC 8489, sections 5 and 14.3).
pub(super) fn kind(data: &[u8]) -> Kind<'_> {
    const HEADER: usize = 20;
    const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    const RESPONSE: u8 = 0x01;
    const USERNAME: u16 = 6;
    if data.first().is_none_or(|first| *first > 3) {
        return Kind::Other;
    }
    if data.len() < HEADER || data[4..8] != MAGIC_COOKIE {
        return Kind::Nothing;
    }
    if data[0] & RESPONSE != 0 {
        return Kind::Answer;
    }
    let mut rest = &data[HEADER..];
    while let [kind_high, kind_low, length_high, length_low, value @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        if u16::from_be_bytes([*kind_high, *kind_low]) == USERNAME {
            let name = value.get(..length).and_then(|name| std::str::from_utf8(name).ok());
            return name.map_or(Kind::Nothing, Kind::Check);
        }
        match value.get(length.next_multiple_of(4)..) {
            Some(next) => rest = next,
            None => return Kind::Nothing,
        }
    }
    Kind::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: [u8; 3] = [22, 1, 2];

    fn stun(class: u8, name: Option<&str>) -> Vec<u8> {
        let mut message = vec![class, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        message.extend([0; 12]);
        message.extend([0x80, 0x22, 0, 3, b'x', b'y', b'z', 0]);
        if let Some(name) = name {
            message.extend([0, 6, 0, name.len() as u8]);
            message.extend(name.as_bytes());
            message.resize(message.len().next_multiple_of(4), 0);
        }
        message
    }

    fn name(text: &str) -> Ufrag {
        Ufrag::from_username(&format!("{text}:")).expect("a name")
    }

    fn key(number: u64) -> Key {
        slotmap::KeyData::from_ffi(number).into()
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    fn found(routes: &Routes, data: &[u8], from: SocketAddr) -> Vec<Key> {
        let Found { first, others } = routes.find(data, from);
        first.into_iter().chain(others).collect()
    }

    #[test]
    fn checks_go_by_name_answers_to_who_asked_and_the_rest_to_who_is_there() {
        let (a, b) = (key(1), key(2));
        let mut routes = Routes::default();
        routes.add_name(name("ours"), a);
        routes.add_name(name("other"), b);
        let (check, answer) = (stun(0, Some("ours:theirs")), stun(1, None));
        assert_eq!(found(&routes, &check, address(1)), [a]);
        assert_eq!(found(&routes, &stun(0, Some("nobody:x")), address(1)), []);
        assert_eq!(found(&routes, &stun(0, None), address(1)), []);
        routes.ask(address(1), a);
        routes.ask(address(1), b);
        assert_eq!(found(&routes, &answer, address(1)), [a, b], "which of them meant it shows the password");
        assert_eq!(found(&routes, &HELLO, address(1)), [], "to be named is not to be there");
        routes.prove(address(1), a);
        assert_eq!(found(&routes, &HELLO, address(1)), [a]);
        routes.prove(address(1), b);
        assert_eq!(found(&routes, &HELLO, address(1)), [b, a], "nobody can take an address away");
        routes.remove(a);
        assert_eq!(found(&routes, &HELLO, address(1)), [b]);
        routes.remove(b);
        assert!(routes.is_empty());
    }

    #[test]
    fn a_session_holds_a_bounded_number_of_addresses_and_an_address_of_sessions() {
        let mut routes = Routes::default();
        for port in 0..1000 {
            routes.ask(address(port), key(1));
            routes.ask(address(7), key(u64::from(port)));
        }
        assert_eq!(routes.asked.values().filter(|askers| askers.contains(&key(1))).count(), MAX_ASKED);
        assert_eq!(routes.asked[&address(7)].len(), MAX_SHARERS);
    }

    #[test]
    fn no_datagram_makes_the_reader_panic() {
        let whole = stun(0, Some("ours:theirs"));
        for end in 0..whole.len() {
            assert!(matches!(kind(&whole[..end]), Kind::Nothing | Kind::Other | Kind::Check("ours:theirs")));
        }
        let mut endless = whole.clone();
        endless[22] = 0xff;
        assert_eq!(kind(&endless), Kind::Nothing);
    }
}
