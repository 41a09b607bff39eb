//! What all of a broadcaster's connections have in common, made once.

use std::sync::Arc;

use rtc_crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc_dtls::crypto::Certificate;
use rtc_shared::error::Error;

/// The certificate that viewers' browsers see, and the cryptography behind it.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(super) certificate: Certificate,
    pub(crate) crypto: Arc<dyn RTCCryptoProvider>,
    fingerprint: Fingerprint,
}

/// The SHA-256 of a certificate, as it stands in a session description: `AB:CD:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(String);

impl Identity {
    /// A fresh one: nobody needs to recognise a broadcaster by its certificate, whose fingerprint travels with each offer.
    pub(crate) fn generate() -> Result<Self, Error> {
        let crypto = rtc_crypto::default_provider().map_err(|error| Error::Crypto(error.to_string()))?;
        let certificate = Certificate::generate_self_signed(vec!["panocast".to_owned()], crypto.crypto())?;
        let fingerprint = Fingerprint::of(&certificate.certificate[0], crypto.as_ref())?;
        Ok(Self { certificate, crypto, fingerprint })
    }

    pub(crate) fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

impl Fingerprint {
    pub(super) fn of(certificate: &[u8], crypto: &dyn RTCCryptoProvider) -> Result<Self, Error> {
        let hash = crypto.crypto().hash(HashAlgorithm::Sha256, certificate);
        let hash = hash.map_err(|error| Error::Crypto(error.to_string()))?;
        let bytes: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self(bytes.join(":")))
    }

    /// The value of a `fingerprint` attribute, if it is of a kind that we can compare.
    pub(crate) fn parse(attribute: &str) -> Option<Self> {
        let (algorithm, value) = attribute.split_once(' ')?;
        algorithm.eq_ignore_ascii_case("sha-256").then(|| Self(value.trim().to_ascii_uppercase()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
