//! Session descriptions: bounded in size and checked for shape before anybody else sees them.

use serde::{Deserialize, Serialize};

use crate::{Reach, candidate};

/// A browser's answer to one video and one audio section has 3–6 KB; ten times that is no session description.
pub const MAX_SDP_BYTES: usize = 32 * 1024;

/// One video, one audio and one data section, and one to spare.
pub const MAX_SDP_MEDIA: usize = 4;

/// What a browser calls an `RTCSessionDescription`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Description {
    #[serde(rename = "type")]
    pub kind: DescriptionKind,
    pub sdp: Sdp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS))]
pub enum DescriptionKind {
    Offer,
    Answer,
}

/// The text of a session description whose outline has been checked; its meaning is for the peer's stack to judge.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub struct Sdp(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("the session description has {0} bytes; at most {MAX_SDP_BYTES} are relayed")]
    TooLarge(usize),
    #[error("the session description does not start with v=0")]
    NotSdp,
    #[error("line {0} of the session description is not of the form <letter>=<value>")]
    Line(usize),
    #[error("the session description has {0} media sections; it needs 1 to {MAX_SDP_MEDIA}")]
    Media(usize),
}

impl Sdp {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }

    /// The same without the candidates that are not wanted.
    pub fn retain_candidates(self, wanted: impl Fn(Reach) -> bool) -> Self {
        let unwanted = |line: &str| candidate::reach(line.trim_end()).is_some_and(|reach| !wanted(reach));
        if !self.0.lines().any(unwanted) {
            return self;
        }
        Self(self.0.split_inclusive('\n').filter(|line| !unwanted(line)).collect())
    }
}

impl TryFrom<String> for Sdp {
    type Error = SdpError;

    fn try_from(text: String) -> Result<Self, SdpError> {
        if text.len() > MAX_SDP_BYTES {
            return Err(SdpError::TooLarge(text.len()));
        }
        let mut media = 0;
        for (index, line) in text.lines().enumerate() {
            if index == 0 && line != "v=0" {
                return Err(SdpError::NotSdp);
            }
            match line.as_bytes() {
                [b'm', b'=', ..] => media += 1,
                [letter, b'=', ..] if letter.is_ascii_lowercase() => {}
                _ => return Err(SdpError::Line(index + 1)),
            }
        }
        if text.is_empty() {
            return Err(SdpError::NotSdp);
        }
        if !(1..=MAX_SDP_MEDIA).contains(&media) {
            return Err(SdpError::Media(media));
        }
        Ok(Self(text))
    }
}

/// An SDP carries addresses, which are personal data: `{:?}` says only how long it is.
impl std::fmt::Debug for Sdp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sdp({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n";

    #[test]
    fn only_what_looks_like_a_session_description_passes() {
        assert!(Sdp::try_from(MINIMAL.to_owned()).is_ok());
        let refuse = |text: String| Sdp::try_from(text).expect_err("refused");
        assert_eq!(refuse(String::new()), SdpError::NotSdp);
        assert_eq!(refuse("hello".to_owned()), SdpError::NotSdp);
        assert_eq!(refuse("v=0\r\n".to_owned()), SdpError::Media(0));
        assert_eq!(refuse(format!("{MINIMAL}<script>\r\n")), SdpError::Line(6));
        assert_eq!(refuse(format!("{MINIMAL}{}", "m=video 9 x 96\r\n".repeat(4))), SdpError::Media(5));
        let long = format!("{MINIMAL}a={}\r\n", "x".repeat(MAX_SDP_BYTES));
        assert!(matches!(refuse(long), SdpError::TooLarge(_)));
    }

    #[test]
    fn candidates_that_are_not_wanted_go_and_all_else_stays() {
        let line = |address: &str| format!("a=candidate:1 1 udp 1 {address} 5000 typ host\r\n");
        let text = format!("{MINIMAL}{}{}a=mid:0\r\n", line("127.0.0.1"), line("192.0.2.7"));
        let sdp = Sdp::try_from(text.clone()).expect("valid");
        let kept = sdp.clone().retain_candidates(|reach| reach != Reach::SameHost);
        assert_eq!(kept.as_str(), text.replace(&line("127.0.0.1"), ""));
        assert_eq!(sdp.retain_candidates(|_| true).as_str(), text);
    }

    #[test]
    fn debug_output_holds_no_address() {
        let sdp = Sdp::try_from(MINIMAL.replace("0.0.0.0", "192.0.2.7")).expect("valid");
        assert!(!format!("{sdp:?}").contains("192.0.2.7"));
    }
}
