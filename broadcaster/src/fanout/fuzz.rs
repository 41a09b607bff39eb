//! What `make fuzz` reaches of whose datagram it is.

use std::net::SocketAddr;

use super::routes::{Found, Kind, Routes, kind};
use crate::transport::Ufrag;

/// The routes of numbered sessions.
#[derive(Default)]
pub struct Directory(Routes);

fn key(session: u8) -> slotmap::KeyData {
    // Odd versions are those of what is there.
    slotmap::KeyData::from_ffi(1 << 32 | u64::from(session))
}

impl Directory {
    pub fn add_name(&mut self, name: &str, session: u8) {
        if let Some(name) = Ufrag::from_username(&format!("{name}:")) {
            self.0.add_name(name, key(session).into());
        }
    }

    pub fn prove(&mut self, address: SocketAddr, session: u8) {
        self.0.prove(address, key(session).into());
    }

    pub fn ask(&mut self, address: SocketAddr, session: u8) {
        self.0.ask(address, key(session).into());
    }

    pub fn remove(&mut self, session: u8) {
        self.0.remove(key(session).into());
    }

    /// The sessions that may have use for a datagram.
    pub fn find(&self, data: &[u8], from: SocketAddr) -> Vec<u8> {
        let Found { first, others } = self.0.find(data, from);
        let number = |found: slotmap::KeyData| u8::try_from(found.as_ffi() & 0xff).expect("a byte");
        first.into_iter().chain(others).map(|key| number(slotmap::Key::data(&key))).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a datagram is taken for.
#[derive(Debug, PartialEq, Eq)]
pub enum Sort {
    Check(String),
    Answer,
    Other,
    Nothing,
}

pub fn sort(data: &[u8]) -> Sort {
    match kind(data) {
        Kind::Check(name) => Sort::Check(name.to_owned()),
        Kind::Answer => Sort::Answer,
        Kind::Other => Sort::Other,
        Kind::Nothing => Sort::Nothing,
    }
}
