//! Strangers at a robot's media port: forgeries from other addresses, as fast as asked for.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use tokio::{
    net::UdpSocket,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::MissedTickBehavior,
};

use crate::{Seen, Stranger};

const TICK: Duration = Duration::from_millis(5);

/// Linux routes all of 127/8 to this machine.
const HOMES: [&str; 4] = ["127.0.0.2:0", "127.0.0.3:0", "127.9.9.9:0", "127.0.0.1:0"];

/// A running attack. Dropping it ends it.
pub struct Attack {
    targets: mpsc::UnboundedSender<Stranger>,
    sent: watch::Receiver<u64>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Attack {
    /// So many forgeries a second for the robot of this session, at first in this session's name.
    pub async fn start(seen: &Seen, per_second: NonZeroU32) -> anyhow::Result<Self> {
        let robot = robot(&seen.offer).ok_or_else(|| anyhow::anyhow!("no address in {}", seen.offer))?;
        let mut sockets = Vec::new();
        for home in HOMES {
            sockets.push(UdpSocket::bind(home).await?);
        }
        let (targets, aims) = mpsc::unbounded_channel();
        let (count, sent) = watch::channel(0);
        let strangers = vec![Stranger::new(&seen.offer, &seen.answer)];
        let task = tokio::spawn(run(Attacker { sockets, robot, strangers, aims, count }, per_second));
        Ok(Self { targets, sent, task })
    }

    /// Forges in this session's name, too.
    pub fn aim(&self, seen: &Seen) {
        let _ = self.targets.send(Stranger::new(&seen.offer, &seen.answer));
    }

    pub fn sent(&self) -> u64 {
        *self.sent.borrow()
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.task.abort();
        match (&mut self.task).await {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Attacker {
    sockets: Vec<UdpSocket>,
    robot: SocketAddr,
    strangers: Vec<Stranger>,
    aims: mpsc::UnboundedReceiver<Stranger>,
    count: watch::Sender<u64>,
}

async fn run(mut attacker: Attacker, per_second: NonZeroU32) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(TICK);
    // What a slow machine misses is made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let per_tick = f64::from(per_second.get()) * TICK.as_secs_f64();
    let mut due = 0.0;
    loop {
        ticks.tick().await;
        due += per_tick;
        while let Ok(stranger) = attacker.aims.try_recv() {
            attacker.strangers.push(stranger);
        }
        while due >= 1.0 {
            due -= 1.0;
            attacker.forge().await?;
        }
    }
}

impl Attacker {
    async fn forge(&mut self) -> anyhow::Result<()> {
        let number = *self.count.borrow() as usize;
        // The latest names are those of who is joining now: every second forgery is for them.
        let late = self.strangers.len().saturating_sub(1 + number / 2 % LATE);
        let chosen = if number.is_multiple_of(2) { late } else { number / 2 % self.strangers.len() };
        let data = self.strangers[chosen].forge();
        let socket = &self.sockets[number / Stranger::KINDS % self.sockets.len()];
        socket.send_to(&data, self.robot).await?;
        self.count.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// So many may be joining at once.
const LATE: usize = 20;

/// The first address that a description offers.
fn robot(offer: &str) -> Option<SocketAddr> {
    let line = offer.lines().find_map(|line| line.strip_prefix("a=candidate:"))?;
    let mut fields = line.split(' ').skip(4);
    Some(SocketAddr::new(fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
