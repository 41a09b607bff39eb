//! What `make fuzz` reaches of the servers that a robot is told of.

use protocol::IceServer;

use super::resolver::{Target, targets};

/// A server that would be looked for.
#[derive(Debug)]
pub struct Sought {
    pub host: String,
    pub port: u16,
    /// Bytes of name and password, where it relays.
    pub credentials: Option<[usize; 2]>,
}

pub fn sought(list: &[IceServer]) -> Vec<Sought> {
    let sought = |Target { url, relay }| Sought {
        host: url.host,
        port: url.port,
        credentials: relay.map(|relay| [relay.username.len(), relay.password.len()]),
    };
    targets(list).into_iter().map(sought).collect()
}
