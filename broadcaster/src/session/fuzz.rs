//! What `make fuzz` reaches of one viewer's session.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use protocol::{Candidate, Description, DescriptionKind, Sdp, ToServer, Wishes};

use super::{Addresses, Invitation, Session, SessionEvent, answer, channel::Channel, offer::Offer, reply};
use crate::{
    delivery::{Burst, Qualities},
    media::{AccessUnit, Encoding, Moment, NtpTime, PacketSize, Rings, VideoCodec},
    transport::{
        Datagram, Local,
        fuzz::{Shared, shown},
    },
};

/// What an answer amounts to.
#[derive(Debug)]
pub struct Answered {
    pub ufrag: String,
    pub fingerprints: usize,
    pub candidates: Vec<String>,
    /// Of the picture, of its repetitions, of sound.
    pub payload_types: [Option<u8>; 3],
}

/// Reads an answer to an offer of all that there is.
pub fn answered(sdp: &str) -> Result<Answered, String> {
    let codecs = [VideoCodec::H264, VideoCodec::Vp8];
    let rings = Rings::new(codecs.map(|codec| Encoding::Video { rung: 0, codec }).into_iter().chain([Encoding::Audio]));
    let offer = Offer::new(&rings, |_| true, true);
    let answer = answer::parse(sdp, &offer).map_err(|error| error.to_string())?;
    let format = answer.format;
    Ok(Answered {
        ufrag: answer.remote.ufrag,
        fingerprints: answer.remote.fingerprints.len(),
        candidates: answer.candidates,
        payload_types: [Some(format.payload_type), format.repair, format.audio.map(|audio| audio.payload_type)],
    })
}

/// Answers an offer of a player's with all that there is: what it is answered, if that can be said.
pub fn replied(sdp: &str) -> Result<String, String> {
    let codecs = [VideoCodec::H264, VideoCodec::Vp8];
    let rings = Rings::new(codecs.map(|codec| Encoding::Video { rung: 0, codec }).into_iter().chain([Encoding::Audio]));
    let ours = Offer::new(&rings, |_| true, false);
    let offered = reply::parse(sdp, &ours).map_err(|error| error.to_string())?;
    let (credentials, fingerprint) = shown();
    Ok(offered.answer(&ours, &credentials, &fingerprint, &[]))
}

/// A viewer's data channel, as DTLS brings it.
pub struct Line {
    channel: Channel,
    now: Instant,
}

impl Line {
    pub fn new(now: Instant) -> Self {
        Self { channel: Channel::new(), now }
    }

    /// Takes a packet of SCTP. Whether the viewer listens from now on.
    pub fn hear(&mut self, packet: &[u8]) -> bool {
        self.channel.handle(BytesMut::from(packet), self.now)
    }

    pub fn is_open(&self) -> bool {
        self.channel.is_open()
    }

    /// False: the stack would not take it.
    pub fn tell(&mut self, message: &'static [u8]) -> bool {
        self.channel.tell(&Bytes::from_static(message), self.now).is_ok()
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.channel.handle_timeout(self.now);
    }

    /// When it wants to be woken, if not at once.
    pub fn sleeps(&self) -> Option<Duration> {
        self.channel.poll_timeout().map(|at| at.saturating_duration_since(self.now))
    }

    /// What is to be sent.
    pub fn take(&mut self) -> Vec<Bytes> {
        std::iter::from_fn(|| self.channel.poll_transmit()).collect()
    }
}

/// One viewer's whole session.
pub struct Visit {
    session: Session,
    rings: Rings,
    addresses: Addresses,
    burst: Burst,
    began: Instant,
    now: Instant,
    /// The name and the password that the offer gives.
    pub credentials: (String, String),
}

/// What a session has made of it all.
#[derive(Debug, Default)]
pub struct Outcome {
    pub sent: Vec<(SocketAddr, Vec<u8>)>,
    /// Addresses that it may write to.
    pub peers: Vec<SocketAddr>,
    pub names: Vec<String>,
    pub has_ended: bool,
}

const ROBOT: ([u8; 4], u16) = ([10, 0, 0, 1], 8190);
const ELSEWHERE: ([u8; 4], u16) = ([10, 0, 0, 9], 8190);
const VIDEO: Encoding = Encoding::Video { rung: 0, codec: VideoCodec::H264 };

