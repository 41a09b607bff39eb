//! Floor and fan-out in turns, so that what else the machine does falls on both.

use std::{thread, time::Duration};

use broadcaster::bench::{Lens, Packets, Picture};
use tokio::time::Instant;

use crate::{crowd::Crowd, floor::Floor, machine, wire::Flow};

/// The last packets are on their way, and what was queued is sent.
const SETTLE: Duration = Duration::from_millis(100);

/// Viewers who join together.
const AT_ONCE: usize = 50;

/// A crowd that has just joined is busy with itself.
const JOINED: Duration = Duration::from_secs(1);

/// 14 packets of 1200 bytes, the load that the design was measured with: 3.7 Mbit/s at 30 pictures a second.
const MEAN_SIZE: usize = 14_800;
const KEYFRAME_SIZE: usize = 55_000;
const PICTURES: usize = 60;

/// What is sent, over and over, a picture at a time.
pub(crate) struct Reel {
    pub(crate) keyframe: Picture,
    pub(crate) pictures: Vec<Picture>,
    /// Packets of each.
    pub(crate) packets: Vec<usize>,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Floor,
    /// `reports`: viewers report on what they get.
    FanOut {
        reports: bool,
    },
}

/// Everything that a round needs.
pub(crate) struct Scene {
    pub(crate) crowd: Crowd,
    pub(crate) lens: Lens,
    pub(crate) floor: Floor,
    pub(crate) reel: Reel,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    /// The sender's processor time.
    pub(crate) cpu: Duration,
    /// What should have come, and what did.
    pub(crate) expected: u64,
    pub(crate) got: Flow,
    /// Pictures that the fan-out was too late for.
    pub(crate) skipped: u64,
    /// Packets that the receiver's sockets had no room for.
    pub(crate) overflowed: u64,
    /// Viewers' datagrams that the robot's socket had no room for.
    pub(crate) unheard: u64,
    /// Packets that were to be decrypted and were not.
    pub(crate) unopened: u64,
    /// Datagrams with reports that viewers sent.
    pub(crate) reports: u64,
    pub(crate) time: Duration,
    pub(crate) receiver_cpu: Duration,
}

impl Reel {
    pub(crate) fn new() -> Self {
        // Sizes vary as those of an encoder that keeps its bitrate.
        let sizes = (0..PICTURES).map(|place| MEAN_SIZE * (80 + place * 37 % 41) / 100);
        let pictures: Vec<Picture> = sizes.map(|size| Picture::of_size(size, false)).collect();
        let packets = pictures.iter().map(|picture| Packets::of(picture).payloads().count()).collect();
        Self { keyframe: Picture::of_size(KEYFRAME_SIZE, true), pictures, packets }
    }
}

/// Calls `show` once per picture's time.
pub(crate) fn at_rate(
    fps: u32,
    pictures: usize,
    mut show: impl FnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut due = Instant::now();
    for place in 0..pictures {
        show(place)?;
        due += Duration::from_secs(1) / fps;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

impl Round {
    /// Microseconds of processor time per packet that was sent.
    pub(crate) fn micros_per_packet(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / (self.got.packets + self.got.missing).max(1) as f64
    }

    /// Packets that did not come.
    pub(crate) fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.got.packets)
    }

    /// Packets that were not even sent.
    pub(crate) fn unsent(&self) -> u64 {
        self.lost().saturating_sub(self.got.missing)
    }

    /// The share of its core that the receiver used.
    pub(crate) fn receiver_load(&self) -> f64 {
        self.receiver_cpu.as_secs_f64() / self.time.as_secs_f64().max(1e-9)
    }
}

impl Scene {
    /// Shows the reel to nobody, so that all that is kept of it is there.
    pub(crate) fn run_dry(&self) -> anyhow::Result<()> {
        at_rate(30, self.reel.pictures.len() + 10, |place| {
            self.lens.show(&self.reel.pictures[place % self.reel.pictures.len()]);
            Ok(())
        })
    }

    /// So many more viewers join, and get a keyframe.
    pub(crate) fn join(&mut self, viewers: usize) -> anyhow::Result<()> {
        let Self { crowd, lens, floor, reel } = self;
        let all = crowd.viewers() + viewers;
        while crowd.viewers() < all {
            crowd.ask(AT_ONCE.min(all - crowd.viewers()))?;
            crowd.wait(|| {
                lens.show(&reel.keyframe);
            })?;
        }
        for (viewer, address) in crowd.addresses() {
            floor.set_address(viewer, address);
        }
        thread::sleep(JOINED);
        Ok(())
    }

    /// Sends the reel to everybody.
    pub(crate) fn round(&mut self, sender: Sender, fps: u32) -> anyhow::Result<Round> {
        let Self { crowd, lens, floor, reel } = self;
        crowd.feedback(sender == Sender::FanOut { reports: true })?;
        let (before, unheard) = (crowd.count()?, crowd.unheard()?);
        let (own, all, began) = (machine::thread_cpu()?, machine::process_cpu()?, Instant::now());
        let mut skipped = 0;
        at_rate(fps, reel.pictures.len(), |place| match sender {
            Sender::Floor => floor.send(place),
            Sender::FanOut { .. } => {
                skipped += u64::from(!lens.show(&reel.pictures[place]));
                Ok(())
            }
        })?;
        let (own, all) = (machine::thread_cpu()? - own, machine::process_cpu()? - all);
        let time = began.elapsed();
        thread::sleep(SETTLE);
        let got = crowd.count()?.since(before);
        let is_floor = sender == Sender::Floor;
        Ok(Round {
            // This thread is the floor; otherwise it only gives the pictures.
            cpu: if is_floor { own } else { all - own },
            expected: (reel.packets.iter().sum::<usize>() * crowd.viewers()) as u64,
            got: if is_floor { got.floor } else { got.media },
            skipped,
            overflowed: got.overflowed,
            unheard: crowd.unheard()?.saturating_sub(unheard),
            unopened: got.to_open - got.opened,
            reports: got.reports,
            time,
            receiver_cpu: Duration::from_micros(got.cpu_micros),
        })
    }
}
