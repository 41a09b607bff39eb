//! Encryption: what certificate is shown, where it comes from, and how it stays good.
//!
//! [`Certificates`] is what handshakes ask. It is filled by [`files`], whose files somebody else renews, by [`acme`], which
//! gets certificates by itself, or once and for all by [`self_signed`].

mod acme;
mod certificates;
mod files;
mod pair;
mod self_signed;
mod store;

use std::{path::PathBuf, sync::Arc};

use protocol::Fingerprint;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, TlsMode};
use acme::Authority;
use certificates::Certificates;
use files::Files;
use pair::PairError;
use store::Store;

/// In which an authority looks for its own question (RFC 8737).
pub(crate) const ACME_PROTOCOL: &[u8] = b"acme-tls/1";

/// Socket.IO's WebSockets need HTTP's first version.
const HTTP: &[u8] = b"http/1.1";

/// How the relay's clients may call what they are going to speak (RFC 7443). Few do: it is their first byte that counts.
const TURN: &[u8] = b"stun.turn";

#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error(transparent)]
    Pair(#[from] PairError),
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
    #[error("a certificate cannot be made")]
    Make(#[from] rcgen::Error),
    #[error("{path} cannot be {what} in {}: state_dir must be a folder that is the server's own", dir.display())]
    Dir {
        dir: PathBuf,
        path: &'static str,
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
}

/// What connections are encrypted with.
pub(crate) struct Encryption {
    pub(crate) acceptor: TlsAcceptor,
    /// Whether an authority vouches for it, so that browsers may insist on it.
    pub(crate) is_vouched_for: bool,
    certificates: Arc<Certificates>,
    upkeep: Upkeep,
}

enum Upkeep {
    None,
    Files(Files),
    Authority(Authority),
}

impl Encryption {
    /// `None` where connections are not to be encrypted. Blocks for as long as it takes to read some files.
    pub(crate) fn set_up(config: &Config) -> Result<Option<Self>, TlsError> {
        let certificates = Arc::new(Certificates::default());
        let is_vouched_for = config.tls.mode.is_vouched_for();
        let upkeep = match &config.tls.mode {
            TlsMode::Off => return Ok(None),
            TlsMode::Files { certificate, key } => {
                let mut files = Files::new(certificate.clone(), key.clone());
                certificates.replace(files.load()?);
                Upkeep::Files(files)
            }
            TlsMode::SelfSigned { names } => {
                let pair = self_signed::load_or_make(store(config), names)?;
                tracing::info!(line = %line(&pair.fingerprint), "robots know this server by this line in their config");
                certificates.replace(pair);
                Upkeep::None
            }
            TlsMode::Acme(acme) => {
                let authority = Authority::new(acme.clone(), store(config));
                if let Some(pair) = authority.kept()? {
                    certificates.replace(pair);
                }
                Upkeep::Authority(authority)
            }
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(certificates.clone());
        server.alpn_protocols = vec![HTTP.to_vec(), ACME_PROTOCOL.to_vec()];
        if config.turn.enabled {
            server.alpn_protocols.push(TURN.to_vec());
        }
        let acceptor = TlsAcceptor::from(Arc::new(server));
        Ok(Some(Self { acceptor, is_vouched_for, certificates, upkeep }))
    }

    /// Keeps the certificate good until `cancel`.
    pub(crate) async fn keep(self, cancel: CancellationToken) {
        let upkeep = async {
            match self.upkeep {
                Upkeep::None => std::future::pending().await,
                Upkeep::Files(files) => files.watch(&self.certificates).await,
                Upkeep::Authority(authority) => authority.keep(&self.certificates).await,
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            never = upkeep => match never {},
        }
    }
}

/// What `server check` says of the certificate. Makes none, and asks nobody.
pub(crate) fn describe(config: &Config) -> Result<Option<String>, TlsError> {
    Ok(match &config.tls.mode {
        TlsMode::Off => None,
        TlsMode::Files { certificate, key } => {
            let pair = Files::new(certificate.clone(), key.clone()).load()?;
            Some(format!("Shows the certificate in {}, which is good until {}.", certificate.display(), pair.expires()))
        }
        TlsMode::SelfSigned { .. } => Some(match self_signed::load(&store(config))? {
            Some(pair) => format!(
                "Signs its certificate itself. Robots know it by this line in their config: {}",
                line(&pair.fingerprint)
            ),
            None => "Signs its certificate itself, when it first starts; its log then has the line for robots' configs, and \
                     so has this command."
                .to_owned(),
        }),
        TlsMode::Acme(acme) => Some(match Authority::new(acme.clone(), store(config)).kept()? {
            Some(pair) => format!("Has a certificate for {}, which is good until {}.", acme.names.join(", "), pair.expires()),
            None => format!("Will ask {} for a certificate for {}.", acme.directory, acme.names.join(", ")),
        }),
    })
}

/// Where keys and certificates are kept.
fn store(config: &Config) -> Store {
    Store::new(config.state_dir.join("tls"))
}

/// For robots' configs.
fn line(fingerprint: &Fingerprint) -> String {
    format!("fingerprint = \"{fingerprint}\"")
}
