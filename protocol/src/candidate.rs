//! ICE candidates as browsers trickle them.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// The longest that a browser makes (a TCP relay candidate with IPv6 addresses and extensions) is near 300.
const MAX_LEN: usize = 1024;

/// What a browser calls an `RTCIceCandidateInit`. An empty `candidate` says that there are no more.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Wire")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Candidate {
    pub candidate: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub sdp_mid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "sdpMLineIndex")]
    #[cfg_attr(test, ts(optional))]
    pub sdp_mline_index: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub username_fragment: Option<String>,
}

/// Where a candidate leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nobody is ever there.
    Nowhere,
    /// To the host that it is read on, whichever that is.
    SameHost,
    /// Perhaps to a neighbour's network: that is for whoever tries it to find out. Names that only a network knows pass, too.
    Elsewhere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CandidateError {
    #[error("a candidate has at most {MAX_LEN} characters")]
    TooLong,
    #[error("a candidate is 'candidate:' and at least eight fields, the seventh of them 'typ'")]
    Shape,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    candidate: String,
    #[serde(default)]
    sdp_mid: Option<String>,
    #[serde(default, rename = "sdpMLineIndex")]
    sdp_mline_index: Option<u16>,
    #[serde(default)]
    username_fragment: Option<String>,
}

impl Candidate {
    /// Whether it only says that no more will come.
    pub fn is_end(&self) -> bool {
        self.candidate.is_empty()
    }

    /// `None`: it leads to no place, as it only says that no more will come.
    pub fn reach(&self) -> Option<Reach> {
        reach(&self.candidate)
    }
}

/// Where the candidate in this line leads, be it of a session description or alone.
pub(crate) fn reach(line: &str) -> Option<Reach> {
    let fields = line.strip_prefix("a=").unwrap_or(line).strip_prefix("candidate:")?;
    let address = fields.split_ascii_whitespace().nth(4)?;
    // What is no address is a name.
    let Ok(address) = address.parse::<IpAddr>() else { return Some(Reach::Elsewhere) };
    let address = address.to_canonical();
    Some(if address.is_unspecified() || address.is_multicast() || address == Ipv4Addr::BROADCAST {
        Reach::Nowhere
    } else if address.is_loopback() {
        Reach::SameHost
    } else {
        Reach::Elsewhere
    })
}

impl TryFrom<Wire> for Candidate {
    type Error = CandidateError;

    fn try_from(wire: Wire) -> Result<Self, CandidateError> {
        let lengths = [Some(&wire.candidate), wire.sdp_mid.as_ref(), wire.username_fragment.as_ref()];
        if lengths.into_iter().flatten().any(|text| text.len() > MAX_LEN) {
            return Err(CandidateError::TooLong);
        }
        if !wire.candidate.is_empty() {
            let line = wire.candidate.strip_prefix("a=").unwrap_or(&wire.candidate);
            let fields: Vec<&str> =
                line.strip_prefix("candidate:").ok_or(CandidateError::Shape)?.split_ascii_whitespace().collect();
            if fields.len() < 8 || fields[6] != "typ" || fields[5].parse::<u16>().is_err() {
                return Err(CandidateError::Shape);
            }
        }
        Ok(Self {
            candidate: wire.candidate,
            sdp_mid: wire.sdp_mid,
            sdp_mline_index: wire.sdp_mline_index,
            username_fragment: wire.username_fragment,
        })
    }
}

impl Candidate {
    /// What stands behind `a=` in the section of this name.
    pub fn new(candidate: String, mid: Option<String>) -> Result<Self, CandidateError> {
        Self::try_from(Wire { candidate, sdp_mid: mid, sdp_mline_index: None, username_fragment: None })
    }
}

/// A candidate is an address, which is personal data.
impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Candidate({} bytes)", self.candidate.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(candidate: &str) -> Result<Candidate, serde_json::Error> {
        serde_json::from_value(serde_json::json!({ "candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0 }))
    }

    #[test]
    fn it_is_known_where_a_candidate_leads() {
        let reach = |address: &str| {
            parse(&format!("candidate:1 1 udp 1 {address} 5000 typ host"))
                .expect("a candidate")
                .reach()
                .expect("a place")
        };
        for nowhere in ["0.0.0.0", "::", "224.0.0.251", "239.1.2.3", "ff02::fb", "255.255.255.255", "::ffff:224.0.0.1"]
        {
            assert_eq!(reach(nowhere), Reach::Nowhere, "{nowhere}");
        }
        for here in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(reach(here), Reach::SameHost, "{here}");
        }
        for elsewhere in ["192.168.1.5", "10.0.0.1", "fe80::1", "fd00::1", "203.0.113.5", "a1b2.local", "2001:db8::1"] {
            assert_eq!(reach(elsewhere), Reach::Elsewhere, "{elsewhere}");
        }
        assert_eq!(parse("").expect("the end").reach(), None);
    }

    #[test]
    fn browsers_candidates_pass_and_others_do_not() {
        assert!(parse("candidate:1 1 udp 2113937151 a1b2.local 51234 typ host generation 0 ufrag x").is_ok());
        assert!(parse("").expect("the end of candidates").is_end());
        assert!(parse("candidate:1 1 udp").is_err());
        assert!(parse("1 1 udp 2113937151 192.0.2.1 51234 typ host").is_err());
        assert!(parse("candidate:1 1 udp 2113937151 192.0.2.1 99999 typ host").is_err());
        assert!(parse(&format!("candidate:1 1 udp 1 192.0.2.1 1 typ host {}", "x".repeat(2000))).is_err());
    }
}
