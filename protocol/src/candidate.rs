//! ICE candidates as browsers trickle them.

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
    fn browsers_candidates_pass_and_others_do_not() {
        assert!(parse("candidate:1 1 udp 2113937151 a1b2.local 51234 typ host generation 0 ufrag x").is_ok());
        assert!(parse("").expect("the end of candidates").is_end());
        assert!(parse("candidate:1 1 udp").is_err());
        assert!(parse("1 1 udp 2113937151 192.0.2.1 51234 typ host").is_err());
        assert!(parse("candidate:1 1 udp 2113937151 192.0.2.1 99999 typ host").is_err());
        assert!(parse(&format!("candidate:1 1 udp 1 192.0.2.1 1 typ host {}", "x".repeat(2000))).is_err());
    }
}
