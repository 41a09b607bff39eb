//! The last things that happened, for people.

use std::collections::{BTreeMap, VecDeque};

use protocol::{Code, Event, EventKind, RobotId, SessionId};

use super::{
    Moment,
    robot::Robot,
    viewer::{Viewer, short},
};
use crate::rooms::News;

/// Hours of a quiet server, minutes of a busy one.
const KEPT: usize = 256;

/// A refusal is looked for among so many before it is noted once more: whoever knocks over and over, or several who do so in
/// turns, must not push out everything else.
const LOOK_BACK: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Events(VecDeque<Event>);

impl Events {
    /// Notes what people may want to know. The figures do not know of it yet.
    pub(super) fn note(
        &mut self,
        news: &News,
        robots: &BTreeMap<RobotId, Robot>,
        viewers: &BTreeMap<SessionId, Viewer>,
        now: Moment,
    ) {
        let event = |kind| blank(kind, now);
        // Strangers make names up, each another one.
        let known = |robot: &Option<RobotId>| robot.clone().filter(|robot| robots.contains_key(robot));
        match news {
            News::RobotUp { robot, .. } => self.push(Event { robot: Some(robot.clone()), ..event(EventKind::RobotUp) }),
            News::RobotDown { robot } => {
                self.push(Event { robot: Some(robot.clone()), ..event(EventKind::RobotDown) });
            }
            News::RobotRefused { robot, code } => {
                self.repeat(Event { robot: known(robot), code: Some(*code), ..event(EventKind::RobotRefused) });
            }
            News::Joined { session, robot, camera, resumed } => {
                let kind = if *resumed { EventKind::CameBack } else { EventKind::Joined };
                let (robot, camera) = (Some(robot.clone()), Some(camera.clone()));
                self.push(Event { robot, camera, session: Some(short(session)), ..event(kind) });
            }
            News::Refused { robot, code } => {
                // Who is offline has been here, or is the robot of those who name none.
                let robot = if *code == Code::RobotOffline { robot.clone() } else { known(robot) };
                self.repeat(Event { robot, code: Some(*code), ..event(EventKind::Refused) });
            }
            News::Left { session } => {
                if let Some(viewer) = viewers.get(session) {
                    let (robot, camera) = (Some(viewer.robot.clone()), Some(viewer.camera.clone()));
                    self.push(Event { robot, camera, session: Some(short(session)), ..event(EventKind::Left) });
                }
            }
            News::Offered { .. }
            | News::Barred { .. }
            | News::NotTaken { .. }
            | News::Report { .. }
            | News::Audience { .. }
            | News::Reception { .. } => {}
        }
    }

    pub(super) fn turned_away(&mut self, code: Code, now: Moment) {
        self.repeat(Event { code: Some(code), ..blank(EventKind::TurnedAway, now) });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.0.iter()
    }

    /// The same as a moment ago is that once more.
    fn repeat(&mut self, mut event: Event) {
        let first = self.0.len().saturating_sub(LOOK_BACK);
        let same = |other: &Event| (other.kind, &other.robot, other.code) == (event.kind, &event.robot, event.code);
        if let Some(place) = self.0.iter().skip(first).position(same)
            && let Some(former) = self.0.remove(first + place)
        {
            event.times = former.times.saturating_add(1);
        }
        self.push(event);
    }

    fn push(&mut self, event: Event) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }
}

fn blank(kind: EventKind, now: Moment) -> Event {
    Event { at: now.unix, kind, times: 1, robot: None, camera: None, session: None, code: None }
}
