//! What holds of every choice of quality, whatever viewers report and wish, through long random histories.

use protocol::Want;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::*;

const RUNGS: [f64; 4] = [6e6, 3e6, 1e6, 333_333.0];
const FLOOR: f64 = 0.4 * RUNGS[3];

#[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
fn start() -> Instant {
    Instant::now()
}

fn estimate(random: &mut SmallRng) -> Estimate {
    let mut millis = |often: f64, most| {
        let few = random.random_bool(often);
        Duration::from_millis(random.random_range(0..if few { 40 } else { most }))
    };
    let (queue, swell, backlog) = (millis(0.8, 500), millis(0.8, 500), millis(0.7, 20_000));
    let mut rate = || random.random_bool(0.8).then(|| random.random_range(0.0..2e7));
    let (received, carried) = (rate(), rate());
    let loss = if random.random_bool(0.8) { 0.0 } else { random.random_range(0.0..=1.0) };
    Estimate { bitrate: 1e7, received, carried, loss, queue, swell, backlog, round_trip: None, reported: true }
}

/// A ladder, and what its viewer may get at best.
struct World {
    ladder: Ladder,
    best: usize,
    wanted: Option<usize>,
    now: Instant,
    ups: usize,
    downs: usize,
}

impl World {
    fn want(&mut self, random: &mut SmallRng) {
        let mut rung = |often| random.random_bool(often).then(|| random.random_range(0..6u8));
        let want = Want { rung: rung(0.1), best: rung(0.5) };
        let allowed = if random.random_bool(0.5) { 0 } else { random.random_range(0..6) };
        let place = |rung: u8| usize::from(rung).max(allowed).min(RUNGS.len() - 1);
        (self.wanted, self.best) = (want.rung.map(place), place(want.best.unwrap_or_default()));
        self.ladder.bound(Bounds { want, allowed }, self.now);
    }

    fn report(&mut self, random: &mut SmallRng) {
        let passage = random
            .random_bool(0.3)
            .then(|| Passage { rate: random.random_range(0.0..2e7), loss: random.random_range(0.0..=1.0) });
        let (before, was_paused) = (self.ladder.current(), self.ladder.is_paused());
        // Now and then a path that is good for long enough to climb by it.
        let good = Estimate { bitrate: 1e7, received: Some(9e6), carried: Some(9e6), ..Estimate::default() };
        let quiet = random.random_bool(0.3);
        let turn = if quiet {
            let fast = Some(Passage { rate: 1.5e7, loss: 0.0 });
            (0..60).find_map(|_| {
                self.now += Duration::from_millis(100);
                self.ladder.update(&good, fast, self.now)
            })
        } else {
            self.ladder.update(&estimate(random), passage, self.now)
        };
        self.check(turn, before, was_paused);
    }

    fn check(&mut self, turn: Option<Turn>, before: usize, was_paused: bool) {
        let current = self.ladder.current();
        match turn {
            Some(Turn::Up) => {
                assert!(!was_paused && current <= before && before - current <= 1, "one step: {before} to {current}");
                self.ups += 1;
            }
            Some(Turn::Down) => {
                assert!(current > before && !self.ladder.is_paused(), "{before} to {current}");
                self.downs += 1;
            }
            Some(Turn::Pause) => assert!(current >= before && self.ladder.is_paused()),
            Some(Turn::Resume { .. }) => assert!(!self.ladder.is_paused() && current == before),
            None => assert_eq!(current, before, "it changes unsaid"),
        }
        assert!(turn.is_none() || self.wanted.is_none(), "the viewer's own choice is not judged");
        assert!(self.wanted.map_or(current >= self.best, |wanted| current == wanted) && current < RUNGS.len());
        let limit = self.ladder.limit();
        assert!(limit.is_none_or(|limit| (FLOOR..RUNGS[3]).contains(&limit)), "{limit:?}");
        assert!(limit.is_none() || current == RUNGS.len() - 1, "only the lowest comes in less");
        let due = self.ladder.poll_timeout().map(|at| at.saturating_duration_since(self.now));
        assert!(due.is_none_or(|due| due <= MAX_DRAIN), "{due:?}");
        match self.ladder.probe(self.now) {
            None => {}
            Some(_) if self.ladder.is_paused() => panic!("a probe into a full path"),
            Some(Probe::Train(bytes)) => {
                assert!((1..=(RUNGS[0] * TRAIN_MARGIN * TRAIN_LASTS / 8.0) as usize).contains(&bytes))
            }
            Some(Probe::Load(load)) => {
                assert!((0.0..=RUNGS[0] * LOAD_MARGIN).contains(&load), "{load}");
            }
        }
    }
}

#[test]
fn whatever_is_reported_quality_rises_by_a_step_and_stays_where_it_may_be() {
    let (mut ups, mut downs) = (0, 0);
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let now = start();
        let ladder = Ladder::new(Qualities::new(RUNGS.to_vec(), true), Bounds::default(), seed % 3 > 0, now);
        let mut world = World { ladder, best: 0, wanted: None, now, ups: 0, downs: 0 };
        for _ in 0..3000 {
            world.now += Duration::from_millis(random.random_range(0..400));
            match random.random_range(0..100) {
                0 => world.want(&mut random),
                1..=9 => world.ladder.train_sent(),
                10..=19 => {
                    let encoded = random.random_bool(0.5).then(|| random.random_range(FLOOR..RUNGS[3]));
                    world.ladder.lowest_is_encoded_at(encoded);
                }
                _ => world.report(&mut random),
            }
        }
        ups += world.ups;
        downs += world.downs;
    }
    assert!(ups > 500 && downs > 500, "{ups} up, {downs} down");
}
