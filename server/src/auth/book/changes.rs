//! What one book says and the one before it did not, for those who keep a log.

use protocol::{LinkId, RobotId};

use super::{Access, Book, Entry};
use crate::auth::{Door, OperatorName};

/// What has changed, be it by an operator over HTTP or by a command beside the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    RobotAdded {
        robot: RobotId,
        access: Access,
    },
    RobotRemoved(RobotId),
    RobotsAccess {
        robot: RobotId,
        access: Access,
    },
    RobotsKeys {
        robot: RobotId,
        added: usize,
        removed: usize,
    },
    LinkRevoked(LinkId),
    /// Links are signed with another key.
    LinkKey,
    OperatorAdded(OperatorName),
    OperatorRemoved(OperatorName),
    OperatorsKey(OperatorName),
}

impl Door {
    pub(crate) fn changes_since(&self, former: &Self) -> Vec<Change> {
        match (self, former) {
            (Self::Guarded(new), Self::Guarded(old)) => new.changes_since(old),
            // Whether it is open is decided at the start.
            (Self::Open, _) | (_, Self::Open) => Vec::new(),
        }
    }
}

impl Book {
    fn changes_since(&self, former: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (robot, entry) in &self.robots {
            match former.robots.get(robot) {
                Some(old) => changes.extend(entry.changes_since(old, robot)),
                None => changes.push(Change::RobotAdded { robot: robot.clone(), access: entry.access }),
            }
        }
        let gone = former.robots.keys().filter(|robot| !self.robots.contains_key(robot));
        changes.extend(gone.cloned().map(Change::RobotRemoved));
        changes.extend(self.revoked.difference(&former.revoked).cloned().map(Change::LinkRevoked));
        if self.keyring.newest() != former.keyring.newest() {
            changes.push(Change::LinkKey);
        }
        for (operator, key) in &self.operators {
            match former.operators.get(operator) {
                Some(old) if old == key => {}
                Some(_) => changes.push(Change::OperatorsKey(operator.clone())),
                None => changes.push(Change::OperatorAdded(operator.clone())),
            }
        }
        let gone = former.operators.keys().filter(|operator| !self.operators.contains_key(operator));
        changes.extend(gone.cloned().map(Change::OperatorRemoved));
        changes
    }
}

impl Entry {
    fn changes_since(&self, former: &Self, robot: &RobotId) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.access != former.access {
            changes.push(Change::RobotsAccess { robot: robot.clone(), access: self.access });
        }
        let beyond = |one: &Self, other: &Self| one.keys.iter().filter(|key| !other.keys.contains(key)).count();
        let (added, removed) = (beyond(self, former), beyond(former, self));
        if (added, removed) != (0, 0) {
            changes.push(Change::RobotsKeys { robot: robot.clone(), added, removed });
        }
        changes
    }
}
