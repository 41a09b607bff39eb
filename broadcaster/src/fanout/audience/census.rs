//! What the server is told of all viewers: each by itself, and what they got together.

use std::time::Instant;

use protocol::{AudienceReport, Count, MAX_REPORTED, Sent, ToServer, ViewerReport};

use super::{Audience, Output};
use crate::delivery::Counters;

impl Audience {
    /// Viewers come in pages, as a crowd's report would not fit into a message.
    pub(super) fn report(&mut self, now: Instant) {
        let mut viewers: Vec<ViewerReport> =
            self.seats.values_mut().filter_map(|seat| seat.session.report(now)).collect();
        while !viewers.is_empty() {
            let rest = viewers.split_off(viewers.len().min(MAX_REPORTED));
            let audience = AudienceReport { viewers: std::mem::replace(&mut viewers, rest) };
            self.outputs.push_back(Output::Say(ToServer::Audience { audience }));
        }
        self.count();
    }

    pub(super) fn count(&mut self) {
        let all = self.seats.values().map(|seat| seat.session.counters()).fold(self.gone, Counters::plus);
        let Counters { packets, bytes, resent, .. } = all;
        self.outputs.push_back(Output::Counted(Sent {
            packets: Count::from(packets),
            bytes: Count::from(bytes),
            resent: Count::from(resent),
        }));
    }
}
