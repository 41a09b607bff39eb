//! What one viewer gets: its place in the shared rings, its cipher and its counters. Pure: no socket, no task, no clock.
//!
//! The packets are in the rings and the path is the transport's. What is decided here is which of them go out next, under
//! which number, how fast, and of which quality.

mod burst;
mod departures;
mod estimate;
mod feedback;
mod history;
mod ladder;
mod pace;
mod packet;
mod position;
mod report;
mod resend;
mod sent;
#[cfg(test)]
mod tests;
mod train;

use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_crypto::RTCCrypto;
use rtc_rtcp::packet::Packet;
use rtc_shared::error::Error;
use rtc_srtp::context::Context;

use crate::{
    media::{Encoding, FrameNumber, Moment, NtpTime, Rings, VideoCodec},
    srtp::{Keys, Sealer, StreamId},
};
pub(crate) use burst::Burst;
pub(crate) use estimate::Estimate;
use estimate::Estimator;
use feedback::{Feedback, Reader};
use ladder::{Ladder, Probe, Turn};
use pace::Pace;
use packet::Header;
pub(crate) use packet::{Extensions, id};
use position::Position;
use report::Reporter;
use resend::Resend;
use sent::{Origin, Sent};

/// A probe's train shows nothing with fewer packets than this …
const MIN_TRAIN: usize = 5;
/// … and enough with so many.
const MAX_TRAIN: usize = 40;

/// How often a load's next piece leaves, at most.
const LOAD_INTERVAL: Duration = Duration::from_millis(10);

/// Sound that is older than this is not worth hearing.
const MAX_SOUND_LAG: Duration = Duration::from_millis(200);

/// The sequence number of a retransmitted packet, in front of its payload (RFC 4588, section 4).
const ORIGINAL_NUMBER: usize = 2;

/// What offer and answer have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) codec: VideoCodec,
    pub(crate) payload_type: u8,
    /// For retransmissions, where the viewer takes them.
    pub(crate) repair: Option<u8>,
    pub(crate) audio: Option<u8>,
    pub(crate) extensions: Extensions,
}

/// The numbers that our offer gave to the streams.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    pub(crate) video: u32,
    pub(crate) repair: u32,
    pub(crate) audio: u32,
    /// Under which receivers know that sound and picture belong together.
    pub(crate) cname: String,
}

/// What a viewer is to get.
pub(crate) struct Terms {
    pub(crate) format: Format,
    pub(crate) streams: Streams,
    /// Bits per second of the camera's qualities, best first.
    pub(crate) rungs: Vec<f64>,
    /// The quality that the viewer asked for.
    pub(crate) rung: Option<u8>,
}

/// What went out and came back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) resent: u64,
    pub(crate) keyframes_asked: u64,
    pub(crate) feedback_dropped: u64,
}

pub(crate) struct Delivery {
    format: Format,
    streams: Streams,
    sealer: Sealer,
    reports: Context,
    feedback: Reader,
    video: StreamId,
    repair: Option<StreamId>,
    audio: Option<Audio>,
    position: Position,
    sent: Sent,
    resend: Resend,
    pace: Pace,
    estimator: Estimator,
    ladder: Ladder,
    reporter: Reporter,
    load: Option<Load>,
    counters: Counters,
    /// The encoding whose keyframe the viewer needs.
    wanted: Option<Encoding>,
}

/// Traffic for the sake of it.
struct Load {
    due: Instant,
    /// Bytes that should have left by now.
    owed: f64,
}

struct Audio {
    stream: StreamId,
    payload_type: u8,
    timestamp_offset: u32,
    next: FrameNumber,
    reporter: Reporter,
}

