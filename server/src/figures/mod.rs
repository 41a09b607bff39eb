//! What is counted and measured: how many came, were refused and left, and how robots and viewers say that they do.
//!
//! Pure: it is told what the rooms have to tell and what time it is, and is asked for an [`protocol::Overview`] or for what
//! `/metrics` shows. Everything here is bounded, by the rooms' limits or its own. What was reported vanishes with whoever
//! reported it, and when no further report comes.

mod crowd;
mod events;
mod exposition;
mod overview;
mod robot;
#[cfg(test)]
mod tests;
mod viewer;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use protocol::{Code, RobotId, ServerSample, SessionId};

use crate::{metrics::Histogram, rooms::News};
use crowd::Crowd;
use events::Events;
use robot::Robot;
use viewer::Viewer;
pub(crate) use viewer::short;

/// How often the past is sampled, and how much of it is kept: ten minutes.
pub(crate) const SAMPLE_EVERY: Duration = Duration::from_secs(5);
const SAMPLES: usize = 120;

/// Reports that may be missing before what was reported last counts for nothing.
const MISSING: u32 = 3;

/// Robots whose names `/metrics` has shown since the server started. Whoever collects them keeps each name that it has ever
/// seen, and on an open server anybody may make some up.
const MAX_NAMED: usize = 1000;

/// Seconds from a viewer's question to the robot's offer: a round trip of the robot's, and what it takes to make one.
const JOIN_SECONDS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// An instant, on the clock that measures and on the one that people read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    /// Milliseconds since 1970.
    pub(crate) unix: u64,
}

pub(crate) struct Figures {
    since: Moment,
    report_every: Option<u32>,
    robots: BTreeMap<RobotId, Robot>,
    /// Those of robots that are gone, too, for as long as their sessions last.
    viewers: BTreeMap<SessionId, Viewer>,
    totals: Totals,
    joining: Histogram,
    named: BTreeSet<RobotId>,
    events: Events,
    history: VecDeque<ServerSample>,
    /// What had been counted by the last sample.
    sampled: (u64, u64),
}

/// Since the server started.
#[derive(Debug, Default)]
struct Totals {
    registrations: u64,
    joins: u64,
    returns: u64,
    leaves: u64,
    connections_refused: BTreeMap<Code, u64>,
    robots_refused: BTreeMap<Code, u64>,
    viewers_refused: BTreeMap<Code, u64>,
    messages_refused: BTreeMap<Code, u64>,
    freezes: u64,
}

impl Figures {
    pub(crate) fn new(report_every: Option<u32>, now: Moment) -> Self {
        Self {
            since: now,
            report_every,
            robots: BTreeMap::new(),
            viewers: BTreeMap::new(),
            totals: Totals::default(),
            joining: Histogram::new(JOIN_SECONDS),
            named: BTreeSet::new(),
            events: Events::default(),
            history: VecDeque::new(),
            sampled: (0, 0),
        }
    }

