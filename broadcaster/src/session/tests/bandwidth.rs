//! Which quality a viewer gets over paths of all kinds, and how much of it waits on its way.

use super::{
    journey::{Journey, Note},
    link::Conditions,
    stage::Abilities,
    *,
};

const RUNGS: [f64; 3] = [3e6, 1e6, 333_333.0];
/// What a camera's pictures take up on the wire.
const OVERHEAD: f64 = 1.05;

/// More than any of these cameras gives.
const OPEN: f64 = 50e6;

const SETTLED_WITHIN: Duration = Duration::from_secs(5);
const CLIMBS_WITHIN: Duration = Duration::from_secs(15);
const MAX_QUEUE: Duration = Duration::from_millis(300);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn path(rate: f64, room: u64, delay: u64, loss: f64) -> Conditions {
    Conditions { rate: Some(rate), room: millis(room), delay: millis(delay), loss, ..Conditions::PERFECT }
}

/// What a viewer saw whose path was capped for a while.
#[derive(Debug)]
struct Capped {
    /// Until then it got more than fits, or waited for what it got.
    settled: Duration,
    /// The longest queue after the time that it has to settle.
    queue: Duration,
    /// How long after the cap's end it got the best, for good.
    climbed: Duration,
}

/// Caps a path after so many seconds of freedom, for twenty seconds.
fn capped(rungs: &[f64], before: u64, capped: Conditions, seed: u64) -> Capped {
    let open = Conditions { rate: Some(OPEN), ..capped };
    let mut journey = Journey::begin(rungs, if before == 0 { capped } else { open }, seed);
    journey.pass(seconds(before));
    let begins = journey.now();
    journey.change(capped);
    journey.pass(seconds(20));
    let ends = journey.now();
    journey.change(open);
    journey.pass(CLIMBS_WITHIN + seconds(2));

    let rate = capped.rate.expect("a cap");
    let fits = rungs.iter().position(|rung| rung * OVERHEAD < rate).unwrap_or(rungs.len() - 1);
    let is_fine = |note: &Note| note.queue <= MAX_QUEUE && note.rung.is_none_or(|rung| rung >= fits);
    let (during, after): (Vec<Note>, Vec<Note>) =
        journey.notes.iter().filter(|note| note.at >= begins).partition(|note| note.at < ends);
    let last = |notes: &[Note], is: &dyn Fn(&Note) -> bool, since: Duration| {
        notes.iter().rev().find(|note| is(note)).map_or(Duration::ZERO, |note| note.at - since)
    };
    let late = during.iter().filter(|note| note.at >= begins + SETTLED_WITHIN);
    Capped {
        settled: last(&during, &|note| !is_fine(note), begins),
        queue: late.map(|note| note.queue).max().unwrap_or_default(),
        climbed: last(&after, &|note| note.rung != Some(0), ends),
    }
}

fn settles_and_climbs_back(rungs: &[f64], conditions: Conditions, seed: u64) {
    for before in [0, 3] {
        let seen = capped(rungs, before, conditions, seed);
        assert!(seen.settled <= SETTLED_WITHIN, "{conditions:?} after {before} s: {seen:?}");
        assert!(seen.queue <= MAX_QUEUE, "{conditions:?} after {before} s: {seen:?}");
        assert!(seen.climbed <= CLIMBS_WITHIN, "{conditions:?} after {before} s: {seen:?}");
    }
}

/// Queues that lose at once, that delay, and that delay for seconds; near and far; clean and not.
const PATHS: [(u64, u64, f64); 5] =
    [(50, 5, 0.02), (200, 100, 0.0), (500, 30, 0.02), (20_000, 5, 0.0), (20_000, 100, 0.02)];

#[test]
fn half_a_megabit_is_enough_for_the_lowest_quality() {
    for (seed, (room, delay, loss)) in (0..).zip(PATHS) {
        settles_and_climbs_back(&RUNGS, path(0.5e6, room, delay, loss), seed);
    }
}

#[test]
fn one_megabit_is_not_enough_for_a_picture_of_as_much() {
    for (seed, (room, delay, loss)) in (10..).zip(PATHS) {
        settles_and_climbs_back(&RUNGS, path(1e6, room, delay, loss), seed);
    }
}

