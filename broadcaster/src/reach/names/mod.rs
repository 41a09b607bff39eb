//! The names behind which browsers hide their addresses: `<uuid>.local`, known to multicast DNS (RFC 6762) and nobody else.
//!
//! Pure: no socket, no task, no clock.

mod packet;
#[cfg(test)]
pub(super) use packet::answer;
#[cfg(feature = "fuzz")]
pub(super) use packet::{answers, question};

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

/// Everybody's names when a whole class joins at once.
const MAX_QUERIES: usize = 64;
const MAX_CACHED: usize = 256;

/// Multicast is lost more often than not on some wireless networks.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const GIVE_UP: Duration = Duration::from_secs(5);

/// A page's name is good for as long as the page is open, but its address may change.
const CACHE: Duration = Duration::from_secs(60);

/// A name that a browser may have made up, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LocalName(String);

impl LocalName {
    /// None: it has another shape. Such names are not asked for: they would tell a viewer who else is on our network.
    pub(crate) fn new(name: &str) -> Option<Self> {
        const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
        let name = name.to_ascii_lowercase();
        let groups: Vec<&str> = name.strip_suffix(".local")?.split('-').collect();
        let is_uuid = groups.len() == GROUPS.len()
            && groups.iter().zip(GROUPS).all(|(group, length)| group.len() == length)
            && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
        is_uuid.then_some(Self(name))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Default)]
pub(super) struct Names {
    queries: BTreeMap<LocalName, Query>,
    cache: BTreeMap<LocalName, (IpAddr, Instant)>,
    out: VecDeque<Vec<u8>>,
    found: VecDeque<(LocalName, IpAddr)>,
}

struct Query {
    ask: Instant,
    give_up: Instant,
}

impl Names {
    pub(super) fn ask(&mut self, name: LocalName, now: Instant) {
        if let Some((address, until)) = self.cache.get(&name)
            && now < *until
        {
            self.found.push_back((name, *address));
        } else if self.queries.len() < MAX_QUERIES {
            self.queries.entry(name).or_insert(Query { ask: now, give_up: now + GIVE_UP });
            self.handle_timeout(now);
        } else {
            tracing::debug!("too many names are being asked for; one more is not");
        }
    }

    /// Takes what was heard on the group.
    pub(super) fn handle_packet(&mut self, packet: &[u8], now: Instant) {
        for (name, address) in packet::answers(packet) {
            let Some(name) = LocalName::new(&name) else {
                continue;
            };
            if self.queries.remove(&name).is_none() {
                continue;
            }
            self.cache.retain(|_, (_, until)| now < *until);
            if self.cache.len() < MAX_CACHED {
                self.cache.insert(name.clone(), (address, now + CACHE));
            }
            self.found.push_back((name, address));
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.queries.retain(|_, query| now < query.give_up);
        for (name, query) in &mut self.queries {
            if query.ask <= now {
                query.ask = now + ASK_AGAIN;
                self.out.push_back(packet::question(name.as_str()));
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.queries.values().map(|query| query.ask.min(query.give_up)).min()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    pub(super) fn poll_found(&mut self) -> Option<(LocalName, IpAddr)> {
        self.found.pop_front()
    }

    /// Nobody is waiting for an answer.
    pub(super) fn is_idle(&self) -> bool {
        self.queries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "0fab3c9e-1b2c-4d5e-8f90-a1b2c3d4e5f6.local";

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn name() -> LocalName {
        LocalName::new(NAME).expect("of the right shape")
    }

    fn questions(names: &mut Names) -> usize {
        std::iter::from_fn(|| names.poll_transmit()).count()
    }

    #[test]
    fn only_names_that_browsers_make_up_are_asked_for() {
        assert_eq!(LocalName::new(&NAME.to_uppercase()), Some(name()));
        for bad in ["printer.local", "", ".local", "0fab3c9e-1b2c-4d5e-8f90-a1b2c3d4e5f6", "a.b.local"] {
            assert_eq!(LocalName::new(bad), None, "{bad}");
        }
        assert_eq!(LocalName::new(&NAME.replace("0fab", "0fag")), None);
    }

    #[test]
    fn an_answer_is_told_once_and_kept_for_a_minute() {
        let (mut names, now) = (Names::default(), start());
        let address: IpAddr = "192.168.1.7".parse().expect("an address");
        names.ask(name(), now);
        names.ask(name(), now);
        assert_eq!(questions(&mut names), 1);
        names.handle_packet(&packet::answer("somebody.local", "192.168.1.8".parse().expect("an address")), now);
        assert_eq!(names.poll_found(), None, "that was not asked for");
        names.handle_packet(&packet::answer(&NAME.to_uppercase(), address), now);
        names.handle_packet(&packet::answer(NAME, address), now);
        assert_eq!(names.poll_found(), Some((name(), address)));
        assert_eq!(names.poll_found(), None);
        assert!(names.is_idle());

        names.ask(name(), now + CACHE / 2);
        assert_eq!((names.poll_found(), questions(&mut names)), (Some((name(), address)), 0));
        names.ask(name(), now + CACHE);
        assert_eq!((names.poll_found(), questions(&mut names)), (None, 1));
    }

    #[test]
    fn a_name_that_nobody_answers_to_is_given_up() {
        let (mut names, now) = (Names::default(), start());
        names.ask(name(), now);
        let mut asked = questions(&mut names);
        while let Some(due) = names.poll_timeout() {
            assert!(due <= now + GIVE_UP);
            names.handle_timeout(due);
            asked += questions(&mut names);
        }
        assert_eq!(asked, 5);
        assert!(names.is_idle());
    }

    #[test]
    fn no_crowd_of_names_and_no_packet_upsets_it() {
        let (mut names, now) = (Names::default(), start());
        for n in 0..1000 {
            let name = format!("{n:08x}-0000-0000-0000-000000000000.local");
            names.ask(LocalName::new(&name).expect("of the right shape"), now);
        }
        assert_eq!(questions(&mut names), MAX_QUERIES);
        let answer = packet::answer(NAME, "fd00::7".parse().expect("an address"));
        for length in 0..answer.len() {
            names.handle_packet(&answer[..length], now);
        }
        for _ in 0..20_000 {
            let mut noisy = answer.clone();
            for _ in 0..3 {
                let index = rand::random_range(0..noisy.len());
                noisy[index] = rand::random();
            }
            names.handle_packet(&noisy, now);
        }
    }
}
