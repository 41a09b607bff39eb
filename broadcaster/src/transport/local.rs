//! Where viewers can reach us, as candidates.

use std::net::SocketAddr;

use rtc_ice::candidate::{
    Candidate, CandidateConfig, candidate_host::CandidateHostConfig, candidate_relay::CandidateRelayConfig,
    candidate_server_reflexive::CandidateServerReflexiveConfig,
};
use rtc_shared::error::Error;

/// One of our addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Local {
    /// Of the shared socket.
    Host(SocketAddr),
    /// At a TURN server, which forwards.
    Relay(SocketAddr),
}

impl Local {
    pub(crate) fn address(self) -> SocketAddr {
        match self {
            Self::Host(address) | Self::Relay(address) => address,
        }
    }

    pub(super) fn candidate(self) -> Result<Candidate, Error> {
        let base_config = config(self.address());
        match self {
            Self::Host(_) => CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host(),
            Self::Relay(_) => {
                // Which of our addresses the relay knows is nobody's business.
                let rel_addr = "0.0.0.0".to_owned();
                CandidateRelayConfig { base_config, rel_addr, ..Default::default() }.new_candidate_relay()
            }
        }
    }

    /// As it stands behind `a=` in a session description.
    pub(crate) fn line(self) -> Result<String, Error> {
        self.candidate().map(|candidate| format!("candidate:{}", candidate.marshal()))
    }
}

/// What a NAT makes of our address, as it stands behind `a=` in a session description. No packet leaves from there, so the
/// agent need not know of it.
pub(crate) fn reflexive_line(address: SocketAddr) -> Result<String, Error> {
    let base_config = config(address);
    let (rel_addr, rel_port) = ("0.0.0.0".to_owned(), 0);
    let candidate = CandidateServerReflexiveConfig { base_config, rel_addr, rel_port, url: None };
    Ok(format!("candidate:{}", candidate.new_candidate_server_reflexive()?.marshal()))
}

fn config(address: SocketAddr) -> CandidateConfig {
    CandidateConfig {
        network: "udp".to_owned(),
        address: address.ip().to_string(),
        port: address.port(),
        component: 1,
        ..CandidateConfig::default()
    }
}
