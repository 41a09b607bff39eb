//! What things cost: what was measured, and what was taken for granted.

use std::{fs, path::Path};

use anyhow::Context;
use serde::Deserialize;

/// Seconds of one core, bytes and dollars.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Costs {
    /// A packet to one viewer, at the robot (`make bench`, `packet/1000`).
    pub(crate) packet: f64,
    /// A viewer's handshake, at the robot: of fifty who join at once all have a packet within 80 ms (README), which is this for each,
    /// the viewers' half and the picture included. `make bench` says what of it is the robot's (`join/50/fan-out's cpu`).
    pub(crate) handshake: f64,
    /// A viewer's memory, at the robot (`make bench`) …
    pub(crate) robot_memory: f64,
    /// … and at its server, which costs it so much of a core, idle (`make bench-server`).
    pub(crate) server_memory: f64,
    pub(crate) server_idle: f64,
    /// A join, at one server that has both (`make test-scale`) …
    pub(crate) join: f64,
    /// … and at both servers together, where they are two …
    pub(crate) join_across: f64,
    /// … and at Redis then.
    pub(crate) redis: f64,
    /// A message on its way from one server to another, where they stand beside each other: taken for granted.
    pub(crate) hop: f64,
}

/// Of 2026-11-21 and 2026-11-22, as docs/scale.md says.
impl Default for Costs {
    fn default() -> Self {
        Self {
            packet: 0.72e-6,
            handshake: 1.6e-3,
            robot_memory: 50.0 * 1024.0,
            server_memory: 18.7e3,
            server_idle: 2.6e-6,
            join: 0.232e-3,
            join_across: 0.248e-3,
            redis: 0.0104e-3,
            hop: 0.3e-3,
        }
    }
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    value: f64,
}

/// Viewers of the bench that measures joins.
const JOINING: f64 = 50.0;

impl Costs {
    /// With what `make bench` has measured on this machine.
    pub(crate) fn measured(mut self, report: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(report).with_context(|| format!("read {}", report.display()))?;
        let entries: Vec<Entry> = serde_json::from_str(&text).context("it is none of `make bench`'s reports")?;
        let value = |name: &str| {
            let entry = entries.iter().find(|entry| entry.name == name);
            entry.map(|entry| entry.value).with_context(|| format!("{name} is not in it"))
        };
        self.packet = value("packet/1000")? * 1e-6;
        self.handshake = value("join/50/fan-out's cpu")? * 1e-3 / JOINING;
        Ok(self)
    }
}

/// What nobody has measured here: what an operator buys, and for how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Market {
    /// Dollars for an hour of a core, and for a gigabyte that leaves a host.
    pub(crate) core_hour: f64,
    pub(crate) gigabyte: f64,
    /// Bits per second that leave a host.
    pub(crate) host: f64,
    /// Bits per second that one core of an SFU passes on: what LiveKit's makers say of theirs is 2 to 4.
    pub(crate) sfu_core: f64,
}

impl Default for Market {
    fn default() -> Self {
        Self { core_hour: 0.04, gigabyte: 0.01, host: 10e9, sfu_core: 0.6e9 }
    }
}

/// A picture as viewers get it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quality {
    pub(crate) bitrate: f64,
    pub(crate) packets_per_second: f64,
}

impl Quality {
    pub(crate) const BEST: Self = Self { bitrate: 3e6, packets_per_second: 432.0 };
    pub(crate) const LOWEST: Self = Self { bitrate: 333_333.0, packets_per_second: 60.0 };

    pub(crate) fn gigabytes_an_hour(self) -> f64 {
        self.bitrate * 3600.0 / 8e9
    }
}
