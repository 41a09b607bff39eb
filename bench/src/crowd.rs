//! A robot and its viewers, who are another process: who joins, who has joined, and what they got.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use anyhow::Context;
use broadcaster::{
    bench::{Lens, Robot},
    config::Camera,
    signalling::LinkEvent,
};
use protocol::{Code, Description, DescriptionKind, PeerId, Sdp, Ticket, ToRobot, ToServer, Wishes};
use tokio::{
    sync::mpsc::{Receiver, Sender},
    time::Instant,
};

use crate::{
    machine,
    wire::{Count, Order, Reply},
};

/// Those who join together take a tenth of a second of processor time on either side.
const JOIN_WITHIN: Duration = Duration::from_secs(20);
const REPLY_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// Viewers take a keyframe that is less than half a second old.
const LOOKS_PER_KEYFRAME: usize = 8;

pub(crate) const MAX_VIEWERS: usize = 1000;

pub(crate) struct Crowd {
    robot: Robot,
    camera: Camera,
    process: Child,
    orders: Orders,
    counts: mpsc::Receiver<Count>,
    addresses: mpsc::Receiver<(usize, SocketAddr)>,
    viewers: usize,
}

/// A short write under a mutex, from two threads.
#[derive(Clone)]
struct Orders(Arc<Mutex<ChildStdin>>);

impl Orders {
    fn give(&self, order: &Order) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        let mut input = self.0.lock().ok().context("nobody panics while writing a line")?;
        input.write_all(&line).context("the receiver has gone")
    }
}

impl Crowd {
    /// A robot whose pictures come through the lens, and as yet nobody who watches.
    pub(crate) fn fed(camera: &Camera, viewers_core: usize) -> anyhow::Result<(Self, Lens)> {
        let (robot, lens, said) = Robot::fed(camera, MAX_VIEWERS)?;
        Ok((Self::around(robot, said, camera, viewers_core)?, lens))
    }

    /// A robot with its camera and encoder.
    pub(crate) fn live(camera: &Camera, viewers_core: usize) -> anyhow::Result<Self> {
        let (robot, said) = Robot::live(camera.clone(), MAX_VIEWERS)?;
        Self::around(robot, said, camera, viewers_core)
    }

    fn around(robot: Robot, said: Receiver<ToServer>, camera: &Camera, viewers_core: usize) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["receive", "--core", &viewers_core.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the receiver")?;
        let orders = Orders(Arc::new(Mutex::new(process.stdin.take().context("it is piped")?)));
        let replies = BufReader::new(process.stdout.take().context("it is piped")?);
        let (counted, counts) = mpsc::channel();
        let (found, addresses) = mpsc::channel();
        let (giver, link) = (orders.clone(), robot.link.clone());
        // Both end with what they read from.
        thread::Builder::new().name("offers".to_owned()).spawn(move || pass_offers(said, &giver))?;
        let pass = move || {
            if let Err(error) = pass_replies(replies, &link, &counted, &found) {
                eprintln!("bench: {error:#}");
            }
        };
        thread::Builder::new().name("answers".to_owned()).spawn(pass)?;
        Ok(Self { robot, camera: camera.clone(), process, orders, counts, addresses, viewers: 0 })
    }

    pub(crate) fn viewers(&self) -> usize {
        self.viewers
    }

    /// So many more viewers ask to watch.
    pub(crate) fn ask(&mut self, viewers: usize) -> anyhow::Result<()> {
        for number in self.viewers..self.viewers + viewers {
            let ticket = Ticket {
                session: format!("s{number}").parse()?,
                camera: self.camera.id.clone(),
                resumed: false,
                expires_in: None,
                link: None,
                operates: false,
                wishes: Wishes::default(),
            };
            self.tell(ToRobot::Watcher { viewer: id(number)?, ticket: Some(ticket) })?;
        }
        self.viewers += viewers;
        Ok(())
    }

