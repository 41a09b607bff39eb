//! Encrypted connections to servers that this machine trusts.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
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

/// Goes on only with a server that shows a certificate in this name, which this machine trusts.
pub(crate) async fn connect(stream: TcpStream, host: &str) -> Result<TlsStream<TcpStream>, TlsError> {
    let load = || rustls_native_certs::load_native_certs().certs;
    let trusted = tokio::task::spawn_blocking(load).await.map_err(io::Error::from)?;
    secure(stream, host, trusted).await
}

async fn secure(
    stream: TcpStream,
    host: &str,
    trusted: Vec<CertificateDer<'static>>,
) -> Result<TlsStream<TcpStream>, TlsError> {
    let mut roots = RootCertStore::empty();
    // Certificates that cannot be understood vouch for nobody.
    roots.add_parsable_certificates(trusted);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
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
    async fn only_a_server_with_a_trusted_certificate_in_its_name_is_spoken_to() {
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
        let open = async |host: &str, trusted: Vec<CertificateDer<'static>>| {
            secure(TcpStream::connect(address).await.expect("connected"), host, trusted).await
        };
        let trusted = vec![cert.der().clone()];
        assert!(open("relay.example", Vec::new()).await.is_err(), "nobody vouches for it");
        assert!(open("another.example", trusted.clone()).await.is_err(), "it is somebody else");
        let mut stream = open("relay.example", trusted).await.expect("trusted");
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.expect("closed properly");
        assert_eq!(heard, b"hello");
        server.abort();
    }
}
