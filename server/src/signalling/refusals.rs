//! What the log has of those who are turned away: a line for each address, and one a minute of how many more it was. Pure.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::{Duration, Instant},
};

use protocol::Code;

use crate::listen::{ClientAddress, Party};

const EVERY: Duration = Duration::from_secs(60);

/// How many addresses are told apart; all others count as one.
const MAX_PARTIES: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<Option<Party>, Untold>);

#[derive(Debug)]
struct Untold {
    since: Instant,
    /// Why the last one was refused.
    code: Code,
    count: u64,
}

impl Refusals {
    /// Whether it is to be told at once; otherwise it is counted.
    pub(super) fn note(&mut self, ClientAddress(address): ClientAddress, code: Code, now: Instant) -> bool {
        let mut party = Some(Party::of(address));
        if self.0.len() >= MAX_PARTIES && !self.0.contains_key(&party) {
            party = None;
        }
        match self.0.entry(party) {
            Entry::Vacant(place) => {
                place.insert(Untold { since: now, code, count: 0 });
                true
            }
            Entry::Occupied(mut place) => {
                let untold = place.get_mut();
                (untold.code, untold.count) = (code, untold.count + 1);
                false
            }
        }
    }

    /// What was counted and is to be told now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(Code, u64)> {
        let mut told = Vec::new();
        self.0.retain(|_, untold| {
            if now.saturating_duration_since(untold.since) < EVERY {
                return true;
            }
            let count = std::mem::take(&mut untold.count);
            if count == 0 {
                return false;
            }
            untold.since = now;
            told.push((untold.code, count));
            true
        });
        told
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn address(number: u32) -> ClientAddress {
        ClientAddress(IpAddr::from(Ipv4Addr::from_bits(number)))
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant to count from")]
    fn an_address_has_a_line_a_minute_and_the_others_have_theirs() {
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        assert!(refusals.note(address(1), Code::Unauthorized, now));
        for _ in 0..1_000 {
            assert!(!refusals.note(address(1), Code::TokenExpired, now));
        }
        assert!(refusals.note(address(2), Code::Unauthorized, now));
        assert_eq!(refusals.due(now + EVERY / 2), []);
        assert_eq!(refusals.due(now + EVERY), [(Code::TokenExpired, 1_000)]);
        assert!(!refusals.note(address(1), Code::Unauthorized, now + EVERY), "it has not calmed down");
        assert_eq!(refusals.due(now + 2 * EVERY), [(Code::Unauthorized, 1)]);
        assert_eq!(refusals.due(now + 3 * EVERY), []);
        assert!(refusals.0.is_empty(), "who has calmed down is forgotten");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant to count from")]
    fn addresses_without_end_are_not_all_remembered() {
        let (mut refusals, now) = (Refusals::default(), Instant::now());
        let told = (0..10_000).filter(|number| refusals.note(address(*number), Code::Unauthorized, now)).count();
        assert_eq!((told, refusals.0.len()), (MAX_PARTIES + 1, MAX_PARTIES + 1));
        assert_eq!(refusals.due(now + EVERY), [(Code::Unauthorized, 8_999)]);
    }
}