    /// Waits until everybody gets media. Somebody must give keyframes meanwhile: `show` is called in good time for each.
    pub(crate) fn wait(&mut self, mut show: impl FnMut()) -> anyhow::Result<Count> {
        let until = Instant::now() + JOIN_WITHIN;
        loop {
            show();
            for _ in 0..LOOKS_PER_KEYFRAME - 1 {
                thread::sleep(POLL);
                if self.count()?.watching >= self.viewers {
                    break;
                }
            }
            let count = self.count()?;
            if count.watching >= self.viewers {
                return Ok(count);
            }
            anyhow::ensure!(
                Instant::now() < until,
                "{} of {} viewers have joined; the robot's socket had no room for {} datagrams",
                count.watching,
                self.viewers,
                self.unheard()?
            );
        }
    }

    /// All say goodbye.
    pub(crate) fn leave(&mut self) -> anyhow::Result<()> {
        for number in 0..std::mem::take(&mut self.viewers) {
            self.tell(ToRobot::Bye { viewer: id(number)? })?;
        }
        self.orders.give(&Order::Leave)
    }

    pub(crate) fn feedback(&self, on: bool) -> anyhow::Result<()> {
        self.orders.give(&Order::Feedback(on))
    }

    pub(crate) fn count(&self) -> anyhow::Result<Count> {
        self.orders.give(&Order::Count)?;
        self.counts.recv_timeout(REPLY_WITHIN).context("the receiver is silent")
    }

    /// Datagrams of viewers that the robot's socket had no room for.
    pub(crate) fn unheard(&self) -> anyhow::Result<u64> {
        machine::overflowed(|port| port == self.robot.port)
    }

    /// Where viewers are that have answered since the last call.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (usize, SocketAddr)> {
        self.addresses.try_iter()
    }

    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.robot.stop()?;
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    fn tell(&self, message: ToRobot) -> anyhow::Result<()> {
        self.robot.link.blocking_send(LinkEvent::Message(message)).ok().context("the robot has gone")
    }
}

fn id(number: usize) -> anyhow::Result<PeerId> {
    Ok(format!("v{number}").parse()?)
}

fn number(id: &PeerId) -> Option<usize> {
    id.to_string().strip_prefix('v')?.parse().ok()
}

fn pass_offers(mut said: Receiver<ToServer>, orders: &Orders) {
    while let Some(message) = said.blocking_recv() {
        let passed = match message {
            ToServer::Offer { to, description: Some(description), .. } => match number(&to) {
                Some(viewer) => orders.give(&Order::Offer { viewer, sdp: description.sdp.into_string() }),
                None => Ok(()),
            },
            ToServer::Notice { notice, .. } if notice.code != Code::RobotOffline => {
                Err(anyhow::anyhow!("a viewer is told: {}", notice.message))
            }
            ToServer::Broadcaster { .. }
            | ToServer::Watcher { .. }
            | ToServer::Offer { .. }
            | ToServer::Answer { .. }
            | ToServer::Candidate { .. }
            | ToServer::Notice { .. }
            | ToServer::Snapshot { .. }
            | ToServer::SnapshotFailed { .. }
            | ToServer::Report { .. }
            | ToServer::Audience { .. }
            | ToServer::Arrived { .. }
            | ToServer::Publish { .. }
            | ToServer::Published { .. }
            | ToServer::Recall { .. }
            | ToServer::Unpublish { .. }
            | ToServer::Reception { .. } => Ok(()),
        };
        if let Err(error) = passed {
            eprintln!("bench: {error:#}");
        }
    }
}

fn pass_replies(
    replies: impl BufRead,
    link: &Sender<LinkEvent>,
    counts: &mpsc::Sender<Count>,
    addresses: &mpsc::Sender<(usize, SocketAddr)>,
) -> anyhow::Result<()> {
    for line in replies.lines() {
        match serde_json::from_str(&line?)? {
            Reply::Count(count) => counts.send(count)?,
            Reply::Answer { viewer, sdp, address } => {
                addresses.send((viewer, address))?;
                let description = Description { kind: DescriptionKind::Answer, sdp: Sdp::try_from(sdp)? };
                let message = ToRobot::Answer { from: id(viewer)?, description, about: None };
                link.blocking_send(LinkEvent::Message(message))?;
            }
        }
    }
    Ok(())
}