/// Alone on a path that carries less than the lowest quality, a viewer gets that much of it, without a queue and without
/// pauses, and all of it when the path is better.
#[test]
fn a_viewer_alone_gets_what_its_path_carries_of_the_lowest_quality_and_all_of_it_later() {
    for (seed, (room, delay, loss)) in (90..).zip(PATHS) {
        let thin = path(0.6 * RUNGS[2], room, delay, loss);
        let open = Conditions { rate: Some(OPEN), ..thin };
        let mut journey = Journey::begin(&RUNGS, open, seed);
        journey.leave_alone();
        journey.pass(seconds(3));
        journey.change(thin);
        journey.pass(seconds(40));
        let fits = journey.lowest();
        assert!((0.4 * RUNGS[2] - 1.0..=0.6 * RUNGS[2]).contains(&fits), "{thin:?}: {fits}");
        let settled = &journey.notes[journey.notes.len() - 20 * 30..];
        let queue = settled.iter().map(|note| note.queue).max().unwrap_or_default();
        let old = settled.iter().filter(|note| note.age > millis(delay) + millis(400)).count();
        assert!(queue <= MAX_QUEUE, "{thin:?}: {queue:?}");
        // A keyframe takes longer than a router's room of 50 ms: of some only a part comes through.
        let most = settled.len() / if room < 100 { 4 } else { 12 };
        assert!(old <= most, "{thin:?}: {old} of {}", settled.len());

        journey.change(open);
        let mut took = Duration::ZERO;
        while journey.lowest() < RUNGS[2] {
            assert!(took <= CLIMBS_WITHIN, "{thin:?}: {}", journey.lowest());
            journey.pass(millis(100));
            took += millis(100);
        }
        journey.pass(CLIMBS_WITHIN);
        assert_eq!(journey.notes.last().and_then(|note| note.rung), Some(0), "{thin:?}");
    }
}

#[test]
fn two_megabits_are_enough_for_the_second_best() {
    for (seed, (room, delay, loss)) in (20..).zip(PATHS) {
        settles_and_climbs_back(&RUNGS, path(2e6, room, delay, loss), seed);
    }
}

#[test]
fn other_ladders_are_climbed_as_well() {
    settles_and_climbs_back(&[8e6, 2.6e6, 0.9e6], path(3.5e6, 500, 20, 0.0), 30);
    settles_and_climbs_back(&[1.5e6, 0.5e6], path(1e6, 1000, 20, 0.01), 31);
    settles_and_climbs_back(&[4e6, 2e6, 1e6, 0.5e6], path(2.5e6, 20_000, 40, 0.0), 32);
}

#[test]
fn a_radio_that_holds_packets_back_is_told_from_a_queue() {
    let jitter = |rate, jitter| Conditions { jitter: millis(jitter), ..path(rate, 1000, 20, 0.0) };
    settles_and_climbs_back(&RUNGS, jitter(1e6, 30), 40);
    settles_and_climbs_back(&RUNGS, jitter(2e6, 60), 41);
}

/// A shaper that lets a burst pass looks as if it had no limit, until it shows it. A burst of as much as an eighth of a
/// second changes nothing; one of half a second makes a try to climb fail now and then.
#[test]
fn a_shaper_that_lets_bursts_pass_is_found_out() {
    let shaped = |burst, room| Conditions { burst, ..path(1e6, room, 20, 0.0) };
    settles_and_climbs_back(&RUNGS, shaped(4e3, 300), 50);
    settles_and_climbs_back(&RUNGS, shaped(16e3, 20_000), 51);
    for before in [0, 3] {
        let seen = capped(&RUNGS, before, shaped(64e3, 20_000), 52);
        assert!(seen.queue <= 2 * MAX_QUEUE && seen.climbed <= CLIMBS_WITHIN, "{seen:?}");
    }
}

