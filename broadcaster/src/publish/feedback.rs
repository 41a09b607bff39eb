//! Hears requests for keyframes among what comes back, which nobody else in the chain is for.

use std::{collections::VecDeque, time::Instant};

use rtc::{
    interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket},
    rtcp::payload_feedbacks::{full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication},
    shared::error::Error,
};
use sansio::Protocol;

/// Passes everything on as it is.
pub(super) struct Feedback<W> {
    wanted: W,
    read: VecDeque<TaggedPacket>,
    written: VecDeque<TaggedPacket>,
}

impl<W: FnMut(u32)> Feedback<W> {
    /// `wanted` is told of which stream.
    pub(super) fn new(wanted: W) -> Self {
        Self { wanted, read: VecDeque::new(), written: VecDeque::new() }
    }
}

impl<W: FnMut(u32) + Send + Sync> Protocol<TaggedPacket, TaggedPacket, ()> for Feedback<W> {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(said) = &packet.message.packet {
            for said in said {
                let said = said.as_any();
                if let Some(lost) = said.downcast_ref::<PictureLossIndication>() {
                    (self.wanted)(lost.media_ssrc);
                }
                for entry in said.downcast_ref::<FullIntraRequest>().into_iter().flat_map(|request| &request.fir) {
                    (self.wanted)(entry.ssrc);
                }
            }
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

impl<W: FnMut(u32) + Send + Sync> Interceptor for Feedback<W> {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
