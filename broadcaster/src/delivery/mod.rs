//! What one viewer gets: its place in the shared rings, its cipher and its counters. Pure: no socket, no task, no clock.
//!
//! The packets are in the rings and the path is the transport's. What is decided here is which of them go out next, under
//! which number, how fast, and of which quality.

mod burst;
mod departures;
mod estimate;
mod feedback;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod history;
mod ladder;
mod pace;
mod packet;
mod position;
mod report;
mod resend;
mod sending;
mod sent;
mod spare;
mod stragglers;
#[cfg(test)]
mod tests;
mod train;

use std::time::Instant;

use protocol::Want;
use rtc_crypto::RTCCrypto;
use rtc_shared::error::Error;
use rtc_srtp::context::Context;

use crate::{
    media::{Encoding, FrameNumber, Rings, VideoCodec},
    srtp::{Keys, Sealer, StreamId},
};
pub(crate) use burst::Burst;
pub(crate) use estimate::Estimate;
use estimate::Estimator;
use feedback::{Feedback, Reader, Reference};
use ladder::{EMPTY, Ladder, Turn};
use pace::Pace;
pub(crate) use packet::{ExtensionId, Extensions, id};
use position::Position;
use report::Reporter;
use resend::Resend;
use sent::Sent;
use spare::{Spare, Verdict};

/// What offer and answer have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) codec: VideoCodec,
    pub(crate) payload_type: u8,
    /// For retransmissions, where the viewer takes them.
    pub(crate) repair: Option<u8>,
    pub(crate) audio: Option<AudioFormat>,
    /// With the picture.
    pub(crate) extensions: Extensions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AudioFormat {
    pub(crate) payload_type: u8,
    /// With the sound.
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
    pub(crate) qualities: Qualities,
    pub(crate) bounds: Bounds,
}

/// Which of the qualities a viewer may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// What it asked for.
    pub(crate) want: Want,
    /// The best that the robot's uplink has room for.
    pub(crate) allowed: usize,
}

/// At how little of its bitrate the lowest quality still shows something …
const FLOOR: f64 = 0.4;
/// … and at how many bits per second.
const MIN_BITRATE: f64 = 100_000.0;

/// What a camera is offered at.
#[derive(Clone, Debug)]
pub(crate) struct Qualities {
    /// Bits per second, best first.
    rungs: Vec<f64>,
    /// The lowest may be encoded at as little as this.
    floor: f64,
}

impl Qualities {
    /// `adjusts`: the lowest may be encoded at less than its bitrate.
    pub(crate) fn new(rungs: Vec<f64>, adjusts: bool) -> Self {
        let lowest = rungs.last().copied().unwrap_or_default();
        let floor = if adjusts { (FLOOR * lowest).max(MIN_BITRATE).min(lowest) } else { lowest };
        Self { rungs, floor }
    }

    /// The place of the lowest.
    pub(crate) fn lowest(&self) -> usize {
        self.rungs.len().saturating_sub(1)
    }
}

/// Encodings that have to run for one viewer: what it sees, what it is to see, and what it hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    encodings: [Option<Encoding>; 3],
    /// How much it can take of one of them.
    limit: Option<(Encoding, u32)>,
}

impl Watched {
    pub(crate) fn only(encoding: Encoding) -> Self {
        Self { encodings: [Some(encoding), None, None], limit: None }
    }

    pub(crate) fn contains(&self, encoding: Encoding) -> bool {
        self.encodings.contains(&Some(encoding))
    }

    /// The bits per second that it can take of an encoding; none is all of it.
    pub(crate) fn limit(&self, encoding: Encoding) -> Option<u32> {
        self.limit.filter(|(limited, _)| *limited == encoding).map(|(_, limit)| limit)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Encoding> {
        self.encodings.into_iter().flatten()
    }
}

/// What went out and came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) resent: u64,
    pub(crate) keyframes_asked: u64,
    pub(crate) feedback_dropped: u64,
}

