//! Encrypted connections to servers that this machine trusts, or that the config knows by their fingerprint.

use std::{error::Error, io, sync::Arc};

use protocol::Fingerprint;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("the connection failed")]
    Line(#[from] io::Error),
    #[error("the server's name cannot be checked against a certificate")]
    Name(#[from] rustls::pki_types::InvalidDnsNameError),
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// The server is not the one that the config knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server's certificate has the fingerprint {0}, which is not the config's: if the server has a new certificate, take \
     the line that `server check` prints there; if not, somebody else answers in its place"
)]
pub struct Mismatch(pub Fingerprint);

/// Goes on only with a server that shows the certificate with this fingerprint; without one, a certificate in this name, which
/// this machine trusts.
pub(crate) async fn connect(
    stream: TcpStream,
    host: &str,
    pin: Option<Fingerprint>,
) -> Result<TlsStream<TcpStream>, TlsError> {
    if let Some(pin) = pin {
        return secure(stream, host, pinned(pin)?).await;
    }
    let load = || rustls_native_certs::load_native_certs().certs;
    let trusted = tokio::task::spawn_blocking(load).await.map_err(io::Error::from)?;
    secure(stream, host, vouched_for(trusted)?).await
}

/// For one certificate, whoever vouches for it, whatever its dates and names: a robot's clock may be wrong, and its server have none.
pub(crate) fn pinned(pin: Fingerprint) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Pinned { pin, provider: provider.clone() };
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

fn vouched_for(trusted: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    // Certificates that cannot be understood vouch for nobody.
    roots.add_parsable_certificates(trusted);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

async fn secure(stream: TcpStream, host: &str, config: ClientConfig) -> Result<TlsStream<TcpStream>, TlsError> {
    let name = ServerName::try_from(host.to_owned())?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}

/// Whether a connection failed for this, which errors of I/O wrap.
pub(crate) fn mismatch(error: &(dyn Error + 'static)) -> Option<Mismatch> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return mismatch(error.get_ref()?);
    }
    let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(error))) = error.downcast_ref()? else {
        return None;
    };
    error.downcast_ref().copied()
}

#[derive(Debug)]
struct Pinned {
    pin: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let shown = Fingerprint::new(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"));
        if shown == self.pin {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Mismatch(shown))))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_rustls::TlsAcceptor;

    use super::*;

    #[tokio::test]
    async fn only_a_server_that_is_vouched_for_or_known_is_spoken_to() {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["relay.example".to_owned()]).expect("a certificate");
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key.into()))
            .expect("a configuration");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let server = tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            loop {
                let (stream, _) = listener.accept().await.expect("a client");
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    stream.write_all(b"hello").await.expect("sent");
                    stream.shutdown().await.expect("closed");
                }
            }
        });
        let secured = async |host: &str, config: Result<ClientConfig, rustls::Error>| {
            let stream = TcpStream::connect(address).await.expect("connected");
            secure(stream, host, config.expect("a configuration")).await
        };
        let open = async |host: &str, trusted: Vec<CertificateDer<'static>>| secured(host, vouched_for(trusted)).await;
        let trusted = vec![cert.der().clone()];
        assert!(open("relay.example", Vec::new()).await.is_err(), "nobody vouches for it");
        assert!(open("another.example", trusted.clone()).await.is_err(), "it is somebody else");
        let digest = ring::digest::digest(&ring::digest::SHA256, cert.der());
        let own = Fingerprint::new(digest.as_ref().try_into().expect("32 bytes"));
        let vouched = open("relay.example", trusted).await.expect("trusted");
        let known = secured("192.0.2.1", pinned(own)).await.expect("whatever it is called");
        for mut stream in [vouched, known] {
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.expect("closed properly");
            assert_eq!(heard, b"hello");
        }
        let refused = secured("relay.example", pinned(Fingerprint::new([7; 32]))).await.expect_err("somebody else");
        let TlsError::Line(line) = refused else { panic!("{refused}") };
        assert_eq!(mismatch(&line), Some(Mismatch(own)));
        let unknown = open("relay.example", Vec::new()).await.expect_err("nobody vouches for it");
        let TlsError::Line(line) = unknown else { panic!("{unknown}") };
        assert_eq!(mismatch(&line), None);
        server.abort();
    }
}
