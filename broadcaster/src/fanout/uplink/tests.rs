//! The uplink as viewers meet it: some of them come, go, and can take more or less.

use std::{num::NonZeroU32, time::Duration};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::*;

/// Bits per second: the costs of the tests' qualities without what goes with them.
const RUNGS: [u32; 3] = [3_000_000, 1_000_000, 300_000];

fn known(max: u32) -> Option<MaxBitrate> {
    NonZeroU32::new(max).map(MaxBitrate::Known)
}

fn session(number: usize) -> SessionId {
    format!("s{number}").parse().expect("an id")
}

#[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
fn start() -> Instant {
    Instant::now()
}

/// Everybody as it would be: each is sent what it may have, as far as its path carries it.
struct Town {
    uplink: Uplink,
    /// The best quality that each one's path carries.
    paths: BTreeMap<usize, usize>,
    gone: Vec<usize>,
    now: Instant,
}

impl Town {
    fn new(max: u32) -> Self {
        let uplink = Uplink::new(known(max), [(RUNGS.to_vec(), false)]);
        Self { uplink, paths: BTreeMap::new(), gone: Vec::new(), now: start() }
    }

    fn joins(&mut self, number: usize, operates: bool, path: usize) -> bool {
        let admitted = self.uplink.admit(&session(number), None, Asks { operates, ..Asks::default() });
        if admitted {
            self.paths.insert(number, path);
        }
        self.settles();
        admitted
    }

    fn settles(&mut self) {
        let mut turns = 0;
        loop {
            let mut changed = false;
            self.now += SHARED_EVERY;
            while let Some((name, change)) = self.uplink.poll_change(self.now) {
                changed = true;
                if change == Change::Leave {
                    let number = name.as_str()[1..].parse().expect("a number");
                    self.paths.remove(&number);
                    self.gone.push(number);
                }
            }
            for (number, path) in &self.paths {
                let allowed = self.uplink.allowed(&session(*number), self.now).expect("it is there");
                self.uplink.gets(&session(*number), allowed.max(*path));
            }
            turns += 1;
            assert!(turns < 20, "it never comes to rest");
            if !changed {
                return;
            }
        }
    }

    fn get(&mut self) -> Vec<usize> {
        let numbers: Vec<usize> = self.paths.keys().copied().collect();
        let sent = |number: usize| self.uplink.guests[&session(number)].gets.expect("it is sent something");
        numbers.into_iter().map(sent).collect()
    }

    fn sent(&self) -> f64 {
        self.uplink.guests.values().map(|guest| guest.gets.map_or(0.0, |gets| f64::from(RUNGS[gets]))).sum()
    }
}

#[test]
fn viewers_step_down_before_anybody_is_refused() {
    let mut town = Town::new(7_000_000);
    assert!(town.joins(0, false, 0) && town.joins(1, false, 0));
    assert_eq!(town.get(), [0, 0]);
    assert!(town.joins(2, false, 0));
    assert_eq!(town.get(), [0, 1, 1], "who came first gets what is left over");
    let mut admitted = 3;
    while town.joins(admitted, false, 0) {
        admitted += 1;
        assert!(town.sent() <= 7_000_000.0);
    }
    assert_eq!(admitted, 21, "as many as the lowest quality is there for");
    assert!(town.get().iter().all(|rung| *rung == 2));
    for number in 0..19 {
        town.uplink.left(&session(number));
        town.paths.remove(&number);
    }
    town.settles();
    assert_eq!(town.get(), [0, 0], "what is free again is for those who stay");
}

#[test]
fn operators_come_first_and_are_never_refused() {
    let mut town = Town::new(4_600_000);
    for number in 0..14 {
        assert!(town.joins(number, false, 0));
    }
    assert!(!town.joins(14, false, 0));
    assert!(town.joins(100, true, 0));
    assert_eq!(town.gone, [13], "the last viewer, and no more of them than it takes");
    assert_eq!(town.get().last(), Some(&2), "the picture of a viewer is not taken for a better one of an operator's");
    for number in 3..13 {
        town.uplink.left(&session(number));
        town.paths.remove(&number);
    }
    town.settles();
    assert_eq!(town.get(), [2, 2, 2, 0], "what is free is an operator's first");
}

#[test]
fn what_somebodys_path_does_not_carry_is_for_others() {
    let mut town = Town::new(6_000_000);
    for number in 0..3 {
        assert!(town.joins(number, false, 0));
    }
    assert_eq!(town.get(), [0, 1, 1]);
    town.paths.insert(0, 2);
    town.settles();
    assert_eq!(town.get(), [2, 0, 1], "but for the next step, which it may try");
    town.paths.insert(0, 0);
    town.settles();
    let got = town.get();
    assert!(got[0] <= 1 && town.sent() <= 6_000_000.0, "{got:?}");
}

#[test]
fn what_somebodys_path_never_carries_is_not_kept_for_it() {
    let mut town = Town::new(6_000_000);
    for (number, path) in [(0, 2), (1, 2), (2, 0), (3, 0)] {
        assert!(town.joins(number, false, path));
    }
    assert_eq!(town.get()[2..], [1, 1], "the first two may have a better path than it looks");
    for _ in 0..30 {
        town.now += Duration::from_secs(1);
        let sent = town.sent();
        town.uplink.sent(sent, town.now);
        town.settles();
    }
    assert_eq!(town.get(), [2, 2, 0, 1]);
}

