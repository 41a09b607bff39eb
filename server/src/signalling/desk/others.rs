//! What goes to other servers and comes from them.

use std::{collections::BTreeMap, time::Duration};

use protocol::{PeerId, RobotId, SessionId, WatchReply};
use tokio::{sync::oneshot, time::Instant};

use super::{Ack, Desk, Waiting};
use crate::{
    cluster::{Event, Line, Message, NodeId, Outgoing, Ticket, host},
    rooms::{Asker, Elsewhere, Input, Onward, Reply, unreachable},
};

/// The others take whoever says nothing for some of these for gone.
pub(super) const ALIVE_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Others {
    /// As long as they can be reached.
    line: Option<Line>,
    /// The host that this server is on.
    host: Option<String>,
    /// How many watch each robot, as the others know.
    told: BTreeMap<RobotId, usize>,
    /// Viewers here that wait for an answer from there: at most one each.
    replies: BTreeMap<PeerId, Pending>,
    /// Operators who have sent somebody away.
    errands: BTreeMap<u64, (NodeId, oneshot::Sender<bool>)>,
    numbers: u64,
}

struct Pending {
    node: NodeId,
    number: u64,
    ack: Ack,
}

impl Default for Others {
    fn default() -> Self {
        Self {
            line: None,
            host: host(),
            told: BTreeMap::new(),
            replies: BTreeMap::new(),
            errands: BTreeMap::new(),
            numbers: 0,
        }
    }
}

impl Others {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

impl Desk {
    pub(super) fn hear(&mut self, event: Event) {
        match event {
            Event::InReach(line, found) => {
                let listings = self.rooms.listings();
                self.others.told = listings.iter().map(|(robot, has)| (robot.clone(), has.viewers)).collect();
                self.others.line = Some(line);
                self.say(Outgoing::Begins(listings));
                self.handle(Input::Elsewhere(Elsewhere::InReach(found)));
            }
            Event::OutOfReach => {
                self.others.line = None;
                self.handle(Input::Elsewhere(Elsewhere::OutOfReach));
                self.no_replies_from(None);
            }
            Event::Begins(node, robots) => {
                self.no_replies_from(Some(&node));
                self.handle(Input::Elsewhere(Elsewhere::Begins(node, robots)));
            }
            Event::Ends(node) => {
                self.no_replies_from(Some(&node));
                self.handle(Input::Elsewhere(Elsewhere::Ends(node)));
            }
            Event::Said(node, message) => self.heard(node, *message),
        }
    }

    fn heard(&mut self, node: NodeId, message: Message) {
        match message {
            Message::Alive { viewers } => {
                if !viewers.is_empty() {
                    self.handle(Input::Elsewhere(Elsewhere::Viewers(node, viewers)));
                }
            }
            Message::Up { robot, listing } => self.handle(Input::Elsewhere(Elsewhere::Up(node, robot, listing))),
            Message::Down { robot } => self.handle(Input::Elsewhere(Elsewhere::Down(node, robot))),
            Message::Joins { peer, pass, host } => {
                // Nobody is in two places.
                if !self.peers.contains_key(&peer) {
                    let pass = pass.map(|ticket| ticket.into_pass(Instant::now().into_std()));
                    let is_local = host.is_some() && host == self.others.host;
                    self.handle(Input::Connected { peer, pass, is_local, guest_of: Some(node) });
                }
            }
            Message::Says { peer, message, number } => {
                if self.rooms.guest_of(&peer) == Some(&node) {
                    let wants_reply = number.is_some();
                    let input = Input::Said { from: peer.clone(), message, wants_reply };
                    self.rooms.handle(input, Instant::now().into_std());
                    self.flush(number.map(|number| Ack::Elsewhere { node, peer, number }));
                }
            }
            Message::Leaves { peer, ending } => {
                if self.rooms.guest_of(&peer) == Some(&node) {
                    self.handle(Input::Disconnected { peer, ending });
                }
            }
            Message::Tell { peer, message } => {
                if self.rooms.is_away_at(&peer, &node) {
                    self.tell(peer, message);
                    self.flush(None);
                }
            }
            Message::Close { peer } => {
                if self.rooms.is_away_at(&peer, &node) {
                    self.close(peer);
                }
            }
            Message::Reply { peer, number, reply } => {
                let waits = self.others.replies.get(&peer).is_some_and(|pending| pending.number == number);
                if waits && let Some(Pending { ack, .. }) = self.others.replies.remove(&peer) {
                    self.reply(Some(ack), Reply::Watch(reply));
                    self.flush(None);
                }
            }
            Message::Snapshot { asker, robot, camera } => {
                let asker = self.wait(Waiting::Elsewhere(node, asker));
                self.handle(Input::Snapshot { asker, robot, camera, passed_on: true });
            }
            Message::SnapshotUnasked { asker: number } => {
                let is_it = |waiting: &Waiting| matches!(waiting, Waiting::Elsewhere(from, asked) if *from == node && *asked == number);
                let asker = self.askers.iter().find(|(_, waiting)| is_it(waiting)).map(|(asker, _)| *asker);
                if let Some(asker) = asker {
                    self.askers.remove(&asker);
                    self.handle(Input::SnapshotUnasked(asker));
                }
            }
            Message::Pictured { asker, picture } => {
                self.handle(Input::Elsewhere(Elsewhere::Pictured(Asker(asker), picture.into())));
            }
            Message::SendAway { asker, robot, beginning } => {
                let found = self.rooms.send_away(&robot, beginning.as_str());
                self.flush(None);
                self.say_to(node, Message::SentAway { asker, found });
            }
            Message::SentAway { asker, found } => {
                if let Some((_, answer)) = self.others.errands.remove(&asker) {
                    // Whoever asked may have stopped waiting.
                    let _ = answer.send(found);
                }
            }
            // What these mean is known before it comes here.
            Message::Begins { .. } | Message::Ends | Message::Unknown { .. } => {}
        }
    }

