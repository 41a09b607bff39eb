//! What a viewer says of what it got (RTCP), read within a budget.

use std::time::{Duration, Instant};

use rtc_rtcp::{
    packet,
    payload_feedbacks::{full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication},
    receiver_report::ReceiverReport,
    reception_report::ReceptionReport,
    sender_report::SenderReport,
    transport_feedbacks::{transport_layer_cc::TransportLayerCc, transport_layer_nack::TransportLayerNack},
};
use rtc_srtp::context::Context;

/// Browsers send some fifty a second when much is lost. To open and read one costs as much as to seal a dozen packets, so
/// a viewer that sends thousands would cost the others.
const PER_SECOND: f64 = 300.0;
const AT_ONCE: f64 = 100.0;

/// Losses that one message may name; a page of pictures has no more packets.
const MAX_MISSING: usize = 512;

pub(super) enum Feedback {
    KeyframeWanted,
    /// These were missed. The SSRC says of which stream.
    Missing {
        ssrc: u32,
        sequences: Vec<u16>,
    },
    Arrivals(TransportLayerCc),
    Reception(ReceptionReport),
}

pub(super) struct Reader {
    context: Context,
    level: f64,
    at: Instant,
    dropped: u64,
}

impl Reader {
    pub(super) fn new(context: Context, now: Instant) -> Self {
        Self { context, level: AT_ONCE, at: now, dropped: 0 }
    }

    pub(super) fn read(&mut self, data: &[u8], now: Instant) -> Vec<Feedback> {
        if !self.is_affordable(now) {
            self.dropped += 1;
            return Vec::new();
        }
        let packets = match self.context.decrypt_rtcp(data) {
            Ok(opened) => packet::unmarshal(&mut &opened[..]),
            Err(error) => Err(error),
        };
        match packets {
            Ok(packets) => packets.iter().flat_map(|packet| understand(packet.as_ref())).collect(),
            Err(error) => {
                tracing::trace!(%error, "feedback not taken");
                Vec::new()
            }
        }
    }

    /// What was left unread.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn is_affordable(&mut self, now: Instant) -> bool {
        let passed: Duration = now.saturating_duration_since(self.at);
        self.at = self.at.max(now);
        self.level = (self.level + passed.as_secs_f64() * PER_SECOND).min(AT_ONCE);
        if self.level < 1.0 {
            return false;
        }
        self.level -= 1.0;
        true
    }
}

fn understand(packet: &dyn packet::Packet) -> Vec<Feedback> {
    let packet = packet.as_any();
    if packet.is::<PictureLossIndication>() || packet.is::<FullIntraRequest>() {
        vec![Feedback::KeyframeWanted]
    } else if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
        let sequences = nack.nacks.iter().flat_map(|pair| pair.packet_list()).take(MAX_MISSING).collect();
        vec![Feedback::Missing { ssrc: nack.media_ssrc, sequences }]
    } else if let Some(arrivals) = packet.downcast_ref::<TransportLayerCc>() {
        vec![Feedback::Arrivals(arrivals.clone())]
    } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
        report.reports.iter().cloned().map(Feedback::Reception).collect()
    } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
        report.reports.iter().cloned().map(Feedback::Reception).collect()
    } else {
        Vec::new()
    }
}
