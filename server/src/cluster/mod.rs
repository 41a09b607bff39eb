//! Several servers that share robots and viewers, over one Redis.
//!
//! `rooms` decides what they say to each other, `message` is how they say it, `nodes` (pure) is who of them counts, and `bus` is
//! the line, over a `connection`. `node` is what they are called. `ledger` shares what `auth` keeps.

mod bus;
mod connection;
mod ledger;
mod message;
mod node;
mod nodes;

use std::{collections::BTreeMap, fs};

use protocol::RobotId;
use redis::{Client, ProtocolVersion, RedisError};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    auth::Keeping,
    config,
    rooms::{Listing, Robots},
};
use bus::Bus;
use ledger::Ledger;
pub(crate) use message::{Message, Ticket};
pub(crate) use node::NodeId;

/// What is heard and waits for the rooms.
const INBOX: usize = 4096;

/// What happens among the servers.
#[derive(Debug)]
pub(crate) enum Event {
    /// They can be reached, and have these robots. The first thing to be said is what this one has.
    InReach(Line, BTreeMap<NodeId, Robots>),
    OutOfReach,
    Begins(NodeId, Robots),
    Ends(NodeId),
    Said(NodeId, Box<Message>),
}

/// What is to be said.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// All that this server has.
    Begins(Robots),
    Up(RobotId, Listing),
    Down(RobotId),
    /// This server goes on, and so many watch where that has changed.
    Alive(BTreeMap<RobotId, usize>),
    To(NodeId, Box<Message>),
}

/// To the others, for as long as they can be reached.
#[derive(Debug)]
pub(crate) struct Line(mpsc::Sender<Outgoing>);

/// Nothing more can be said on this line.
#[derive(Debug)]
pub(crate) struct LineBroken;

impl Line {
    pub(crate) fn say(&self, out: Outgoing) -> Result<(), LineBroken> {
        self.0.try_send(out).map_err(|_| LineBroken)
    }
}

/// The names under which Redis keeps what is ours.
#[derive(Clone, Debug)]
struct Keys(String);

impl Keys {
    /// The channel that all hear.
    fn all(&self) -> String {
        format!("{}:all", self.0)
    }

    /// The channel that one hears.
    fn of(&self, node: &NodeId) -> String {
        format!("{}:to:{node}", self.0)
    }

    /// The set of all servers.
    fn nodes(&self) -> String {
        format!("{}:nodes", self.0)
    }

    /// The hash of all records of robots, links and operators.
    fn book(&self) -> String {
        format!("{}:book", self.0)
    }

    /// The channel that says which of them are new.
    fn news(&self) -> String {
        format!("{}:news", self.0)
    }

    /// The hash of what one has.
    fn has(&self, node: &NodeId) -> String {
        format!("{}:node:{node}", self.0)
    }
}

/// Begins to reach the other servers, on `tasks`, until nobody listens any more. Returns what is heard of them.
pub(crate) fn start(
    config: &config::Cluster,
    keeping: &Keeping,
    tasks: &mut JoinSet<()>,
) -> Result<Option<mpsc::Receiver<Event>>, RedisError> {
    let Some(redis) = &config.redis else { return Ok(None) };
    let redis = redis.connection().clone();
    // Answers and what is heard come on one connection.
    let settings = redis.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let client = Client::open(redis.set_redis_settings(settings))?;
    let keys = Keys(config.prefix.as_str().to_owned());
    if let Some(keeper) = &keeping.keeper {
        tasks.spawn(Ledger::new(client.clone(), keys.clone(), keeper.clone(), keeping.door.clone()).run());
    }
    let (events, heard) = mpsc::channel(INBOX);
    tasks.spawn(Bus::new(NodeId::random(), client, keys, events).run());
    Ok(Some(heard))
}

/// What tells this host, and the part of its network that this program sees, from any other.
pub(crate) fn host() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let network = fs::read_link("/proc/self/ns/net").ok()?;
    Some(format!("{} {}", boot.trim(), network.display()))
}
