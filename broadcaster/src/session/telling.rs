//! What the server is told of a session.

use std::time::Instant;

use protocol::{Bitrate, Millis, Share, ViewerReport};

use super::Session;

impl Session {
    /// What the viewer got since this was asked last, and what becomes of it on its way. Nothing while no media flows.
    pub(crate) fn report(&mut self, now: Instant) -> Option<ViewerReport> {
        let delivery = self.delivery.as_ref().filter(|_| self.is_live())?;
        let (bytes, estimate) = (delivery.counters().bytes, delivery.estimate());
        let (since, before) = self.reported.replace((now, bytes)).unwrap_or((now, bytes));
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "of some seconds' worth nothing is lost")]
        let bits = bytes.saturating_sub(before) as f64 * 8.0;
        Some(ViewerReport {
            session: self.id.clone(),
            rung: delivery.rung(),
            bitrate: Bitrate::nearest(if seconds > 0.0 { bits / seconds } else { 0.0 }),
            loss: Share::nearest(estimate.loss),
            round_trip: estimate.round_trip.map(|time| Millis::nearest(time.as_secs_f64() * 1000.0)),
        })
    }
}
