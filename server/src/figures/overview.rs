//! What operators are shown of all this.

use std::collections::BTreeMap;

use protocol::{CameraOverview, Overview, RobotId, RobotOverview, SessionId, ViewerOverview};

use super::{
    Figures, Moment,
    robot::Robot,
    viewer::{Viewer, short},
};

impl Figures {
    pub(crate) fn overview(&self, connections: usize, now: Moment) -> Overview {
        let mut viewers: BTreeMap<&RobotId, Vec<(&SessionId, &Viewer)>> = BTreeMap::new();
        for (session, viewer) in &self.viewers {
            viewers.entry(&viewer.robot).or_default().push((session, viewer));
        }
        let robots = self.robots.iter();
        Overview {
            at: now.unix,
            since: self.since.unix,
            report_every: self.report_every,
            connections,
            viewers: self.viewers.len(),
            robots: robots
                .map(|(id, robot)| self.robot(id, robot, viewers.remove(id).unwrap_or_default(), now))
                .collect(),
            history: self.history.iter().copied().collect(),
            events: self.events.iter().cloned().collect(),
        }
    }

    fn robot(
        &self,
        id: &RobotId,
        robot: &Robot,
        mut viewers: Vec<(&SessionId, &Viewer)>,
        now: Moment,
    ) -> RobotOverview {
        viewers.sort_by_key(|(_, viewer)| viewer.since.at);
        let report = robot.report(self.within(), now);
        let camera = |camera: &super::robot::Camera| CameraOverview {
            id: camera.id.clone(),
            title: camera.title.clone(),
            report: report.and_then(|report| report.cameras.iter().find(|other| other.id == camera.id).cloned()),
        };
        let viewer = |(session, viewer): (&SessionId, &Viewer)| ViewerOverview {
            session: short(session),
            camera: viewer.camera.clone(),
            since: viewer.since.unix,
            sent: viewer.sent(self.within(), now),
            shown: viewer.shown(self.within(), now),
        };
        RobotOverview {
            robot: id.clone(),
            since: robot.since.unix,
            cameras: robot.cameras.iter().map(camera).collect(),
            sent: report.map(|report| report.sent),
            viewers: viewers.into_iter().map(viewer).collect(),
            history: robot.history.iter().copied().collect(),
        }
    }
}
