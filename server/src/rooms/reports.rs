//! Who may report on what: a robot on itself and on its own viewers, a viewer on itself.

use protocol::{AudienceReport, PeerId, Reception, RobotId, RobotReport, SessionRef};

use super::{News, Role, Rooms, notices};

impl Rooms {
    pub(super) fn robot_reports(&mut self, from: &PeerId, report: RobotReport) {
        if let Some(robot) = self.reporting_robot(from) {
            self.news.push_back(News::Report { robot, report });
        }
    }

    pub(super) fn audience_reported(&mut self, from: &PeerId, mut audience: AudienceReport) {
        let Some(robot) = self.reporting_robot(from) else { return };
        // A viewer may have left while the report was on its way.
        audience
            .viewers
            .retain(|viewer| self.sessions.get(&viewer.session).is_some_and(|session| session.robot == robot));
        self.news.push_back(News::Audience { robot, audience });
    }

    pub(super) fn viewer_reports(&mut self, from: &PeerId, reception: Reception, about: Option<&SessionRef>) {
        let viewer = match self.peers.get(from) {
            Some(Role::Viewer(viewer)) => viewer,
            Some(Role::Robot(_)) => return self.not_taken(from, notices::no_viewer()),
            // What comes too late, or before its sender has found its way back, is nothing to complain of.
            None | Some(Role::Undecided | Role::Away(_) | Role::Displaced) => return,
        };
        let session = viewer.session.as_ref().filter(|session| about.is_none_or(|about| about.session == **session));
        if let Some(session) = session.cloned() {
            self.news.push_back(News::Reception { session, reception });
        }
    }

    fn reporting_robot(&mut self, from: &PeerId) -> Option<RobotId> {
        match self.peers.get(from) {
            Some(Role::Robot(robot)) => return Some(robot.clone()),
            Some(Role::Viewer(_) | Role::Away(_) | Role::Undecided) => self.not_taken(from, notices::no_robot()),
            None | Some(Role::Displaced) => {}
        }
        None
    }
}
