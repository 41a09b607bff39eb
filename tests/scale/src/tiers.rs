//! Ways to show one robot to many, and what each of them takes.

use crate::costs::{Costs, Market, Quality};

/// What one way takes for so many viewers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bill {
    /// Bits per second that leave the robot.
    pub(crate) uplink: f64,
    /// Of the robot's cores, and of its memory in bytes.
    pub(crate) robot_cores: f64,
    pub(crate) robot_memory: f64,
    /// Hosts that pass pictures on.
    pub(crate) hosts: f64,
    /// Dollars for an hour of one viewer's.
    pub(crate) viewer_hour: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the robot to each viewer.
    Straight,
    /// The same, by the server's relay.
    Relayed,
    /// Once to an SFU, and from its hosts to viewers: a tree of them where there are many.
    Sfu,
}

/// Servers that signal, for so many connections: by memory of 8 GB, and by cores.
pub(crate) fn servers(viewers: f64, costs: &Costs) -> f64 {
    let memory = viewers * costs.server_memory / 8e9;
    let cores = viewers * costs.server_idle;
    memory.max(cores).ceil().max(1.0)
}

pub(crate) fn bill(way: Way, viewers: f64, quality: Quality, costs: &Costs, market: &Market) -> Bill {
    let rate = viewers * quality.bitrate;
    let signalling = servers(viewers, costs) * market.core_hour;
    let egress = viewers * quality.gigabytes_an_hour() * market.gigabyte;
    let sending = viewers * quality.packets_per_second * costs.packet;
    let memory = viewers * costs.robot_memory;
    let (uplink, robot_cores, robot_memory, hosts) = match way {
        Way::Straight => (rate, sending, memory, 0.0),
        Way::Relayed => (rate, sending, memory, (rate / market.host).ceil()),
        Way::Sfu => {
            // Each quality once.
            let uplink = Quality::BEST.bitrate * 1.5;
            let leaves = (rate / market.host).ceil().max(1.0);
            // A host feeds as many others as it could viewers.
            let inner = if leaves > 1.0 { (leaves * uplink / market.host).ceil() } else { 0.0 };
            let sending = Quality::BEST.packets_per_second * 1.5 * costs.packet;
            (uplink, sending, costs.robot_memory, leaves + inner)
        }
    };
    let passed_on = if hosts > 0.0 { egress + hosts.max(rate / market.sfu_core) * market.core_hour } else { 0.0 };
    Bill { uplink, robot_cores, robot_memory, hosts, viewer_hour: (signalling + passed_on) / viewers }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(way: Way, viewers: f64) -> Bill {
        bill(way, viewers, Quality::BEST, &Costs::default(), &Market::default())
    }

    #[test]
    fn an_sfus_robot_sends_the_same_to_any_number() {
        assert_eq!(of(Way::Sfu, 10.0).uplink, of(Way::Sfu, 1e7).uplink);
        assert!(of(Way::Straight, 1e3).uplink > 600.0 * of(Way::Sfu, 1e3).uplink);
    }

    #[test]
    fn nothing_is_passed_on_for_nothing() {
        for viewers in [10.0, 1e3, 1e5, 1e7] {
            assert!(of(Way::Straight, viewers).viewer_hour < of(Way::Relayed, viewers).viewer_hour);
            let least = Quality::BEST.gigabytes_an_hour() * Market::default().gigabyte;
            assert!(of(Way::Sfu, viewers).viewer_hour >= least);
        }
    }
}
