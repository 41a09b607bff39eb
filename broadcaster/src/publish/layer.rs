//! One quality of a camera, or its sound, as a stream of RTP packets of its own.

use bytes::Bytes;
use rtc::rtp::{Header, Packet};

use crate::media::{Encoding, Frame};

/// Names of qualities, as media servers expect them of three: LiveKit knows no others.
const NAMES: [&str; 3] = ["q", "h", "f"];

pub(super) struct Layer {
    pub(super) encoding: Encoding,
    pub(super) ssrc: u32,
    /// Empty where there is only one.
    pub(super) name: &'static str,
    sequence: u16,
    timestamp_offset: u32,
    /// What comes before the next keyframe is of no use.
    waits: bool,
}

/// What the answer has agreed on.
#[derive(Clone, Default)]
pub(super) struct Marks {
    pub(super) payload_type: u8,
    /// With which each packet says which section it belongs to, and what that is called …
    pub(super) section: Option<(u8, Bytes)>,
    /// … and which quality it is.
    pub(super) quality: Option<u8>,
    /// When its picture was taken.
    pub(super) captured: Option<u8>,
}

impl Layer {
    /// One for each, best first, as qualities of one track.
    pub(super) fn all(encodings: &[Encoding]) -> Vec<Self> {
        let count = encodings.len().min(NAMES.len());
        let names = NAMES[..count].iter().rev();
        let named = encodings.iter().zip(names).map(|(encoding, name)| (*encoding, if count > 1 { *name } else { "" }));
        let offset = rand::random();
        named.map(|(encoding, name)| Self::new(encoding, name, offset)).collect()
    }

    /// `offset` is of its timestamps, the same for all that show the same.
    pub(super) fn new(encoding: Encoding, name: &'static str, offset: u32) -> Self {
        Self {
            encoding,
            ssrc: rand::random::<u32>() | 1,
            name,
            sequence: rand::random::<u16>() >> 1,
            timestamp_offset: offset,
            waits: encoding != Encoding::Audio,
        }
    }

    pub(super) fn packets<'a>(
        &'a mut self,
        frame: &'a Frame,
        marks: &'a Marks,
    ) -> impl Iterator<Item = Result<Packet, rtc::shared::error::Error>> {
        self.waits &= !frame.keyframe;
        let count = if self.waits { 0 } else { frame.packets() };
        (0..count).map(move |index| self.packet(frame, index, marks))
    }

    fn packet(&mut self, frame: &Frame, index: usize, marks: &Marks) -> Result<Packet, rtc::shared::error::Error> {
        let is_picture = self.encoding != Encoding::Audio;
        let mut header = Header {
            version: 2,
            marker: is_picture && index + 1 == frame.packets(),
            payload_type: marks.payload_type,
            sequence_number: self.sequence,
            timestamp: frame.timestamp.wrapping_add(self.timestamp_offset),
            ssrc: self.ssrc,
            ..Header::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        if let Some((id, name)) = &marks.section {
            header.set_extension(*id, name.clone())?;
        }
        if let Some(id) = marks.quality.filter(|_| !self.name.is_empty()) {
            header.set_extension(id, Bytes::from_static(self.name.as_bytes()))?;
        }
        if let Some(id) = marks.captured.filter(|_| index == 0) {
            header.set_extension(id, Bytes::copy_from_slice(&frame.captured.ntp.0.to_be_bytes()))?;
        }
        Ok(Packet { header, payload: frame.share(index) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::media::{AccessUnit, Moment, NtpTime, PacketSize, VideoCodec};

    fn video(rung: u8) -> Encoding {
        Encoding::Video { rung, codec: VideoCodec::H264 }
    }

    #[expect(clippy::disallowed_methods, reason = "an invented time")]
    fn frame(keyframe: bool) -> Frame {
        let mut data = vec![0, 0, 0, 1, 0x65];
        data.extend((0..4000).map(|number| (number % 250 + 1) as u8));
        let captured = Moment { media: Duration::from_millis(100), instant: Instant::now(), ntp: NtpTime(7) };
        video(0).packetise(&AccessUnit { data: data.into(), keyframe, captured }, PacketSize::on_wire(1200))
    }

    fn marks() -> Marks {
        let section = Some((1, Bytes::from_static(b"0")));
        Marks { payload_type: 102, section, quality: Some(2), captured: Some(3) }
    }

    #[test]
    fn qualities_are_named_from_the_lowest() {
        let names = |count: u8| {
            let layers = Layer::all(&(0..count).map(video).collect::<Vec<_>>());
            layers.iter().map(|layer| layer.name).collect::<Vec<_>>()
        };
        assert_eq!(names(1), [""]);
        assert_eq!(names(2), ["h", "q"]);
        assert_eq!(names(3), ["f", "h", "q"]);
    }

    #[test]
    fn a_stream_begins_with_a_keyframe_and_says_what_it_is() {
        let mut layer = Layer::all(&[video(0), video(1)]).remove(0);
        assert_eq!(layer.packets(&frame(false), &marks()).count(), 0);
        let (key, more) = (frame(true), frame(false));
        let sent: Result<Vec<Packet>, _> = layer.packets(&key, &marks()).collect();
        let sent = sent.expect("packets");
        assert_eq!(sent.len(), key.packets());
        let markers: Vec<bool> = sent.iter().map(|packet| packet.header.marker).collect();
        assert!(markers.iter().rev().skip(1).all(|marker| !marker) && markers.last() == Some(&true), "{markers:?}");
        for packet in &sent {
            let value = |id| packet.header.get_extension(id).map(|value| value.to_vec());
            assert_eq!((value(1), value(2)), (Some(b"0".to_vec()), Some(b"h".to_vec())));
        }
        assert_eq!(sent[0].header.get_extension(3).map(|value| value.to_vec()), Some(7_u64.to_be_bytes().to_vec()));
        let last = sent.last().map(|packet| packet.header.sequence_number).expect("some");
        let next = layer.packets(&more, &marks()).next().expect("it goes on").expect("a packet");
        assert_eq!(next.header.sequence_number, last.wrapping_add(1));
    }
}
