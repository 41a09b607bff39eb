//! Keyframes on demand: hearing who wants one, and at most one per camera and half second, however many do.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rtc::{
    interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket},
    rtcp::payload_feedbacks::{full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication},
    sansio::Protocol,
    shared::error::Error,
};

/// A keyframe is many times as large as other pictures: everybody who waits shares one.
const INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(crate) struct KeyframeGate {
    last: Option<Instant>,
    wanted: bool,
}

impl KeyframeGate {
    /// Somebody cannot go on without a keyframe.
    pub(crate) fn want(&mut self) {
        self.wanted = true;
    }

    /// A keyframe has come: whoever asked before has what it wanted.
    pub(crate) fn seen(&mut self, now: Instant) {
        self.last = Some(now);
        self.wanted = false;
    }

    /// Whether to ask the encoder now.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.poll_timeout(now).is_some_and(|at| at <= now);
        if due {
            self.last = Some(now);
            self.wanted = false;
        }
        due
    }

    /// When the encoder may be asked, if somebody wants it.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.wanted.then(|| self.last.map_or(now, |last| last + INTERVAL))
    }
}

/// Lets viewers' keyframe requests, and no other feedback, through the stack to us.
///
/// It stands last in the chain, so that the interceptors before it have seen the feedback that is theirs.
#[derive(Default)]
pub(super) struct KeyframeRequests {
    incoming: VecDeque<TaggedPacket>,
    outgoing: VecDeque<TaggedPacket>,
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for KeyframeRequests {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(feedback) = &mut packet.message.packet {
            feedback.retain(|feedback| {
                let feedback = feedback.as_any();
                feedback.is::<PictureLossIndication>() || feedback.is::<FullIntraRequest>()
            });
            if feedback.is_empty() {
                return Ok(());
            }
            packet.message.add(Attribute::DeliverToApplication);
        }
        self.incoming.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.incoming.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.outgoing.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outgoing.pop_front()
    }
}

impl Interceptor for KeyframeRequests {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn the_first_wish_is_granted_at_once_and_the_next_half_a_second_later() {
        let (mut gate, t0) = (KeyframeGate::default(), start());
        assert!(!gate.take_due(t0), "nobody asked");
        gate.want();
        assert!(gate.take_due(t0));
        gate.want();
        gate.want();
        let later = t0 + Duration::from_millis(499);
        assert!(!gate.take_due(later));
        assert_eq!(gate.poll_timeout(later), Some(t0 + INTERVAL));
        assert!(gate.take_due(t0 + INTERVAL));
        assert_eq!(gate.poll_timeout(t0 + INTERVAL), None, "one keyframe serves both wishes");
    }

    #[test]
    fn a_keyframe_that_came_by_itself_counts() {
        let (mut gate, t0) = (KeyframeGate::default(), start());
        gate.want();
        gate.seen(t0);
        assert!(!gate.take_due(t0));
    }
}
