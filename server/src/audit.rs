//! The audit log: who was let in, who was refused or had to leave and why, and what changed of who may come.
//!
//! All of it has one target and the level `info`, and a field for whatever somebody may look for; what operators do over HTTP
//! is told on the same target where they do it. Nobody's key, token or address is in it, nor what is said between robots and
//! viewers: a session is named by as much of its id as does not let anybody take it over. `docs/public-server.md` lists it.

use protocol::{Admission, Code, PeerId, RobotId, SessionId};

use crate::{
    auth::{Access, Change, Pass, Role},
    figures::short,
};

const TARGET: &str = "audit";

pub(crate) fn robot_admitted(robot: &RobotId, peer: &PeerId, cameras: usize, by_key: bool) {
    tracing::info!(target: TARGET, %robot, %peer, cameras, by_key, "robot admitted");
}

/// `robot` is the one that it wants to be, if there is one: any other name may be a key that was said in the wrong place.
pub(crate) fn robot_refused(robot: Option<&RobotId>, peer: &PeerId, code: Code) {
    let robot = robot.map(RobotId::as_str);
    tracing::info!(target: TARGET, robot, %peer, %code, "robot refused");
}

/// Its connection is gone.
pub(crate) fn robot_left(robot: &RobotId, peer: &PeerId) {
    tracing::info!(target: TARGET, %robot, %peer, "robot left");
}

pub(crate) fn robot_expelled(robot: &RobotId, peer: &PeerId, code: Code) {
    tracing::info!(target: TARGET, %robot, %peer, %code, "robot expelled");
}

pub(crate) fn viewer_admitted(admission: &Admission, viewer: &PeerId, pass: Option<&Pass>) {
    let Admission { session, robot, camera, resumed, .. } = admission;
    let (session, (link, role)) = (short(session), link_and_role(pass));
    tracing::info!(target: TARGET, %robot, %viewer, %session, %camera, resumed, link, role, "viewer admitted");
}

/// `robot` as for robots.
pub(crate) fn viewer_refused(robot: Option<&RobotId>, viewer: &PeerId, pass: Option<&Pass>, code: Code) {
    let (robot, (link, role)) = (robot.map(RobotId::as_str), link_and_role(pass));
    tracing::info!(target: TARGET, robot, %viewer, link, role, %code, "viewer refused");
}

/// A session is over, for whatever reason.
pub(crate) fn viewer_left(robot: &RobotId, viewer: &PeerId, session: &SessionId) {
    tracing::info!(target: TARGET, %robot, %viewer, session = %short(session), "viewer left");
}

/// It has to leave, or may not come back to the session that it has.
pub(crate) fn viewer_expelled(robot: &RobotId, viewer: &PeerId, pass: Option<&Pass>, code: Code) {
    let (link, role) = link_and_role(pass);
    tracing::info!(target: TARGET, %robot, %viewer, link, role, %code, "viewer expelled");
}

/// Something that an operator did over HTTP, or somebody by a command beside the server, holds from now on.
pub(crate) fn changed(change: &Change) {
    let said = "change holds";
    match change {
        Change::RobotAdded { robot, access } => {
            tracing::info!(target: TARGET, change = "robot added", %robot, access = access_word(*access), "{said}");
        }
        Change::RobotRemoved(robot) => tracing::info!(target: TARGET, change = "robot removed", %robot, "{said}"),
        Change::RobotsAccess { robot, access } => {
            tracing::info!(target: TARGET, change = "robot's access", %robot, access = access_word(*access), "{said}");
        }
        Change::RobotsKeys { robot, added, removed } => {
            tracing::info!(target: TARGET, change = "robot's keys", %robot, added, removed, "{said}");
        }
        Change::LinkRevoked(link) => tracing::info!(target: TARGET, change = "link taken back", %link, "{said}"),
        Change::LinkKey => tracing::info!(target: TARGET, change = "links' key", "{said}"),
        Change::OperatorAdded(operator) => {
            tracing::info!(target: TARGET, change = "operator added", about = %operator, "{said}");
        }
        Change::OperatorRemoved(operator) => {
            tracing::info!(target: TARGET, change = "operator removed", about = %operator, "{said}");
        }
        Change::OperatorsKey(operator) => {
            tracing::info!(target: TARGET, change = "operator's key", about = %operator, "{said}");
        }
    }
}

fn link_and_role(pass: Option<&Pass>) -> (Option<&str>, Option<&'static str>) {
    (pass.map(|pass| pass.link.as_str()), pass.map(|pass| role_word(pass.role)))
}

pub(crate) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Watch => "watch",
        Role::Operate => "operate",
    }
}

fn access_word(access: Access) -> &'static str {
    match access {
        Access::Public => "public",
        Access::Link => "link",
        Access::Private => "private",
    }
}

#[cfg(test)]
pub(crate) mod capture {
    //! What is logged by this thread, as a collector would get it.

    use std::{
        io,
        sync::{Arc, Mutex, Once, PoisonError},
    };

    use serde_json::{Map, Value};
    use tracing::{Level, subscriber::DefaultGuard};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Without somebody everywhere who listens, a place in the code that is first passed by a test beside this one counts as one
    /// that nobody listens to.
    static LISTENING: Once = Once::new();

    /// For as long as it is kept.
    pub(crate) struct Captured {
        lines: Lines,
        _guard: DefaultGuard,
    }

    impl Captured {
        pub(crate) fn start() -> Self {
            LISTENING.call_once(|| {
                // Whoever was there before listens as well.
                let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
            });
            let lines = Lines::default();
            let writer = lines.clone();
            let subscriber = tracing_subscriber::fmt()
                .json()
                .flatten_event(true)
                .with_max_level(Level::TRACE)
                .with_writer(move || writer.clone())
                .finish();
            Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
        }

        /// The audit log since the last time, by message; without when it was, and without the fields of this run.
        pub(crate) fn take(&self) -> Vec<Value> {
            let bytes = std::mem::take(&mut *self.lines.0.lock().unwrap_or_else(PoisonError::into_inner));
            let text = String::from_utf8(bytes).expect("text");
            let parse = |line| serde_json::from_str::<Map<String, Value>>(line).expect("JSON");
            let mut audit: Vec<Map<String, Value>> = text.lines().map(parse).collect();
            audit.retain(|line| line["target"] == super::TARGET);
            for line in &mut audit {
                assert_eq!(line["level"], "INFO", "{line:?}");
                line.retain(|key, _| !["timestamp", "level", "target"].contains(&key.as_str()));
            }
            audit.into_iter().map(Value::Object).collect()
        }
    }
}
