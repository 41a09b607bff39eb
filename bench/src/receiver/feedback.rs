//! What a browser tells the sender of what it gets: when each packet came, twenty times a second at this bitrate, and a
//! summary every second.

use std::time::{Duration, Instant};

use rtc::rtcp::{
    Packet,
    receiver_report::ReceiverReport,
    reception_report::ReceptionReport,
    transport_feedbacks::transport_layer_cc::{
        PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, SymbolTypeTcc, TransportLayerCc,
    },
};

use crate::wire::Flow;

/// Chromium's shortest interval, which it comes to where a stream leaves room for it.
const INTERVAL: Duration = Duration::from_millis(50);
const SUMMARIES: Duration = Duration::from_secs(1);

/// A header without CSRCs (RFC 3550), then the extensions: the first is the transport-wide number, under the robot's id 2.
const NUMBER_AT: std::ops::Range<usize> = 17..19;
const NUMBER_HEAD: u8 = 0x21;

/// The format's units (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1).
const REFERENCE_MICROS: i64 = 64_000;
const TICK_MICROS: i64 = 250;
const SMALL_TICKS: i64 = 255;

/// More than this was not lost, but not looked at.
const MAX_GAP: u16 = 500;

pub(super) struct Feedback {
    began: Instant,
    due: Instant,
    summary_due: Instant,
    arrivals: Vec<(u16, Instant)>,
    next: Option<u16>,
    count: u8,
    highest: u16,
}

impl Feedback {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            due: now + INTERVAL,
            summary_due: now,
            arrivals: Vec::new(),
            next: None,
            count: 0,
            highest: 0,
        }
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn take(&mut self, packet: &[u8], now: Instant) {
        if packet.get(NUMBER_AT.start - 1) == Some(&NUMBER_HEAD) {
            self.arrivals.push((u16::from_be_bytes([packet[NUMBER_AT.start], packet[NUMBER_AT.end - 1]]), now));
            self.highest = u16::from_be_bytes([packet[2], packet[3]]);
        }
    }

    /// What is to be said now, and `due` is later.
    pub(super) fn poll(&mut self, ssrc: u32, flow: Flow, now: Instant) -> Vec<Box<dyn Packet>> {
        self.due = now + INTERVAL;
        let mut said: Vec<Box<dyn Packet>> = Vec::new();
        if self.summary_due <= now {
            self.summary_due = now + SUMMARIES;
            said.push(Box::new(self.summary(ssrc, flow)));
        }
        if let Some(arrivals) = self.arrivals(ssrc) {
            said.push(Box::new(arrivals));
        }
        said
    }

    fn summary(&self, ssrc: u32, flow: Flow) -> ReceiverReport {
        let report = ReceptionReport {
            ssrc,
            total_lost: flow.missing as u32,
            last_sequence_number: u32::from(self.highest),
            jitter: 30,
            ..Default::default()
        };
        ReceiverReport { ssrc: 1, reports: vec![report], ..Default::default() }
    }

    fn arrivals(&mut self, ssrc: u32) -> Option<TransportLayerCc> {
        let (number, first) = *self.arrivals.first()?;
        // After a time without feedback it begins anew.
        let base = self.next.filter(|next| number.wrapping_sub(*next) < MAX_GAP).unwrap_or(number);
        let micros = |at: Instant| at.saturating_duration_since(self.began).as_micros() as i64;
        let reference = micros(first) / REFERENCE_MICROS;
        let (mut last, mut next) = (reference * REFERENCE_MICROS / TICK_MICROS, base);
        let (mut chunks, mut deltas) = (Vec::new(), Vec::new());
        for (number, at) in self.arrivals.drain(..) {
            let gap = number.wrapping_sub(next);
            if gap >= 1 << 15 {
                continue;
            }
            run(&mut chunks, SymbolTypeTcc::PacketNotReceived, gap);
            let ticks = micros(at) / TICK_MICROS;
            let delta = ticks - last;
            let small = (0..=SMALL_TICKS).contains(&delta);
            let symbol =
                if small { SymbolTypeTcc::PacketReceivedSmallDelta } else { SymbolTypeTcc::PacketReceivedLargeDelta };
            run(&mut chunks, symbol, 1);
            deltas.push(RecvDelta { type_tcc_packet: symbol, delta: delta * TICK_MICROS });
            (last, next) = (ticks, number.wrapping_add(1));
        }
        self.next = Some(next);
        self.count = self.count.wrapping_add(1);
        Some(TransportLayerCc {
            sender_ssrc: 1,
            media_ssrc: ssrc,
            base_sequence_number: base,
            packet_status_count: next.wrapping_sub(base),
            reference_time: reference as u32,
            fb_pkt_count: self.count,
            packet_chunks: chunks,
            recv_deltas: deltas,
        })
    }
}

/// Appends so many equal symbols.
fn run(chunks: &mut Vec<PacketStatusChunk>, symbol: SymbolTypeTcc, length: u16) {
    if length == 0 {
        return;
    }
    if let Some(PacketStatusChunk::RunLengthChunk(last)) = chunks.last_mut()
        && last.packet_status_symbol == symbol
    {
        last.run_length += length;
        return;
    }
    chunks.push(PacketStatusChunk::RunLengthChunk(RunLengthChunk {
        type_tcc: StatusChunkTypeTcc::RunLengthChunk,
        packet_status_symbol: symbol,
        run_length: length,
    }));
}

#[cfg(test)]
mod tests {
    use rtc::shared::marshal::{Marshal, Unmarshal};

    use super::*;

    fn packet(number: u16) -> Vec<u8> {
        let [high, low] = number.to_be_bytes();
        let mut packet = vec![0; NUMBER_AT.end];
        packet[NUMBER_AT.start - 1..].copy_from_slice(&[NUMBER_HEAD, high, low]);
        packet
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn what_came_and_what_did_not_can_be_read_again() {
        let t0 = Instant::now();
        let mut feedback = Feedback::new(t0);
        for (number, millis) in [(65_534, 70), (65_535, 70), (1, 103), (2, 400)] {
            feedback.take(&packet(number), t0 + Duration::from_millis(millis));
        }
        let said = feedback.arrivals(7).expect("something came");
        let mut wire = said.marshal().expect("it can be said");
        let heard = TransportLayerCc::unmarshal(&mut wire).expect("it can be heard");
        assert_eq!((heard.base_sequence_number, heard.packet_status_count, heard.reference_time), (65_534, 5, 1));
        let deltas: Vec<i64> = heard.recv_deltas.iter().map(|delta| delta.delta).collect();
        assert_eq!(deltas, [6_000, 0, 33_000, 297_000]);
        assert!(feedback.arrivals(7).is_none(), "all is said");
    }
}
