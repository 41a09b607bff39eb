//! Certificates from an authority (RFC 8555), which looks itself whether a name leads here: it opens a connection to port 443
//! and finds the proof in the handshake (TLS-ALPN-01, RFC 8737).

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime},
};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::{
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

use super::{TlsError, certificates::Certificates, pair::Pair, store::Store};
use crate::config::Acme;

const CERTIFICATE: &str = "acme.pem";
const ACCOUNT: &str = "acme-account.json";

/// From the question to the certificate, or to giving it up for now.
const OBTAINED_WITHIN: Duration = Duration::from_secs(300);

/// After a failure; twice as long after each further one. Authorities allow a handful of them an hour.
const FIRST_RETRY: Duration = Duration::from_secs(5 * 60);
const LONGEST_RETRY: Duration = Duration::from_secs(6 * 3600);

/// Clocks are set, and machines sleep: no wait for a date is longer than this.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// What authorities take a while for.
const PATIENCE: RetryPolicy = RetryPolicy::new().timeout(Duration::from_secs(120));

#[derive(Debug, thiserror::Error)]
enum AcmeError {
    #[error("the authority does not answer as it should")]
    Authority(#[from] instant_acme::Error),
    #[error("the authority offers no check by TLS (tls-alpn-01)")]
    NoChallenge,
    #[error(
        "the authority did not find this server at {name}: {why}; does the name lead here, and port 443 to `listen`?"
    )]
    Refused { name: String, why: String },
    #[error("the authority left the order at {0:?}")]
    Stuck(OrderStatus),
    #[error("the authority took longer than {OBTAINED_WITHIN:?}")]
    Slow,
    #[error("the authority's certificate is not for the key that it was asked for")]
    Useless,
    #[error("a key or a request cannot be made")]
    Make(#[from] rcgen::Error),
    #[error("a key cannot be used")]
    Key(#[from] rustls::Error),
    #[error("what state_dir has of the account makes no sense; remove tls/{ACCOUNT} there to begin anew")]
    Account(#[from] serde_json::Error),
    #[error("nothing can be kept in state_dir")]
    Keep(#[from] std::io::Error),
}

pub(super) struct Authority {
    config: Acme,
    store: Store,
}

/// What is kept of an account. One belongs to its authority.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

impl Authority {
    pub(super) fn new(config: Acme, store: Store) -> Self {
        Self { config, store }
    }

    /// The certificate from before, if it is for all the names.
    pub(super) fn kept(&self) -> Result<Option<Pair>, TlsError> {
        let is_for = |pair: &Pair| self.config.names.iter().all(|name| pair.names.contains(&name.to_ascii_lowercase()));
        Ok(self.store.read_pair(CERTIFICATE)?.filter(is_for))
    }

    /// Gets a certificate, and another in time, for ever.
    pub(super) async fn keep(self, certificates: &Certificates) -> Infallible {
        // What cannot be understood was complained of at the start.
        let mut due = self.kept().ok().flatten().map_or(SystemTime::UNIX_EPOCH, |pair| renewal(&pair));
        let mut retry = FIRST_RETRY;
        loop {
            let now = SystemTime::now();
            if let Ok(wait) = due.duration_since(now)
                && !wait.is_zero()
            {
                tokio::time::sleep(wait.min(LOOK_EVERY)).await;
                continue;
            }
            let names = self.config.names.join(", ");
            tracing::info!(%names, authority = %self.config.directory, "asking for a certificate");
            let obtained = tokio::time::timeout(OBTAINED_WITHIN, self.obtain(certificates)).await;
            certificates.forget_proofs();
            due = match obtained.unwrap_or(Err(AcmeError::Slow)) {
                Ok(pair) => {
                    tracing::info!(%names, until = pair.expires(), "a certificate was obtained");
                    let due = renewal(&pair);
                    certificates.replace(pair);
                    retry = FIRST_RETRY;
                    due
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, again_in = ?retry, "no certificate was obtained");
                    let due = SystemTime::now() + retry;
                    retry = (retry * 2).min(LONGEST_RETRY);
                    due
                }
            };
        }
    }

    async fn obtain(&self, certificates: &Certificates) -> Result<Pair, AcmeError> {
        let account = self.account().await?;
        let identifiers: Vec<Identifier> = self.config.names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let mut challenge = authorization.challenge(ChallengeType::TlsAlpn01).ok_or(AcmeError::NoChallenge)?;
            let proof = proof(&name, challenge.key_authorization().digest().as_ref())?;
            certificates.prove(name, Arc::new(proof));
            challenge.set_ready().await?;
        }
        let status = order.poll_ready(&PATIENCE).await?;
        if status != OrderStatus::Ready {
            return Err(refusal(&mut order, status).await);
        }
        let key = KeyPair::generate()?;
        let mut request = CertificateParams::new(self.config.names.clone())?;
        request.distinguished_name = DistinguishedName::new();
        order.finalize_csr(request.serialize_request(&key)?.der()).await?;
        let chain = order.poll_certificate(&PATIENCE).await?;
        let pem = format!("{chain}\n{}", key.serialize_pem());
        let pair = Pair::parse(pem.as_bytes(), pem.as_bytes()).map_err(|_| AcmeError::Useless)?;
        self.store.write(CERTIFICATE, pem.as_bytes())?;
        Ok(pair)
    }

    /// The one from before, or a new one. Who chooses this mode agrees to the authority's terms.
    async fn account(&self) -> Result<Account, AcmeError> {
        // Otherwise it depends on other crates' features whether there is exactly one to choose. A second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = match &self.config.directory_ca {
            None => Account::builder()?,
            Some(path) => Account::builder_with_root(path)?,
        };
        let kept = self.store.read(ACCOUNT)?.map(|kept| serde_json::from_slice::<Kept>(&kept)).transpose()?;
        if let Some(kept) = kept.filter(|kept| kept.directory == self.config.directory) {
            return Ok(builder.from_credentials(kept.credentials).await?);
        }
        let contact = self.config.contact.as_ref().map(|address| format!("mailto:{address}"));
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) = builder.create(&new, self.config.directory.clone(), None).await?;
        let kept = Kept { directory: self.config.directory.clone(), credentials };
        self.store.write(ACCOUNT, &serde_json::to_vec(&kept)?)?;
        Ok(account)
    }
}

/// When two thirds of its life are over.
fn renewal(pair: &Pair) -> SystemTime {
    pair.begins + pair.ends.duration_since(pair.begins).unwrap_or_default() * 2 / 3
}

/// What an authority is to find: a certificate for the name, with the digest in it.
fn proof(name: &str, digest: &[u8]) -> Result<CertifiedKey, AcmeError> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = rustls::crypto::ring::sign::any_supported_type(&key)?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}

/// What the authority says of the name that it refused.
async fn refusal(order: &mut Order, status: OrderStatus) -> AcmeError {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()) {
            return AcmeError::Refused { name: state.identifier().to_string(), why: problem.to_string() };
        }
    }
    AcmeError::Stuck(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::pair::tests::made;

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
        let (certificate, key) = made("a.example");
        let mut pair = Pair::parse(certificate.as_bytes(), key.as_bytes()).expect("a pair");
        let day = Duration::from_secs(24 * 3600);
        (pair.begins, pair.ends) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + 90 * day);
        assert_eq!(renewal(&pair), SystemTime::UNIX_EPOCH + 60 * day);
        pair.ends = pair.begins - day;
        assert_eq!(renewal(&pair), pair.begins, "one that makes no sense is due");
    }
}