impl Delivery {
    pub(crate) fn new(
        keys: Keys,
        terms: Terms,
        crypto: &dyn RTCCrypto,
        rings: &Rings,
        now: Instant,
    ) -> Result<Self, Error> {
        let Terms { format, streams, rungs, rung } = terms;
        let ciphers = keys.into_ciphers(crypto)?;
        let mut sealer = ciphers.media;
        // Low enough that the rollover counter's start cannot be mistaken (RFC 3711, section 3.3.1).
        let first_sequence = rand::random::<u16>() >> 1;
        let video = sealer.open(streams.video, first_sequence);
        let repair = format.repair.map(|_| sealer.open(streams.repair, rand::random::<u16>() >> 1));
        let audio = format.audio.filter(|_| rings.has(Encoding::Audio)).map(|payload_type| Audio {
            stream: sealer.open(streams.audio, rand::random::<u16>() >> 1),
            payload_type,
            timestamp_offset: rand::random(),
            next: rings.get(Encoding::Audio).next(),
            reporter: Reporter::new(now),
        });
        let estimator = Estimator::new();
        let pace = Pace::new(estimator.estimate().bitrate, now);
        let probing = repair.is_some() && format.extensions.transport_cc;
        let mut delivery = Self {
            ladder: Ladder::new(rungs, rung.map(usize::from), probing, now),
            format,
            streams,
            sealer,
            reports: ciphers.reports,
            feedback: Reader::new(ciphers.feedback, now),
            video,
            repair,
            audio,
            position: Position::new(rand::random()),
            sent: Sent::new(first_sequence),
            resend: Resend::new(now),
            pace,
            estimator,
            reporter: Reporter::new(now),
            load: None,
            counters: Counters::default(),
            wanted: None,
        };
        delivery.follow_ladder(rings, now);
        Ok(delivery)
    }

    pub(crate) fn estimate(&self) -> Estimate {
        self.estimator.estimate()
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters { feedback_dropped: self.feedback.dropped(), ..self.counters }
    }

    /// The encodings that have to run for this viewer.
    pub(crate) fn watches(&self) -> impl Iterator<Item = Encoding> {
        self.position.watches().chain(self.audio.as_ref().map(|_| Encoding::Audio))
    }

    /// The encoding whose keyframe the viewer cannot go on without, once.
    pub(crate) fn take_wanted(&mut self) -> Option<Encoding> {
        self.wanted.take()
    }

    /// The viewer asks for a quality, or for whatever its path carries.
    pub(crate) fn want(&mut self, rung: Option<u8>, rings: &Rings, now: Instant) {
        self.ladder.want(rung.map(usize::from), now);
        self.follow_ladder(rings, now);
    }

    fn follow_ladder(&mut self, rings: &Rings, now: Instant) {
        let rung = u8::try_from(self.ladder.current()).expect("a handful of rungs");
        let encoding = Encoding::Video { rung, codec: self.format.codec };
        if self.position.play(encoding, rings, now) {
            self.wanted = Some(encoding);
        }
    }

    /// Takes a sealed control packet from the viewer.
    pub(crate) fn handle_feedback(&mut self, data: &[u8], rings: &Rings, now: Instant) {
        for feedback in self.feedback.read(data, now) {
            match feedback {
                Feedback::KeyframeWanted => {
                    self.counters.keyframes_asked += 1;
                    self.wanted = self.position.awaits().or(self.position.plays()).or(self.wanted);
                }
                Feedback::Missing { ssrc, sequences } if ssrc == self.streams.video && self.repair.is_some() => {
                    let round_trip = self.estimate().round_trip;
                    for number in sequences.into_iter().filter_map(|sequence| self.sent.number(sequence)) {
                        self.resend.ask(number, round_trip, now);
                    }
                }
                Feedback::Missing { .. } => {}
                Feedback::Arrivals(arrivals) => {
                    if !self.estimator.estimate().reported && arrivals.base_sequence_number != 0 {
                        // It came to have its keys only after the first packets: without them it can decode nothing.
                        self.wanted = self.position.awaits().or(self.position.plays());
                    }
                    self.estimator.handle(&arrivals, now);
                    self.judge(rings, now);
                }
                Feedback::Reception(report) => self.handle_reception(&report, rings, now),
            }
        }
    }

    fn handle_reception(&mut self, report: &rtc_rtcp::reception_report::ReceptionReport, rings: &Rings, now: Instant) {
        if report.ssrc == self.streams.video {
            if let Some(round_trip) = self.reporter.round_trip(report, now) {
                self.estimator.round_trip(round_trip, now);
            }
            self.estimator.lost(f64::from(report.fraction_lost) / 256.0);
            self.judge(rings, now);
        }
    }

