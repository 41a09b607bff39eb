//! What strangers send to the media port, at every step of a session's life.

use bytes::BytesMut;
use rtc_shared::error::Error;
use rtc_stun::{
    attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME},
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId},
    textattrs::TextAttribute,
};

use super::{
    stage::{ROBOT, Stage, VIEWER, Viewer, address, video},
    *,
};

/// A stranger who has seen the session's descriptions but for their passwords.
struct Stranger {
    name: String,
    step: usize,
}

const ICE_CONTROLLING: u16 = 0x802a;
const ICE_CONTROLLED: u16 = 0x8029;

struct RoleConflict(u16);

impl Setter for RoleConflict {
    fn add_to(&self, message: &mut Message) -> Result<(), Error> {
        message.add(rtc_stun::attributes::AttrType(self.0), &[0xff; 8]);
        Ok(())
    }
}

struct Nominate;

impl Setter for Nominate {
    fn add_to(&self, message: &mut Message) -> Result<(), Error> {
        message.add(ATTR_USE_CANDIDATE, &[]);
        Ok(())
    }
}

/// Integrity with a password that is not the session's.
struct Guess;

impl Setter for Guess {
    fn add_to(&self, message: &mut Message) -> Result<(), Error> {
        let provider = rtc_crypto::default_provider().expect("a provider");
        MessageIntegrity::new_short_term_integrity_with_provider("guess".to_owned(), provider.crypto()).add_to(message)
    }
}

fn stun(setters: Vec<Box<dyn Setter>>) -> Vec<u8> {
    let mut message = Message::new();
    message.build(&setters).expect("a message");
    message.raw.clone()
}

impl Stranger {
    fn new(offer: &str, answer: &str) -> Self {
        let ufrag = |sdp: &str| sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:").map(str::to_owned));
        let (robot, viewer) = (ufrag(offer).expect("a name"), ufrag(answer).expect("a name"));
        Self { name: format!("{robot}:{viewer}"), step: 0 }
    }

    fn username(&self) -> Box<dyn Setter> {
        Box::new(TextAttribute::new(ATTR_USERNAME, self.name.clone()))
    }

    fn forge(&mut self) -> Vec<u8> {
        let request = || -> Box<dyn Setter> { Box::new(BINDING_REQUEST) };
        let id = || -> Box<dyn Setter> { Box::new(TransactionId::new()) };
        self.step += 1;
        match self.step % 12 {
            // A warning that the connection closes, and a fatal one, before there are keys.
            1 => vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 7, 0, 2, 1, 0],
            2 => vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 8, 0, 2, 2, 40],
            3 => stun(vec![request(), id(), self.username(), Box::new(RoleConflict(ICE_CONTROLLING))]),
            4 => stun(vec![request(), id(), self.username(), Box::new(RoleConflict(ICE_CONTROLLED))]),
            5 => stun(vec![request(), id(), self.username(), Box::new(Nominate), Box::new(Guess)]),
            6 => stun(vec![Box::new(BINDING_SUCCESS), id()]),
            7 => stun(vec![Box::new(BINDING_SUCCESS), id(), Box::new(Guess)]),
            8 => stun(vec![Box::new(rtc_stun::message::BINDING_ERROR), id()]),
            // Sealed media and control packets, as far as one can see.
            9 => [&[0x80, 102, 0, 1][..], &[7; 60]].concat(),
            10 => [&[0x81, 201, 0, 7][..], &[7; 60]].concat(),
            11 => client_hello(),
            _ => (0..self.step % 90).map(|byte| (byte * 31 + self.step * 7) as u8).collect(),
        }
    }

    fn attack(&mut self, stage: &mut Stage, packets: usize) {
        for _ in 0..packets {
            // From each of some addresses, everything in a row.
            let from = address(&format!("10.0.9.9:{}", 1000 + self.step / 12 % 50));
            let data = BytesMut::from(&self.forge()[..]);
            stage.receive(Datagram { data, from, to: address(ROBOT) });
        }
    }
}

fn client_hello() -> Vec<u8> {
    let body = [&[0xfe, 0xfd][..], &[9; 32], &[0, 0, 0, 2, 0xc0, 0x2b, 1, 0]].concat();
    let length = (body.len() as u16).to_be_bytes();
    let handshake = [&[1, 0][..], &length, &[0, 0, 0, 0, 0], &length, &body].concat();
    let record = (handshake.len() as u16).to_be_bytes();
    [&[22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0][..], &record, &handshake].concat()
}

#[test]
fn strangers_keep_nobody_from_joining_and_end_nothing() {
    for _ in 0..20 {
        let mut stage = Stage::new();
        let offer = stage.offered();
        let (mut viewer, sdp) = Viewer::new(&offer, stage.now);
        let mut stranger = Stranger::new(&offer, &sdp);
        stranger.attack(&mut stage, 50);
        stage.answer(&sdp);
        let begun = stage.now;
        while !stage.session.is_live() {
            stranger.attack(&mut stage, 24);
            stage.deliver(&mut viewer);
            stage.pass(Duration::from_millis(5), &mut viewer);
            assert!(stage.now < begun + Duration::from_millis(300), "joining takes longer");
        }
        for tick in 0..50 {
            stage.capture(video(0), 3000, tick == 0);
            stranger.attack(&mut stage, 24);
            stage.deliver(&mut viewer);
            stage.pass(Duration::from_millis(20), &mut viewer);
        }
        assert_eq!(viewer.packets.len(), 150);
        assert!(stage.session.is_live());
        let path = stage.session.transport.path().expect("a path");
        assert_eq!((path.local, path.remote), (address(ROBOT), address(VIEWER)));
    }
}
