//! Datagrams that arrive before the stack can take them.
//!
//! A viewer's browser sends its first checks as soon as it has our offer, which may be before its answer has reached us, and
//! starts its DTLS handshake as soon as a path works for it, which may be before ICE has nominated one here. The stack drops
//! both, and the join waits for retransmissions. A few are kept until their time has come.

use std::{collections::VecDeque, net::SocketAddr};

use bytes::BytesMut;

/// A check per pair of addresses, and a ClientHello in fragments, each repeated once or twice.
const MAX_KEPT: usize = 16;

/// How far the connection has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The viewer's answer is not here: nothing can be taken.
    #[default]
    Offered,
    /// ICE looks for a path: only its own messages can be taken.
    Checking,
    /// A path is chosen: everything can be taken.
    Chosen,
}

pub(super) struct Arrival {
    pub(super) data: BytesMut,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
}

#[derive(Default)]
pub(super) struct Early {
    stage: Stage,
    kept: VecDeque<Arrival>,
}

impl Early {
    /// Keeps what is too early, and gives everything else back.
    pub(super) fn pass(&mut self, arrival: Arrival) -> Option<Arrival> {
        if self.stage >= needs(&arrival.data) {
            return Some(arrival);
        }
        if self.kept.len() < MAX_KEPT {
            self.kept.push_back(arrival);
        }
        None
    }

    pub(super) fn advance(&mut self, stage: Stage) {
        self.stage = self.stage.max(stage);
    }

    /// The next one that was kept and whose time has come.
    pub(super) fn take(&mut self) -> Option<Arrival> {
        let position = self.kept.iter().position(|arrival| self.stage >= needs(&arrival.data))?;
        self.kept.remove(position)
    }
}

/// The stage at which the stack takes such a datagram.
fn needs(data: &[u8]) -> Stage {
    if is_dtls(data) { Stage::Chosen } else { Stage::Checking }
}

/// By the first byte (RFC 7983, section 7).
pub(super) fn is_dtls(data: &[u8]) -> bool {
    matches!(data.first(), Some(20..=63))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(first: u8) -> Arrival {
        let address: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        Arrival { data: BytesMut::from(&[first, 0][..]), from: address, to: address }
    }

    #[test]
    fn checks_wait_for_the_answer_and_handshakes_for_a_path() {
        let (stun, dtls) = (0, 22);
        let mut early = Early::default();
        assert!(early.pass(arrival(dtls)).is_none() && early.pass(arrival(stun)).is_none());
        assert!(early.take().is_none());
        early.advance(Stage::Checking);
        assert_eq!(early.take().map(|arrival| arrival.data[0]), Some(stun));
        assert!(early.take().is_none());
        assert!(early.pass(arrival(stun)).is_some() && early.pass(arrival(dtls)).is_none());
        early.advance(Stage::Chosen);
        early.advance(Stage::Checking);
        assert_eq!([early.take(), early.take()].map(|kept| kept.map(|kept| kept.data[0])), [Some(dtls), Some(dtls)]);
        assert!(early.take().is_none() && early.pass(arrival(dtls)).is_some());
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut early = Early::default();
        for _ in 0..100 {
            assert!(early.pass(arrival(0)).is_none());
        }
        early.advance(Stage::Chosen);
        assert_eq!(std::iter::from_fn(|| early.take()).count(), MAX_KEPT);
    }
}
