//! Sender reports: which instant of the wall clock an RTP timestamp stands for, so that receivers line up sound and picture
//! (RFC 3550, section 6.4.1).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rtc_rtcp::{
    extended_report::{
        ExtendedReport,
        dlrr::{DLRRReport, DLRRReportBlock},
    },
    packet::Packet,
    receiver_report::ReceiverReport,
    reception_report::ReceptionReport,
    sender_report::SenderReport,
    source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem},
};

use super::feedback::Reference;
use crate::media::{Moment, NtpTime, ticks};

/// Receivers can line up nothing before the first of a stream, and drift little within a second.
const INTERVAL: Duration = Duration::from_secs(1);

/// Answers to reports that are older than these are as good as none.
const MAX_OPEN: usize = 8;

/// One stream's reports.
#[derive(Debug)]
pub(super) struct Reporter {
    next: Instant,
    /// The middle of the NTP time that viewers answer with, and when it left.
    open: VecDeque<(u32, Instant)>,
    pub(super) packets: u64,
    pub(super) octets: u64,
    /// The packets of the last report: there is nothing new to say before there are more.
    told: u64,
}

impl Reporter {
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now, open: VecDeque::new(), packets: 0, octets: 0, told: 0 }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        (self.packets > self.told).then_some(self.next)
    }

    /// A compound report. `captured` is a picture or sound of the stream, `timestamp` what it bears.
    pub(super) fn report(
        &mut self,
        ssrc: u32,
        cname: &str,
        captured: Moment,
        timestamp: u32,
        clock_rate: u32,
        now: Instant,
    ) -> Vec<Box<dyn Packet>> {
        self.next = now + INTERVAL;
        self.told = self.packets;
        let age = now.saturating_duration_since(captured.instant);
        let NtpTime(ntp_time) = captured.ntp.after(age);
        if self.open.len() == MAX_OPEN {
            self.open.pop_front();
        }
        self.open.push_back((middle(ntp_time), now));
        let report = SenderReport {
            ssrc,
            ntp_time,
            rtp_time: timestamp.wrapping_add(ticks(age, clock_rate)),
            packet_count: self.packets as u32,
            octet_count: self.octets as u32,
            reports: Vec::new(),
            profile_extensions: Bytes::new(),
        };
        let name =
            SourceDescriptionItem { sdes_type: SdesType::SdesCname, text: Bytes::copy_from_slice(cname.as_bytes()) };
        let chunk = SourceDescriptionChunk { source: ssrc, items: vec![name] };
        vec![Box::new(report), Box::new(SourceDescription { chunks: vec![chunk] })]
    }

    /// The round trip that a viewer's answer shows.
    pub(super) fn round_trip(&self, answer: &ReceptionReport, now: Instant) -> Option<Duration> {
        let (_, sent) = self.open.iter().find(|(middle, _)| *middle == answer.last_sender_report)?;
        // In 1/65536 of a second.
        let held = Duration::from_micros((u64::from(answer.delay) * 1_000_000) >> 16);
        now.saturating_duration_since(*sent).checked_sub(held)
    }
}

/// Gives a viewer its own instant back, without having kept it (RFC 3611, section 4.5). One that knows the round trip asks for
/// what it misses as often as that allows, rather than ten times a second.
pub(super) fn round_trip(ssrc: u32, reference: Reference) -> Vec<Box<dyn Packet>> {
    let report = DLRRReport { ssrc: reference.sender, last_rr: middle(reference.instant), dlrr: 0 };
    let block = DLRRReportBlock { reports: vec![report] };
    let extended = ExtendedReport { sender_ssrc: ssrc, reports: vec![Box::new(block)] };
    // No compound begins otherwise.
    vec![Box::new(ReceiverReport { ssrc, ..ReceiverReport::default() }), Box::new(extended)]
}

fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn a_report_pairs_one_instant_on_both_clocks_and_its_answer_shows_the_round_trip() {
        let t0 = Instant::now();
        let captured = Moment { media: Duration::from_secs(9), instant: t0, ntp: NtpTime(100 << 32) };
        let mut reporter = Reporter::new(t0);
        let later = t0 + Duration::from_millis(1500);
        let packets = reporter.report(7, "robot", captured, 1000, 90_000, later);
        let report = packets[0].as_any().downcast_ref::<SenderReport>().expect("a report");
        assert_eq!((report.ntp_time, report.rtp_time), (101 << 32 | 1 << 31, 1000 + 135_000));
        assert_eq!(reporter.due(), None, "there is nothing new to say");
        reporter.packets += 1;
        assert_eq!(reporter.due(), Some(later + INTERVAL));
        let answer = ReceptionReport {
            last_sender_report: middle(report.ntp_time),
            delay: 65_536 / 2,
            ..ReceptionReport::default()
        };
        let heard = later + Duration::from_millis(530);
        assert_eq!(reporter.round_trip(&answer, heard), Some(Duration::from_millis(30)));
        let other = ReceptionReport { last_sender_report: 1, ..answer };
        assert_eq!(reporter.round_trip(&other, heard), None);
    }
}
