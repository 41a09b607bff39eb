//! What leaves next: repetitions, the picture, sound, spare copies, and what probes the path, in this order.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_rtcp::packet::Packet;
use rtc_shared::error::Error;

use super::{
    Burst, Delivery, Load,
    ladder::Probe,
    packet::{Extensions, Header},
    position::Next,
    report::round_trip,
    sent::Origin,
};
use crate::media::{Encoding, Moment, NtpTime, Rings};

/// A probe's train shows nothing with fewer packets than this …
const MIN_TRAIN: usize = 5;
/// … and enough with so many.
const MAX_TRAIN: usize = 40;

/// How often a load's next piece leaves, at most.
const LOAD_INTERVAL: Duration = Duration::from_millis(10);

/// Sound that is older than this is not worth hearing.
const MAX_SOUND_LAG: Duration = Duration::from_millis(200);

/// How often sound says when it was captured. A receiver goes by what it was told last, for five seconds at most.
const DATED_EVERY: Duration = Duration::from_millis(500);

/// The sequence number of a retransmitted packet, in front of its payload (RFC 4588, section 4).
const ORIGINAL_NUMBER: usize = 2;

impl Delivery {
    /// Whether there may be more to send at this instant.
    pub(crate) fn has_more(&self, rings: &Rings, now: Instant) -> bool {
        let waits = self.resend.is_waiting() || self.position.awaits().is_some();
        let picture = waits || self.position.has_packets(rings) && self.pace.room(now) > 0.0;
        let sound = self.audio.as_ref().is_some_and(|audio| audio.next < rings.get(Encoding::Audio).next());
        let spare = self.spare.due().is_some_and(|due| due <= now);
        (picture || spare) && !self.ladder.is_paused()
            || sound
            || self.load.is_some()
            || self.ladder.probe(now).is_some()
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
        if burst.is_empty() && !paused {
            self.send_spare(rings, now, burst)?;
        }
        if burst.is_empty() {
            self.send_probe(rings, now, burst)?;
        }
        Ok(())
    }

