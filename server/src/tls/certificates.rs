//! What handshakes are answered with.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{ACME_PROTOCOL, pair::Pair};

/// The certificate of the moment. Connections that stand keep the one that they began with.
#[derive(Debug, Default)]
pub(super) struct Certificates(RwLock<Shown>);

/// Locked to read or to swap a pointer.
#[derive(Debug, Default)]
struct Shown {
    certificate: Option<Arc<CertifiedKey>>,
    /// What an authority is to find under each name.
    proofs: BTreeMap<String, Arc<CertifiedKey>>,
}

impl Certificates {
    pub(super) fn replace(&self, pair: Pair) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).certificate = Some(pair.certified);
    }

    pub(super) fn prove(&self, name: String, proof: Arc<CertifiedKey>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).proofs.insert(name, proof);
    }

    pub(super) fn forget_proofs(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).proofs.clear();
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let asks_for_proof = hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == ACME_PROTOCOL));
        if asks_for_proof {
            return shown.proofs.get(hello.server_name()?).cloned();
        }
        shown.certificate.clone()
    }
}
