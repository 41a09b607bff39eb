//! What a viewer hears of the streams' clocks.

use std::{collections::VecDeque, time::Instant};

use rtc::{
    interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket},
    rtcp::sender_report::SenderReport,
    sansio::Protocol,
    shared::error::Error,
};

/// One stream's clock, and the wall's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    pub(super) ssrc: u32,
    pub(super) ntp: u64,
    pub(super) rtp: u32,
}

impl Report {
    #[expect(clippy::borrowed_box, reason = "as the stack has it")]
    pub(super) fn of(packet: &Box<dyn rtc::rtcp::Packet>) -> Option<Self> {
        let report = packet.as_any().downcast_ref::<SenderReport>()?;
        Some(Self { ssrc: report.ssrc, ntp: report.ntp_time, rtp: report.rtp_time })
    }
}

/// Has the stack pass on what senders report, which it keeps to itself otherwise.
#[derive(Default)]
pub(super) struct Ear {
    read: VecDeque<TaggedPacket>,
    written: VecDeque<TaggedPacket>,
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Ear {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        if matches!(packet.message.packet, Packet::Rtcp(_)) {
            packet.message.add(Attribute::DeliverToApplication);
        }
        self.read.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.written.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.written.pop_front()
    }
}

impl Interceptor for Ear {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
