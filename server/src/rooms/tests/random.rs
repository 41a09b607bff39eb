//! Long random histories, in which nothing may ever reach the wrong one and nothing may be left behind.

use protocol::{Code, Media, MediaKind, MediaToken, Notice, Sdp, SessionId, ToViewer};

use super::{
    witness::{Witness, check_state},
    *,
};
use crate::rooms::guard::CLAIMED_WITHIN;
use crate::{
    auth::{Access, Pass, guarded, key, pass},
    figures::{Figures, Moment},
    rooms::{
        Asker,
        publications::{Done, Engine, Errand, ORPHANED_FOR, Place},
    },
};

const PEERS: usize = 8;
const ROBOTS: [&str; 3] = ["demo", "r1", "r2"];
pub(super) const MOST_ROBOTS: usize = 3;

/// SplitMix64: a failing seed can be run again.
struct Random(u64);

const CAMERAS: &str = r#""cameras":[{"id":"main"},{"id":"arm"}]"#;

/// The media server that there is, if there is one.
fn engine(seed: u64) -> Option<Engine> {
    let kind = [None, Some(MediaKind::Livekit), Some(MediaKind::Whep)][(seed % 3) as usize]?;
    let let_in = move |session: &SessionId, _: &Place, _| match kind {
        MediaKind::Livekit => Media::Livekit { url: String::new(), token: MediaToken::new(session.to_string()) },
        MediaKind::Whep | MediaKind::Other => Media::Whep,
    };
    Some(Engine { kind, qualities: 3, let_in: Box::new(let_in) })
}

/// What comes of an errand, sooner or later.
fn done(errand: Errand, works: bool) -> Option<Done> {
    let answer = || {
        let sdp = || Sdp::try_from("v=0\r\nm=video 9 x 96\r\n".to_owned()).expect("a description");
        works.then(sdp).ok_or_else(|| Notice::new(Code::ConnectionFailed, "no"))
    };
    match errand {
        Errand::Publish { place, attempt, .. } => Some(Done::Published { place, attempt, answer: answer() }),
        Errand::Play { session, .. } => Some(Done::Played { session, answer: answer() }),
        Errand::Unpublish { .. } | Errand::Leave { .. } => None,
    }
}

