//! Encryption of what goes to a viewer and comes from it (SRTP, RFC 3711 and RFC 7714).
//!
//! Media is sealed here, by [`Sealer`], which alone has the key and numbers the packets, so that no nonce can come twice.
//! What is rare, control packets, goes through the stack's own context.

mod keys;
mod sealer;

use rtc_crypto::RTCCrypto;
use rtc_shared::error::Error;
use rtc_srtp::{context::Context, option::srtcp_replay_protection, protection_profile::ProtectionProfile};

pub(crate) use sealer::{Sealer, StreamId};

/// A viewer's feedback may be overtaken by as many packets as this.
const REPLAY_WINDOW: usize = 64;

/// What DTLS has agreed on: consumed by making the one set of ciphers that it is for.
pub(crate) struct Keys {
    profile: ProtectionProfile,
    local: Master,
    remote: Master,
}

struct Master {
    key: Vec<u8>,
    salt: Vec<u8>,
}

/// One session's ciphers.
pub(crate) struct Ciphers {
    pub(crate) media: Sealer,
    /// Seals our reports.
    pub(crate) reports: Context,
    /// Opens the viewer's feedback.
    pub(crate) feedback: Context,
}

impl Keys {
    /// `material` is what DTLS exports for SRTP (RFC 5764, section 4.2).
    pub(crate) fn new(profile: ProtectionProfile, material: &[u8], is_client: bool) -> Result<Self, Error> {
        let mut config = rtc_srtp::config::Config { profile, ..Default::default() };
        config.set_session_keys_from_keying_material(material, is_client)?;
        let keys = config.keys;
        Ok(Self {
            profile,
            local: Master { key: keys.local_master_key, salt: keys.local_master_salt },
            remote: Master { key: keys.remote_master_key, salt: keys.remote_master_salt },
        })
    }

    /// Bytes of keying material that a profile takes.
    pub(crate) fn material_len(profile: ProtectionProfile) -> usize {
        2 * (profile.key_len() + profile.salt_len())
    }

    pub(crate) fn into_ciphers(self, crypto: &dyn RTCCrypto) -> Result<Ciphers, Error> {
        let Self { profile, local, remote } = self;
        let replay = Some(srtcp_replay_protection(REPLAY_WINDOW));
        Ok(Ciphers {
            media: Sealer::new(profile, &local.key, &local.salt, crypto)?,
            reports: Context::new(&local.key, &local.salt, profile, None, None, crypto)?,
            feedback: Context::new(&remote.key, &remote.salt, profile, None, replay, crypto)?,
        })
    }
}
