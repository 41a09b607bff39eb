//! What a viewer says of what it got (RTCP), read within a budget.

use std::time::{Duration, Instant};

use rtc_rtcp::{
    extended_report::{ExtendedReport, rrt::ReceiverReferenceTimeReportBlock},
    packet,
    payload_feedbacks::{full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication},
    receiver_report::ReceiverReport,
    reception_report::ReceptionReport,
    sender_report::SenderReport,
    transport_feedbacks::{
        transport_layer_cc::{PacketStatusChunk, TransportLayerCc},
        transport_layer_nack::TransportLayerNack,
    },
};
use rtc_srtp::context::Context;

/// Browsers send some fifty datagrams a second when much is lost, with a few messages each. To open and read one costs as
/// much as to seal a dozen packets, so a viewer that sends thousands would cost the others.
const PER_SECOND: f64 = 300.0;
const AT_ONCE: f64 = 100.0;

/// No path carries a longer one whole.
const MAX_LENGTH: usize = 1500;

/// Losses that one datagram may name; a page of pictures has no more packets.
const MAX_MISSING: usize = 512;

/// Packets that one datagram may report on: those of a second at the highest rate. A few bytes could name all that there
/// are, many times over.
const MAX_REPORTED: usize = 2048;

/// Streams of the viewer's own that its reports may come from.
const MAX_SENDERS: usize = 8;

/// What could not be opened, of senders that are not known: each of them leaves a trace in the context.
const MAX_STRANGERS: u32 = 64;

pub(super) enum Feedback<'a> {
    KeyframeWanted,
    Missing(Missing<'a>),
    Arrivals(&'a TransportLayerCc),
    Reception(&'a [ReceptionReport]),
    /// The viewer wants to know how far away we are.
    RoundTripWanted(Reference),
    Nothing,
}

/// An instant on the clock of a viewer, which sees the round trip when it gets it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) sender: u32,
    /// In NTP's format.
    pub(super) instant: u64,
}

/// Packets that were missed.
pub(super) struct Missing<'a> {
    nack: &'a TransportLayerNack,
    most: usize,
}

impl Missing<'_> {
    /// The stream that they belong to.
    pub(super) fn ssrc(&self) -> u32 {
        self.nack.media_ssrc
    }

    pub(super) fn sequences(&self) -> impl Iterator<Item = u16> {
        self.nack.nacks.iter().flat_map(|pair| pair.packet_list()).take(self.most)
    }
}

/// What one datagram said.
#[derive(Default)]
pub(super) struct Said(Vec<Box<dyn packet::Packet>>);

impl Said {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Feedback<'_>> {
        let mut budget = Budget { missing: MAX_MISSING, reported: MAX_REPORTED };
        self.0.iter().map(move |packet| understand(packet.as_ref(), &mut budget))
    }
}

pub(super) struct Reader {
    context: Context,
    /// Whose reports could be opened.
    senders: Vec<u32>,
    strangers: u32,
    level: f64,
    at: Instant,
    dropped: u64,
}

impl Reader {
    pub(super) fn new(context: Context, now: Instant) -> Self {
        Self { context, senders: Vec::new(), strangers: 0, level: AT_ONCE, at: now, dropped: 0 }
    }

    pub(super) fn read(&mut self, data: &[u8], now: Instant) -> Said {
        if data.len() > MAX_LENGTH || !self.is_affordable(1.0, now) || !self.is_welcome(data) {
            self.dropped += 1;
            return Said::default();
        }
        let packets = match self.context.decrypt_rtcp(data) {
            Ok(opened) => {
                self.admit(data);
                packet::unmarshal(&mut &opened[..])
            }
            Err(error) => Err(error),
        };
        match packets {
            Ok(mut packets) => {
                let affordable = packets.iter().take_while(|_| self.is_affordable(0.1, now)).count();
                packets.truncate(affordable);
                Said(packets)
            }
            Err(error) => {
                tracing::trace!(%error, "feedback not taken");
                Said::default()
            }
        }
    }

    /// Whether to try to open it: the context remembers every sender, also those that it finds false.
    fn is_welcome(&mut self, data: &[u8]) -> bool {
        let known = sender(data).is_some_and(|sender| self.senders.contains(&sender));
        if !known {
            self.strangers += 1;
        }
        known || self.strangers <= MAX_STRANGERS
    }

    fn admit(&mut self, data: &[u8]) {
        if let Some(sender) = sender(data)
            && !self.senders.contains(&sender)
            && self.senders.len() < MAX_SENDERS
        {
            self.senders.push(sender);
        }
    }

    /// What was left unread.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn is_affordable(&mut self, cost: f64, now: Instant) -> bool {
        let passed: Duration = now.saturating_duration_since(self.at);
        self.at = self.at.max(now);
        self.level = (self.level + passed.as_secs_f64() * PER_SECOND).min(AT_ONCE);
        if self.level < cost {
            return false;
        }
        self.level -= cost;
        true
    }
}

/// What one datagram may still name.
struct Budget {
    missing: usize,
    reported: usize,
}

/// The SSRC of a control packet's sender (RFC 3550, section 6.4.1).
fn sender(data: &[u8]) -> Option<u32> {
    data.get(4..8)?.try_into().ok().map(u32::from_be_bytes)
}

fn understand<'a>(packet: &'a dyn packet::Packet, budget: &mut Budget) -> Feedback<'a> {
    let packet = packet.as_any();
    if let Some(arrivals) = packet.downcast_ref::<TransportLayerCc>() {
        let reported = reported(arrivals);
        if reported > budget.reported {
            return Feedback::Nothing;
        }
        budget.reported -= reported;
        Feedback::Arrivals(arrivals)
    } else if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
        let missing = Missing { nack, most: budget.missing };
        budget.missing -= missing.sequences().count();
        Feedback::Missing(missing)
    } else if packet.is::<PictureLossIndication>() || packet.is::<FullIntraRequest>() {
        Feedback::KeyframeWanted
    } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
        Feedback::Reception(&report.reports)
    } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
        Feedback::Reception(&report.reports)
    } else if let Some(report) = packet.downcast_ref::<ExtendedReport>() {
        let instant = report.reports.iter().find_map(|block| {
            let reference = block.as_any().downcast_ref::<ReceiverReferenceTimeReportBlock>()?;
            Some(reference.ntp_timestamp)
        });
        let reference = instant.map(|instant| Reference { sender: report.sender_ssrc, instant });
        reference.map_or(Feedback::Nothing, Feedback::RoundTripWanted)
    } else {
        Feedback::Nothing
    }
}

/// The packets that a report names, whatever number it gives for them.
fn reported(arrivals: &TransportLayerCc) -> usize {
    let of_chunk = |chunk: &PacketStatusChunk| match chunk {
        PacketStatusChunk::RunLengthChunk(run) => usize::from(run.run_length),
        PacketStatusChunk::StatusVectorChunk(vector) => vector.symbol_list.len(),
    };
    arrivals.packet_chunks.iter().map(of_chunk).sum()
}
