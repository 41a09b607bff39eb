//! How it goes, in numbers: what robots and viewers tell the server every few seconds, if it wants to know.
//!
//! How often is said by `report_every` in [`crate::Registration`] and [`crate::Admission`]; a server that does not say so wants
//! none, and neither pages of the family nor their servers know of any of this.

use serde::{Deserialize, Serialize};

use crate::{Bitrate, CameraId, Count, Fps, Millis, SessionId, Share, VideoCodec, quantity::at_most};

/// Viewers that one [`AudienceReport`] may name: with the longest ids they fill two thirds of what a message may have.
pub const MAX_REPORTED: usize = 256;

/// A robot's word on itself, the argument of `report`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RobotReport {
    #[serde(default, deserialize_with = "at_most::<32, _, _>")]
    pub cameras: Vec<CameraReport>,
    #[serde(default)]
    pub sent: Sent,
}

/// What all viewers together were sent since the robot started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Sent {
    pub packets: Count,
    pub bytes: Count,
    /// Packets that were sent once more, as they got lost.
    pub resent: Count,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct CameraReport {
    pub id: CameraId,
    /// It gives pictures.
    pub running: bool,
    /// Of what it gives, before any encoder.
    pub fps: Fps,
    /// Encoded pictures and sounds that nobody got since the robot started, as it was behind.
    #[serde(default)]
    pub left_out: Count,
    /// What is being encoded, as somebody watches it.
    #[serde(default, deserialize_with = "at_most::<16, _, _>")]
    pub encodings: Vec<EncodingReport>,
    /// Absent while nobody listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<Bitrate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct EncodingReport {
    /// The place in [`crate::Video::rungs`].
    pub rung: u8,
    pub codec: VideoCodec,
    pub fps: Fps,
    pub bitrate: Bitrate,
}

/// A robot's word on some of those whom it sends to, the argument of `audience`; a crowd takes several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AudienceReport {
    #[serde(deserialize_with = "at_most::<MAX_REPORTED, _, _>")]
    pub viewers: Vec<ViewerReport>,
}

/// What one viewer is sent, and what becomes of it on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct ViewerReport {
    pub session: SessionId,
    /// The place in [`crate::Video::rungs`]; absent while it is sent no picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<u8>,
    /// All that it is sent, headers and repetitions included.
    pub bitrate: Bitrate,
    /// Lately.
    pub loss: Share,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip: Option<Millis>,
}

/// A viewer's word on the picture that it is shown, the argument of `reception`. It says nothing while it shows none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Reception {
    pub fps: Fps,
    #[serde(default)]
    pub bitrate: Bitrate,
    /// From capture to screen; absent when the viewer cannot know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Millis>,
    /// Since the session began.
    #[serde(default)]
    pub freezes: Count,
    /// Whether a TURN server passes it on.
    #[serde(default)]
    pub relayed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ToServer;

    #[test]
    fn a_full_page_of_viewers_with_the_longest_ids_fits_into_a_message() {
        let viewer = ViewerReport {
            session: "x".repeat(64).parse().expect("an id"),
            rung: Some(255),
            bitrate: Bitrate::nearest(1e11),
            loss: Share::nearest(0.1234),
            round_trip: Some(Millis::nearest(59_999.123_4)),
        };
        let page = |count| ToServer::Audience { audience: AudienceReport { viewers: vec![viewer.clone(); count] } };
        let full = serde_json::to_string(&page(MAX_REPORTED)).expect("encodes");
        assert!(full.len() < 48 * 1024, "{} bytes", full.len());
        assert_eq!(ToServer::decode(&full).expect("taken"), page(MAX_REPORTED));
        let more = serde_json::to_string(&page(MAX_REPORTED + 1)).expect("encodes");
        let refused = ToServer::decode(&more).expect_err("refused").to_string();
        assert!(refused.contains("more than 256"), "{refused}");
    }
}
