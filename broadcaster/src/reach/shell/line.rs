//! One stream to one relay, over TCP or TLS: connected, and connected again.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use rtc_shared::turn_framing::TurnStreamDecoder;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::ReachInput;
use crate::{
    reach::server::{ServerId, Transport},
    signalling::backoff::Backoff,
};

const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A server that takes nothing for that long has gone, whatever the kernel thinks.
const STALLED_AFTER: Duration = Duration::from_secs(10);

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What waits in the kernel is late already: a quarter of a second at 8 Mbit/s.
const KERNEL_BUFFER: usize = 256 * 1024;

/// Messages that leave together.
const BATCH: usize = 64;

const READ: usize = 16 * 1024;

/// A stream that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) id: ServerId,
    /// As the server's certificate should name it.
    pub(super) host: String,
}

/// Why there is no stream, or no longer.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("no connection within {CONNECT_WITHIN:?}")]
    Slow,
    #[error("the connection failed")]
    Line(#[from] io::Error),
    #[error("the server's name cannot be checked against a certificate")]
    Name(#[from] rustls::pki_types::InvalidDnsNameError),
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server takes nothing")]
    Stalled,
    #[error("the server does not speak TURN")]
    NotTurn,
    #[error("the fan-out has gone")]
    Orphaned,
}

impl Line {
    /// Keeps the stream up until its queue is dropped.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Bytes>, inputs: mpsc::Sender<ReachInput>) {
        let mut backoff = Backoff::between(FIRST_WAIT, LONGEST_WAIT);
        loop {
            match self.connection(&mut queue, &inputs, &mut backoff).await {
                Ok(never) => match never {},
                Err(LineError::Orphaned) => return,
                Err(error) => self.complain(&error, &backoff),
            }
            tokio::time::sleep(backoff.next(rand::random())).await;
        }
    }

    fn complain(&self, error: &LineError, backoff: &Backoff) {
        let error = error as &dyn std::error::Error;
        if backoff.is_fresh() {
            tracing::warn!(server = %self.id, error, "no line to the relay; trying on");
        } else {
            tracing::debug!(server = %self.id, error, "still no line to the relay");
        }
    }

    async fn connection(
        &self,
        queue: &mut mpsc::Receiver<Bytes>,
        inputs: &mpsc::Sender<ReachInput>,
        backoff: &mut Backoff,
    ) -> Result<std::convert::Infallible, LineError> {
        let stream = tokio::time::timeout(CONNECT_WITHIN, self.connect()).await.map_err(|_| LineError::Slow)??;
        // What was meant for the former stream means nothing on this one.
        while queue.try_recv().is_ok() {}
        tell(inputs, ReachInput::StreamUp(self.id)).await?;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut heard = false;
        let error = tokio::select! {
            error = receive(&mut reader, self.id, inputs, &mut heard) => error,
            error = send(&mut writer, queue) => error,
        };
        // A server that hangs up before it has said anything will do so again.
        if heard {
            backoff.reset();
        }
        tell(inputs, ReachInput::StreamDown(self.id)).await?;
        error
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, LineError> {
        let stream = TcpStream::connect(self.id.address).await?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        socket.set_send_buffer_size(KERNEL_BUFFER)?;
        socket.set_tcp_user_timeout(Some(STALLED_AFTER))?;
        match self.id.transport {
            Transport::Udp | Transport::Tcp => Ok(Box::new(stream)),
            Transport::Tls => {
                let load = || rustls_native_certs::load_native_certs().certs;
                let trusted = tokio::task::spawn_blocking(load).await.map_err(io::Error::from)?;
                Ok(Box::new(secure(stream, &self.host, trusted).await?))
            }
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn secure(
    stream: TcpStream,
    host: &str,
    trusted: Vec<CertificateDer<'static>>,
) -> Result<TlsStream<TcpStream>, LineError> {
    let mut roots = RootCertStore::empty();
    // Certificates that cannot be understood vouch for nobody.
    roots.add_parsable_certificates(trusted);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}

async fn receive(
    reader: &mut (impl AsyncRead + Unpin),
    server: ServerId,
    inputs: &mpsc::Sender<ReachInput>,
    heard: &mut bool,
) -> Result<std::convert::Infallible, LineError> {
    let mut decoder = TurnStreamDecoder::new();
    let mut buffer = vec![0; READ];
    loop {
        let length = reader.read(&mut buffer).await?;
        if length == 0 {
            return Err(LineError::Closed);
        }
        decoder.extend_from_slice(&buffer[..length]);
        while let Some(message) = decoder.next_message().map_err(|_| LineError::NotTurn)? {
            *heard = true;
            tell(inputs, ReachInput::Stream(server, BytesMut::from(&message[..]))).await?;
        }
    }
}

async fn send(
    writer: &mut (impl AsyncWrite + Unpin),
    queue: &mut mpsc::Receiver<Bytes>,
) -> Result<std::convert::Infallible, LineError> {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        if queue.recv_many(&mut batch, BATCH).await == 0 {
            return Err(LineError::Orphaned);
        }
        let bytes = batch.concat();
        batch.clear();
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        tokio::time::timeout(STALLED_AFTER, written).await.map_err(|_| LineError::Stalled)??;
    }
}

async fn tell(inputs: &mpsc::Sender<ReachInput>, input: ReachInput) -> Result<(), LineError> {
    inputs.send(input).await.map_err(|_| LineError::Orphaned)
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use tokio::net::TcpListener;
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