    /// Says that this server goes on, and how many watch.
    pub(super) fn is_alive(&mut self) {
        if self.others.line.is_none() {
            return;
        }
        let now: BTreeMap<RobotId, usize> =
            self.rooms.listings().into_iter().map(|(robot, has)| (robot, has.viewers)).collect();
        let changed = now.iter().filter(|(robot, viewers)| self.others.told.get(*robot) != Some(viewers));
        let changed = changed.map(|(robot, viewers)| (robot.clone(), *viewers)).collect();
        self.others.told = now;
        self.say(Outgoing::Alive(changed));
    }

    pub(super) fn announce(&mut self, robot: &RobotId) {
        // It may have left again.
        if let Some(listing) = self.rooms.listing(robot) {
            self.say(Outgoing::Up(robot.clone(), listing));
        }
    }

    /// An operator ends visits, of a robot wherever it is.
    pub(super) fn send_away(&mut self, robot: RobotId, beginning: SessionId, answer: oneshot::Sender<bool>) {
        if let Some(node) = self.rooms.node_of(&robot).cloned() {
            let asker = self.others.number();
            self.others.errands.retain(|_, (_, waiting)| !waiting.is_closed());
            self.others.errands.insert(asker, (node.clone(), answer));
            self.say_to(node, Message::SendAway { asker, robot, beginning });
            return;
        }
        let found = self.rooms.send_away(&robot, beginning.as_str());
        self.flush(None);
        let _ = answer.send(found);
    }

    pub(super) fn forward(&mut self, to: NodeId, what: Onward, ack: &mut Option<Ack>) {
        let message = match what {
            Onward::Joins { peer, pass, is_local } => {
                let pass = pass.map(|pass| Ticket::of(pass, Instant::now().into_std()));
                Message::Joins { peer, pass, host: self.others.host.clone().filter(|_| is_local) }
            }
            Onward::Says { peer, message, wants_reply } => {
                let mut number = None;
                if wants_reply && let Some(ack) = ack.take() {
                    let next = self.others.number();
                    number = Some(next);
                    self.others.replies.insert(peer.clone(), Pending { node: to.clone(), number: next, ack });
                }
                Message::Says { peer, message, number }
            }
            Onward::Leaves { peer, ending } => {
                self.others.replies.remove(&peer);
                Message::Leaves { peer, ending }
            }
            Onward::Snapshot { asker, robot, camera } => Message::Snapshot { asker: asker.0, robot, camera },
            Onward::SnapshotUnasked(asker) => Message::SnapshotUnasked { asker: asker.0 },
        };
        self.say_to(to, message);
    }

    pub(super) fn say_to(&mut self, to: NodeId, message: Message) {
        self.say(Outgoing::To(to, Box::new(message)));
    }

    /// What cannot be said is lost: whoever was meant hears that this server begins anew.
    pub(super) fn say(&mut self, out: Outgoing) {
        if let Some(line) = &self.others.line
            && line.say(out).is_err()
        {
            self.others.line = None;
        }
    }

    /// Those who wait for answers from there do so no longer, and are told when they may ask again.
    fn no_replies_from(&mut self, of: Option<&NodeId>) {
        self.others.errands.retain(|_, (node, _)| of.is_some_and(|of| of != node));
        let gone = self.others.replies.extract_if(.., |_, pending| of.is_none_or(|of| *of == pending.node));
        let gone: Vec<Pending> = gone.map(|(_, pending)| pending).collect();
        for Pending { ack, .. } in gone {
            self.reply(Some(ack), Reply::Watch(WatchReply::Refused { error: unreachable() }));
        }
    }
}
