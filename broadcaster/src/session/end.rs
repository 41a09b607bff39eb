//! Why a session is over, and what its viewer is told.

use protocol::{Code, Notice, SdpError};
use rtc_shared::error::Error;

use super::{ANSWER_WITHIN, CONNECT_WITHIN};

/// Why a viewer's session cannot be, or not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error(transparent)]
    Stack(#[from] Error),
    #[error("what we say is no session description")]
    Ours(#[source] SdpError),
    #[error("it is no session description")]
    Theirs(#[source] Error),
    #[error("it has no usable {0}")]
    Missing(&'static str),
    #[error("it accepts none of this camera's codecs")]
    NoCodec,
}

/// Why a session is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionEnd {
    #[error("the viewer left")]
    Left,
    #[error("the viewer asked again")]
    Replaced,
    #[error("the viewer said nothing within {ANSWER_WITHIN:?}")]
    NoAnswer,
    #[error("the viewer's answer cannot be used")]
    BadAnswer(#[source] SessionError),
    #[error("the viewer's offer cannot be taken")]
    BadOffer(#[source] SessionError),
    #[error("no way to the viewer was found within {CONNECT_WITHIN:?}")]
    NotConnected,
    #[error("the way to the viewer broke")]
    ConnectionLost,
    #[error("the connection failed")]
    Failed(#[source] SessionError),
    #[error("the viewer's link has run out")]
    Expired,
    #[error("the robot's uplink has no room left for this viewer")]
    NoRoom,
    #[error("the server has ended it")]
    Dismissed,
    #[error("the broadcaster ends")]
    Shutdown,
}

impl SessionEnd {
    /// What is said to the viewer, when that may not know yet. `speaks`: somebody speaks for it, who does not see what becomes
    /// of its media.
    pub(super) fn notice(&self, speaks: bool) -> Option<Notice> {
        let code = match self {
            Self::Left if speaks => Code::ConnectionFailed,
            // Whom the server dismisses it has told, if it could.
            Self::Left | Self::Replaced | Self::Dismissed => return None,
            Self::Expired => Code::TokenExpired,
            Self::NoRoom => Code::Full,
            Self::BadAnswer(SessionError::NoCodec) | Self::BadOffer(SessionError::NoCodec) => Code::Unsupported,
            Self::BadAnswer(_) | Self::BadOffer(_) => Code::Malformed,
            Self::NoAnswer | Self::NotConnected | Self::ConnectionLost | Self::Failed(_) => Code::ConnectionFailed,
            Self::Shutdown => Code::RobotOffline,
        };
        let cause = std::error::Error::source(self).map(|cause| format!(": {cause}")).unwrap_or_default();
        Some(Notice::new(code, format!("{self}{cause}")))
    }
}
