//! Several servers, and what goes between them: each with rooms of its own, and nothing else in common.

use std::collections::BTreeMap;

use protocol::RobotId;

use super::*;
use crate::{
    cluster::NodeId,
    rooms::{Asker, Elsewhere, Onward, Robots},
};

/// Servers `n0`, `n1`, …, and who has heard what. Peers are named by their server: `a-0`.
struct Town {
    servers: Vec<World>,
    /// What clients were told since that was asked for last, as `a-0 ["event", …]`.
    told: Vec<String>,
    /// Nothing goes between the servers, and what should have is lost.
    torn: bool,
}

fn node(number: usize) -> NodeId {
    NodeId::from(&*format!("n{number}"))
}

fn number(node: &NodeId) -> usize {
    node.to_string()[1..].parse().expect("a number")
}

fn robot(id: &str) -> RobotId {
    id.parse().expect("an id")
}

impl Town {
    fn of(servers: usize) -> Self {
        let mut servers: Vec<World> = (0..servers).map(|_| World::new()).collect();
        // They are of one age, and count their sessions apart.
        let begun = servers[0].now;
        for (number, world) in servers.iter_mut().enumerate() {
            world.now = begun;
            let mut minted = 0;
            world.rooms.mint = Box::new(move || {
                minted += 1;
                format!("s{minted}-{number}").parse().expect("an id")
            });
        }
        let mut town = Self { servers, told: Vec::new(), torn: true };
        town.mend();
        town
    }

    fn tear(&mut self) {
        self.torn = true;
        for number in 0..self.servers.len() {
            self.input(number, Input::Elsewhere(Elsewhere::OutOfReach));
        }
    }

    /// All of them reach each other again.
    fn mend(&mut self) {
        self.torn = false;
        let have: BTreeMap<NodeId, Robots> =
            self.servers.iter().enumerate().map(|(number, world)| (node(number), world.rooms.listings())).collect();
        for number in 0..self.servers.len() {
            let mut others = have.clone();
            others.remove(&node(number));
            self.input(number, Input::Elsewhere(Elsewhere::InReach(others)));
        }
    }

    /// One ends without a word, and begins again with nothing.
    fn crash(&mut self, crashed: usize) {
        let mut begun = World::new();
        begun.now = self.servers[crashed].now;
        self.servers[crashed] = begun;
        for number in (0..self.servers.len()).filter(|number| *number != crashed) {
            self.input(number, Input::Elsewhere(Elsewhere::Ends(node(crashed))));
        }
    }

    fn server_of(peer: &str) -> usize {
        peer.split_once('-').expect("a server").1.parse().expect("a number")
    }

    fn connect(&mut self, id: &str) {
        let input = Input::Connected { peer: peer(id), pass: None, is_local: false, guest_of: None };
        self.input(Self::server_of(id), input);
    }

    fn end(&mut self, id: &str, ending: Ending) {
        self.input(Self::server_of(id), Input::Disconnected { peer: peer(id), ending });
    }

    fn say(&mut self, from: &str, text: &str) {
        let message = ToServer::decode(text).expect(text);
        let from_peer = peer(from);
        self.input(Self::server_of(from), Input::Said { from: from_peer, message, wants_reply: true });
    }

    fn pass(&mut self, time: Duration) {
        for number in 0..self.servers.len() {
            self.servers[number].now += time;
            let now = self.servers[number].now;
            self.servers[number].rooms.handle_timeout(now);
            self.carry(number, None);
        }
    }

    /// All that was said since this was asked last, about the robots' coming and going too.
    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    fn input(&mut self, number: usize, input: Input) {
        let from = if let Input::Said { from, .. } = &input { Some(from.clone()) } else { None };
        let now = self.servers[number].now;
        self.servers[number].rooms.handle(input, now);
        self.carry(number, from);
    }