    /// Whether the path carries more or less than what goes out.
    fn judge(&mut self, rings: &Rings, now: Instant) {
        let passage = self.estimator.take_passage();
        let estimate = self.estimate();
        let Some(turn) = self.ladder.update(&estimate, passage, now) else { return };
        tracing::debug!(rung = self.ladder.current(), ?turn, ?estimate, "quality changes");
        match turn {
            Turn::Up => self.estimator.believe(estimate.bitrate.max(self.ladder.shown())),
            Turn::Down | Turn::Pause => {
                self.estimator.believe(estimate.carried.unwrap_or(estimate.bitrate));
                self.cut(rings);
                self.estimator.restart(false, now);
            }
            Turn::Resume { drained } => {
                self.estimator.restart(drained, now);
                self.wanted = self.position.renew(rings, now).or(self.wanted);
            }
        }
        self.follow_ladder(rings, now);
        self.pace.set(self.estimate().bitrate.max(self.ladder.bitrate()));
    }

    /// Sends nothing more of what was playing, nor of what it has lost: the next packet is a keyframe's.
    fn cut(&mut self, rings: &Rings) {
        self.position.stop(rings);
        self.resend.forget(self.sent.next());
    }

    pub(crate) fn handle_timeout(&mut self, rings: &Rings, now: Instant) {
        if self.ladder.poll_timeout().is_some_and(|at| at <= now) {
            self.judge(rings, now);
        }
    }

    pub(crate) fn poll_timeout(&self, rings: &Rings) -> Option<Instant> {
        let has_packets = self.position.has_packets(rings);
        let paced = has_packets.then(|| self.pace.reopens());
        let reports = self.position.plays().map(|_| self.reporter.due());
        let load = self.load.as_ref().map(|load| load.due);
        [self.ladder.poll_timeout(), paced, reports, load].into_iter().flatten().min()
    }

    /// Fills the burst with what leaves next, which may be nothing.
    pub(crate) fn poll(&mut self, rings: &Rings, now: Instant, burst: &mut Burst) -> Result<(), Error> {
        burst.clear();
        let paused = self.ladder.is_paused();
        if !paused {
            self.resend(rings, now, burst)?;
        }
        if burst.is_empty() && !paused {
            self.send_video(rings, now, burst)?;
        }
        if burst.is_empty() {
            self.send_audio(rings, now, burst)?;
        }
        if burst.is_empty() {
            self.send_probe(rings, now, burst)?;
        }
        Ok(())
    }

    fn send_video(&mut self, rings: &Rings, now: Instant, burst: &mut Burst) -> Result<(), Error> {
        if let Some(encoding) = self.position.advance(rings, now) {
            self.wanted = Some(encoding);
        }
        let mut sent_at = None;
        while let Some(next) = self.position.next(rings) {
            let payload = next.frame.payload(next.packet);
            let first = next.packet == 0;
            let header_len = self.format.extensions.header_len(first);
            let length = header_len + payload.data.len() + self.sealer.tag_len();
            // A frame's first packet opens a burst: what leaves together is of one picture.
            if !burst.takes(length) || first && !burst.is_empty() || !self.pace.is_open(now) {
                break;
            }
            let header = Header {
                payload_type: self.format.payload_type,
                marker: next.packet + 1 == next.frame.packets(),
                padded: payload.padded,
                timestamp: next.timestamp,
                first: first.then_some(next.frame.captured.ntp),
                transport_sequence: self.estimator.departures.next() as u16,
                sent: Some(*sent_at.get_or_insert_with(|| ntp_at(next.frame.captured, now))),
            };
            let room = burst.room(length);
            header.write(self.format.extensions, &mut room[..header_len]);
            room[header_len..header_len + payload.data.len()].copy_from_slice(payload.data);
            self.sealer.seal(self.video, room, header_len)?;
            burst.commit(length);
            self.sent.record(Origin {
                encoding: next.encoding,
                packet: next.first_packet.plus(next.packet as u64),
                timestamp_offset: next.timestamp_offset,
            });
            self.pace.spend(length);
            self.count(length, now);
            self.reporter.packets += 1;
            self.reporter.octets += payload.data.len() as u64;
            self.position.sent(&next);
        }
        Ok(())
    }

