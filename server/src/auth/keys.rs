//! Robots' keys, and what is kept of them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use protocol::RobotKey;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use subtle::{Choice, ConstantTimeEq};

/// What the server keeps: enough to know the key again, of no use to whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyHash([u8; SHA256_OUTPUT_LEN]);

impl KeyHash {
    pub(crate) fn of(key: &RobotKey) -> Self {
        Self::of_text(key.as_str())
    }

    pub(super) fn of_text(text: &str) -> Self {
        let hash = digest(&SHA256, text.as_bytes());
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    pub(super) fn from_array(bytes: [u8; SHA256_OUTPUT_LEN]) -> Self {
        Self(bytes)
    }

    /// `None`: it is no hash.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Tells one from another, and nothing of the key.
    pub(super) fn tag(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0[..9])
    }

    /// Takes as long for any two.
    pub(super) fn matches(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

/// 256 random bits, which nobody can guess.
pub(super) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// A key that nobody has yet.
pub(super) fn new_key() -> RobotKey {
    let text = format!("pk_{}", URL_SAFE_NO_PAD.encode(random()));
    RobotKey::try_from(text).expect("32 bytes make a key")
}

/// What operators' keys begin with, so that they are not taken for robots'.
pub(super) const OPERATORS: &str = "ok_";

/// Lets an operator in. Shown once.
pub struct OperatorKey(String);

impl OperatorKey {
    pub(super) fn new() -> Self {
        Self(format!("{OPERATORS}{}", URL_SAFE_NO_PAD.encode(random())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
