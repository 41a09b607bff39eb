//! Which other servers there are, and what of what they say counts. Pure.
//!
//! What is said may be lost whenever a server's line breaks. So each begins a new epoch with all that it has whenever its line
//! stands again, and what belongs to no epoch that is known is not taken.

use std::{
    collections::BTreeMap,
    mem,
    time::{Duration, Instant},
};

use super::{
    NodeId,
    message::{Envelope, Epoch, Message},
};
use crate::rooms::Robots;

/// Who has said nothing for so long has ended. Everybody says something every second.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// More servers than share a Redis; whoever makes up more takes no memory.
const MAX_NODES: usize = 1000;

/// What a message is.
#[derive(Debug)]
pub(super) enum Heard {
    /// A server begins, perhaps anew, with these robots.
    Begins(NodeId, Robots),
    Ends(NodeId),
    Said(NodeId, Box<Message>),
    /// From somebody who is not known, and is to be told so.
    Stranger(NodeId, Epoch),
    /// Somebody does not know us.
    Forgotten,
    /// There is more to come, or it is of no use any more.
    Nothing,
}

#[derive(Debug)]
struct Node {
    epoch: Epoch,
    heard: Instant,
    /// What it has, as far as that has come.
    coming: Option<Robots>,
}

#[derive(Debug)]
pub(super) struct Nodes {
    own: (NodeId, Epoch),
    known: BTreeMap<NodeId, Node>,
}

impl Nodes {
    pub(super) fn new(own: NodeId) -> Self {
        Self { own: (own, Epoch::default()), known: BTreeMap::new() }
    }

    /// The line stands again. Those that were there before are there, or will have ended.
    pub(super) fn begin_anew(&mut self, own: Epoch, now: Instant) {
        self.own.1 = own;
        for node in self.known.values_mut() {
            *node = Node { epoch: Epoch::default(), heard: now, coming: None };
        }
    }

    /// All that it has is known from elsewhere.
    pub(super) fn introduce(&mut self, node: NodeId, epoch: Epoch, now: Instant) {
        if node != self.own.0 && self.known.len() < MAX_NODES {
            self.known.insert(node, Node { epoch, heard: now, coming: None });
        }
    }

    pub(super) fn hear(&mut self, envelope: Envelope<Message>, now: Instant) -> Heard {
        let Envelope { from, epoch, message } = envelope;
        if from == self.own.0 {
            return Heard::Nothing;
        }
        if let Message::Begins { robots, last } = message {
            return self.begins(from, epoch, robots, last, now);
        }
        if let Message::Unknown { epoch } = message {
            return if epoch == self.own.1 { Heard::Forgotten } else { Heard::Nothing };
        }
        let known = self.known.get_mut(&from).filter(|node| node.epoch == epoch && node.coming.is_none());
        match (known, message) {
            (None, Message::Alive { .. }) => Heard::Stranger(from, epoch),
            (None, _) => Heard::Nothing,
            (Some(_), Message::Ends) => {
                self.known.remove(&from);
                Heard::Ends(from)
            }
            (Some(node), message) => {
                node.heard = now;
                Heard::Said(from, Box::new(message))
            }
        }
    }

    /// Those who have been silent for too long.
    pub(super) fn silent(&mut self, now: Instant) -> Vec<NodeId> {
        let silent = self.known.extract_if(.., |_, node| now >= node.heard + SILENCE);
        silent.map(|(node, _)| node).collect()
    }