impl Counters {
    /// Of both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            packets: self.packets + other.packets,
            bytes: self.bytes + other.bytes,
            resent: self.resent + other.resent,
            keyframes_asked: self.keyframes_asked + other.keyframes_asked,
            feedback_dropped: self.feedback_dropped + other.feedback_dropped,
        }
    }
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
    spare: Spare,
    pace: Pace,
    estimator: Estimator,
    ladder: Ladder,
    reporter: Reporter,
    /// What the viewer is to get back at once.
    reference: Option<Reference>,
    load: Option<Load>,
    counters: Counters,
    /// The encoding whose keyframe the viewer needs.
    wanted: Option<Encoding>,
    /// What its path carried, when that was too little.
    squeezed: Option<f64>,
}

/// Traffic for the sake of it.
struct Load {
    due: Instant,
    /// Bytes that should have left by now.
    owed: f64,
}

struct Audio {
    stream: StreamId,
    format: AudioFormat,
    timestamp_offset: u32,
    next: FrameNumber,
    /// When the viewer was last told the instant of capture.
    dated: Option<Instant>,
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
        let Terms { format, streams, qualities, bounds } = terms;
        let ciphers = keys.into_ciphers(crypto)?;
        let mut sealer = ciphers.media;
        // Low enough that the rollover counter's start cannot be mistaken (RFC 3711, section 3.3.1).
        let first_sequence = rand::random::<u16>() >> 1;
        let video = sealer.open(streams.video, first_sequence);
        let repair = format.repair.map(|_| sealer.open(streams.repair, rand::random::<u16>() >> 1));
        let audio = format.audio.filter(|_| rings.has(Encoding::Audio)).map(|format| Audio {
            stream: sealer.open(streams.audio, rand::random::<u16>() >> 1),
            format,
            timestamp_offset: rand::random(),
            dated: None,
            next: rings.get(Encoding::Audio).next(),
            reporter: Reporter::new(now),
        });
        let estimator = Estimator::new();
        let pace = Pace::new(estimator.estimate().bitrate, now);
        let probing = repair.is_some() && format.extensions.transport_cc.is_some();
        let mut delivery = Self {
            ladder: Ladder::new(qualities, bounds, probing, now),
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
            spare: Spare::new(now),
            pace,
            estimator,
            reporter: Reporter::new(now),
            reference: None,
            load: None,
            counters: Counters::default(),
            wanted: None,
            squeezed: None,
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

    /// The quality that it is sent.
    pub(crate) fn rung(&self) -> Option<u8> {
        match self.position.plays()? {
            Encoding::Video { rung, .. } => Some(rung),
            Encoding::Audio => None,
        }
    }

    /// The place of the quality that it is to be sent.
    pub(crate) fn gets(&self) -> usize {
        self.ladder.current()
    }

    /// The encodings that have to run for this viewer.
    pub(crate) fn watches(&self) -> Watched {
        Watched {
            encodings: [self.position.plays(), self.position.awaits(), self.audio.as_ref().map(|_| Encoding::Audio)],
            limit: self.ladder.limit().map(|limit| (self.quality(self.ladder.current()), limit as u32)),
        }
    }

    /// The encoding whose keyframe the viewer cannot go on without, once.
    pub(crate) fn take_wanted(&mut self) -> Option<Encoding> {
        self.wanted.take()
    }

    /// The bits per second that the path carried when that was too little, once.
    pub(crate) fn take_squeezed(&mut self) -> Option<f64> {
        self.squeezed.take()
    }

    /// The viewer asks for a quality, or for whatever its path carries; or it may have more or less than before.
    pub(crate) fn bound(&mut self, bounds: Bounds, rings: &Rings, now: Instant) {
        self.ladder.bound(bounds, now);
        self.follow_ladder(rings, now);
    }

    fn quality(&self, rung: usize) -> Encoding {
        let rung = u8::try_from(rung).expect("a handful of rungs");
        Encoding::Video { rung, codec: self.format.codec }
    }

    fn follow_ladder(&mut self, rings: &Rings, now: Instant) {
        let encoding = self.quality(self.ladder.current());
        if self.position.play(encoding, rings, now) {
            self.wanted = Some(encoding);
        }
    }

    /// Takes a sealed control packet from the viewer. Returns whether it was the viewer's, as far as it was opened.
    pub(crate) fn handle_feedback(&mut self, data: &[u8], rings: &Rings, now: Instant) -> bool {
        let said = self.feedback.read(data, now);
        for feedback in said.iter() {
            match feedback {
                Feedback::KeyframeWanted => {
                    self.counters.keyframes_asked += 1;
                    self.wanted = self.position.awaits().or(self.position.plays()).or(self.wanted);
                }
                // A viewer without a stream for repetitions asks in vain: a number that was sealed is not sealed again.
                Feedback::Missing(missing) if missing.ssrc() == self.streams.video && self.repair.is_some() => {
                    let round_trip = self.estimate().round_trip;
                    // Where requests get lost as well, one that follows soon is not one too many.
                    let round_trip = if self.spare.is_needed() { round_trip.map(|time| time / 2) } else { round_trip };
                    for number in missing.sequences().filter_map(|sequence| self.sent.number(sequence)) {
                        self.resend.ask(number, round_trip, now);
                    }
                }
                Feedback::Missing(_) | Feedback::Nothing => {}
                Feedback::Arrivals(arrivals) => {
                    if !self.estimator.estimate().reported && arrivals.base_sequence_number != 0 {
                        // It came to have its keys only after the first packets: without them it can decode nothing.
                        self.wanted = self.position.awaits().or(self.position.plays());
                    }
                    self.estimator.handle(arrivals, now);
                    self.judge(rings, now);
                }
                Feedback::RoundTripWanted(reference) => self.reference = Some(reference),
                Feedback::Reception(reports) => {
                    for report in reports {
                        self.handle_reception(report, rings, now);
                    }
                }
            }
        }
        !said.is_empty()
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
        if self.repair.is_some() {
            match self.spare.judge(&estimate, self.ladder.bitrate(), self.ladder.limit().is_some(), now) {
                Verdict::GoesOn => {}
                Verdict::Queues => tracing::debug!(?estimate, "no copies: there is a queue"),
                Verdict::Loses => {
                    tracing::debug!(?estimate, "no copies: more is lost with them");
                    self.ladder.recover(now);
                }
            }
        }
        let lowest = rings.bitrate(self.quality(self.ladder.lowest()));
        self.ladder.lowest_is_encoded_at(lowest.map(f64::from));
        let Some(turn) = self.ladder.update(&estimate, passage, now) else { return };
        tracing::debug!(rung = self.ladder.current(), ?turn, ?estimate, "quality changes");
        match turn {
            Turn::Up => {
                self.estimator.believe(estimate.bitrate.max(self.ladder.shown()));
                self.spare.begin_anew(self.ladder.shown(), now);
            }
            Turn::Down | Turn::Pause => {
                self.squeezed = estimate.carried.or(estimate.received);
                if estimate.queue.max(estimate.swell) > EMPTY {
                    self.spare.is_full(&estimate, self.ladder.bitrate(), now);
                }
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
        self.pace.set(self.estimate().bitrate.max(self.ladder.bitrate()), now);
    }

    /// Sends nothing more of what was playing, nor of what it has lost: the next packet is a keyframe's.
    fn cut(&mut self, rings: &Rings) {
        self.position.stop(rings);
        self.resend.forget(self.sent.next());
        self.spare.forget();
    }

    /// The viewer had no path, and has one again, perhaps another: what was sent meanwhile it never got, and to find that out
    /// takes it seconds.
    pub(crate) fn begin_anew(&mut self, rings: &Rings, now: Instant) {
        self.cut(rings);
        self.estimator.restart(true, now);
        self.wanted = self.position.renew(rings, now).or(self.wanted);
    }

    pub(crate) fn handle_timeout(&mut self, rings: &Rings, now: Instant) {
        if self.ladder.poll_timeout().is_some_and(|at| at <= now) {
            self.judge(rings, now);
        }
    }

    pub(crate) fn poll_timeout(&self, rings: &Rings) -> Option<Instant> {
        let has_packets = self.position.has_packets(rings);
        let paced = has_packets.then(|| self.pace.reopens());
        let reports = self.position.plays().and_then(|_| self.reporter.due());
        let sound = self.audio.as_ref().and_then(|audio| audio.reporter.due());
        let load = self.load.as_ref().map(|load| load.due);
        [self.ladder.poll_timeout(), paced, self.spare.due(), reports, sound, load].into_iter().flatten().min()
    }
}