/// Who is let in, in different moods of the operator.
fn doors() -> [Door; 4] {
    let all = [("demo", Access::Public, 'd'), ("r1", Access::Link, '1'), ("r2", Access::Private, '2')];
    let mut shut = all;
    shut[0].1 = Access::Link;
    let mut rotated = all;
    rotated[1].2 = 'x';
    [guarded(&all, &[]), guarded(&all, &["l0", "l1"]), guarded(&shut, &[]), guarded(&rotated[..2], &["l1"])]
}

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

    /// One of those that were made here, or one that was not: robots may name any.
    fn session(&mut self, made: usize) -> String {
        match self.below(40) {
            number if number < made => format!("s{}", 1 + number),
            number => format!("elsewhere{number}"),
        }
    }

    fn pass(&mut self, now: Instant) -> Option<Pass> {
        let (link, robot) = (format!("l{}", self.below(4)), ROBOTS[self.below(ROBOTS.len())]);
        let until = now + Duration::from_secs(self.below(40) as u64);
        (self.below(4) > 0).then(|| pass(&link, robot, until))
    }

    fn key(&mut self) -> String {
        key(['d', '1', '2', 'x'][self.below(4)]).as_str().to_owned()
    }

    fn publishing(&mut self) -> String {
        let camera = ["main", "arm"][self.below(2)];
        match self.below(8) {
            0 | 1 => format!(r#"["publish",{{"camera":"{camera}"}},{OFFER}]"#),
            2 => format!(r#"["recall",{{"camera":"{camera}"}}]"#),
            3 => format!(r#"["unpublish",{{"camera":"{camera}"}}]"#),
            _ => format!(r#"["published",{{"camera":"{camera}"}}]"#),
        }
    }

    fn message(&mut self, made: usize) -> String {
        let (to, session, robot) = (self.peer(), self.session(made), ROBOTS[self.below(ROBOTS.len())]);
        let camera = ["main", "arm"][self.below(2)];
        match self.below(27) {
            0 => r#"["broadcaster"]"#.to_owned(),
            1 => format!(r#"["broadcaster",{{"robot":"{robot}"}}]"#),
            2 => format!(r#"["broadcaster",{{"robot":"{robot}","sessions":["{session}","{}"]}}]"#, self.session(made)),
            3 => r#"["watcher"]"#.to_owned(),
            4 | 5 => format!(r#"["watcher",{{"robot":"{robot}"}}]"#),
            6 | 7 => format!(r#"["watcher",{{"robot":"{robot}","resume":"{session}"}}]"#),
            8 => format!(r#"["offer","{to}",{OFFER}]"#),
            9 => format!(r#"["answer","{to}",{ANSWER},{{"session":"{session}"}}]"#),
            10 => format!(r#"["answer","{to}",{ANSWER}]"#),
            11 => format!(r#"["candidate","{to}",{CANDIDATE}]"#),
            12 => format!(r#"["offer","{to}",null]"#),
            13 => format!(r#"["broadcaster",{{"robot":"{robot}","key":"{}"}}]"#, self.key()),
            14 => format!(
                r#"["broadcaster",{{"robot":"{robot}","key":"{}","sessions":["{session}","{}"]}}]"#,
                self.key(),
                self.session(made)
            ),
            15 => r#"["report",{"cameras":[{"id":"main","running":true,"fps":30}]}]"#.to_owned(),
            16 => format!(r#"["audience",{{"viewers":[{{"session":"{session}","bitrate":1,"loss":0}}]}}]"#),
            17 => format!(r#"["reception",{{"fps":30,"delay":100}},{{"session":"{session}"}}]"#),
            18 => format!(r#"["broadcaster",{{"robot":"{robot}","key":"{}",{CAMERAS}}}]"#, self.key()),
            19 => {
                let key = self.key();
                format!(r#"["broadcaster",{{"robot":"{robot}","key":"{key}",{CAMERAS},"published":["{camera}"]}}]"#)
            }
            20 => self.publishing(),
            21 => format!(r#"["watcher",{{"robot":"{robot}","camera":"{camera}"}}]"#),
            22 => format!(r#"["watcher",{{"robot":"{robot}","camera":"{camera}","beside":true}}]"#),
            23 => format!(r#"["watcher",{{"robot":"{robot}","takes":["whep"],"beside":true}}]"#),
            24 => format!(r#"["arrived",{{"session":"{session}"}}]"#),
            25 => format!(r#"["offer","{to}",{OFFER},{{"session":"{session}"}}]"#),
            _ => format!(r#"["notice","{to}",{{"code":"full","message":""}}]"#),
        }
    }
}

/// Everything that is decided anew while the server runs. Nobody who is in is thrown out, or told to go.
fn decide(world: &mut World, random: &mut Random) -> Vec<Output> {
    let settings = Settings {
        default_robot: ROBOTS[random.below(ROBOTS.len())].parse().expect("an id"),
        max_robots: 1 + random.below(MOST_ROBOTS),
        max_viewers: 1 + random.below(3),
        session_grace: GRACE / (1 + u32::try_from(random.below(3)).expect("small")),
        renew_ice_after: None,
        report_every: None,
    };
    let who_is_in = |rooms: &Rooms| {
        let introduced = rooms.robots.iter().map(|(id, robot)| (id.clone(), robot.introduced.clone()));
        (introduced.collect::<Vec<_>>(), rooms.sessions.keys().cloned().collect::<Vec<_>>())
    };
    let before = who_is_in(&world.rooms);
    let outputs = world.input(Input::Settings(settings));
    assert_eq!(who_is_in(&world.rooms), before);
    let invites = |output: &Output| matches!(output, Output::ToViewer { message: ToViewer::Broadcaster { .. }, .. });
    assert!(outputs.iter().all(invites), "{outputs:?}");
    outputs
}

/// Of reports only those are passed on that their sender may give.
fn tell_figures(figures: &mut Figures, world: &mut World) {
    let now = Moment { at: world.now, unix: 0 };
    for news in std::mem::take(&mut world.news) {
        match &news {
            News::Report { robot, .. } => assert!(world.rooms.robots.contains_key(robot)),
            News::Audience { robot, audience } => {
                for viewer in &audience.viewers {
                    assert_eq!(world.rooms.sessions.get(&viewer.session).map(|session| &session.robot), Some(robot));
                }
            }
            News::Reception { session, .. } => assert!(world.rooms.sessions.contains_key(session)),
            News::RobotUp { .. }
            | News::RobotDown { .. }
            | News::RobotRefused { .. }
            | News::Joined { .. }
            | News::Refused { .. }
            | News::Offered { .. }
            | News::Left { .. }
            | News::Barred { .. }
            | News::NotTaken { .. } => {}
        }
        figures.note(news, now);
    }
}

/// Who counts knows of exactly those who are here.
fn check_figures(figures: &mut Figures, world: &World) {
    let now = Moment { at: world.now, unix: 0 };
    figures.sample(now);
    let overview = figures.overview(world.rooms.peers.len(), now);
    assert_eq!(overview.viewers, world.rooms.sessions.len());
    let live: Vec<_> = overview.robots.iter().map(|robot| &robot.robot).collect();
    assert_eq!(live, world.rooms.robots.keys().collect::<Vec<_>>());
    for robot in &overview.robots {
        let sessions = world.rooms.sessions.values().filter(|session| session.robot == robot.robot).count();
        assert_eq!(robot.viewers.len(), sessions);
    }
}

/// Returns how often the media server served somebody.
fn history(seed: u64, steps: u64) -> usize {
    let mut random = Random(seed);
    let doors = doors();
    let guarded = seed % 2 == 1;
    let door = if guarded { doors[0].clone() } else { Door::Open };
    let (mut world, mut witness) = (World::behind(door), Witness::default());
    engine(seed).into_iter().for_each(|engine| world.rooms.publications.set_engine(engine));
    let mut figures = Figures::new(Some(1), Moment { at: world.now, unix: 0 });
    let mut served = 0;
    // What is asked over HTTP comes between, and changes nothing else.
    let mut web = Random(!seed);
    for number in 0..steps {
        // Nor does what the operator decides.
        if web.below(20) == 0 {
            decide(&mut world, &mut web).iter().for_each(|output| witness.check(output));
        }
        let input = match web.below(14) {
            0 => {
                let robot = ROBOTS[web.below(ROBOTS.len())].parse().expect("an id");
                witness.waiting.insert(Asker(number));
                Some(Input::Snapshot { asker: Asker(number), robot, camera: None, passed_on: false })
            }
            1 => {
                let notice = r#"{"code":"full","message":""}"#;
                let text = format!(r#"["snapshotFailed",{{"request":{},"notice":{notice}}}]"#, web.below(30));
                let message = ToServer::decode(&text).expect("well-formed");
                Some(Input::Said { from: peer(&web.peer()), message, wants_reply: false })
            }
            2 => witness.waiting.pop_first().map(Input::SnapshotUnasked),
            4..6 if !witness.errands.is_empty() => {
                let errand = witness.errands.swap_remove(web.below(witness.errands.len()));
                done(errand, web.below(4) > 0).map(Input::Engine)
            }
            // Of all who could say it, few would get anywhere with that.
            6..10 => {
                let robots: Vec<&PeerId> = world.rooms.robots.values().map(|robot| &robot.peer).collect();
                let robot = robots.get(web.below(MOST_ROBOTS)).map(|robot| (*robot).clone());
                let message = ToServer::decode(&web.publishing()).expect("well-formed");
                robot.map(|from| Input::Said { from, message, wants_reply: false })
            }
            3 if guarded && web.below(8) == 0 => Some(Input::Door(doors[web.below(doors.len())].clone())),
            _ => None,
        };
        for output in input.map(|input| world.input(input)).unwrap_or_default() {
            witness.check(&output);
        }
        check_state(&world.rooms, &mut witness, world.now);
        let id = peer(&random.peer());
        let input = match random.below(10) {
            0 | 1 => {
                // A socket says once that it is there.
                let known = !witness.connected.insert(id.clone());
                let pass = random.pass(world.now).filter(|_| guarded && !known);
                Input::Connected { peer: id, pass, is_local: false, guest_of: None }
            }
            2 => {
                // A socket's id comes back only after its connection has gone, and with it what it was told.
                witness.connected.remove(&id);
                witness.introduced.remove(&id);
                let ending = if random.below(2) == 0 { Ending::Goodbye } else { Ending::Lost };
                Input::Disconnected { peer: id, ending }
            }
            _ => {
                let message = ToServer::decode(&random.message(witness.made)).expect("well-formed");
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
        check_state(&world.rooms, &mut witness, world.now);
        tell_figures(&mut figures, &mut world);
        world.now += Duration::from_millis(random.below(2000) as u64);
        world.rooms.handle_timeout(world.now);
        world.drain().iter().for_each(|output| witness.check(output));
        check_state(&world.rooms, &mut witness, world.now);
        tell_figures(&mut figures, &mut world);
        served += witness.inside.len();
        if number % 20 == 0 {
            check_figures(&mut figures, &world);
        }
    }
    // Whoever was asked may answer late, when nobody is there to hear it.
    let late: Vec<Done> = witness.errands.drain(..).filter_map(|errand| done(errand, true)).collect();
    for id in witness.connected.clone() {
        witness.connected.remove(&id);
        let outputs = world.input(Input::Disconnected { peer: id, ending: Ending::Lost });
        outputs.iter().for_each(|output| witness.check(output));
    }
    assert!(witness.waiting.is_empty(), "somebody waits in vain");
    for done in late {
        assert_eq!(written(world.input(Input::Engine(done))), [""; 0], "nobody waits for that");
    }
    for time in [GRACE.max(CLAIMED_WITHIN), ORPHANED_FOR] {
        world.now += time;
        world.rooms.handle_timeout(world.now);
        let outputs = world.drain();
        assert!(outputs.iter().all(|output| matches!(output, Output::Errand(_))), "nobody is left to be told");
        outputs.iter().for_each(|output| witness.check(output));
    }
    assert!(witness.inside.is_empty(), "somebody may stay at the media server");
    assert!(world.is_empty(), "something is left behind");
    tell_figures(&mut figures, &mut world);
    check_figures(&mut figures, &world);
    served
}

fn histories(seeds: std::ops::Range<u64>, steps: u64) {
    let mut served = 0;
    for seed in seeds {
        let history = std::panic::catch_unwind(|| history(seed, steps));
        served += history.unwrap_or_else(|_| panic!("seed {seed} failed"));
    }
    assert!(served > 0, "nobody ever came to a media server");
}

#[test]
fn no_long_history_leads_to_the_wrong_receiver_or_leaves_anything_behind() {
    histories(0..400, 400);
}

#[test]
fn none_of_a_hundred_thousand_histories_does() {
    std::thread::scope(|scope| {
        for part in 0..4 {
            scope.spawn(move || histories(part * 25_000..(part + 1) * 25_000, 40));
        }
    });
}
