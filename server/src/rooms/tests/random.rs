//! Long random histories, in which nothing may ever reach the wrong one and nothing may be left behind.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{ToRobot, ToViewer};

use super::*;
use crate::rooms::Asker;

const PEERS: usize = 8;
const ROBOTS: [&str; 3] = ["demo", "r1", "r2"];

/// SplitMix64: a failing seed can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a usize")
    }

    fn peer(&mut self) -> String {
        format!("p{}", self.below(PEERS))
    }

    fn session(&mut self) -> String {
        format!("s{}", 1 + self.below(40))
    }

    fn message(&mut self) -> String {
        let (to, session, robot) = (self.peer(), self.session(), ROBOTS[self.below(ROBOTS.len())]);
        match self.below(14) {
            0 => r#"["broadcaster"]"#.to_owned(),
            1 => format!(r#"["broadcaster",{{"robot":"{robot}"}}]"#),
            2 => format!(r#"["broadcaster",{{"robot":"{robot}","sessions":["{session}","{}"]}}]"#, self.session()),
            3 => r#"["watcher"]"#.to_owned(),
            4 | 5 => format!(r#"["watcher",{{"robot":"{robot}"}}]"#),
            6 | 7 => format!(r#"["watcher",{{"robot":"{robot}","resume":"{session}"}}]"#),
            8 => format!(r#"["offer","{to}",{OFFER}]"#),
            9 => format!(r#"["answer","{to}",{ANSWER},{{"session":"{session}"}}]"#),
            10 => format!(r#"["answer","{to}",{ANSWER}]"#),
            11 => format!(r#"["candidate","{to}",{CANDIDATE}]"#),
            12 => format!(r#"["offer","{to}",null]"#),
            _ => format!(r#"["notice","{to}",{{"code":"full","message":""}}]"#),
        }
    }
}

/// Knows from the outputs alone who was introduced to whom, and checks each against it.
#[derive(Default)]
struct Witness {
    connected: BTreeSet<PeerId>,
    /// Robot's connection and the viewers it was told of.
    introduced: BTreeMap<PeerId, BTreeSet<PeerId>>,
    /// Those who asked for pictures and have no answer.
    waiting: BTreeSet<Asker>,
}

impl Witness {
    fn check(&mut self, output: &Output) {
        match output {
            Output::Reply(_) => {}
            Output::Snapshot { asker, .. } => assert!(self.waiting.remove(asker), "an answer for each question"),
            Output::ToRobot { to, message } => {
                assert!(self.connected.contains(to), "{to} is gone: {message:?}");
                let known = self.introduced.entry(to.clone()).or_default();
                match message {
                    ToRobot::Watcher { viewer, .. } => {
                        assert!(viewer != to, "introduced to itself");
                        known.insert(viewer.clone());
                    }
                    ToRobot::DisconnectPeer { viewer } => assert!(known.contains(viewer), "{to}: {message:?}"),
                    ToRobot::Bye { viewer } => assert!(known.remove(viewer), "{to}: {message:?}"),
                    ToRobot::Answer { from, .. } | ToRobot::Candidate { from, .. } => {
                        assert!(known.contains(from), "{to}: {message:?}");
                    }
                    ToRobot::Notice { .. } | ToRobot::Snapshot { .. } => {}
                }
            }
            Output::ToViewer { to, message } => {
                assert!(self.connected.contains(to), "{to} is gone: {message:?}");
                match message {
                    ToViewer::Offer { from, .. } | ToViewer::Candidate { from, .. } => {
                        assert!(self.connected.contains(from));
                        assert!(self.introduced.get(from).is_some_and(|known| known.contains(to)), "{to}: {message:?}");
                    }
                    ToViewer::Broadcaster { .. } | ToViewer::BroadcasterLeft { .. } | ToViewer::Notice { .. } => {}
                }
            }
        }
    }
}

fn check_state(rooms: &Rooms) {
    for (id, robot) in &rooms.robots {
        assert!(matches!(rooms.peers.get(&robot.peer), Some(super::super::Role::Robot(role)) if role == id));
        for (viewer, session) in &robot.introduced {
            let session = rooms.sessions.get(session).expect("introduced viewers have sessions");
            assert_eq!((session.owner.peer(), &session.robot), (viewer, id));
        }
    }
    assert!(rooms.robots.len() <= rooms.settings.max_robots);
}

fn history(seed: u64) {
    let mut random = Random(seed);
    let (mut world, mut witness) = (World::new(), Witness::default());
    // What is asked over HTTP comes between, and changes nothing else.
    let mut web = Random(!seed);
    for number in 0..400 {
        let input = match web.below(9) {
            0 => {
                let robot = ROBOTS[web.below(ROBOTS.len())].parse().expect("an id");
                witness.waiting.insert(Asker(number));
                Some(Input::Snapshot { asker: Asker(number), robot, camera: None })
            }
            1 => {
                let notice = r#"{"code":"full","message":""}"#;
                let text = format!(r#"["snapshotFailed",{{"request":{},"notice":{notice}}}]"#, web.below(30));
                let message = ToServer::decode(&text).expect("well-formed");
                Some(Input::Said { from: peer(&web.peer()), message, wants_reply: false })
            }
            2 => witness.waiting.pop_first().map(Input::SnapshotUnasked),
            _ => None,
        };
        for output in input.map(|input| world.input(input)).unwrap_or_default() {
            witness.check(&output);
        }
        let id = peer(&random.peer());
        let input = match random.below(10) {
            0 | 1 => {
                witness.connected.insert(id.clone());
                Input::Connected(id)
            }
            2 => {
                // A socket's id comes back only after its connection has gone, and with it what it was told.
                witness.connected.remove(&id);
                witness.introduced.remove(&id);
                let ending = if random.below(2) == 0 { Ending::Goodbye } else { Ending::Lost };
                Input::Disconnected { peer: id, ending }
            }
            _ => {
                let message = ToServer::decode(&random.message()).expect("well-formed");
                Input::Said { from: id, message, wants_reply: random.below(2) == 0 }
            }
        };
        let wants_reply = matches!(
            &input,
            Input::Said { from, message: ToServer::Broadcaster { .. } | ToServer::Watcher { .. }, wants_reply: true }
                if witness.connected.contains(from)
        );
        let outputs = world.input(input);
        let replies = outputs.iter().filter(|output| matches!(output, Output::Reply(_))).count();
        assert_eq!(replies, usize::from(wants_reply), "joining is answered once, and nothing else is");
        outputs.iter().for_each(|output| witness.check(output));
        check_state(&world.rooms);
        world.now += Duration::from_millis(random.below(2000) as u64);
        world.rooms.handle_timeout(world.now);
        world.drain().iter().for_each(|output| witness.check(output));
    }
    for id in witness.connected.clone() {
        witness.connected.remove(&id);
        let outputs = world.input(Input::Disconnected { peer: id, ending: Ending::Lost });
        outputs.iter().for_each(|output| witness.check(output));
    }
    assert!(witness.waiting.is_empty(), "somebody waits in vain");
    assert_eq!(world.pass(GRACE), [""; 0], "nobody is left to be told");
    assert!(world.is_empty(), "something is left behind");
}

#[test]
fn no_history_leads_to_the_wrong_receiver_or_leaves_anything_behind() {
    for seed in 0..400 {
        if std::panic::catch_unwind(|| history(seed)).is_err() {
            panic!("seed {seed} failed");
        }
    }
}
