//! What `make fuzz` reaches of what a server says.

use super::{
    Incoming,
    connection::{Packet, parse},
};

/// What a packet is taken for.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Incoming(Incoming),
    /// With the server's reason.
    Refused(String),
    Other,
}

pub fn heard(text: &str) -> Heard {
    match parse(text) {
        Packet::Incoming(incoming) => Heard::Incoming(incoming),
        Packet::Refused(reason) => Heard::Refused(reason.to_owned()),
        Packet::Ping | Packet::Close | Packet::Connected | Packet::Disconnected | Packet::Other => Heard::Other,
    }
}
