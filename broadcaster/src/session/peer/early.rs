//! DTLS records that arrive before ICE has chosen a path.
//!
//! The viewer's browser starts its handshake as soon as a path works for it; the stack drops what comes before it has
//! nominated one itself, which costs the join a retransmission. A few are kept until then.

use std::net::SocketAddr;

use bytes::BytesMut;

/// A ClientHello, repeated once or twice, in fragments.
const MAX_RECORDS: usize = 8;

#[derive(Default)]
pub(super) struct EarlyRecords {
    over: bool,
    kept: Vec<(BytesMut, SocketAddr, SocketAddr)>,
}

impl EarlyRecords {
    /// Keeps a record that is too early, and gives everything else back.
    pub(super) fn keep(&mut self, data: BytesMut, from: SocketAddr, to: SocketAddr) -> Option<BytesMut> {
        if self.over || !is_dtls(&data) {
            return Some(data);
        }
        if self.kept.len() < MAX_RECORDS {
            self.kept.push((data, from, to));
        }
        None
    }

    /// ICE has chosen.
    pub(super) fn end(&mut self) {
        self.over = true;
    }

    pub(super) fn is_over(&self) -> bool {
        self.over && !self.kept.is_empty()
    }

    pub(super) fn take(&mut self) -> Vec<(BytesMut, SocketAddr, SocketAddr)> {
        std::mem::take(&mut self.kept)
    }
}

/// By the first byte (RFC 7983, section 7).
pub(super) fn is_dtls(data: &[u8]) -> bool {
    matches!(data.first(), Some(20..=63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_wait_for_ice_and_nothing_else_does() {
        let address: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let mut early = EarlyRecords::default();
        assert!(early.keep(BytesMut::from(&[0u8, 1][..]), address, address).is_some(), "STUN passes");
        for _ in 0..2 * MAX_RECORDS {
            assert!(early.keep(BytesMut::from(&[22u8][..]), address, address).is_none());
        }
        assert!(!early.is_over());
        early.end();
        assert!(early.is_over());
        assert_eq!(early.take().len(), MAX_RECORDS, "a flood is bounded");
        assert!(early.keep(BytesMut::from(&[22u8][..]), address, address).is_some(), "later ones pass");
    }
}
