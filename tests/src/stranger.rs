//! What somebody sends to a media port who belongs to none of its sessions.

use rtc::{
    shared::error::Error,
    stun::{
        attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType},
        integrity::MessageIntegrity,
        message::{BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId},
        textattrs::TextAttribute,
    },
};

const ICE_CONTROLLED: AttrType = AttrType(0x8029);
const ICE_CONTROLLING: AttrType = AttrType(0x802a);

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CLOSE_NOTIFY: [u8; 2] = [1, 0];
const HANDSHAKE_FAILURE: [u8; 2] = [2, 40];

/// Somebody who has seen a session's descriptions but for their passwords, and makes one forgery after another.
pub struct Stranger {
    name: String,
    step: usize,
}

impl Stranger {
    /// Forgeries before they come from another address, if they come in order.
    pub const KINDS: usize = 16;

    pub fn new(offer: &str, answer: &str) -> Self {
        let ufrag = |sdp: &str| sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:").map(str::to_owned));
        let (robot, viewer) = (ufrag(offer).unwrap_or_default(), ufrag(answer).unwrap_or_default());
        Self { name: format!("{robot}:{viewer}"), step: 0 }
    }

    fn username(&self) -> Box<dyn Setter> {
        Box::new(TextAttribute::new(ATTR_USERNAME, self.name.clone()))
    }

    pub fn forge(&mut self) -> Vec<u8> {
        let request = || -> Box<dyn Setter> { Box::new(BINDING_REQUEST) };
        let id = || -> Box<dyn Setter> { Box::new(TransactionId::new()) };
        let role = |role| -> Box<dyn Setter> { Box::new(Attribute(role, vec![0xff; 8])) };
        self.step += 1;
        match self.step % Self::KINDS {
            1 => record(ALERT, 0, 7, &CLOSE_NOTIFY),
            2 => record(ALERT, 0, 8, &HANDSHAKE_FAILURE),
            3 => stun(vec![request(), id(), self.username(), role(ICE_CONTROLLING)]),
            4 => stun(vec![request(), id(), self.username(), role(ICE_CONTROLLED)]),
            5 => stun(vec![request(), id(), self.username(), role(ICE_CONTROLLED), Box::new(Guess)]),
            6 => stun(vec![
                request(),
                id(),
                self.username(),
                Box::new(Attribute(ATTR_USE_CANDIDATE, vec![])),
                Box::new(Guess),
            ]),
            7 => stun(vec![Box::new(BINDING_SUCCESS), id()]),
            8 => stun(vec![Box::new(BINDING_SUCCESS), id(), Box::new(Guess)]),
            9 => stun(vec![Box::new(BINDING_ERROR), id()]),
            // Media and feedback, sealed as far as one can see.
            10 => [&[0x80, 102, 0, 1][..], &[7; 60]].concat(),
            11 => [&[0x81, 201, 0, 7][..], &[7; 60]].concat(),
            12 => record(CHANGE_CIPHER_SPEC, 0, 9, &[1]),
            13 => record(ALERT, 1, 9, &[7; 26]),
            14 => record(APPLICATION_DATA, 1, 10, &[7; 60]),
            15 => client_hello(),
            _ => (0..self.step % 90).map(|byte| (byte * 31 + self.step * 7) as u8).collect(),
        }
    }
}

struct Attribute(AttrType, Vec<u8>);

impl Setter for Attribute {
    fn add_to(&self, message: &mut Message) -> Result<(), Error> {
        message.add(self.0, &self.1);
        Ok(())
    }
}

/// Integrity with a password that is not the session's.
struct Guess;

impl Setter for Guess {
    fn add_to(&self, message: &mut Message) -> Result<(), Error> {
        let provider = rtc::crypto::default_provider().expect("the stack has one");
        MessageIntegrity::new_short_term_integrity_with_provider("guess".to_owned(), provider.crypto()).add_to(message)
    }
}

fn stun(setters: Vec<Box<dyn Setter>>) -> Vec<u8> {
    let mut message = Message::new();
    message.build(&setters).expect("its parts are sound");
    message.raw.clone()
}

/// A record of DTLS 1.2 (RFC 6347, section 4.1).
fn record(kind: u8, epoch: u8, number: u8, content: &[u8]) -> Vec<u8> {
    let [upper, lower] = (content.len() as u16).to_be_bytes();
    [&[kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, number, upper, lower], content].concat()
}

/// One that a server answers, if it listens to anybody.
fn client_hello() -> Vec<u8> {
    let body = [&[0xfe, 0xfd][..], &[9; 32], &[0, 0, 0, 2, 0xc0, 0x2b, 1, 0]].concat();
    let length = (body.len() as u16).to_be_bytes();
    record(HANDSHAKE, 0, 0, &[&[1, 0][..], &length, &[0, 0, 0, 0, 0], &length, &body].concat())
}
