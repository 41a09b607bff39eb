//! How several servers see one socket, and what that says of the NAT between. Pure.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use bytes::BytesMut;

use super::{binding::Binding, canonical, message};

/// Asks each server once.
pub(super) struct Survey {
    asked: Vec<(SocketAddr, Binding)>,
}

/// What one server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) server: SocketAddr,
    /// `None`: it has not answered.
    pub(crate) seen: Option<SocketAddr>,
}

/// What lies between the robot and the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nat {
    /// No server has answered.
    NoUdp,
    /// The robot's own address is the one that others see.
    None,
    /// Every server sees the same address: so will viewers.
    Friendly,
    /// Each server sees another port, or another address: what one sees is of no use to others.
    Symmetric,
    /// There is one, and a single server cannot tell more.
    Unknown,
}

impl Survey {
    pub(super) fn new(servers: impl IntoIterator<Item = SocketAddr>, now: Instant) -> Self {
        Self { asked: servers.into_iter().map(|server| (canonical(server), Binding::new(now))).collect() }
    }

    pub(super) fn handle_datagram(&mut self, from: SocketAddr, to: SocketAddr, data: &[u8], now: Instant) {
        let from = canonical(from);
        let Some(message) = message::decode(data) else { return };
        if let Some((_, binding)) = self.asked.iter_mut().find(|(server, _)| *server == from) {
            binding.handle_message(&message, to, now);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for (_, binding) in &mut self.asked {
            binding.handle_timeout(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.asked.iter().map(|(_, binding)| binding.poll_timeout()).min()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<(SocketAddr, BytesMut)> {
        self.asked.iter_mut().find_map(|(server, binding)| Some((*server, binding.poll_transmit()?)))
    }

    pub(super) fn is_complete(&self) -> bool {
        self.asked.iter().all(|(_, binding)| binding.seen().is_some())
    }

    pub(super) fn sightings(&self) -> Vec<Sighting> {
        self.asked.iter().map(|(server, binding)| Sighting { server: *server, seen: binding.seen() }).collect()
    }
}

impl Nat {
    /// `own` are the robot's addresses.
    pub(crate) fn behind(own: &[IpAddr], sightings: &[Sighting]) -> Self {
        let seen: Vec<SocketAddr> = sightings.iter().filter_map(|sighting| sighting.seen).collect();
        let Some(first) = seen.first() else { return Self::NoUdp };
        if seen.iter().any(|other| other != first) {
            return Self::Symmetric;
        }
        if own.contains(&first.ip()) {
            return Self::None;
        }
        if seen.len() > 1 { Self::Friendly } else { Self::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rtc_stun::{
        attributes::ATTR_XORMAPPED_ADDRESS,
        message::{BINDING_SUCCESS, Message},
    };

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn nat(seen: &[Option<&str>]) -> Nat {
        let sighting = |seen: &Option<&str>| Sighting { server: address("192.0.2.1:3478"), seen: seen.map(address) };
        let sightings: Vec<Sighting> = seen.iter().map(sighting).collect();
        Nat::behind(&["10.0.0.5".parse().expect("an address")], &sightings)
    }

    #[test]
    fn what_servers_see_tells_the_nat() {
        let outside = Some("203.0.113.1:8190");
        assert_eq!(nat(&[]), Nat::NoUdp);
        assert_eq!(nat(&[None, None]), Nat::NoUdp);
        assert_eq!(nat(&[Some("10.0.0.5:8190"), None]), Nat::None);
        assert_eq!(nat(&[outside, None]), Nat::Unknown);
        assert_eq!(nat(&[outside, None, outside]), Nat::Friendly);
        assert_eq!(nat(&[outside, Some("203.0.113.1:40000")]), Nat::Symmetric);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn servers_are_asked_again_until_they_answer() {
        let start = Instant::now();
        let servers = [address("192.0.2.1:3478"), address("192.0.2.2:3478")];
        let mut survey = Survey::new(servers, start);
        survey.handle_timeout(start);
        let asked: Vec<_> = std::iter::from_fn(|| survey.poll_transmit()).collect();
        assert_eq!(asked.len(), 2);
        let (server, request) = &asked[0];
        let answer = |to: &[u8]| {
            let mut request = Message { raw: to.to_vec(), ..Message::default() };
            request.decode().expect("a message");
            let mut answer = message::new(BINDING_SUCCESS.method, BINDING_SUCCESS.class);
            answer.transaction_id = request.transaction_id;
            answer.write_header();
            message::add_address(&mut answer, ATTR_XORMAPPED_ADDRESS, address("203.0.113.1:8190"));
            answer.raw.clone()
        };
        survey.handle_datagram(servers[1], address("10.0.0.5:8190"), &answer(request), start);
        assert!(survey.sightings().iter().all(|sighting| sighting.seen.is_none()), "it answers for itself only");
        survey.handle_datagram(*server, address("10.0.0.5:8190"), &answer(request), start);
        assert!(!survey.is_complete());
        let later = start + Duration::from_secs(1);
        survey.handle_timeout(later);
        let again: Vec<_> = std::iter::from_fn(|| survey.poll_transmit()).map(|(server, _)| server).collect();
        assert_eq!(again, [servers[1]], "only the one that has not answered is asked again");
        assert_eq!(survey.sightings()[0].seen, Some(address("203.0.113.1:8190")));
    }
}
