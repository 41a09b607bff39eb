//! What the relay has done, for those who watch it.

use crate::metrics::{Kind, Text};

/// All of them only grow, but for what stands now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Allocations that stand now.
    pub allocations: usize,
    /// TCP connections that stand now.
    pub connections: usize,
    /// Allocations that were granted.
    pub granted: u64,
    /// Questions of clients about their own address.
    pub bindings: u64,
    pub relayed_packets: u64,
    /// Without what the relay wraps them in.
    pub relayed_bytes: u64,
    /// Packets that were not relayed: to nobody, or to somebody who has nothing to do with the sender.
    pub stray_packets: u64,
    /// Packets beyond what their sender may send.
    pub throttled_packets: u64,
    pub refused: Refused,
}

/// Requests that were refused, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Somebody asks more often than anybody has to; such requests are not answered.
    pub rate: u64,
    /// They had no signature yet, or one by a nonce that is too old: nearly every client's first.
    pub challenged: u64,
    /// Their signature, or the name that it is for, was not made here.
    pub unauthorized: u64,
    /// Their credentials have ended, or were taken back.
    pub expired: u64,
    /// They named an address that is not relayed here.
    pub forbidden_peer: u64,
    /// Their robot or viewer has as many allocations as one may have.
    pub user_quota: u64,
    /// Their source address has.
    pub address_quota: u64,
    /// There are as many allocations as there may be, or as viewers may have.
    pub full: u64,
    /// They contradict themselves, or what stands.
    pub malformed: u64,
    /// TCP connections beyond the limits.
    pub connections: u64,
}

impl Counters {
    /// What `/metrics` shows of them. `docs/metrics.md` explains each.
    pub(crate) fn write(&self, text: &mut Text) {
        let mut count = |name, kind, help, count| text.family(name, kind, help).count(&[], count);
        let standing = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        count("panocast_relay_allocations", Kind::Gauge, "Relayed addresses that stand.", standing(self.allocations));
        let help = "TCP connections to the relay.";
        count("panocast_relay_connections", Kind::Gauge, help, standing(self.connections));
        let help = "Relayed addresses that were granted.";
        count("panocast_relay_allocations_total", Kind::Counter, help, self.granted);
        let help = "Questions of clients about their own address that were answered.";
        count("panocast_relay_bindings_total", Kind::Counter, help, self.bindings);
        let help = "Carried from one to another, without what the relay wraps it in.";
        count("panocast_relay_bytes_total", Kind::Counter, help, self.relayed_bytes);
        count("panocast_relay_packets_total", Kind::Counter, "Carried from one to another.", self.relayed_packets);
        let mut by_reason = |name, help, reasons: &[(&str, u64)]| {
            let mut family = text.family(name, Kind::Counter, help);
            for (reason, count) in reasons {
                family.count(&[("reason", *reason)], *count);
            }
        };
        by_reason(
            "panocast_relay_dropped_packets_total",
            "Packets that were not carried, by reason.",
            &[("stray", self.stray_packets), ("throttled", self.throttled_packets)],
        );
        let Refused {
            rate,
            challenged,
            unauthorized,
            expired,
            forbidden_peer,
            user_quota,
            address_quota,
            full,
            malformed,
            connections,
        } = self.refused;
        by_reason(
            "panocast_relay_refusals_total",
            "Requests and TCP connections that were refused, by reason.",
            &[
                ("rate", rate),
                ("challenged", challenged),
                ("unauthorized", unauthorized),
                ("expired", expired),
                ("forbidden_peer", forbidden_peer),
                ("user_quota", user_quota),
                ("address_quota", address_quota),
                ("full", full),
                ("malformed", malformed),
                ("connections", connections),
            ],
        );
    }
}
