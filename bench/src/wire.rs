//! What sender and receiver say to each other: JSON, a line each, over the receiver's standard input and output.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What marks the floor's packets. Nobody negotiates this type.
pub(crate) const FLOOR_TYPE: u8 = 126;

/// To the receiver.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// The robot offers to a viewer, which begins with this.
    Offer {
        viewer: usize,
        sdp: String,
    },
    /// Whether viewers report on what they get, as a browser does.
    Feedback(bool),
    Count,
    /// All viewers end without a word.
    Leave,
}

/// From the receiver.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Answer { viewer: usize, sdp: String, address: SocketAddr },
    Count(Count),
}

/// What all viewers together have got since they began.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) media: Flow,
    pub(crate) floor: Flow,
    /// Viewers that got a packet of media.
    pub(crate) watching: usize,
    /// When the last of them did, in microseconds since 1970.
    pub(crate) last_began: u64,
    /// Packets that were decrypted, and that should have been: of one viewer in so many.
    pub(crate) opened: u64,
    pub(crate) to_open: u64,
    pub(crate) reports: u64,
    /// Packets that the viewers' sockets had no room for, as the kernel counts them.
    pub(crate) overflowed: u64,
    /// The receiver's processor time.
    pub(crate) cpu_micros: u64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Numbers that were left out.
    pub(crate) missing: u64,
}

impl Flow {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            packets: self.packets - before.packets,
            bytes: self.bytes - before.bytes,
            missing: self.missing.saturating_sub(before.missing),
        }
    }
}

impl Count {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            media: self.media.since(before.media),
            floor: self.floor.since(before.floor),
            opened: self.opened - before.opened,
            to_open: self.to_open - before.to_open,
            reports: self.reports - before.reports,
            overflowed: self.overflowed.saturating_sub(before.overflowed),
            cpu_micros: self.cpu_micros - before.cpu_micros,
            ..self
        }
    }
}