    fn send_audio(&mut self, rings: &Rings, now: Instant, burst: &mut Burst) -> Result<(), Error> {
        let Some(audio) = &mut self.audio else { return Ok(()) };
        let ring = rings.get(Encoding::Audio);
        while audio.next < ring.next() {
            let number = audio.next;
            audio.next = number.next();
            let fresh = |at: &Instant| now.saturating_duration_since(*at) <= MAX_SOUND_LAG;
            let Some(kept) = ring.frame(number).filter(|kept| fresh(&kept.at)) else { continue };
            let payload = kept.frame.payload(0).data;
            // Sound is small and needs none of the picture's extensions.
            let header_len = Extensions::default().header_len(false);
            let end = header_len + payload.len();
            let length = end + self.sealer.tag_len();
            let header = Header {
                payload_type: audio.payload_type,
                marker: false,
                padded: false,
                timestamp: kept.frame.timestamp.wrapping_add(audio.timestamp_offset),
                first: None,
                transport_sequence: 0,
                sent: None,
            };
            let room = burst.room(length);
            header.write(Extensions::default(), &mut room[..header_len]);
            room[header_len..end].copy_from_slice(payload);
            self.sealer.seal(audio.stream, room, header_len)?;
            burst.commit(length);
            audio.reporter.packets += 1;
            audio.reporter.octets += payload.len() as u64;
            self.counters.packets += 1;
            self.counters.bytes += length as u64;
            break;
        }
        Ok(())
    }

    fn resend(&mut self, rings: &Rings, now: Instant, burst: &mut Burst) -> Result<(), Error> {
        while let Some(number) = self.resend.next(self.ladder.bitrate(), now) {
            match self.repeat(number, rings, now, burst)? {
                Repeated::Sent(length) => {
                    self.counters.resent += 1;
                    self.resend.done(Some(length), now);
                }
                Repeated::Gone => self.resend.done(None, now),
                Repeated::NoRoom => break,
            }
        }
        Ok(())
    }

    /// Sends a packet once more, on the stream that is for it.
    fn repeat(&mut self, number: u64, rings: &Rings, now: Instant, burst: &mut Burst) -> Result<Repeated, Error> {
        let (Some(stream), Some(payload_type)) = (self.repair, self.format.repair) else {
            return Ok(Repeated::Gone);
        };
        let origin = self.sent.origin(number);
        let Some((origin, (frame, index))) =
            origin.and_then(|origin| Some((origin, rings.get(origin.encoding).packet(origin.packet)?)))
        else {
            return Ok(Repeated::Gone);
        };
        let payload = frame.payload(index);
        let header_len = self.format.extensions.header_len(false);
        let body = header_len + ORIGINAL_NUMBER;
        let length = body + payload.data.len() + self.sealer.tag_len();
        if !burst.takes(length) {
            return Ok(Repeated::NoRoom);
        }
        let header = Header {
            payload_type,
            marker: index + 1 == frame.packets(),
            padded: payload.padded,
            timestamp: frame.timestamp.wrapping_add(origin.timestamp_offset),
            first: None,
            transport_sequence: self.estimator.departures.next() as u16,
            sent: Some(ntp_at(frame.captured, now)),
        };
        let room = burst.room(length);
        header.write(self.format.extensions, &mut room[..header_len]);
        room[header_len..body].copy_from_slice(&(number as u16).to_be_bytes());
        room[body..body + payload.data.len()].copy_from_slice(payload.data);
        self.sealer.seal(stream, room, header_len)?;
        burst.commit(length);
        self.pace.spend(length);
        self.count(length, now);
        Ok(Repeated::Sent(length))
    }

    fn count(&mut self, length: usize, now: Instant) {
        self.counters.packets += 1;
        self.counters.bytes += length as u64;
        if self.format.extensions.transport_cc {
            self.estimator.departures.record(length, now);
        }
    }

