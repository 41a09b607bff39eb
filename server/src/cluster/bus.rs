//! The line to the other servers: Redis, which carries what they say, and keeps who is live for those who come later.
//!
//! Everybody hears the channel of all and one of its own. What a server has stands in a hash that ends with it, as it has to be
//! renewed every second. Nothing here waits for Redis but this task: without it, servers go on by themselves.

use std::{collections::BTreeMap, time::Duration};

use protocol::RobotId;
use redis::{Client, Pipeline, RedisError, Value, aio::MultiplexedConnection};
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior},
};

use super::{
    Event, Keys, NodeId, Outgoing,
    connection::{AGAIN, Broken, Ears, connect},
    message::{Envelope, Epoch, Message},
    nodes::{Heard, Nodes},
};
use crate::rooms::{Listing, Robots};

/// What a server has is forgotten after so long, if it does not say that it is still there.
const KEPT: Duration = Duration::from_secs(6);

/// What is to be said and may wait, as much as what was heard.
const WAITING: usize = 65_536;

/// What goes out at once, and how many robots a message names.
const BATCH: usize = 256;
const PIECE: usize = 64;

/// The hash's field for the server itself, which is no robot's id.
const SELF: &str = "@";

pub(crate) struct Bus {
    node: NodeId,
    epoch: Epoch,
    redis: Client,
    keys: Keys,
    events: mpsc::Sender<Event>,
}

impl Bus {
    pub(super) fn new(node: NodeId, redis: Client, keys: Keys, events: mpsc::Sender<Event>) -> Self {
        Self { node, epoch: Epoch(0), redis, keys, events }
    }

    /// Keeps the line until nobody listens any more.
    pub(crate) async fn run(mut self) {
        let mut nodes = Nodes::new(self.node.clone());
        let mut complained = false;
        loop {
            let (reached, broken) = self.reach(&mut nodes).await;
            if let Broken::Ending = broken {
                return;
            }
            if reached {
                complained = false;
                if self.events.send(Event::OutOfReach).await.is_err() {
                    return;
                }
            }
            // Once is enough, until it has been there again.
            if !std::mem::replace(&mut complained, true) {
                tracing::warn!(error = %broken, "other servers cannot be reached; this one goes on by itself");
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = self.events.closed() => return,
            }
        }
    }

    /// One connection, from its beginning to its end. Says whether the others were reached.
    async fn reach(&mut self, nodes: &mut Nodes) -> (bool, Broken) {
        let (connection, ears, found) = match self.begin(nodes).await {
            Ok(begun) => begun,
            Err(broken) => return (false, broken),
        };
        let (line, outgoing) = mpsc::channel(WAITING);
        tracing::info!(node = %self.node, others = found.len(), "other servers can be reached");
        if self.events.send(Event::InReach(super::Line(line), found)).await.is_err() {
            return (true, Broken::Ending);
        }
        let speaks = self.speak(connection.clone(), outgoing);
        let hears = self.hear(connection, ears, nodes);
        let broken = tokio::select! { broken = speaks => broken, broken = hears => broken };
        (true, broken)
    }

    /// Whoever begins at the same time either reads what we write, or hears it.
    async fn begin(
        &mut self,
        nodes: &mut Nodes,
    ) -> Result<(MultiplexedConnection, Ears, BTreeMap<NodeId, Robots>), Broken> {
        let (mut connection, ears) = connect(&self.redis, &[self.keys.all(), self.keys.of(&self.node)]).await?;
        self.epoch.0 += 1;
        nodes.begin_anew(self.epoch, Instant::now().into_std());
        let mut found = BTreeMap::new();
        let known: Vec<String> = redis::cmd("SMEMBERS").arg(self.keys.nodes()).query_async(&mut connection).await?;
        for name in known {
            let node = NodeId::named(name);
            if node == self.node {
                continue;
            }
            let has: BTreeMap<String, String> =
                redis::cmd("HGETALL").arg(self.keys.has(&node)).query_async(&mut connection).await?;
            match read(&has) {
                Some((epoch, robots)) => {
                    nodes.introduce(node.clone(), epoch, Instant::now().into_std());
                    found.insert(node, robots);
                }
                // It ended without a word.
                None => {
                    let remove = redis::cmd("SREM").arg(self.keys.nodes()).arg(node.as_str()).to_owned();
                    let _: Value = remove.query_async(&mut connection).await?;
                }
            }
        }
        Ok((connection, ears, found))
    }

    async fn speak(&self, mut connection: MultiplexedConnection, mut outgoing: mpsc::Receiver<Outgoing>) -> Broken {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            if outgoing.recv_many(&mut batch, BATCH).await == 0 {
                // Nobody is going to say anything any more: the line could not take it, or this is the end.
                if !self.events.is_closed() {
                    return Broken::Overrun;
                }
                return self.end(connection).await.err().map_or(Broken::Ending, Broken::Redis);
            }
            let mut pipeline = redis::pipe();
            for out in batch.drain(..) {
                self.write(&mut pipeline, out);
            }
            // Only those answers count that say whether what we have is still known.
            let known: Result<Vec<bool>, RedisError> = pipeline.query_async(&mut connection).await;
            match known {
                Ok(known) if known.contains(&false) => return Broken::Forgotten,
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
    }

    async fn end(&self, mut connection: MultiplexedConnection) -> Result<(), RedisError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("DEL").arg(self.keys.has(&self.node)).ignore();
        pipeline.cmd("SREM").arg(self.keys.nodes()).arg(self.node.as_str()).ignore();
        self.publish(&mut pipeline, &self.keys.all(), Message::Ends);
        pipeline.query_async(&mut connection).await
    }

