//! Many who join at once, simulated: each waits in line at its server, at Redis, at the robot's server, and at the robot.

use std::{cmp::Reverse, collections::BinaryHeap};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::costs::Costs;

/// Who comes, and where to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storm {
    pub(crate) viewers: usize,
    /// They come within so many seconds, each at any moment of it.
    pub(crate) within: f64,
    pub(crate) robots: usize,
    pub(crate) servers: usize,
}

/// Seconds from the request to the first packet, of half of them and of all but one in a hundred.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Waits {
    pub(crate) half: f64,
    pub(crate) most: f64,
}

/// One core that does one thing after the other.
#[derive(Clone, Copy, Default)]
struct Line {
    free: f64,
}

impl Line {
    /// When what comes then is done.
    fn serve(&mut self, at: f64, takes: f64) -> f64 {
        self.free = self.free.max(at) + takes;
        self.free
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    Server,
    Redis,
    Home,
    Robot,
}

/// Nanoseconds, so that they can be ordered.
fn key(at: f64) -> u64 {
    (at * 1e9) as u64
}

pub(crate) fn simulate(storm: Storm, costs: &Costs, seed: u64) -> Waits {
    let mut random = StdRng::seed_from_u64(seed);
    let mut coming = BinaryHeap::new();
    let mut began = Vec::with_capacity(storm.viewers);
    for viewer in 0..storm.viewers {
        let at = random.random_range(0.0..storm.within.max(1e-9));
        began.push(at);
        coming.push(Reverse((key(at), viewer, Stop::Server)));
    }
    let home = |robot: usize| robot % storm.servers;
    let chosen: Vec<(usize, usize)> = (0..storm.viewers)
        .map(|_| (random.random_range(0..storm.servers), random.random_range(0..storm.robots)))
        .collect();
    let (mut servers, mut robots) = (vec![Line::default(); storm.servers], vec![Line::default(); storm.robots]);
    let mut redis = Line::default();
    let mut waits = Vec::with_capacity(storm.viewers);
    while let Some(Reverse((at, viewer, stop))) = coming.pop() {
        let at = at as f64 / 1e9;
        let (server, robot) = chosen[viewer];
        let is_here = server == home(robot);
        let (done, next) = match stop {
            Stop::Server if is_here => (servers[server].serve(at, costs.join), Some(Stop::Robot)),
            Stop::Server => (servers[server].serve(at, costs.join_across / 2.0), Some(Stop::Redis)),
            Stop::Redis => (redis.serve(at, costs.redis) + costs.hop, Some(Stop::Home)),
            Stop::Home => (servers[home(robot)].serve(at, costs.join_across / 2.0), Some(Stop::Robot)),
            Stop::Robot => (robots[robot].serve(at, costs.handshake), None),
        };
        match next {
            Some(next) => coming.push(Reverse((key(done), viewer, next))),
            None => waits.push(done - began[viewer]),
        }
    }
    waits.sort_unstable_by(f64::total_cmp);
    let of = |share: f64| waits[((waits.len() as f64 * share) as usize).min(waits.len() - 1)];
    Waits { half: of(0.5), most: of(0.99) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(viewers: usize, within: f64, robots: usize, servers: usize) -> Waits {
        simulate(Storm { viewers, within, robots, servers }, &Costs::default(), 1)
    }

    #[test]
    fn one_who_comes_alone_waits_for_nobody() {
        let costs = Costs::default();
        let Waits { half, most } = waits(1, 1.0, 1, 1);
        assert!((half - costs.join - costs.handshake).abs() < 1e-6 && half == most, "{half} {most}");
    }

    #[test]
    fn those_who_come_at_once_wait_for_the_slowest_line() {
        let costs = Costs::default();
        let Waits { most, .. } = waits(1000, 0.0, 1, 1);
        let robots = 1000.0 * costs.handshake;
        assert!((0.95 * robots..1.05 * robots).contains(&most), "{most} and not {robots}");
        let spread = waits(1000, 0.0, 1000, 1).most;
        assert!(spread < most / 3.0, "where each has a robot of its own, it is the server's line: {spread}");
        assert!(waits(1000, 0.0, 1000, 2).most < spread, "and two are faster, Redis or not");
    }

    #[test]
    fn those_who_come_more_slowly_than_they_are_served_hardly_wait() {
        assert!(waits(1000, 60.0, 1, 1).most < 0.02);
    }
}