    /// Sends what went out before once more, to see whether the path takes it.
    fn send_probe(&mut self, rings: &Rings, now: Instant, burst: &mut Burst) -> Result<(), Error> {
        match self.ladder.probe(now) {
            None => self.load = None,
            Some(Probe::Train(bytes)) => {
                let first = self.estimator.departures.next();
                self.fill(bytes, MIN_TRAIN, rings, now, burst)?;
                if !burst.is_empty() {
                    self.estimator.watch_train(first..self.estimator.departures.next());
                    self.ladder.train_sent();
                }
            }
            Some(Probe::Load(bitrate)) => {
                let Load { due, owed } = self.load.get_or_insert(Load { due: now, owed: 0.0 });
                if *due <= now {
                    let passed = now.saturating_duration_since(*due) + LOAD_INTERVAL;
                    *owed += bitrate / 8.0 * passed.min(2 * LOAD_INTERVAL).as_secs_f64();
                    *due = now + LOAD_INTERVAL;
                    let bytes = *owed as usize;
                    self.fill(bytes, 0, rings, now, burst)?;
                    let sent = burst.bytes().len() as f64;
                    if let Some(load) = &mut self.load {
                        load.owed -= sent;
                    }
                }
            }
        }
        Ok(())
    }

    /// Fills the burst with the largest of the last packets, over and over: so all are of one length. There are as many as
    /// fit into the bytes, or a minimum.
    fn fill(
        &mut self,
        bytes: usize,
        packets: usize,
        rings: &Rings,
        now: Instant,
        burst: &mut Burst,
    ) -> Result<(), Error> {
        let last = self.sent.next();
        let length = |number: &u64| {
            let origin = self.sent.origin(*number)?;
            let (frame, index) = rings.get(origin.encoding).packet(origin.packet)?;
            Some(frame.payload(index).data.len())
        };
        let largest = (last.saturating_sub(32)..last).filter(|number| length(number).is_some()).max_by_key(length);
        let Some(number) = largest else { return Ok(()) };
        // What it will be with one more.
        let mut length = length(&number).unwrap_or_default();
        while burst.segments() < MAX_TRAIN && (length <= bytes || burst.segments() < packets) {
            let Repeated::Sent(sent) = self.repeat(number, rings, now, burst)? else { break };
            length = burst.bytes().len() + sent;
        }
        Ok(())
    }

    /// A sealed report for the viewer, if one is due.
    pub(crate) fn poll_report(&mut self, rings: &Rings, now: Instant) -> Result<Option<BytesMut>, Error> {
        let cname = &self.streams.cname;
        if self.reporter.due() <= now
            && let Some(encoding) = self.position.plays()
            && let Some((captured, timestamp)) = self.position.instant(rings)
        {
            let rate = encoding.clock_rate();
            let report = self.reporter.report(self.streams.video, cname, captured, timestamp, rate, now);
            return self.seal_report(&report).map(Some);
        }
        if let Some(audio) = &mut self.audio
            && audio.reporter.due() <= now
            && let Some(kept) = rings.get(Encoding::Audio).latest()
        {
            let timestamp = kept.frame.timestamp.wrapping_add(audio.timestamp_offset);
            let rate = Encoding::Audio.clock_rate();
            let report = audio.reporter.report(self.streams.audio, cname, kept.frame.captured, timestamp, rate, now);
            return self.seal_report(&report).map(Some);
        }
        Ok(None)
    }

    fn seal_report(&mut self, report: &[Box<dyn Packet>]) -> Result<BytesMut, Error> {
        let mut compound = BytesMut::new();
        for packet in report {
            compound.extend_from_slice(&packet.marshal()?);
        }
        self.reports.encrypt_rtcp(&compound)
    }
}

enum Repeated {
    Sent(usize),
    /// It is in no ring any more.
    Gone,
    NoRoom,
}

/// The wall clock now, by that of the capture.
fn ntp_at(captured: Moment, now: Instant) -> NtpTime {
    captured.ntp.after(now.saturating_duration_since(captured.instant))
}
