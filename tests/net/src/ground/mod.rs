//! The networks: an Internet that forwards, and machines on lines to it, some behind routers.
//!
//! All of it is this process's own and gone with it; nothing of the machine that it runs on is touched.

mod line;
mod nat;
mod place;

use std::{env, fs, net::Ipv4Addr};

use anyhow::Context;

pub use line::{Line, Path};
pub use nat::Nat;
pub use place::Place;

/// Where devices come from whose other end is a program.
const TUN: &str = "/dev/net/tun";

/// Why there can be no networks of our own here, if there cannot.
pub fn obstacle() -> Option<anyhow::Error> {
    let devices = || fs::OpenOptions::new().read(true).write(true).open(TUN).with_context(|| format!("open {TUN}"));
    Place::new("probe").map(drop).and_then(|()| devices().map(drop)).err()
}

/// Programs that all of this is made of.
const PROGRAMS: [&str; 6] = ["ip", "nft", "mount", "setpriv", "cc", "chromium"];

/// Whether all programs that this needs are here.
pub fn equipped() -> anyhow::Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_missing = |program: &&&str| !env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing: Vec<&str> = PROGRAMS.iter().filter(is_missing).copied().collect();
    anyhow::ensure!(missing.is_empty(), "not here: {}; `make torture` installs what is missing", missing.join(", "));
    Ok(())
}

/// Makes machines and lines.
pub struct Ground {
    /// Forwards between all lines, and does their work.
    internet: Place,
    seed: u64,
    lines: u8,
    networks: u8,
}

/// One of a machine's ways out.
pub struct Uplink {
    pub line: Line,
    pub device: &'static str,
    /// The machine's address on it.
    pub address: Ipv4Addr,
    gateway: Ipv4Addr,
}

impl Ground {
    pub async fn new(seed: u64) -> anyhow::Result<Self> {
        let internet = Place::new("internet")?;
        internet.ip("link set lo up").await?;
        internet.set("ipv4/ip_forward", "1").await?;
        Ok(Self { internet, seed, lines: 0, networks: 0 })
    }

    /// A machine without any network yet.
    pub async fn machine(&self, name: &str) -> anyhow::Result<Place> {
        let place = Place::new(name)?;
        place.ip("link set lo up").await?;
        Ok(place)
    }

    /// A line from there to the Internet. What leaves takes it once [`Uplink::route`] says so.
    pub async fn uplink(&mut self, place: &Place, device: &'static str, path: Path) -> anyhow::Result<Uplink> {
        self.lines += 1;
        let number = self.lines;
        let ours = format!("line{number}");
        // What one line loses says nothing of what another one does.
        let seed = self.seed.wrapping_mul(1000).wrapping_add(2 * u64::from(number));
        let line = Line::lay((&self.internet, &ours), (place, device), path, seed).await?;
        let (gateway, address) = (Ipv4Addr::new(10, 200, number, 1), Ipv4Addr::new(10, 200, number, 2));
        self.internet.ip(&format!("address add {gateway} peer {address} dev {ours}")).await?;
        self.internet.ip(&format!("link set {ours} up")).await?;
        place.ip(&format!("address add {address} peer {gateway} dev {device}")).await?;
        place.ip(&format!("link set {device} up")).await?;
        Ok(Uplink { line, device, address, gateway })
    }

    /// A machine with one line.
    pub async fn connected(&mut self, name: &str, path: Path) -> anyhow::Result<(Place, Uplink)> {
        let place = self.machine(name).await?;
        let uplink = self.uplink(&place, "uplink", path).await?;
        uplink.route(&place).await?;
        Ok((place, uplink))
    }

    /// A machine behind a router, which has the line.
    pub async fn behind(&mut self, name: &str, nat: Nat, path: Path) -> anyhow::Result<Behind> {
        let router = self.machine(&format!("{name}-router")).await?;
        let uplink = self.uplink(&router, "uplink", path).await?;
        uplink.route(&router).await?;
        router.set("ipv4/ip_forward", "1").await?;
        let machine = self.machine(name).await?;
        self.networks += 1;
        let (inside, outside) = (Ipv4Addr::new(192, 168, self.networks, 2), Ipv4Addr::new(192, 168, self.networks, 1));
        let machine_id = machine.thread_id();
        router.ip(&format!("link add home type veth peer name lan netns {machine_id}")).await?;
        router.ip(&format!("address add {outside}/24 dev home")).await?;
        router.ip("link set home up").await?;
        machine.ip(&format!("address add {inside}/24 dev lan")).await?;
        machine.ip("link set lan up").await?;
        machine.ip(&format!("route add default via {outside}")).await?;
        router.nft(&nat.rules(inside)).await?;
        Ok(Behind { machine, router, uplink })
    }
}

/// A machine, and the router that stands between it and the Internet.
pub struct Behind {
    pub machine: Place,
    pub router: Place,
    pub uplink: Uplink,
}

impl Uplink {
    /// From now on the machine takes this way.
    pub async fn route(&self, place: &Place) -> anyhow::Result<()> {
        place.ip(&format!("route replace default via {} dev {}", self.gateway, self.device)).await
    }

    /// As when a radio loses its network: the device and its address are gone.
    pub async fn take_down(&self, place: &Place) -> anyhow::Result<()> {
        place.ip(&format!("link set {} down", self.device)).await
    }
}