    pub(crate) fn note(&mut self, news: News, now: Moment) {
        self.events.note(&news, &self.robots, &self.viewers, now);
        match news {
            News::RobotUp { robot, cameras } => {
                self.totals.registrations += 1;
                let is_named =
                    self.named.contains(&robot) || self.named.len() < MAX_NAMED && self.named.insert(robot.clone());
                self.robots.entry(robot).or_insert_with(|| Robot::new(is_named, now)).announce(cameras);
            }
            News::RobotDown { robot } => {
                self.robots.remove(&robot);
                for viewer in self.viewers.values_mut().filter(|viewer| viewer.robot == robot) {
                    viewer.sent = None;
                }
            }
            News::RobotRefused { code, .. } => count(&mut self.totals.robots_refused, code),
            News::Joined { session, robot, camera, resumed } => {
                *(if resumed { &mut self.totals.returns } else { &mut self.totals.joins }) += 1;
                self.viewers.entry(session).or_insert_with(|| Viewer::new(robot, camera, resumed, now));
            }
            News::Refused { code, .. } => count(&mut self.totals.viewers_refused, code),
            News::Offered { session } => {
                let asked = self.viewers.get_mut(&session).and_then(|viewer| viewer.asked.take());
                if let Some(asked) = asked {
                    self.joining.observe(now.at.saturating_duration_since(asked).as_secs_f64());
                }
            }
            News::Left { session } => {
                if self.viewers.remove(&session).is_some() {
                    self.totals.leaves += 1;
                }
            }
            News::Barred { .. } => {}
            News::NotTaken { code } => count(&mut self.totals.messages_refused, code),
            News::Report { robot, report } => {
                let Some(robot) = self.robots.get_mut(&robot) else { return };
                if is_due(self.report_every, robot.report.as_ref().map(|(at, _)| *at), now) {
                    robot.take(report, now);
                }
            }
            News::Audience { robot, audience } => {
                for report in audience.viewers {
                    if let Some(viewer) = self.viewers.get_mut(&report.session).filter(|viewer| viewer.robot == robot)
                        && is_due(self.report_every, viewer.sent.map(|(at, _)| at), now)
                    {
                        viewer.sent = Some((now.at, viewer::sent(&report)));
                    }
                }
            }
            News::Reception { session, reception } => {
                let Some(viewer) = self.viewers.get_mut(&session) else { return };
                if is_due(self.report_every, viewer.shown.map(|(at, _)| at), now) {
                    self.totals.freezes += viewer.freezes_since(reception.freezes);
                    if let (Some(delay), Some(robot)) = (reception.delay, self.robots.get_mut(&viewer.robot)) {
                        robot.delay.observe(delay.get() / 1000.0);
                    }
                    viewer.shown = Some((now.at, viewer::shown(reception)));
                }
            }
        }
    }

    /// Somebody was not let in at all.
    pub(crate) fn turned_away(&mut self, code: Code, now: Moment) {
        count(&mut self.totals.connections_refused, code);
        self.events.turned_away(code, now);
    }

    /// Adds what there is now to the past.
    pub(crate) fn sample(&mut self, now: Moment) {
        let within = self.within();
        let mut crowds = crowds(&self.viewers, within, now);
        for (id, robot) in &mut self.robots {
            let sample = robot.sample(&crowds.remove(id).unwrap_or_default(), within, now);
            keep(&mut robot.history, sample);
        }
        let counted = (self.totals.joins, self.totals.viewers_refused.values().sum());
        let before = std::mem::replace(&mut self.sampled, counted);
        let sample = ServerSample {
            at: now.unix,
            robots: small(self.robots.len()),
            viewers: small(self.viewers.len()),
            joined: small(counted.0 - before.0),
            refused: small(counted.1 - before.1),
        };
        keep(&mut self.history, sample);
    }

    /// How long a report counts.
    fn within(&self) -> Duration {
        Duration::from_secs(u64::from(self.report_every.unwrap_or(0))) * MISSING
    }
}

/// The viewers of each robot, taken together.
fn crowds(viewers: &BTreeMap<SessionId, Viewer>, within: Duration, now: Moment) -> BTreeMap<&RobotId, Crowd> {
    let mut crowds: BTreeMap<&RobotId, Crowd> = BTreeMap::new();
    for viewer in viewers.values() {
        crowds.entry(&viewer.robot).or_default().add(viewer, within, now);
    }
    crowds
}

/// Whoever reports more often than it was asked to adds nothing by that; a report that the network held back is let pass.
fn is_due(every: Option<u32>, last: Option<Instant>, now: Moment) -> bool {
    let Some(every) = every else { return false };
    let least = Duration::from_secs(u64::from(every)) / 2;
    last.is_none_or(|last| now.at.saturating_duration_since(last) >= least)
}

fn is_fresh(at: Instant, within: Duration, now: Moment) -> bool {
    now.at.saturating_duration_since(at) <= within
}

fn count(codes: &mut BTreeMap<Code, u64>, code: Code) {
    *codes.entry(code).or_default() += 1;
}

fn keep<T>(history: &mut VecDeque<T>, sample: T) {
    if history.len() == SAMPLES {
        history.pop_front();
    }
    history.push_back(sample);
}

fn small(count: impl TryInto<u32>) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}
