//! How many connections there may be, and how many of them may be one address'.
//!
//! [`Seats`] decides; [`Hall`] is what connections take their seats in, and give them back to.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::address::{ClientAddress, Proxies};

/// However many are refused, the log has no more than a line in this time.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Bits of an IPv6 address that its network is known by; the others a machine chooses, and may choose again.
const IPV6_NETWORK: u32 = 64;

/// Who counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Party(IpAddr);

impl Party {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => {
                let network = address.to_bits() >> (128 - IPV6_NETWORK) << (128 - IPV6_NETWORK);
                Self(Ipv6Addr::from_bits(network).into())
            }
        }
    }
}

/// Why somebody gets no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSeat {
    Full,
    /// One address has as many as it may.
    Crowded,
}

/// Remembers those who sit, and nobody else.
#[derive(Debug)]
struct Seats {
    all: usize,
    each: usize,
    taken: usize,
    parties: BTreeMap<Party, usize>,
    refused: u64,
    logged: Option<Instant>,
}

impl Seats {
    fn new(all: usize, each: usize) -> Self {
        Self { all, each, taken: 0, parties: BTreeMap::new(), refused: 0, logged: None }
    }

    /// Without a party, only all together are counted.
    fn take(&mut self, party: Option<Party>) -> Result<(), NoSeat> {
        let sitting = party.and_then(|party| self.parties.get(&party).copied()).unwrap_or(0);
        // Who has had its share is told so in a full house, too: others leaving would not help it.
        if party.is_some() && sitting >= self.each {
            return Err(NoSeat::Crowded);
        }
        if self.taken >= self.all {
            return Err(NoSeat::Full);
        }
        self.taken += 1;
        if let Some(party) = party {
            self.parties.insert(party, sitting + 1);
        }
        Ok(())
    }

    fn leave(&mut self, party: Option<Party>) {
        self.taken -= 1;
        if let Some(party) = party
            && let Some(sitting) = self.parties.get_mut(&party)
        {
            *sitting -= 1;
            if *sitting == 0 {
                self.parties.remove(&party);
            }
        }
    }

    /// Counts a refusal; when it is time to speak of them, how many there were.
    fn refused(&mut self, now: Instant) -> Option<u64> {
        self.refused += 1;
        if self.logged.is_some_and(|logged| now.duration_since(logged) < LOG_EVERY) {
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.refused))
    }
}

/// Addresses of proxies that are believed have no share: what comes from them, they ask for others.
/// Those who sit keep their seats when there come to be fewer.
#[derive(Clone)]
pub(crate) struct Hall {
    /// For a lookup or two at a time, and never across an await.
    seats: Arc<Mutex<Seats>>,
    /// How many there are for all together, and for each, at the moment.
    limits: Arc<dyn Fn() -> (usize, usize) + Send + Sync>,
    proxies: Arc<Proxies>,
    what: &'static str,
}

impl Hall {
    /// `what` sits there, for the log.
    pub(crate) fn new(
        what: &'static str,
        limits: impl Fn() -> (usize, usize) + Send + Sync + 'static,
        proxies: Arc<Proxies>,
    ) -> Self {
        let (all, each) = limits();
        Self { seats: Arc::new(Mutex::new(Seats::new(all, each))), limits: Arc::new(limits), proxies, what }
    }

    pub(crate) fn seat(&self, ClientAddress(address): ClientAddress) -> Result<Seat, NoSeat> {
        let party = (!self.proxies.trusts(address)).then(|| Party::of(address));
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        (seats.all, seats.each) = (self.limits)();
        seats.take(party).inspect_err(|why| {
            tracing::debug!(%address, ?why, what = self.what, "refused");
            if let Some(refused) = seats.refused(tokio::time::Instant::now().into_std()) {
                tracing::warn!(refused, ?why, what = self.what, "refused: there are as many as the limits allow");
            }
        })?;
        Ok(Seat { hall: self.clone(), party })
    }
}

/// Given back when it is dropped.
pub(crate) struct Seat {
    hall: Hall,
    party: Option<Party>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hall.seats.lock().unwrap_or_else(PoisonError::into_inner).leave(self.party);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(address: &str) -> Option<Party> {
        Some(Party::of(address.parse().expect("an address")))
    }

    #[test]
    fn one_address_gets_its_share_and_no_more() {
        let mut seats = Seats::new(100, 3);
        for _ in 0..3 {
            assert_eq!(seats.take(party("192.0.2.1")), Ok(()));
        }
        assert_eq!(seats.take(party("192.0.2.1")), Err(NoSeat::Crowded));
        assert_eq!(seats.take(party("::ffff:192.0.2.1")), Err(NoSeat::Crowded), "the same in IPv6's clothes");
        assert_eq!(seats.take(party("192.0.2.2")), Ok(()), "a flood is nobody else's affair");
        seats.leave(party("192.0.2.1"));
        assert_eq!(seats.take(party("192.0.2.1")), Ok(()));
        assert_eq!(seats.take(None), Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let mut seats = Seats::new(100, 2);
        assert_eq!(seats.take(party("2001:db8:0:1::1")), Ok(()));
        assert_eq!(seats.take(party("2001:db8:0:1:ffff::2")), Ok(()));
        assert_eq!(seats.take(party("2001:db8:0:1:2:3:4:5")), Err(NoSeat::Crowded));
        assert_eq!(seats.take(party("2001:db8:0:2::1")), Ok(()));
    }

    #[test]
    fn a_full_house_takes_nobody_and_who_left_is_forgotten() {
        let mut seats = Seats::new(1000, 20);
        let addresses: Vec<_> = (0..1000).map(|n| party(&format!("10.0.{}.{}", n / 250, n % 250))).collect();
        for address in &addresses {
            assert_eq!(seats.take(*address), Ok(()));
        }
        assert_eq!(seats.take(party("192.0.2.1")), Err(NoSeat::Full));
        assert_eq!(seats.take(None), Err(NoSeat::Full));
        assert_eq!(seats.parties.len(), 1000, "those who were refused are not kept");
        for address in addresses {
            seats.leave(address);
        }
        assert_eq!((seats.taken, seats.parties.len()), (0, 0));
    }

    #[test]
    fn the_log_is_not_flooded_either() {
        let (mut seats, start) = (Seats::new(1, 1), tokio::time::Instant::now().into_std());
        assert_eq!(seats.refused(start), Some(1));
        assert_eq!(seats.refused(start + LOG_EVERY / 2), None);
        assert_eq!(seats.refused(start + LOG_EVERY * 9 / 10), None);
        assert_eq!(seats.refused(start + LOG_EVERY), Some(3));
    }
}