#[test]
fn a_healthy_viewer_keeps_the_best_for_minutes() {
    let jitter = |jitter, path| Conditions { jitter: millis(jitter), ..path };
    let paths = [
        path(5e6, 300, 20, 0.0),
        jitter(30, path(20e6, 300, 5, 0.01)),
        jitter(80, path(20e6, 300, 60, 0.0)),
        jitter(60, path(100e6, 300, 100, 0.02)),
    ];
    for (seed, conditions) in (60..).zip(paths) {
        let mut journey = Journey::begin(&RUNGS, conditions, seed);
        journey.pass(seconds(180));
        let less = journey.notes.iter().filter(|note| note.rung.is_some_and(|rung| rung > 0)).count();
        assert_eq!(less, 0, "{conditions:?}");
    }
}

/// What comes late is not lost, and what waits on its own is no queue.
#[test]
fn paths_that_reorder_cost_no_quality() {
    for (seed, (delay, jitter)) in (95..).zip([(50, 150), (20, 60), (5, 15)]) {
        let wild = Conditions { jitter: millis(jitter), reorder: 0.25, ..path(20e6, 300, delay, 0.0) };
        let mut journey = Journey::begin(&RUNGS, wild, seed);
        journey.pass(seconds(20));
        let less = journey.notes.iter().filter(|note| note.rung.is_some_and(|rung| rung > 0)).count();
        assert_eq!(less, 0, "{wild:?}");
    }
    // What was learnt of the path before says that a queue stands there now.
    for seed in [113, 119, 120] {
        let (still, delay) = (path(20e6, 300, 1, 0.0), millis(50));
        let mut journey = Journey::begin(&[1.5e6, 5e5], still, seed);
        journey.pass(seconds(3));
        let now = journey.stage.now;
        let wild = Conditions { delay, jitter: millis(150), reorder: 0.25, ..still };
        journey.down.change(wild, now);
        journey.up.change(wild, now);
        journey.pass(seconds(15));
        let less = journey.notes.iter().filter(|note| note.rung.is_some_and(|rung| rung > 0)).count();
        assert_eq!(less, 0, "{seed}");
    }
}

/// More goes in than comes out whatever is done, but what comes is never old.
#[test]
fn too_little_for_anything_shows_what_is_now_and_then() {
    let mut journey = Journey::begin(&RUNGS, path(150e3, 20_000, 20, 0.0), 70);
    journey.pass(seconds(60));
    let notes = &journey.notes[30 * 30..];
    let (queue, age) = (notes.iter().map(|note| note.queue).max(), notes.iter().map(|note| note.age).max());
    assert!(queue < Some(millis(1500)), "{queue:?}");
    assert!(age < Some(seconds(2)), "{age:?}");
}

#[test]
fn a_viewer_that_reports_no_arrivals_or_takes_no_repairs_settles_too() {
    for abilities in
        [Abilities { transport_cc: false, ..Abilities::ALL }, Abilities { repair: false, ..Abilities::ALL }]
    {
        let mut journey = Journey::begin_with(abilities.clone(), &RUNGS, path(1e6, 500, 20, 0.0), 80);
        journey.pass(seconds(60));
        let notes = &journey.notes[30 * 10..];
        let fitting = notes.iter().filter(|note| note.rung == Some(2)).count();
        assert!(fitting * 10 >= notes.len() * 6, "{abilities:?}: {fitting} of {}", notes.len());
    }
}

/// Everything by everything: minutes, for whoever changes how qualities are chosen.
#[test]
#[ignore = "takes minutes"]
fn all_paths() {
    let mut seed = 100;
    for rate in [0.5e6, 1e6, 2e6] {
        for room in [50, 200, 500, 20_000] {
            for delay in [5, 30, 100] {
                for loss in [0.0, 0.02] {
                    settles_and_climbs_back(&RUNGS, path(rate, room, delay, loss), seed);
                    seed += 1;
                }
            }
        }
    }
}

#[test]
fn the_round_trip_is_that_of_the_path() {
    for millis in [5, 40, 150] {
        let delay = Duration::from_millis(millis);
        let mut journey = Journey::begin(&[3e6], Conditions { delay, ..Conditions::PERFECT }, 1);
        journey.pass(Duration::from_secs(5));
        let estimate = journey.stage.session.delivery.as_ref().expect("it lives").estimate();
        let trip = estimate.round_trip.expect("known").as_secs_f64() * 1e3;
        assert!((trip - 2.0 * millis as f64).abs() < 3.0, "{trip} of {}", 2 * millis);
    }
}
