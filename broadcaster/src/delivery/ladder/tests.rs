use protocol::Want;

use super::*;

const RUNGS: [f64; 3] = [3e6, 1e6, 333_333.0];

#[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
fn start() -> Instant {
    Instant::now()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn asks(want: Want) -> Bounds {
    Bounds { want, allowed: 0 }
}

/// A viewer that reports every 100 ms.
struct Viewer {
    ladder: Ladder,
    now: Instant,
}

/// A path without a queue, which carries what is sent.
fn clear(bitrate: f64) -> Estimate {
    Estimate { received: Some(bitrate), carried: Some(bitrate), reported: true, ..Estimate::default() }
}

fn full(carried: f64) -> Estimate {
    Estimate { queue: millis(150), swell: millis(150), backlog: millis(600), ..clear(carried) }
}

fn train(rate: f64) -> Option<Passage> {
    Some(Passage { rate, loss: 0.0 })
}

impl Viewer {
    fn new(probing: bool) -> Self {
        let now = start();
        Self { ladder: Ladder::new(Qualities::new(RUNGS.to_vec(), true), Bounds::default(), probing, now), now }
    }

    /// One that has just gone down to that rung.
    fn at(rung: usize) -> Self {
        let mut viewer = Self::new(true);
        let carried = RUNGS[rung] * 1.3;
        assert_eq!(viewer.report(full(carried)), Some(Turn::Pause));
        assert_eq!(viewer.report(clear(carried)), Some(Turn::Resume { drained: true }));
        assert_eq!(viewer.ladder.current(), rung);
        viewer
    }

    fn report(&mut self, estimate: Estimate) -> Option<Turn> {
        self.heard(estimate, None)
    }

    fn heard(&mut self, estimate: Estimate, passage: Option<Passage>) -> Option<Turn> {
        self.now += millis(100);
        self.ladder.update(&estimate, passage, self.now)
    }

    /// Reports until the viewer is to get something else, and for how long.
    fn until_turn(&mut self, estimate: Estimate, at_most: Duration) -> Option<(Turn, Duration)> {
        let began = self.now;
        while self.now < began + at_most {
            if let Some(turn) = self.report(estimate) {
                return Some((turn, self.now - began));
            }
        }
        None
    }

    /// Reports of a clear path until a train is to be sent.
    fn until_train(&mut self) -> Duration {
        let began = self.now;
        loop {
            assert_eq!(self.report(clear(self.ladder.bitrate())), None);
            if let Some(Probe::Train(_)) = self.ladder.probe(self.now) {
                self.ladder.train_sent();
                assert_eq!(self.ladder.probe(self.now), None, "once");
                return self.now - began;
            }
        }
    }
}

#[test]
fn a_full_path_gets_nothing_until_it_has_drained_and_then_what_it_carries() {
    for (carried, rung) in [(2e6, 1), (1e6, 2), (100e3, 2)] {
        let mut viewer = Viewer::new(true);
        assert_eq!(viewer.report(full(carried)), Some(Turn::Pause));
        assert!(viewer.ladder.is_paused());
        assert_eq!(viewer.ladder.current(), rung);
        assert_eq!(viewer.report(Estimate { backlog: millis(300), ..full(carried) }), None);
        let empty = Estimate { backlog: millis(50), ..full(carried) };
        assert_eq!(viewer.report(empty), Some(Turn::Resume { drained: true }));
        assert!(!viewer.ladder.is_paused());
    }
}

#[test]
fn a_path_that_does_not_say_that_it_has_drained_is_used_again_when_it_must_have() {
    let mut viewer = Viewer::new(true);
    viewer.report(full(1e6));
    let until = viewer.ladder.poll_timeout().expect("a deadline");
    assert_eq!(until, viewer.now + millis(700));
    assert_eq!(viewer.ladder.update(&full(1e6), None, until), Some(Turn::Resume { drained: false }));
    let endless = Estimate { backlog: Duration::MAX, ..full(1e6) };
    assert_eq!(viewer.report(endless), Some(Turn::Pause));
    assert_eq!(viewer.ladder.poll_timeout(), Some(viewer.now + MAX_DRAIN));
}

#[test]
fn losses_of_a_radio_are_borne_and_those_of_too_much_are_not() {
    let losing = |loss| Estimate { loss, ..clear(3e6) };
    let minute = Duration::from_secs(60);
    assert_eq!(Viewer::new(true).until_turn(losing(0.05), minute), None);
    assert_eq!(Viewer::new(true).until_turn(losing(0.10), minute), None);
    let (turn, after) = Viewer::new(true).until_turn(losing(0.2), minute).expect("a turn");
    assert_eq!((turn, after), (Turn::Down, millis(400)), "nothing stands, so nothing has to drain");
    let squeezed = Estimate { queue: millis(45), ..losing(0.05) };
    let (turn, after) = Viewer::new(true).until_turn(squeezed, minute).expect("a turn");
    assert_eq!((turn, after), (Turn::Down, millis(1100)));
    let mut viewer = Viewer::new(true);
    for _ in 0..100 {
        assert_eq!(viewer.report(losing(0.3)), None, "an accident, again and again");
        assert_eq!(viewer.report(losing(0.0)), None);
    }
}

#[test]
fn a_better_quality_needs_a_train_and_then_traffic_of_its_size() {
    let mut viewer = Viewer::at(1);
    assert!((millis(1900)..millis(2200)).contains(&viewer.until_train()));
    assert_eq!(viewer.heard(clear(1e6), train(5e6)), None);
    let mut load = 0.0;
    for step in 0..35 {
        let Some(Probe::Load(more)) = viewer.ladder.probe(viewer.now) else { panic!("no load in step {step}") };
        assert!(more >= load, "it grows");
        load = more;
        assert_eq!(viewer.report(clear(1e6 + load)), None);
    }
    assert!((2.8e6..3e6).contains(&load), "{load}");
    assert_eq!(viewer.report(clear(3.9e6)), Some(Turn::Up));
    assert_eq!((viewer.ladder.current(), viewer.ladder.shown()), (0, 5e6));
    assert_eq!(viewer.until_turn(clear(3e6), Duration::from_secs(60)), None);
    assert_eq!(viewer.ladder.probe(viewer.now), None, "there is nothing better");
}

#[test]
fn a_train_that_is_too_slow_makes_the_next_wait_longer_and_not_for_ever() {
    let mut viewer = Viewer::at(1);
    viewer.until_train();
    let mut waits = Vec::new();
    for passage in [train(3.5e6), train(1e6), None, train(2e6)] {
        if passage.is_some() {
            assert_eq!(viewer.heard(clear(1e6), passage), None);
        }
        waits.push(viewer.until_train());
    }
    assert!((millis(1900)..millis(2200)).contains(&waits[0]), "{waits:?}");
    assert!(waits[1..].iter().all(|wait| (millis(3900)..millis(6000)).contains(wait)), "{waits:?}");
}

#[test]
fn traffic_that_makes_a_queue_stops_and_what_it_left_is_forgiven() {
    let mut viewer = Viewer::at(1);
    viewer.until_train();
    viewer.heard(clear(1e6), train(9e6));
    assert!(viewer.ladder.probe(viewer.now).is_some());
    let swollen = Estimate { swell: millis(120), ..clear(1e6) };
    assert_eq!(viewer.report(swollen), None);
    assert_eq!(viewer.ladder.probe(viewer.now), None);
    assert_eq!(viewer.until_turn(full(1.2e6), millis(1300)), None, "it drains");
    assert_eq!(viewer.until_turn(full(1.2e6), millis(500)).map(|(turn, _)| turn), Some(Turn::Pause), "it does not");
}

#[test]
fn the_viewers_own_choice_is_not_judged() {
    let mut viewer = Viewer::new(true);
    viewer.ladder.bound(asks(Want { rung: Some(9), ..Want::default() }), viewer.now);
    assert_eq!(viewer.ladder.current(), 2, "the lowest that there is");
    assert_eq!(viewer.until_turn(full(1e5), Duration::from_secs(10)), None);
    viewer.ladder.bound(asks(Want::default()), viewer.now);
    assert_eq!(viewer.report(full(1e5)), Some(Turn::Pause));
}

#[test]
fn who_has_room_for_little_gets_no_more_and_less_where_the_path_is_bad() {
    let best = |place| Want { best: Some(place), ..Want::default() };
    let mut viewer = Viewer::new(true);
    viewer.ladder.bound(asks(best(1)), viewer.now);
    assert_eq!(viewer.ladder.current(), 1);
    assert_eq!(viewer.until_turn(clear(1e6), Duration::from_secs(60)), None);
    assert_eq!(viewer.ladder.probe(viewer.now), None);
    assert_eq!(viewer.report(full(5e5)), Some(Turn::Pause));
    assert_eq!(viewer.ladder.current(), 2);

    let mut viewer = Viewer::at(1);
    viewer.until_train();
    viewer.ladder.bound(asks(best(1)), viewer.now);
    assert_eq!((viewer.ladder.probe(viewer.now), viewer.ladder.poll_timeout()), (None, None), "the climb is off");
    viewer.ladder.bound(asks(best(0)), viewer.now);
    viewer.until_train();
    viewer.ladder.bound(asks(best(9)), viewer.now);
    assert_eq!(viewer.ladder.current(), 2, "the lowest that there is");
}

#[test]
fn who_cannot_be_probed_climbs_by_trying_and_seldom() {
    let mut viewer = Viewer::new(false);
    viewer.report(full(1e6));
    viewer.report(clear(1e6));
    let mut waits = Vec::new();
    for _ in 0..4 {
        let (turn, wait) = viewer.until_turn(clear(1e6), Duration::from_secs(60)).expect("a try");
        assert_eq!(turn, Turn::Up);
        waits.push(wait.as_secs());
        viewer.report(full(1e6));
        viewer.report(clear(1e6));
    }
    assert_eq!(waits, [9, 19, 39, 39]);
}

#[test]
fn a_camera_with_one_quality_pauses_all_the_same() {
    let now = start();
    let mut ladder = Ladder::new(Qualities::new(vec![3e6], false), Bounds::default(), true, now);
    assert_eq!(ladder.update(&full(1e6), None, now), Some(Turn::Pause));
    assert_eq!(ladder.update(&clear(1e6), None, now), Some(Turn::Resume { drained: true }));
    assert_eq!((ladder.current(), ladder.probe(now)), (0, None));
}

const LOWEST: f64 = RUNGS[2];

/// A viewer whose path carries so much, and who is alone: what it says that it can take is what it gets.
fn alone(carried: f64) -> Viewer {
    let mut viewer = Viewer::new(true);
    assert_eq!(viewer.report(full(carried)), Some(Turn::Pause));
    assert_eq!(viewer.report(clear(carried)), Some(Turn::Resume { drained: true }));
    assert_eq!(viewer.ladder.current(), 2);
    viewer.follow();
    viewer
}

impl Viewer {
    fn follow(&mut self) {
        let limit = self.ladder.limit();
        self.ladder.lowest_is_encoded_at(limit);
    }

    /// A train comes through at that rate, and then whatever is sent.
    fn climb(&mut self, rate: f64) -> bool {
        self.until_train();
        assert_eq!(self.heard(clear(self.ladder.bitrate()), train(rate)), None);
        if self.ladder.probe(self.now).is_none() {
            return false;
        }
        let turn = self.until_turn(clear(self.ladder.bitrate()), RAMP_LASTS + 2 * PLATEAU_LASTS);
        assert_eq!(turn.map(|(turn, _)| turn), Some(Turn::Up));
        self.follow();
        true
    }
}

#[test]
fn a_path_that_does_not_carry_the_lowest_quality_says_how_much_of_it_it_does() {
    for (carried, limit) in [(200e3, 160e3), (300e3, 240e3), (100e3, 0.4 * LOWEST)] {
        let viewer = alone(carried);
        assert_eq!((viewer.ladder.limit(), viewer.ladder.bitrate()), (Some(limit), limit));
    }
    assert_eq!(alone(1.1 * LOWEST).ladder.limit(), None, "all of it may fit");
}

#[test]
fn more_of_the_lowest_quality_is_found_out_step_by_step_and_all_of_it_at_once() {
    let mut viewer = alone(200e3);
    assert!(!viewer.climb(200e3), "what it carries is not much more than what it gets");
    assert!(viewer.climb(300e3));
    assert_eq!(viewer.ladder.limit().map(f64::round), Some((300e3 / TRAIN_MARGIN).round()));
    assert!(viewer.climb(9e6));
    assert_eq!((viewer.ladder.limit(), viewer.ladder.bitrate()), (None, LOWEST));
    assert!(viewer.climb(9e6));
    assert_eq!(viewer.ladder.current(), 1, "and then the next quality");
}

#[test]
fn what_is_still_too_much_becomes_less_down_to_the_floor() {
    let mut viewer = alone(200e3);
    assert_eq!(viewer.report(full(190e3)), Some(Turn::Pause));
    assert_eq!(viewer.ladder.limit(), Some(LESS * 160e3));
    viewer.report(clear(150e3));
    viewer.follow();
    assert_eq!(viewer.report(full(50e3)), Some(Turn::Pause));
    assert_eq!(viewer.ladder.limit(), Some(0.4 * LOWEST));
}

#[test]
fn who_takes_what_others_need_can_take_that_much() {
    let mut viewer = alone(200e3);
    viewer.ladder.lowest_is_encoded_at(Some(300e3));
    assert_eq!(viewer.until_turn(clear(300e3), millis(1900)), None);
    assert_eq!(viewer.ladder.limit(), Some(160e3), "not yet");
    assert_eq!(viewer.until_turn(clear(300e3), millis(200)), None);
    assert_eq!(viewer.ladder.limit(), Some(300e3));
    viewer.ladder.lowest_is_encoded_at(None);
    viewer.report(clear(LOWEST));
    assert_eq!(viewer.ladder.limit(), None);
}

#[test]
fn of_what_cannot_be_encoded_at_less_nobody_asks_less() {
    let now = start();
    let mut ladder = Ladder::new(Qualities::new(vec![3e6], false), Bounds::default(), true, now);
    assert_eq!(ladder.update(&full(1e6), None, now), Some(Turn::Pause));
    assert_eq!(ladder.limit(), None);
    let tiny = Qualities::new(vec![3e6, 120e3], true);
    assert_eq!(tiny.floor, 100e3, "less than that shows nothing");
}

#[test]
fn what_the_uplink_has_no_room_for_nobody_gets_whatever_it_asks_for() {
    let mut viewer = Viewer::new(true);
    let now = viewer.now;
    let bound = |viewer: &mut Viewer, rung, allowed| {
        viewer.ladder.bound(Bounds { want: Want { rung, ..Want::default() }, allowed }, now);
        viewer.ladder.current()
    };
    assert_eq!(
        [bound(&mut viewer, Some(0), 1), bound(&mut viewer, Some(2), 1), bound(&mut viewer, Some(0), 0)],
        [1, 2, 0]
    );
    assert_eq!(bound(&mut viewer, None, 2), 2);
    assert_eq!(viewer.until_turn(clear(333_333.0), Duration::from_secs(60)), None, "it may not climb");
    assert_eq!(bound(&mut viewer, None, 1), 2, "by a climb, and not at once");
    viewer.until_train();
    let half_way = viewer.ladder.poll_timeout();
    assert_eq!(bound(&mut viewer, None, 0), 2);
    assert_eq!(viewer.ladder.poll_timeout(), half_way, "what is under way goes on");
}
