//! The tokens in links: JSON Web Tokens (RFC 7519), signed by the server for itself.

use std::{collections::BTreeMap, fmt, num::NonZeroU32};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use protocol::{LinkId, RobotId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{OperatorName, Role, UnixTime, keys, signing};

/// No token of ours is longer; what is longer is not looked at.
const MAX_LEN: usize = 1024;

/// Whom tokens are for. A token that the same key signed for something else lets nobody in here.
const AUDIENCE: &str = "panocast";

/// Opens a door: not to be seen in logs.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    aud: String,
    pub(super) jti: LinkId,
    pub(super) robot: RobotId,
    pub(super) role: Role,
    pub(super) exp: UnixTime,
    /// How many may watch by it at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<NonZeroU32>,
}

impl Claims {
    pub(super) fn new(jti: LinkId, robot: RobotId, role: Role, exp: UnixTime, max: Option<NonZeroU32>) -> Self {
        Self { aud: AUDIENCE.to_owned(), jti, robot, role, exp, max }
    }
}

/// For whom operators' visits are.
const VISITS: &str = "panocast-operator";

/// Tells one visit from another, so that it can be ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct VisitId(String);

impl VisitId {
    pub(super) fn new() -> Self {
        Self(keys::random()[..16].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// As the store has it.
    pub(super) fn of(text: String) -> Self {
        Self(text)
    }
}

/// What a visit's token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VisitClaims {
    aud: String,
    pub(super) jti: VisitId,
    pub(super) sub: OperatorName,
    /// Which key was shown.
    pub(super) key: String,
    pub(super) exp: UnixTime,
}

impl VisitClaims {
    pub(super) fn new(sub: OperatorName, key: String, exp: UnixTime) -> Self {
        Self { aud: VISITS.to_owned(), jti: VisitId::new(), sub, key, exp }
    }
}

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// It is none of ours.
    Foreign,
    Expired,
}

/// How many digits of a key's name say when it was made.
const AGE: usize = 12;

/// The keys that tokens are signed with, by name. New ones are signed with the last.
#[derive(Clone, Default)]
pub(super) struct Keyring(BTreeMap<String, [u8; 32]>);

impl Keyring {
    pub(super) fn of(keys: impl IntoIterator<Item = (String, [u8; 32])>) -> Self {
        signing::install();
        Self(keys.into_iter().collect())
    }

    /// A key's name and the key. Names sort by age, for as long as the clock goes forward; those of two servers differ, also
    /// when they begin in the same second.
    pub(super) fn new_key(now: UnixTime) -> (String, [u8; 32]) {
        let [first, second, ..] = keys::random();
        (format!("{:0AGE$x}{first:02x}{second:02x}", now.0), keys::random())
    }

    /// When the key of this name was made.
    pub(super) fn made(kid: &str) -> Option<UnixTime> {
        u64::from_str_radix(kid.get(..AGE)?, 16).ok().map(UnixTime)
    }

    /// The name of the key that is signed with.
    pub(super) fn newest(&self) -> Option<&str> {
        self.0.last_key_value().map(|(kid, _)| kid.as_str())
    }

    /// `None`: there is no key.
    pub(super) fn sign(&self, claims: &impl Serialize) -> Option<Token> {
        let (kid, secret) = self.0.last_key_value()?;
        // Without what everybody knows, so that a phone can read the link.
        let header = Header { kid: Some(kid.clone()), typ: None, ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret));
        Some(Token(token.expect("plain data can be signed")))
    }

    pub(super) fn read(&self, token: &str, now: UnixTime) -> Result<Claims, Bad> {
        let claims: Claims = self.check(token, AUDIENCE)?;
        if now < claims.exp { Ok(claims) } else { Err(Bad::Expired) }
    }

    pub(super) fn read_visit(&self, token: &str, now: UnixTime) -> Result<VisitClaims, Bad> {
        let claims: VisitClaims = self.check(token, VISITS)?;
        if now < claims.exp { Ok(claims) } else { Err(Bad::Expired) }
    }

    fn check<C: DeserializeOwned>(&self, token: &str, audience: &str) -> Result<C, Bad> {
        if token.len() > MAX_LEN {
            return Err(Bad::Foreign);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Bad::Foreign)?;
        let secret = header.kid.and_then(|kid| self.0.get(&kid)).ok_or(Bad::Foreign)?;
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["aud", "exp"]);
        // The time is an argument here, and nothing is forgiven.
        rules.validate_exp = false;
        let read = jsonwebtoken::decode::<C>(token, &DecodingKey::from_secret(secret), &rules);
        Ok(read.map_err(|_| Bad::Foreign)?.claims)
    }
}

/// Keys are not to be seen in logs.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