    fn write(&self, pipeline: &mut Pipeline, out: Outgoing) {
        let (all, has) = (self.keys.all(), self.keys.has(&self.node));
        match out {
            Outgoing::Begins(robots) => self.write_all(pipeline, robots),
            Outgoing::Up(robot, listing) => {
                pipeline.cmd("HSET").arg(&has).arg(robot.as_str()).arg(json(&listing)).ignore();
                self.publish(pipeline, &all, Message::Up { robot, listing });
            }
            Outgoing::Down(robot) => {
                pipeline.cmd("HDEL").arg(&has).arg(robot.as_str()).ignore();
                self.publish(pipeline, &all, Message::Down { robot });
            }
            Outgoing::Alive(viewers) => {
                pipeline.cmd("PEXPIRE").arg(&has).arg(millis(KEPT));
                self.publish(pipeline, &all, Message::Alive { viewers });
            }
            Outgoing::To(node, message) => self.publish(pipeline, &self.keys.of(&node), *message),
        }
    }

    fn write_all(&self, pipeline: &mut Pipeline, robots: Robots) {
        let has = self.keys.has(&self.node);
        pipeline.cmd("DEL").arg(&has).ignore();
        pipeline.cmd("HSET").arg(&has).arg(SELF).arg(json(&self.epoch));
        for (robot, listing) in &robots {
            pipeline.arg(robot.as_str()).arg(json(listing));
        }
        pipeline.ignore();
        pipeline.cmd("PEXPIRE").arg(&has).arg(millis(KEPT)).ignore();
        pipeline.cmd("SADD").arg(self.keys.nodes()).arg(self.node.as_str()).ignore();
        let all: Vec<(RobotId, Listing)> = robots.into_iter().collect();
        let mut pieces = all.chunks(PIECE).peekable();
        if pieces.peek().is_none() {
            self.publish(pipeline, &self.keys.all(), Message::Begins { robots: Robots::new(), last: true });
        }
        while let Some(piece) = pieces.next() {
            let robots = piece.iter().cloned().collect();
            self.publish(pipeline, &self.keys.all(), Message::Begins { robots, last: pieces.peek().is_none() });
        }
    }

    fn publish(&self, pipeline: &mut Pipeline, channel: &str, message: Message) {
        let envelope = Envelope { from: self.node.clone(), epoch: self.epoch, message };
        pipeline.cmd("PUBLISH").arg(channel).arg(json(&envelope)).ignore();
    }

    async fn hear(&self, mut connection: MultiplexedConnection, mut ears: Ears, nodes: &mut Nodes) -> Broken {
        let mut look = tokio::time::interval(Duration::from_secs(1));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut puzzled = false;
        loop {
            let event = tokio::select! {
                heard = ears.hear() => match heard.map(|said| serde_json::from_slice(&said)) {
                    Ok(Ok(envelope)) => nodes.hear(envelope, Instant::now().into_std()),
                    Ok(Err(error)) => {
                        // One that speaks differently does so every second.
                        if !std::mem::replace(&mut puzzled, true) {
                            tracing::warn!(%error, "another server says what this one does not understand: are they of one version?");
                        }
                        continue;
                    }
                    Err(broken) => return broken,
                },
                _ = look.tick() => {
                    for node in nodes.silent(Instant::now().into_std()) {
                        tracing::warn!(%node, "a server has said nothing for seconds, and counts as gone");
                        if self.events.send(Event::Ends(node)).await.is_err() {
                            return std::future::pending().await;
                        }
                    }
                    continue;
                }
            };
            let event = match event {
                Heard::Nothing => continue,
                Heard::Forgotten => return Broken::Forgotten,
                Heard::Stranger(node, epoch) => {
                    let mut pipeline = redis::pipe();
                    self.publish(&mut pipeline, &self.keys.of(&node), Message::Unknown { epoch });
                    match pipeline.query_async(&mut connection).await {
                        Ok(()) => continue,
                        Err(error) => return Broken::Redis(error),
                    }
                }
                Heard::Begins(node, robots) => Event::Begins(node, robots),
                Heard::Ends(node) => Event::Ends(node),
                Heard::Said(node, message) => Event::Said(node, message),
            };
            if self.events.send(event).await.is_err() {
                // What is still to be said is said first, by who speaks.
                return std::future::pending().await;
            }
        }
    }
}

/// What a server's hash says, if it has one.
fn read(has: &BTreeMap<String, String>) -> Option<(Epoch, Robots)> {
    let epoch = serde_json::from_str(has.get(SELF)?).ok()?;
    let robots = has.iter().filter(|(name, _)| *name != SELF).filter_map(|(name, listing)| {
        let robot = name.parse().ok()?;
        Some((robot, serde_json::from_str(listing).ok()?))
    });
    Some((epoch, robots.collect()))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("messages are plain JSON")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("seconds")
}