    /// Carries out what the rooms of a server want. `asked` is whoever waits for a reply.
    fn carry(&mut self, number: usize, asked: Option<PeerId>) {
        let outputs = self.servers[number].drain();
        let news = std::mem::take(&mut self.servers[number].news);
        for output in outputs {
            match output {
                Output::Forward { to, what } => {
                    if !self.torn {
                        self.passed_on(number, &to, what);
                    }
                }
                Output::ToViewer { to, message } => {
                    let away = self.servers[number].rooms.guest_of(&to).cloned();
                    let reaches = away.is_none_or(|away| {
                        !self.torn && self.servers[self::number(&away)].rooms.is_away_at(&to, &node(number))
                    });
                    if reaches {
                        self.told.extend(written(vec![Output::ToViewer { to, message }]));
                    }
                }
                Output::Reply(reply) => {
                    let asked = asked.clone().expect("somebody asked");
                    self.told.extend(written(vec![Output::Reply(reply)]).iter().map(|text| format!("{asked} {text}")));
                }
                output @ (Output::ToRobot { .. }
                | Output::Close { .. }
                | Output::Snapshot { .. }
                | Output::Errand(_)) => {
                    self.told.extend(written(vec![output]));
                }
            }
        }
        let others: Vec<usize> = (0..self.servers.len()).filter(|other| *other != number && !self.torn).collect();
        for news in news {
            for other in &others {
                let what = if let News::RobotUp { robot, .. } = &news {
                    let listing = self.servers[number].rooms.listing(robot);
                    listing.map(|listing| Elsewhere::Up(node(number), robot.clone(), listing))
                } else if let News::RobotDown { robot } = &news {
                    Some(Elsewhere::Down(node(number), robot.clone()))
                } else {
                    None
                };
                if let Some(what) = what {
                    self.input(*other, Input::Elsewhere(what));
                }
            }
        }
    }

    fn passed_on(&mut self, from: usize, to: &NodeId, what: Onward) {
        let to = self::number(to);
        match what {
            Onward::Joins { peer, pass, is_local } => {
                self.input(to, Input::Connected { peer, pass, is_local, guest_of: Some(node(from)) });
            }
            Onward::Says { peer, message, wants_reply } => {
                self.input(to, Input::Said { from: peer, message, wants_reply });
            }
            Onward::Leaves { peer, ending } => self.input(to, Input::Disconnected { peer, ending }),
            Onward::Snapshot { asker, robot, camera } => {
                self.input(to, Input::Snapshot { asker, robot, camera, passed_on: true });
            }
            Onward::SnapshotUnasked(asker) => self.input(to, Input::SnapshotUnasked(asker)),
        }
    }
}

/// Whether something was said that has all of these parts.
#[track_caller]
fn assert_said(told: &[String], parts: &[&str]) {
    let says = |text: &String| parts.iter().all(|part| text.contains(part));
    assert!(told.iter().any(says), "nothing with {parts:?} in {told:#?}");
}