#[test]
fn who_asks_for_a_quality_gets_no_better_one_and_who_has_little_room_neither() {
    let mut uplink = Uplink::new(known(20_000_000), [(RUNGS.to_vec(), true)]);
    let pinned = Want { rung: Some(2), best: None };
    let small = Want { rung: None, best: Some(1) };
    for (number, want) in [pinned, small, Want::default()].into_iter().enumerate() {
        assert!(uplink.admit(&session(number), None, Asks { want, ..Asks::default() }));
    }
    let allowed: Vec<_> = (0..3).map(|number| uplink.allowed(&session(number), start())).collect();
    assert_eq!(allowed, [Some(2), Some(1), Some(0)]);
    assert!(uplink.admit(&session(0), None, Asks { resumes: true, ..Asks::default() }), "it is there already");
    assert_eq!(uplink.allowed(&session(0), start()), Some(0));
}

#[test]
fn what_goes_beside_the_pictures_counts() {
    let mut town = Town::new(7_000_000);
    assert!(town.joins(0, false, 0) && town.joins(1, false, 0));
    for _ in 0..60 {
        town.now += Duration::from_secs(1);
        let sent = 1.45 * town.sent();
        town.uplink.sent(sent, town.now);
        town.settles();
    }
    assert_eq!(town.get(), [0, 1]);
}

#[test]
fn an_uplink_that_shows_to_be_full_is_shared_and_tried_again() {
    let uplink = Uplink::new(Some(MaxBitrate::Measured), [(RUNGS.to_vec(), false)]);
    let mut town = Town { uplink, paths: BTreeMap::new(), gone: Vec::new(), now: start() };
    for number in 0..4 {
        assert!(town.joins(number, false, 0));
    }
    assert_eq!(town.get(), [0; 4]);
    for number in 0..3 {
        town.uplink.squeezed(&session(number), 2_000_000.0, town.now);
        town.settles();
    }
    // What the three got through, and what the fourth is sent.
    assert_eq!(town.get(), [0, 1, 1, 1]);
    assert!(town.joins(4, true, 0), "what was measured refuses no operator");
    assert!(town.gone.is_empty());
    for _ in 0..600 {
        town.now += Duration::from_secs(1);
        town.uplink.sent(0.0, town.now);
        town.settles();
    }
    assert_eq!(town.get(), [0; 5]);
}

/// One quality is published of a camera that four watch, each of whom could have the best.
fn crowded(max: Option<MaxBitrate>) -> Town {
    let uplink = Uplink::new(max, [(RUNGS.to_vec(), false)]);
    let mut town = Town { uplink, paths: BTreeMap::new(), gone: Vec::new(), now: start() };
    town.uplink.publishes([(0, [0].as_slice())], false);
    for number in 0..4 {
        assert!(town.joins(number, false, 0));
    }
    town
}

#[test]
fn what_is_published_leaves_less_for_viewers_whether_the_uplink_is_known_or_measured() {
    assert_eq!(crowded(known(10_000_000)).get(), [0, 1, 1, 1]);
    let mut town = crowded(Some(MaxBitrate::Measured));
    assert_eq!(town.get(), [0; 4], "nobody has seen the end of it");
    for number in 0..4 {
        town.uplink.squeezed(&session(number), 1_600_000.0, town.now);
    }
    town.settles();
    // Nine tenths of what three got through, what the fourth is sent, and what is published.
    assert_eq!(town.get(), [0, 1, 1, 1]);
    assert!(!town.uplink.fits(0, 100));
    for number in 0..4 {
        town.uplink.left(&session(number));
        town.paths.remove(&number);
    }
    for _ in 0..60 {
        town.now += Duration::from_secs(1);
        town.uplink.sent(0.0, town.now);
    }
    assert!(!town.uplink.fits(0, 100), "those who watch by a media server would fill it again");
    town.uplink.publishes([], false);
    for number in 0..4 {
        assert!(town.joins(number, false, 0));
    }
    assert_eq!(town.get(), [0, 0, 1, 1], "all of it is theirs, when nothing is published any more");
}

#[test]
fn what_is_measured_starves_nobody() {
    let mut town = crowded(Some(MaxBitrate::Measured));
    for _ in 0..10 {
        for number in 0..4 {
            town.uplink.squeezed(&session(number), 10_000.0, town.now);
        }
        town.now += Duration::from_secs(6);
        town.settles();
    }
    assert_eq!(town.get(), [2; 4]);
    assert!(town.gone.is_empty());
    assert!(town.uplink.max().is_some_and(|max| max >= 4.0 * HEADERS * f64::from(RUNGS[2])));
}

#[test]
fn without_a_bound_nobody_is_told_anything() {
    let mut uplink = Uplink::new(None, [(RUNGS.to_vec(), false)]);
    assert!((0..1000).all(|number| uplink.admit(&session(number), None, Asks::default())));
    assert!(uplink.poll_change(start()).is_none() && uplink.allowed(&session(1), start()).is_none());
}

#[test]
fn whatever_happens_there_is_no_more_than_there_is_and_it_comes_to_rest() {
    for seed in 0..200 {
        let mut random = SmallRng::seed_from_u64(seed);
        let max = random.random_range(1_000_000..30_000_000);
        let mut town = Town::new(max);
        for number in 0..200 {
            match random.random_range(0..10) {
                0..5 => {
                    town.joins(number, random.random_bool(0.05), random.random_range(0..3));
                }
                5..7 => {
                    let place = random.random_range(0..number.max(1));
                    if town.paths.remove(&place).is_some() {
                        town.uplink.left(&session(place));
                    }
                }
                _ => {
                    let place = random.random_range(0..number.max(1));
                    if let Some(path) = town.paths.get_mut(&place) {
                        *path = random.random_range(0..3);
                    }
                }
            }
            town.settles();
            let operators = town.uplink.guests.values().filter(|guest| guest.operates).count() as f64;
            let most = f64::from(max).max(operators * HEADERS * f64::from(RUNGS[2]));
            assert!(town.sent() <= most, "seed {seed}: {} of {most}", town.sent());
        }
    }
}
