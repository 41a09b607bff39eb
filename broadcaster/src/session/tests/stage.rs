//! A session on a stage: a real receiving peer connection on the other side, invented time and no network.

use std::net::SocketAddr;

use bytes::Bytes;
use protocol::{Candidate, Description, DescriptionKind, Notice, Sdp, Wishes};
use rtc::sansio::Protocol;

use super::super::*;
pub(super) use super::viewer::{Abilities, Viewer};
use crate::media::{AccessUnit, Moment, NtpTime, PacketSize};

pub(super) const ROBOT: &str = "10.0.0.1:8190";
pub(super) const VIEWER: &str = "10.0.0.2:50000";

/// Its payload type in our offers.
pub(super) const H264: u8 = 102;

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
fn start() -> Instant {
    Instant::now()
}

/// Everything that a session needs around it.
pub(super) struct Stage {
    pub(super) session: Session,
    pub(super) rings: Rings,
    pub(super) addresses: Addresses,
    pub(super) now: Instant,
    began: Instant,
    burst: Burst,
}

pub(super) fn video(rung: u8) -> Encoding {
    Encoding::Video { rung, codec: VideoCodec::H264 }
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with_rungs(&[3e6])
    }

    pub(super) fn with_rungs(bitrates: &[f64]) -> Self {
        Self::with(bitrates, None, false)
    }

    pub(super) fn with_sound(bitrates: &[f64]) -> Self {
        Self::with(bitrates, Some(Encoding::Audio), false)
    }

    /// Of a robot that says how it leans.
    pub(super) fn leaning() -> Self {
        Self::with(&[3e6], Some(Encoding::Audio), true)
    }

    fn with(bitrates: &[f64], sound: Option<Encoding>, leans: bool) -> Self {
        let now = start();
        let identity = Identity::generate().expect("an identity");
        let rings = Rings::new((0..bitrates.len()).map(|rung| video(rung as u8)).chain(sound));
        let addresses = Addresses { local: vec![Local::Host(address(ROBOT))], reflexive: Vec::new() };
        let invitation = Invitation {
            id: "s1".parse().expect("id"),
            viewer: "v1".parse().expect("id"),
            wishes: Wishes { attitude: true, ..Wishes::default() },
            leans,
            renegotiates: true,
            qualities: Qualities::new(bitrates.to_vec(), true),
            allowed: 0,
            addresses: &addresses,
        };
        let session = Session::open(invitation, &identity, &rings, now).expect("an offer");
        Self { session, rings, addresses, now, began: now, burst: Burst::new(64) }
    }

    /// A session that has shown pictures can be sent to its viewer.
    pub(super) fn connected() -> (Self, Viewer) {
        Self::with_rungs(&[3e6]).connect()
    }

    pub(super) fn connect(self) -> (Self, Viewer) {
        self.connect_with(Abilities::ALL)
    }

    pub(super) fn connect_with(mut self, abilities: Abilities) -> (Self, Viewer) {
        let (mut viewer, sdp) = Viewer::able(abilities, &self.offered(), self.now);
        self.answer(&sdp);
        self.exchange(&mut viewer, |event, _| matches!(event, SessionEvent::Connected));
        (self, viewer)
    }

    pub(super) fn said(&mut self) -> ToServer {
        std::iter::from_fn(|| self.session.poll_event())
            .find_map(|event| match event {
                SessionEvent::Say(message) => Some(message),
                SessionEvent::Named(_)
                | SessionEvent::Proven(_)
                | SessionEvent::Name(_)
                | SessionEvent::Peer(_)
                | SessionEvent::Connected
                | SessionEvent::Listens
                | SessionEvent::Ended(_) => None,
            })
            .expect("a message")
    }

    pub(super) fn offered(&mut self) -> String {
        let ToServer::Offer { description: Some(description), about, .. } = self.said() else {
            panic!("the first message is an offer");
        };
        assert_eq!(about.map(|about| about.session), Some("s1".parse().expect("id")));
        description.sdp.into_string()
    }

    pub(super) fn answer(&mut self, sdp: &str) {
        let sdp = Sdp::try_from(sdp.to_owned()).expect("an SDP");
        let description = Description { kind: DescriptionKind::Answer, sdp };
        self.session.handle_answer(description, &self.addresses, &self.rings, self.now);
    }

    pub(super) fn candidate(&mut self, candidate: Candidate) {
        self.session.handle_candidate(candidate, &self.rings, self.now);
    }

    pub(super) fn ending(&mut self) -> (Option<Notice>, SessionEnd) {
        let mut told = None;
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Say(ToServer::Notice { notice, .. }) => told = Some(notice),
                SessionEvent::Ended(end) => return (told, end),
                SessionEvent::Say(_)
                | SessionEvent::Named(_)
                | SessionEvent::Proven(_)
                | SessionEvent::Name(_)
                | SessionEvent::Peer(_)
                | SessionEvent::Connected
                | SessionEvent::Listens => {}
            }
        }
        panic!("it has not ended");
    }

    /// Puts a picture of so many bytes into a ring.
    pub(super) fn capture(&mut self, encoding: Encoding, length: usize, keyframe: bool) {
        self.capture_filled(encoding, length, keyframe, [0x77; 2]);
    }

    /// The picture's bytes repeat the filling, by which a receiver knows it again.
    pub(super) fn capture_filled(&mut self, encoding: Encoding, length: usize, keyframe: bool, filling: [u8; 2]) {
        self.capture_before(Duration::ZERO, encoding, length, keyframe, filling);
    }

    /// What leaves an encoder now that takes so long was captured then.
    pub(super) fn captured_before(&self, encoding_takes: Duration) -> Moment {
        // The pipeline started a second before the first viewer came.
        let media = self.now - self.began + Duration::from_secs(1) - encoding_takes;
        Moment { media, instant: self.now - encoding_takes, ntp: NtpTime(1 << 40).after(media) }
    }

    pub(super) fn capture_before(
        &mut self,
        encoding_takes: Duration,
        encoding: Encoding,
        length: usize,
        keyframe: bool,
        filling: [u8; 2],
    ) {
        let captured = self.captured_before(encoding_takes);
        let mut data = vec![0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }];
        data.extend(filling.iter().cycle().take(length - 1));
        let unit = AccessUnit { data: Bytes::from(data), keyframe, captured };
        let frame = encoding.packetise(&unit, PacketSize::on_wire(1200));
        self.rings.get_mut(encoding).expect("a ring").push(frame.into(), self.now);
    }

    /// Everything that the session wants sent now, packet by packet.
    pub(super) fn sent(&mut self) -> Vec<Datagram> {
        let mut sent = Vec::new();
        while let Some(datagram) = self.session.poll_transmit(&self.rings, self.now) {
            sent.push(datagram);
        }
        while let Some(path) = self.session.poll_media(&self.rings, self.now, &mut self.burst) {
            sent.extend(self.burst.packets().map(|packet| Datagram {
                data: packet.into(),
                from: path.local,
                to: path.remote,
            }));
        }
        sent
    }

    pub(super) fn receive(&mut self, datagram: Datagram) {
        self.session.handle_datagram(datagram, &self.addresses, &self.rings, self.now);
    }

    pub(super) fn handle_timeout(&mut self) {
        self.session.handle_timeout(&self.addresses, &self.rings, self.now);
    }

    /// What is sent now reaches the viewer, and its answers come back.
    pub(super) fn deliver(&mut self, viewer: &mut Viewer) {
        for datagram in self.sent() {
            viewer.take(datagram, self.now);
        }
        while let Some(datagram) = viewer.says() {
            self.receive(datagram);
        }
    }

    pub(super) fn pass(&mut self, time: Duration, viewer: &mut Viewer) {
        self.now += time;
        self.handle_timeout();
        viewer.connection.handle_timeout(self.now).expect("time passes");
    }

    /// Lets both ends talk over a perfect network until `done` or ten invented seconds are over.
    pub(super) fn exchange(&mut self, viewer: &mut Viewer, mut done: impl FnMut(&SessionEvent, &Viewer) -> bool) {
        let until = self.now + Duration::from_secs(10);
        while self.now < until {
            self.deliver(viewer);
            while let Some(event) = self.session.poll_event() {
                if done(&event, viewer) {
                    return;
                }
            }
            self.pass(Duration::from_millis(5), viewer);
        }
        panic!("it did not come to pass within ten seconds");
    }
}