    fn begins(&mut self, from: NodeId, epoch: Epoch, robots: Robots, last: bool, now: Instant) -> Heard {
        let is_known = self.known.contains_key(&from);
        if !is_known && self.known.len() >= MAX_NODES {
            return Heard::Nothing;
        }
        let node = self.known.entry(from.clone()).or_insert(Node { epoch, heard: now, coming: None });
        // What was read of it may be newer than what was on its way.
        if epoch < node.epoch || epoch == node.epoch && node.coming.is_none() && is_known {
            return Heard::Nothing;
        }
        if epoch > node.epoch {
            node.coming = None;
        }
        (node.epoch, node.heard) = (epoch, now);
        let coming = node.coming.get_or_insert_default();
        coming.extend(robots);
        if !last {
            return Heard::Nothing;
        }
        let robots = mem::take(coming);
        node.coming = None;
        Heard::Begins(from, robots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn nodes() -> Nodes {
        let mut nodes = Nodes::new("a".into());
        nodes.begin_anew(Epoch(3), start());
        nodes
    }

    fn robots(names: &[&str]) -> Robots {
        let listing = r#"{"since":1,"cameras":[{"id":"main"}],"viewers":0}"#;
        names
            .iter()
            .map(|name| (name.parse().expect("an id"), serde_json::from_str(listing).expect("a listing")))
            .collect()
    }

    fn says(nodes: &mut Nodes, epoch: u64, message: Message, now: Instant) -> String {
        let heard = nodes.hear(Envelope { from: "b".into(), epoch: Epoch(epoch), message }, now);
        match heard {
            Heard::Begins(node, robots) => format!("{node} begins with {}", robots.len()),
            Heard::Ends(node) => format!("{node} ends"),
            Heard::Said(node, _) => format!("{node} said"),
            Heard::Stranger(node, Epoch(epoch)) => format!("{node} is a stranger in {epoch}"),
            Heard::Forgotten => "forgotten".to_owned(),
            Heard::Nothing => String::new(),
        }
    }

    fn begins(names: &[&str], last: bool) -> Message {
        Message::Begins { robots: robots(names), last }
    }

    fn alive() -> Message {
        Message::Alive { viewers: BTreeMap::new() }
    }

    fn down() -> Message {
        Message::Down { robot: "r".parse().expect("an id") }
    }

    #[test]
    fn a_server_counts_once_all_that_it_has_is_there() {
        let (mut nodes, now) = (nodes(), start());
        assert_eq!(says(&mut nodes, 1, begins(&["x", "y"], false), now), "");
        assert_eq!(says(&mut nodes, 1, down(), now), "", "not before all is there");
        assert_eq!(says(&mut nodes, 1, begins(&["z"], true), now), "b begins with 3");
        assert_eq!(says(&mut nodes, 1, down(), now), "b said");
        assert_eq!(says(&mut nodes, 1, begins(&["z"], true), now), "", "that was before");
    }

    #[test]
    fn what_was_said_in_another_epoch_is_lost() {
        let (mut nodes, now) = (nodes(), start());
        assert_eq!(says(&mut nodes, 4, begins(&["x"], false), now), "");
        assert_eq!(says(&mut nodes, 5, begins(&["y"], true), now), "b begins with 1");
        assert_eq!(says(&mut nodes, 4, down(), now), "");
        assert_eq!(says(&mut nodes, 4, begins(&["x"], true), now), "");
        assert_eq!(says(&mut nodes, 5, down(), now), "b said");
    }

    #[test]
    fn who_is_silent_has_ended_and_is_told_so_when_it_is_not() {
        let (mut nodes, now) = (nodes(), start());
        nodes.introduce("b".into(), Epoch(2), now);
        assert_eq!(says(&mut nodes, 2, alive(), now + SILENCE / 2), "b said");
        assert_eq!(nodes.silent(now + SILENCE), []);
        assert_eq!(nodes.silent(now + SILENCE * 2), ["b".into()]);
        assert_eq!(says(&mut nodes, 2, down(), now + SILENCE * 2), "");
        assert_eq!(says(&mut nodes, 2, alive(), now + SILENCE * 2), "b is a stranger in 2");
        assert_eq!(says(&mut nodes, 3, begins(&[], true), now + SILENCE * 2), "b begins with 0");
        assert_eq!(says(&mut nodes, 3, Message::Ends, now), "b ends");
        assert_eq!(says(&mut nodes, 3, alive(), now), "b is a stranger in 3");
    }

    #[test]
    fn who_was_there_before_begins_or_has_ended() {
        let (mut nodes, now) = (nodes(), start());
        for node in ["b", "c"] {
            nodes.introduce(node.into(), Epoch(7), now);
        }
        nodes.begin_anew(Epoch(4), now);
        assert_eq!(says(&mut nodes, 7, alive(), now), "b is a stranger in 7");
        assert_eq!(says(&mut nodes, 8, begins(&["x"], true), now + SILENCE / 2), "b begins with 1");
        assert_eq!(nodes.silent(now + SILENCE), ["c".into()]);
        assert_eq!(says(&mut nodes, 8, down(), now + SILENCE), "b said");
    }

    #[test]
    fn who_is_not_known_to_somebody_hears_so() {
        let (mut nodes, now) = (nodes(), start());
        assert_eq!(says(&mut nodes, 1, Message::Unknown { epoch: Epoch(2) }, now), "", "that was before");
        assert_eq!(says(&mut nodes, 1, Message::Unknown { epoch: Epoch(3) }, now), "forgotten");
    }

    #[test]
    fn there_are_only_so_many() {
        let (mut nodes, now) = (nodes(), start());
        for number in 0..2 * MAX_NODES {
            let from = NodeId::from(&*format!("n{number}"));
            let _ = nodes.hear(Envelope { from, epoch: Epoch(1), message: begins(&[], true) }, now);
        }
        assert_eq!(nodes.known.len(), MAX_NODES);
    }
}
