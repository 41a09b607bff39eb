//! What all of a broadcaster's peer connections have in common, made once.

use std::sync::Arc;

use rtc::{
    crypto::{RTCCryptoProvider, SignatureScheme, default_provider},
    peer_connection::certificate::{CertificateParams, RTCCertificate},
};

use super::PeerError;

/// The certificate that viewers' browsers see, and the cryptography behind it.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(super) certificate: RTCCertificate,
    pub(super) crypto: Arc<dyn RTCCryptoProvider>,
}

impl Identity {
    /// A fresh one: nobody needs to recognise a broadcaster by its certificate, whose fingerprint travels with each offer.
    pub(crate) fn generate() -> Result<Self, PeerError> {
        let crypto = default_provider().map_err(|error| PeerError::Identity(error.into()))?;
        let params =
            CertificateParams::new(vec!["panocast".to_owned()]).map_err(|error| PeerError::Identity(error.into()))?;
        let certificate = RTCCertificate::generate(crypto.crypto(), SignatureScheme::EcdsaP256Sha256, params)?;
        Ok(Self { certificate, crypto })
    }
}
