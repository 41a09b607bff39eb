//! What STUN and TURN servers answer a robot: they may be anybody's, and what they say is no more than that.

use std::{net::SocketAddr, sync::LazyLock, time::Duration};

use broadcaster::fuzz::{
    reach::{Helped, Relayed},
    transport::Shared,
};

use crate::script::{Script, start};

static SHARED: LazyLock<Shared> = LazyLock::new(Shared::default);

/// What one step may cause: a word to each peer and repetitions, and data of many sessions.
const MAX_ASKED: usize = 4096;
const MAX_LENGTH: usize = 33 * 1024;

/// More than any of its timers at one instant.
const MAX_WAKES: usize = 64;

const SUCCESS: u8 = 0x01;
const LIFETIME: [u8; 4] = [0, 0x0d, 0, 4];
const RELAYED: [u8; 4] = [0, 0x16, 0, 8];
const MAPPED: [u8; 4] = [0, 0x20, 0, 8];

pub fn helped(data: &[u8]) {
    let mut script = Script::new(data);
    let mut helped = Helped::new(&SHARED, start());
    let mut questions: Vec<(bool, Vec<u8>)> = Vec::new();
    for _ in 0..128 {
        let Some(step) = script.step() else { break };
        let by_stream = step & 64 != 0;
        let peer = SocketAddr::from(([10, 0, 0, script.below(4)], 1 + u16::from(script.byte())));
        match step % 8 {
            0 => helped.line(step & 8 == 0),
            1 => helped.permit(peer),
            2 => {
                let [relays, _] = helped.addresses();
                if let Some(from) = relays.first() {
                    helped.send(*from, peer, script.bytes());
                }
            }
            3 => helped.pass(script.time()),
            4 => helped.name(if step & 8 == 0 { "a" } else { "c" }),
            5 => hear(&mut helped, by_stream, script.bytes()),
            _ => {
                if let Some((by_stream, question)) = questions.pop() {
                    let attributes = if step & 8 == 0 { granted(&mut script) } else { script.bytes().to_vec() };
                    let class = if step & 16 == 0 { [SUCCESS, 0] } else { [SUCCESS, 0x10] };
                    hear(&mut helped, by_stream, &answer(&question, class, &attributes));
                }
            }
        }
        let asked = helped.asks();
        assert!(asked.len() <= MAX_ASKED && asked.iter().all(|(_, word)| word.len() <= MAX_LENGTH), "{}", asked.len());
        questions.extend(asked.into_iter().filter(|(_, word)| word.len() >= 20));
        questions.truncate(64);
        let [relays, mapped] = helped.addresses();
        assert!(relays.len() <= 2 && mapped.len() <= 2);
        for address in relays.iter().chain(&mapped) {
            assert!(!address.ip().is_unspecified() && !address.ip().is_multicast() && address.port() != 0, "{address}");
        }
        rest(&mut helped);
    }
}

/// What sessions are given came in what was heard, by an address that the robot has.
fn hear(helped: &mut Helped, by_stream: bool, bytes: &[u8]) {
    let [relays, _] = helped.addresses();
    if let Some(Relayed { data, from, to }) = helped.hear(by_stream, bytes) {
        assert!(relays.contains(&to), "{to} is none of {relays:?}");
        assert!(!from.ip().is_unspecified() && from.port() != 0, "{from}");
        assert!(data.is_empty() || bytes.windows(data.len()).any(|part| part == data), "nothing is made up");
    }
}

/// To that question, and of that class.
fn answer(question: &[u8], [upper, lower]: [u8; 2], attributes: &[u8]) -> Vec<u8> {
    let kind = [question[0] & 0x3e | upper, question[1] & 0xef | lower];
    let length = u16::try_from(attributes.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&kind[..], &length, &question[4..20], attributes].concat()
}

/// An address for the time that the script says.
fn granted(script: &mut Script<'_>) -> Vec<u8> {
    let address = [0, 1, script.byte(), script.byte(), script.byte(), script.byte(), script.byte(), script.byte()];
    let lifetime = u32::from(script.number()).to_be_bytes();
    [&RELAYED[..], &address, &MAPPED, &address, &LIFETIME, &lifetime].concat()
}

/// Nothing is due over and over.
fn rest(helped: &mut Helped) {
    for _ in 0..MAX_WAKES {
        if helped.sleeps().is_none_or(|time| time > Duration::ZERO) {
            return;
        }
        helped.pass(Duration::ZERO);
        let _ = helped.asks();
    }
    panic!("it wants to be woken over and over");
}
