use super::*;

#[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
fn start() -> Instant {
    Instant::now()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

struct World {
    spill: Spill,
    now: Instant,
    load: Load,
    /// How many more of a camera's viewers can be served from here.
    room: usize,
}

impl World {
    fn new(rules: Rules) -> Self {
        let mut spill = Spill::new(rules, 2);
        spill.offered(true);
        Self { spill, now: start(), load: Load::default(), room: 1000 }
    }

    fn after(&mut self, time: Duration) -> Vec<Deed> {
        self.now += time;
        let room = self.room;
        self.spill.judge(self.load, |_, more| more <= room, self.now);
        std::iter::from_fn(|| self.spill.poll_deed()).collect()
    }

    fn here(&mut self, viewers: usize) -> Vec<Deed> {
        self.spill.here(0, viewers);
        self.after(Duration::ZERO)
    }

    fn there(&mut self, viewers: usize) -> Vec<Deed> {
        self.spill.there(0, viewers);
        self.after(Duration::ZERO)
    }

    fn arrives(&mut self) -> Vec<Deed> {
        self.spill.arrived(0, self.now);
        self.after(Duration::ZERO)
    }
}

fn five() -> World {
    World::new(Rules { viewers: Some(5), cpu: None })
}

#[test]
fn a_crowd_goes_to_the_media_server_and_comes_back_when_it_is_none_any_more() {
    let mut world = five();
    assert_eq!(world.here(4), []);
    assert_eq!(world.here(5), [Deed::Publish(0)]);
    assert_eq!(world.after(seconds(1)), [], "once");
    assert!(world.spill.is_sent(0) && world.spill.is_moving(world.now));
    assert_eq!(world.arrives(), [Deed::Arrived(0)]);
    assert_eq!(world.spill.published().collect::<Vec<_>>(), [0]);
    world.spill.here(0, 0);
    assert_eq!(world.there(200), []);
    assert_eq!(world.after(seconds(60)), []);
    assert!(!world.spill.is_moving(world.now));
    assert_eq!(world.there(4), [], "nearly as many as would make it crowded again");
    assert_eq!(world.after(seconds(60)), []);
    assert_eq!(world.there(3), []);
    assert_eq!(world.after(seconds(9)), []);
    assert_eq!(world.after(seconds(1)), [Deed::Recall(0)]);
    world.spill.here(0, 3);
    assert_eq!(world.there(3), [], "they are not there before they have said so");
    assert_eq!(world.there(0), []);
    assert_eq!(world.after(seconds(1)), [Deed::End(0)]);
    assert_eq!(world.after(seconds(60)), []);
}

#[test]
fn one_who_does_not_come_back_is_not_waited_for() {
    let mut world = five();
    world.here(5);
    world.arrives();
    world.spill.here(0, 0);
    world.there(1);
    assert_eq!(world.after(seconds(10)), [Deed::Recall(0)]);
    assert_eq!(world.after(BACK_WITHIN - seconds(1)), []);
    assert_eq!(world.after(seconds(1)), [Deed::End(0)]);
}

#[test]
fn a_media_server_that_fails_is_tried_less_and_less_often() {
    let mut world = five();
    let mut pauses = Vec::new();
    world.here(5);
    for _ in 0..6 {
        world.spill.failed(0, world.now);
        assert_eq!(std::iter::from_fn(|| world.spill.poll_deed()).collect::<Vec<_>>(), [Deed::End(0)]);
        let failed = world.now;
        while world.after(seconds(1)).is_empty() {}
        pauses.push(world.now.duration_since(failed).as_secs());
    }
    assert_eq!(pauses, [15, 30, 60, 120, 240, 300]);
    world.arrives();
    world.spill.failed(0, world.now);
    let failed = world.now;
    while world.after(seconds(1)) != [Deed::Publish(0)] {}
    assert_eq!(world.now.duration_since(failed), seconds(15), "what has worked may work again soon");
}

#[test]
fn an_uplink_that_is_full_and_somebody_without_room_are_reasons() {
    let mut world = World::new(Rules::default());
    assert_eq!(world.here(50), []);
    world.load.full = true;
    assert_eq!(world.after(seconds(1)), [Deed::Publish(0)]);
    world.load.full = false;
    world.room = 5;
    world.arrives();
    world.spill.here(0, 0);
    world.there(6);
    assert_eq!(world.after(seconds(60)), [], "they would not fit");
    world.there(5);
    assert_eq!(world.after(seconds(10)), [Deed::Recall(0)]);
    let mut world = World::new(Rules::default());
    world.here(2);
    world.spill.refused(0);
    assert_eq!(world.after(seconds(0)), [Deed::Publish(0)]);
    let mut world = World::new(Rules::default());
    world.here(1);
    world.spill.refused(0);
    assert_eq!(world.after(seconds(0)), [], "one viewer takes no more than a media server");
}

#[test]
fn a_machine_that_is_busy_is_a_reason_until_half_of_them_have_gone() {
    let mut world = World::new(Rules { viewers: None, cpu: Some(0.8) });
    world.load.cpu = 0.9;
    assert_eq!(world.here(10), [Deed::Publish(0)]);
    world.arrives();
    world.load.cpu = 0.1;
    world.spill.here(0, 0);
    world.there(6);
    assert_eq!(world.after(seconds(60)), []);
    world.there(5);
    assert_eq!(world.after(seconds(10)), [Deed::Recall(0)]);
}

#[test]
fn without_a_media_server_nothing_is_published_and_what_was_is_over() {
    let mut world = five();
    world.spill.offered(false);
    assert_eq!(world.here(50), []);
    world.spill.offered(true);
    assert_eq!(world.after(seconds(1)), [Deed::Publish(0)]);
    world.spill.offered(false);
    assert_eq!(world.after(seconds(1)), [Deed::End(0)]);
}
