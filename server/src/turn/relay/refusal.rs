//! Why a request is not granted. Pure.

use crate::turn::counters::Refused;

/// What a request is answered with when it is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    BadRequest,
    Unauthorized,
    Expired,
    /// It is not signed yet.
    Challenge,
    StaleNonce,
    Forbidden,
    UnknownAttribute,
    Mismatch,
    WrongCredentials,
    Family,
    Transport,
    UserQuota,
    AddressQuota,
    Full,
}

impl Refusal {
    pub(super) fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Challenge | Self::Unauthorized | Self::Expired => 401,
            Self::Forbidden => 403,
            Self::UnknownAttribute => 420,
            Self::Mismatch => 437,
            Self::StaleNonce => 438,
            Self::Family => 440,
            Self::WrongCredentials => 441,
            Self::Transport => 442,
            Self::UserQuota | Self::AddressQuota => 486,
            Self::Full => 508,
        }
    }

    pub(super) fn count(self, refused: &mut Refused) {
        *match self {
            Self::Challenge | Self::StaleNonce => &mut refused.challenged,
            Self::Unauthorized | Self::WrongCredentials => &mut refused.unauthorized,
            Self::Expired => &mut refused.expired,
            Self::Forbidden => &mut refused.forbidden_peer,
            Self::UserQuota => &mut refused.user_quota,
            Self::AddressQuota => &mut refused.address_quota,
            Self::Full => &mut refused.full,
            Self::BadRequest | Self::UnknownAttribute | Self::Mismatch | Self::Family | Self::Transport => {
                &mut refused.malformed
            }
        } += 1;
    }
}