/// A robot `r-1` called `r1`, and `v-0` who watches it.
fn watched() -> Town {
    let mut town = Town::of(2);
    for id in ["r-1", "v-0"] {
        town.connect(id);
    }
    town.say("r-1", r#"["broadcaster",{"robot":"r1"}]"#);
    town.told();
    town.say("v-0", r#"["watcher",{"robot":"r1"}]"#);
    let told = town.told();
    assert_said(&told, &["r-1 [\"watcher\",\"v-0\"", "s1-1"]);
    assert_said(&told, &["v-0 reply", "\"ok\":true", "s1-1", "\"peer\":\"r-1\""]);
    assert_eq!(told.len(), 2);
    town
}

#[test]
fn a_viewer_watches_a_robot_that_another_server_has() {
    let mut town = watched();
    town.say("r-1", &format!(r#"["offer","v-0",{OFFER}]"#));
    assert_said(&town.told(), &["v-0 [\"offer\",\"r-1\"", "s1-1"]);
    town.say("v-0", &format!(r#"["answer","r-1",{ANSWER}]"#));
    assert_said(&town.told(), &["r-1 [\"answer\",\"v-0\"", "s1-1"]);
    town.say("v-0", &format!(r#"["candidate","r-1",{CANDIDATE}]"#));
    assert_said(&town.told(), &["r-1 [\"candidate\",\"v-0\""]);
    assert_eq!(town.servers[1].rooms.live()[0].viewers, 1);
    town.end("v-0", Ending::Goodbye);
    let told = town.told();
    assert_said(&told, &["r-1 [\"disconnectPeer\",\"v-0\"]"]);
    town.end("r-1", Ending::Goodbye);
    assert!(town.servers.iter().all(|world| world.is_empty()));
}

#[test]
fn strangers_elsewhere_are_strangers_here() {
    let mut town = watched();
    town.connect("w-0");
    town.say("w-0", &format!(r#"["answer","r-1",{ANSWER}]"#));
    town.say("r-1", &format!(r#"["offer","w-0",{OFFER}]"#));
    let told = town.told();
    assert!(!told.iter().any(|text| text.contains("\"answer\"") || text.contains("\"offer\"")), "{told:?}");
}

#[test]
fn limits_hold_whichever_server_a_viewer_comes_to() {
    let mut town = watched();
    for id in ["a-0", "b-1", "c-0", "d-1"] {
        town.connect(id);
        town.say(id, r#"["watcher",{"robot":"r1"}]"#);
    }
    let told = town.told();
    for (id, answer) in [("a-0", "ok"), ("b-1", "ok"), ("c-0", "full"), ("d-1", "full")] {
        assert_said(&told, &[&format!("{id} reply"), answer]);
    }
    // Of robots as well, of which a server takes three.
    for (id, name) in [("x-0", "x"), ("y-0", "y"), ("z-1", "z")] {
        town.connect(id);
        town.say(id, &format!(r#"["broadcaster",{{"robot":"{name}"}}]"#));
    }
    let told = town.told();
    assert_said(&told, &["y-0 reply", "ok"]);
    assert_said(&told, &["z-1 reply", "full"]);
}

#[test]
fn those_who_wait_hear_of_a_robot_that_comes_elsewhere() {
    let mut town = Town::of(2);
    for id in ["family-0", "v-0", "r-1", "demo-1"] {
        town.connect(id);
    }
    town.say("v-0", r#"["watcher",{"robot":"r1"}]"#);
    assert_said(&town.told(), &["v-0 reply", "unknown_robot"]);
    town.say("r-1", r#"["broadcaster",{"robot":"r1"}]"#);
    let told = town.told();
    assert_said(&told, &["v-0 [\"broadcaster\"", "r1"]);
    assert!(!told.iter().any(|text| text.starts_with("family")), "{told:?}");
    town.say("demo-1", r#"["broadcaster",{"robot":"demo"}]"#);
    assert_said(&town.told(), &["family-0 [\"broadcaster\""]);
    assert_eq!(town.servers[0].rooms.live().len(), 2);
    town.end("r-1", Ending::Lost);
    assert_eq!(town.servers[0].rooms.live().len(), 1);
}

#[test]
fn a_robot_that_moves_takes_its_sessions_along() {
    let mut town = watched();
    // Its former connection looks alive for a while.
    town.connect("again-0");
    town.say("again-0", r#"["broadcaster",{"robot":"r1","sessions":["s1-1"]}]"#);
    let told = town.told();
    assert_said(&told, &["r-1 [\"notice\"", "replaced"]);
    assert_eq!(told.iter().filter(|text| text.starts_with("v-0 [\"broadcaster\"")).count(), 1, "{told:?}");
    assert!(!told.iter().any(|text| text.contains("disconnectPeer") || text.contains("sessionEnded")), "{told:?}");
    town.say("v-0", r#"["watcher",{"robot":"r1","resume":"s1-1"}]"#);
    let told = town.told();
    assert_said(&told, &["v-0 reply", "s1-1", "\"resumed\":true", "again-0"]);
    assert!(!told.iter().any(|text| text.contains("disconnectPeer") || text.contains("sessionEnded")), "{told:?}");
    town.end("r-1", Ending::Lost);
    assert_eq!(town.servers[1].rooms.live()[0].robot, robot("r1"), "it is elsewhere");
    // And back, by a viewer of that server.
    town.connect("r2-1");
    town.say("r2-1", r#"["broadcaster",{"robot":"r1","sessions":["s1-1"]}]"#);
    town.say("v-0", r#"["watcher",{"robot":"r1","resume":"s1-1"}]"#);
    assert_said(&town.told(), &["v-0 reply", "s1-1", "\"resumed\":true", "r2-1"]);
}

#[test]
fn a_line_that_breaks_costs_nobody_a_session() {
    let mut town = watched();
    town.tear();
    town.pass(GRACE * 3);
    let told = town.told();
    assert!(!told.iter().any(|text| text.contains("disconnectPeer") || text.contains("sessionEnded")), "{told:?}");
    town.connect("late-0");
    town.say("late-0", r#"["watcher",{"robot":"r1"}]"#);
    assert_said(&town.told(), &["late-0 reply", "robot_offline"]);
    // Robots and viewers of one server do not need it.
    town.connect("r-0");
    town.connect("w-0");
    town.say("r-0", r#"["broadcaster",{"robot":"r2"}]"#);
    town.say("w-0", r#"["watcher",{"robot":"r2"}]"#);
    assert_said(&town.told(), &["w-0 reply", "\"ok\":true"]);
    town.mend();
    let told = town.told();
    assert_said(&told, &["v-0 [\"broadcaster\"", "r1"]);
    assert_said(&told, &["late-0 [\"broadcaster\"", "r1"]);
    town.say("v-0", r#"["watcher",{"robot":"r1","resume":"s1-1"}]"#);
    let told = town.told();
    assert_said(&told, &["v-0 reply", "s1-1", "\"resumed\":true"]);
    assert!(!told.iter().any(|text| text.contains("disconnectPeer")), "{told:?}");
}

#[test]
fn who_is_back_later_than_the_line_costs_nobody_a_session_either() {
    let mut town = watched();
    town.tear();
    for number in 0..2 {
        town.input(number, Input::Elsewhere(Elsewhere::InReach(BTreeMap::new())));
    }
    town.pass(GRACE * 3);
    assert_eq!(town.told(), [""; 0]);
    town.connect("late-0");
    town.say("late-0", r#"["watcher",{"robot":"r1"}]"#);
    assert_said(&town.told(), &["late-0 reply", "robot_offline"]);
    town.mend();
    for viewer in ["v-0", "late-0"] {
        assert_said(&town.told(), &[&format!("{viewer} [\"broadcaster\""), "r1"]);
        town.mend();
    }
}

#[test]
fn who_left_while_the_line_was_broken_has_left() {
    let mut town = watched();
    town.tear();
    town.end("v-0", Ending::Goodbye);
    town.mend();
    town.pass(GRACE);
    assert_said(&town.told(), &["r-1 [\"disconnectPeer\",\"v-0\"]"]);
}

#[test]
fn a_server_that_ends_loses_its_own_and_nobody_else() {
    let mut town = watched();
    town.connect("w-1");
    town.say("w-1", r#"["watcher",{"robot":"r1"}]"#);
    town.told();
    // That of the viewer: it comes back to the other one.
    town.crash(0);
    assert_eq!(town.told(), [""; 0]);
    town.connect("v2-1");
    town.say("v2-1", r#"["watcher",{"robot":"r1","resume":"s1-1"}]"#);
    assert_said(&town.told(), &["v2-1 reply", "s1-1", "\"resumed\":true"]);
    // That of the robot.
    let mut town = watched();
    town.crash(1);
    assert_said(&town.told(), &["v-0 [\"broadcasterLeft\"", "r1"]);
    town.connect("r2-0");
    town.say("r2-0", r#"["broadcaster",{"robot":"r1","sessions":["s1-1"]}]"#);
    assert_said(&town.told(), &["v-0 [\"broadcaster\""]);
    town.say("v-0", r#"["watcher",{"robot":"r1","resume":"s1-1"}]"#);
    assert_said(&town.told(), &["v-0 reply", "s1-1", "\"resumed\":true", "r2-0"]);
}

#[test]
fn of_two_that_claim_a_robot_the_later_has_it() {
    for (first, second) in [(0, 1), (1, 0)] {
        let mut town = Town::of(2);
        town.tear();
        let (earlier, later) = (format!("e-{first}"), format!("l-{second}"));
        for id in [&earlier, &later] {
            town.connect(id);
            town.say(id, r#"["broadcaster",{"robot":"r1"}]"#);
            town.pass(Duration::from_secs(1));
        }
        town.told();
        town.mend();
        let told = town.told();
        assert_said(&told, &[&format!("e-{first} [\"notice\""), "replaced"]);
        assert!(!told.iter().any(|text| text.starts_with(&format!("l-{second}"))), "{told:?}");
        for world in &town.servers {
            assert_eq!(world.rooms.live().len(), 1);
        }
        assert_eq!(town.servers[first].rooms.node_of(&robot("r1")), Some(&node(second)));
        assert_eq!(town.servers[second].rooms.node_of(&robot("r1")), None);
    }
}

#[test]
fn clocks_that_differ_do_not_keep_a_robot_where_it_was() {
    let mut town = Town::of(2);
    town.servers[0].rooms.begun.unix += 1_000_000;
    town.connect("fast-0");
    town.say("fast-0", r#"["broadcaster",{"robot":"r1"}]"#);
    town.connect("slow-1");
    town.say("slow-1", r#"["broadcaster",{"robot":"r1"}]"#);
    assert_said(&town.told(), &["fast-0 [\"notice\"", "replaced"]);
    assert_eq!(town.servers[0].rooms.node_of(&robot("r1")), Some(&node(1)));
}

#[test]
fn pictures_come_from_elsewhere_and_are_not_waited_for_in_vain() {
    let mut town = watched();
    let ask = |town: &mut Town, asker| {
        let input = Input::Snapshot { asker: Asker(asker), robot: robot("r1"), camera: None, passed_on: false };
        town.input(0, input);
    };
    ask(&mut town, 7);
    assert_said(&town.told(), &["r-1 [\"snapshot\""]);
    // The same picture is fetched once, for whoever of them is still there.
    ask(&mut town, 5);
    ask(&mut town, 6);
    assert_eq!(town.told(), [""; 0]);
    town.input(0, Input::SnapshotUnasked(Asker(6)));
    town.tear();
    let told = town.told();
    assert_said(&told, &["7 robot_offline"]);
    assert_said(&told, &["5 robot_offline"]);
    assert_eq!(told.len(), 2);
    town.mend();
    ask(&mut town, 8);
    town.told();
    town.crash(1);
    assert_said(&town.told(), &["8 robot_offline"]);
}

#[test]
fn what_a_robot_publishes_goes_on_when_it_has_come_to_another_server() {
    let mut town = Town::of(2);
    for world in &mut town.servers {
        world.rooms.publications.set_engine(publishing::engine(protocol::MediaKind::Livekit));
    }
    for id in ["r-0", "v-0", "r-1"] {
        town.connect(id);
    }
    let register = |published: &str| format!(r#"["broadcaster",{{"robot":"r1","published":[{published}]}}]"#);
    town.say("r-0", &register(r#""main""#));
    town.say("v-0", r#"["watcher",{"robot":"r1","takes":["livekit"]}]"#);
    assert_said(&town.told(), &["v-0 reply", "livekit"]);
    town.end("r-0", Ending::Lost);
    town.say("r-1", &register(r#""main""#));
    town.say("v-0", r#"["watcher",{"robot":"r1","takes":["livekit"],"resume":"s1-0"}]"#);
    assert_said(&town.told(), &["v-0 reply", "livekit", "s1-1"]);
    town.pass(crate::rooms::publications::ORPHANED_FOR * 2);
    let told = town.told();
    assert!(!told.iter().any(|text| text.contains("Unpublish")), "{told:?}");
    town.end("r-1", Ending::Lost);
    town.pass(Duration::ZERO);
    town.pass(crate::rooms::publications::ORPHANED_FOR);
    assert_said(&town.told(), &["engine Unpublish"]);
}
