//! Whose datagram it is: what is routed is bounded, of those it belongs to, and gone with its session.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use broadcaster::fuzz::{
    fanout::{Directory, Sort, sort},
    transport::parsed,
};
use server::fuzz::turn::peers;

use crate::script::Script;

const MAX_SHARERS: usize = 8;

pub fn demux(data: &[u8]) {
    let mut script = Script::new(data);
    let mut directory = Directory::default();
    let mut proven: BTreeMap<SocketAddr, BTreeSet<u8>> = BTreeMap::new();
    let mut asked: BTreeMap<SocketAddr, BTreeSet<u8>> = BTreeMap::new();
    let mut sessions = BTreeSet::new();
    while let Some(step) = script.step() {
        let session = script.byte();
        let address = SocketAddr::from(([10, 0, 0, script.below(4)], 1 + u16::from(script.below(64))));
        match step % 6 {
            0 => {
                directory.add_name(&format!("name{}", script.below(8)), session);
                sessions.insert(session);
            }
            1 => {
                directory.prove(address, session);
                proven.entry(address).or_default().insert(session);
                sessions.insert(session);
            }
            2 => {
                directory.ask(address, session);
                asked.entry(address).or_default().insert(session);
                sessions.insert(session);
            }
            3 => {
                directory.remove(session);
                sessions.remove(&session);
                proven.values_mut().chain(asked.values_mut()).for_each(|there| there.retain(|other| *other != session));
            }
            _ => {
                let bytes = script.bytes();
                let found = directory.find(bytes, address);
                datagram(bytes);
                match sort(bytes) {
                    Sort::Nothing => assert!(found.is_empty()),
                    Sort::Check(_) => assert!(found.len() <= 1 && found.iter().all(|found| sessions.contains(found))),
                    Sort::Answer => within(&found, asked.get(&address)),
                    Sort::Other => within(&found, proven.get(&address)),
                }
            }
        }
    }
    for session in sessions {
        directory.remove(session);
    }
    assert!(directory.is_empty(), "nothing is left of sessions that have ended");
}

fn within(found: &[u8], known: Option<&BTreeSet<u8>>) {
    assert!(found.len() <= MAX_SHARERS);
    assert!(found.iter().all(|found| known.is_some_and(|known| known.contains(found))), "{found:?} of {known:?}");
}

/// Three readers of one format say the same.
fn datagram(bytes: &[u8]) {
    let Some(stack) = parsed(bytes) else { return };
    // What follows a message is not looked for when it is sent on its way: whose it is shows its signature.
    let is_whole = bytes.len() == 20 + usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    if bytes[0] < 4 && is_whole {
        match sort(bytes) {
            Sort::Check(name) => assert_eq!(stack.username, Some(name)),
            Sort::Answer => assert!(stack.is_success_or_error),
            Sort::Other => panic!("it is a message of STUN"),
            Sort::Nothing => assert_eq!(stack.username, None),
        }
    }
    // The server leaves alone what stands behind a signature, and passes over a byte of addresses that has no meaning.
    if let (Some([Some(ours), ..]), Some(theirs)) = (peers(bytes).as_deref(), stack.peer) {
        assert_eq!(*ours, theirs);
    }
}