    /// Sends what the pace allows of one picture: what leaves together is of one.
    fn send_video(&mut self, rings: &Rings, now: Instant, burst: &mut Burst) -> Result<(), Error> {
        if let Some(encoding) = self.position.advance(rings, now) {
            self.wanted = Some(encoding);
        }
        let Some(Next { encoding, frame, first_packet, packets, timestamp, timestamp_offset }) =
            self.position.next(rings)
        else {
            return Ok(());
        };
        let mut room = self.pace.room(now);
        let extensions = self.format.extensions;
        let tag_len = self.sealer.tag_len();
        let mut header = Header {
            payload_type: self.format.payload_type,
            marker: false,
            padded: false,
            timestamp,
            first: None,
            transport_sequence: self.estimator.departures.next() as u16,
            sent: Some(ntp_at(frame.captured, now)),
        };
        let (begin, mut octets) = (packets.start, 0);
        for packet in packets {
            let payload = frame.payload(packet);
            header.first = (packet == 0).then_some(frame.captured.ntp);
            header.marker = packet + 1 == frame.packets();
            header.padded = payload.padded;
            let header_len = extensions.header_len(packet == 0);
            let end = header_len + payload.data.len();
            if room <= 0.0 || !burst.takes(end + tag_len) {
                break;
            }
            let out = burst.room(end + tag_len);
            header.write(extensions, &mut out[..header_len]);
            out[header_len..end].copy_from_slice(payload.data);
            self.sealer.seal(self.video, out, header_len)?;
            burst.commit(end + tag_len);
            header.transport_sequence = header.transport_sequence.wrapping_add(1);
            room -= (end + tag_len) as f64;
            octets += payload.data.len();
        }
        let sent = burst.segments();
        if sent == 0 {
            return Ok(());
        }
        let origin = Origin { encoding, packet: first_packet.plus(begin as u64), timestamp_offset };
        let first = self.sent.next();
        self.sent.record(origin, sent as u64);
        self.spare.follow(first..self.sent.next(), now);
        self.position.sent(frame, timestamp, sent);
        self.reporter.packets += sent as u64;
        self.reporter.octets += octets as u64;
        self.count(burst, now);
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
            // Sound is small: most of it bears no extensions.
            let due = audio.dated.is_none_or(|dated| now.saturating_duration_since(dated) >= DATED_EVERY);
            let dates = audio.format.extensions.abs_capture_time.is_some();
            let first = (due && dates).then_some(kept.frame.captured.ntp);
            let extensions = if first.is_some() { audio.format.extensions } else { Extensions::default() };
            let header_len = extensions.header_len(first.is_some());
            let end = header_len + payload.len();
            let length = end + self.sealer.tag_len();
            let header = Header {
                payload_type: audio.format.payload_type,
                marker: false,
                padded: false,
                timestamp: kept.frame.timestamp.wrapping_add(audio.timestamp_offset),
                first,
                transport_sequence: 0,
                sent: None,
            };
            let room = burst.room(length);
            header.write(extensions, &mut room[..header_len]);
            room[header_len..end].copy_from_slice(payload);
            self.sealer.seal(audio.stream, room, header_len)?;
            burst.commit(length);
            audio.dated = first.map_or(audio.dated, |_| Some(now));
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
                    // Who asks for more than is usual pays for it out of the same purse.
                    if self.resend.is_flush() {
                        self.spare.follow(number..number + 1, now);
                    }
                }
                Repeated::Gone => self.resend.done(None, now),
                Repeated::NoRoom => break,
            }
        }
        self.count(burst, now);
        Ok(())
    }

    /// Sends copies of what may have been lost.
    fn send_spare(&mut self, rings: &Rings, now: Instant, burst: &mut Burst) -> Result<(), Error> {
        while let Some(number) = self.spare.next(now) {
            match self.repeat(number, rings, now, burst)? {
                Repeated::Sent(_) => self.counters.resent += 1,
                Repeated::Gone => {}
                Repeated::NoRoom => break,
            }
            self.spare.done(now);
        }
        // A path that has room for copies has it beside the picture, which does not wait for them.
        self.record(burst, now);
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
            transport_sequence: (self.estimator.departures.next() as u16).wrapping_add(burst.segments() as u16),
            sent: Some(ntp_at(frame.captured, now)),
        };
        let room = burst.room(length);
        header.write(self.format.extensions, &mut room[..header_len]);
        room[header_len..body].copy_from_slice(&(number as u16).to_be_bytes());
        room[body..body + payload.data.len()].copy_from_slice(payload.data);
        self.sealer.seal(stream, room, header_len)?;
        burst.commit(length);
        Ok(Repeated::Sent(length))
    }

    /// Everything that is in the burst leaves now.
    fn count(&mut self, burst: &Burst, now: Instant) {
        self.pace.spend(burst.bytes().len(), now);
        self.record(burst, now);
    }

    fn record(&mut self, burst: &Burst, now: Instant) {
        self.counters.packets += burst.segments() as u64;
        self.counters.bytes += burst.bytes().len() as u64;
        if self.format.extensions.transport_cc.is_some() {
            for (packets, length) in burst.lengths() {
                self.estimator.departures.record(packets, length, now);
            }
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
        self.count(burst, now);
        Ok(())
    }

    /// A sealed report for the viewer, if one is due.
    pub(crate) fn poll_report(&mut self, rings: &Rings, now: Instant) -> Result<Option<BytesMut>, Error> {
        if let Some(reference) = self.reference.take() {
            return self.seal_report(&round_trip(self.streams.video, reference)).map(Some);
        }
        let cname = &self.streams.cname;
        if self.reporter.due().is_some_and(|due| due <= now)
            && let Some(encoding) = self.position.plays()
            && let Some((captured, timestamp)) = self.position.instant(rings)
        {
            let rate = encoding.clock_rate();
            let report = self.reporter.report(self.streams.video, cname, captured, timestamp, rate, now);
            return self.seal_report(&report).map(Some);
        }
        if let Some(audio) = &mut self.audio
            && audio.reporter.due().is_some_and(|due| due <= now)
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