impl Visit {
    pub fn new(shared: &Shared, now: Instant) -> Self {
        let rings = Rings::new([VIDEO, Encoding::Audio]);
        let addresses = Addresses { local: vec![Local::Host(ROBOT.into())], reflexive: Vec::new() };
        let invitation = Invitation {
            id: "s1".parse().expect("an id"),
            viewer: "v1".parse().expect("an id"),
            wishes: Wishes { attitude: true, ..Wishes::default() },
            leans: true,
            renegotiates: true,
            qualities: Qualities::new(vec![3e6], true),
            allowed: 0,
            addresses: &addresses,
        };
        let mut session = Session::open(invitation, &shared.0, &rings, now).expect("an offer");
        let offer = std::iter::from_fn(|| session.poll_event()).find_map(|event| {
            if let SessionEvent::Say(ToServer::Offer { description, .. }) = event { description } else { None }
        });
        let offer = offer.expect("there is an offer").sdp.into_string();
        let line = |key: &str| offer.lines().find_map(|line| line.strip_prefix(key)).expect("a line").to_owned();
        let credentials = (line("a=ice-ufrag:"), line("a=ice-pwd:"));
        Self { session, rings, addresses, burst: Burst::new(64), began: now, now, credentials }
    }

    pub fn answer(&mut self, sdp: Sdp) {
        let answer = Description { kind: DescriptionKind::Answer, sdp };
        self.session.handle_answer(answer, &self.addresses, &self.rings, self.now);
    }

    pub fn candidate(&mut self, candidate: Candidate) {
        self.session.handle_candidate(candidate, &self.rings, self.now);
    }

    pub fn resolved(&mut self, name: &str, address: SocketAddr) {
        self.session.resolved(name, address.ip(), &self.rings, self.now);
    }

    /// The robot has these of its two addresses from now on, perhaps none.
    pub fn relocate(&mut self, home: bool, elsewhere: bool) {
        let local = [(home, ROBOT), (elsewhere, ELSEWHERE)].into_iter().filter(|(has, _)| *has);
        let local = local.map(|(_, address)| Local::Host(address.into())).collect();
        self.addresses = Addresses { local, reflexive: Vec::new() };
        self.session.relocate(&self.addresses, &[], self.now);
    }

    /// The viewer asks for another path.
    pub fn restart(&mut self) {
        let wishes = Wishes { restart: true, ..Wishes::default() };
        let viewer = "v1".parse().expect("an id");
        self.session.resume(viewer, wishes, &self.addresses, &self.rings, self.now);
    }

    pub fn receive(&mut self, data: &[u8], from: SocketAddr) {
        let datagram = Datagram { data: BytesMut::from(data), from, to: ROBOT.into() };
        self.session.handle_datagram(datagram, &self.addresses, &self.rings, self.now);
    }

    pub fn capture(&mut self, bytes: usize) {
        let media = self.now - self.began;
        let captured = Moment { media, instant: self.now, ntp: NtpTime(1 << 40).after(media) };
        let data = [&[0, 0, 0, 1, 0x65][..], &vec![7; bytes]].concat();
        let unit = AccessUnit { data: data.into(), keyframe: true, captured };
        let frame = VIDEO.packetise(&unit, PacketSize::on_wire(1200));
        self.rings.get_mut(VIDEO).expect("a ring").push(frame.into(), self.now);
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.handle_timeout(&self.addresses, &self.rings, self.now);
    }

    /// When it wants to be woken, if not at once.
    pub fn sleeps(&mut self) -> Option<Duration> {
        self.session.poll_timeout(&self.rings).map(|at| at.saturating_duration_since(self.now))
    }

    /// What it wants sent and known.
    pub fn drain(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        while let Some(datagram) = self.session.poll_transmit(&self.rings, self.now) {
            outcome.sent.push((datagram.to, datagram.data.to_vec()));
        }
        while let Some(path) = self.session.poll_media(&self.rings, self.now, &mut self.burst) {
            outcome.sent.extend(self.burst.packets().map(|packet| (path.remote, packet.to_vec())));
        }
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Proven(address) | SessionEvent::Peer(address) => outcome.peers.push(address),
                SessionEvent::Name(name) => outcome.names.push(name),
                SessionEvent::Say(_) | SessionEvent::Named(_) | SessionEvent::Connected | SessionEvent::Listens => {}
                SessionEvent::Ended(_) => {}
            }
        }
        outcome.has_ended = self.session.is_over();
        outcome
    }
}
