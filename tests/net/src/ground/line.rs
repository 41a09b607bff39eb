//! An emulated line between two machines: a TUN device at either end, and between them what delays, loses and reorders.

use std::time::Instant;

use anyhow::Context;
use tests::{Conditions, Link};
use tokio::{sync::mpsc, task::JoinHandle};
use tun_rs::{AsyncDevice, DeviceBuilder, SyncDevice};

use super::place::Place;

/// What Ethernet carries, and what most lines do.
const MTU: u16 = 1500;
/// Packets that the kernel keeps for this process while that is not running.
const KERNEL_QUEUE: u32 = 5000;
/// Packets that are read in a row before those that are due leave.
const AT_ONCE: usize = 64;

/// Both directions, as seen from the machine at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    pub down: Conditions,
    pub up: Conditions,
}

impl Path {
    pub const PERFECT: Self = Self { down: Conditions::PERFECT, up: Conditions::PERFECT };
    pub const CUT: Self = Self { down: Conditions::CUT, up: Conditions::CUT };

    pub fn both(conditions: Conditions) -> Self {
        Self { down: conditions, up: conditions }
    }
}

/// A running line. Dropping it takes its devices away.
pub struct Line {
    orders: mpsc::UnboundedSender<Path>,
    task: JoinHandle<()>,
}

impl Line {
    /// Between a device at the middle and one at the machine's place; the middle does the work.
    pub(super) async fn lay(
        (middle, middle_device): (&Place, &str),
        (end, end_device): (&Place, &str),
        path: Path,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let here = device(middle, middle_device).await?;
        let there = device(end, end_device).await?;
        let (orders, ordered) = mpsc::unbounded_channel();
        let begin = async move {
            let carrier = Carrier {
                middle: AsyncDevice::new(here)?,
                end: AsyncDevice::new(there)?,
                down: Link::new(path.down, seed),
                up: Link::new(path.up, seed.wrapping_add(1)),
            };
            std::io::Result::Ok(tokio::spawn(carrier.run(ordered)))
        };
        Ok(Self { orders, task: middle.run(begin).await?? })
    }

    /// From now on it is so.
    pub fn change(&self, path: Path) {
        // A line that has ended carries nothing, which somebody will notice.
        let _ = self.orders.send(path);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Makes a device at this place.
async fn device(place: &Place, name: &str) -> anyhow::Result<SyncDevice> {
    let builder = DeviceBuilder::new().name(name).mtu(MTU).with(|builder| {
        builder.tx_queue_len(KERNEL_QUEUE);
    });
    let made = place.run(async move { builder.build_sync() }).await?;
    made.with_context(|| format!("make the device {name} at {}", place.name()))
}

struct Carrier {
    middle: AsyncDevice,
    end: AsyncDevice,
    down: Link<Box<[u8]>>,
    up: Link<Box<[u8]>>,
}

impl Carrier {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Path>) {
        let (mut down, mut up) = ([0; MTU as usize], [0; MTU as usize]);
        loop {
            let due = [self.down.due(), self.up.due()].into_iter().flatten().min();
            let waits = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Path { down, up }) => {
                        self.down.change(down, now());
                        self.up.change(up, now());
                    }
                    None => return,
                },
                read = self.middle.recv(&mut down) => match read {
                    Ok(length) => read_on(&self.middle, &mut self.down, &mut down, length),
                    Err(error) => return tracing::warn!(%error, "a line's middle failed"),
                },
                read = self.end.recv(&mut up) => match read {
                    Ok(length) => read_on(&self.end, &mut self.up, &mut up, length),
                    Err(error) => return tracing::warn!(%error, "a line's end failed"),
                },
                () = waits => {}
            }
            let now = now();
            write_on(&mut self.down, &self.end, now);
            write_on(&mut self.up, &self.middle, now);
        }
    }
}

/// Puts what is at this device into the link, the packet that has been read first.
fn read_on(device: &AsyncDevice, link: &mut Link<Box<[u8]>>, buffer: &mut [u8], first: usize) {
    let now = now();
    link.send(buffer[..first].into(), first, now);
    for _ in 1..AT_ONCE {
        let Ok(length) = device.try_recv(buffer) else { return };
        link.send(buffer[..length].into(), length, now);
    }
}

fn write_on(link: &mut Link<Box<[u8]>>, device: &AsyncDevice, now: Instant) {
    while let Some(packet) = link.take(now) {
        // A device that is down takes nothing, as a cable that is out.
        let _ = device.try_send(&packet);
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
