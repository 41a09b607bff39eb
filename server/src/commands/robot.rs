//! `server robot …`

use anyhow::Context;
use protocol::{RobotId, RobotKey};

use super::{Address, table, warning};
use crate::{
    auth::{Access, Rotation, Store, UnixTime},
    config::Config,
};

#[derive(Clone, Debug, clap::Subcommand)]
pub enum RobotCommand {
    /// Lets a robot in, and prints the key for its config
    Add {
        robot: RobotId,
        /// Who may watch it
        #[arg(long, value_enum, default_value = "link")]
        access: Access,
    },
    /// Gives a robot a new key; the one before goes on working until the next time
    Rotate {
        robot: RobotId,
        /// No former key works any more: somebody else may have it
        #[arg(long)]
        at_once: bool,
    },
    /// Says who may watch a robot
    Access {
        robot: RobotId,
        #[arg(value_enum)]
        access: Access,
    },
    /// Lets a robot in no more; its viewers leave, and its links open nothing
    Remove { robot: RobotId },
    /// Shows all robots
    List,
}

impl RobotCommand {
    /// What is printed.
    pub fn run(self, config: &Config, now: UnixTime) -> anyhow::Result<String> {
        let mut store = Store::open(&config.state_dir).context("open what is known of robots")?;
        let said = match self {
            Self::Add { robot, access } => {
                let key = store.add_robot(&robot, access, now)?;
                format!("Robot {robot} may come, and {} may watch it.\n{}", who(access), show(config, &robot, &key))
            }
            Self::Rotate { robot, at_once } => {
                let rotation = if at_once { Rotation::AtOnce } else { Rotation::Overlapping };
                let key = store.rotate(&robot, rotation, now)?;
                let former =
                    if at_once { "No former key works any more." } else { "Its former key works until the next." };
                format!("Robot {robot} has a new key. {former}\n{}", show(config, &robot, &key))
            }
            Self::Access { robot, access } => {
                store.set_access(&robot, access)?;
                format!("From now on {} may watch robot {robot}.\n", who(access))
            }
            Self::Remove { robot } => {
                store.remove_robot(&robot, now)?;
                format!("Robot {robot} is removed, with its keys and links.\n")
            }
            Self::List => list(&store)?,
        };
        Ok(said + warning(config))
    }
}

fn who(access: Access) -> &'static str {
    match access {
        Access::Public => "everybody",
        Access::Link => "whoever has a link",
        Access::Private => "only whoever has a link to operate it",
    }
}

/// The key, once: only its hash is kept.
fn show(config: &Config, robot: &RobotId, key: &RobotKey) -> String {
    let address = Address::of(config);
    format!(
        "In its config, which nobody else should be able to read; the key is not shown again:\n\n\
         server = \"{}\"\nrobot = \"{robot}\"\nkey = \"{}\"\n{}",
        address.url,
        key.as_str(),
        address.hint()
    )
}

fn list(store: &Store) -> anyhow::Result<String> {
    let robots = store.robots()?;
    if robots.is_empty() {
        return Ok("There is no robot yet: `server robot add` lets one in.\n".to_owned());
    }
    let head = ["robot", "who may watch", "keys"].map(str::to_owned).to_vec();
    let rows = robots
        .iter()
        .map(|listed| vec![listed.robot.to_string(), who(listed.access).to_owned(), listed.keys.to_string()]);
    Ok(table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))
}
