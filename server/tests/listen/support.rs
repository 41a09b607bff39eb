//! A server on a port of its own, and those who come to it.

use std::{
    fs,
    future::Future,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use server::{Server, TurnTally};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};
use tokio_util::sync::CancellationToken;

/// No single step takes this long; a test that waits longer has failed.
const DEADLINE: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("in time")
}

/// Asks again and again for what takes its time and tells nobody.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    within(async {
        while !is_so().await {
            looks.tick().await;
        }
    })
    .await;
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) redirect: Option<SocketAddr>,
    pub(crate) relay: Option<TurnTally>,
    cancel: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// `config` in its own words; it listens on loopback.
    pub(crate) async fn start(config: &str) -> Self {
        Self::start_there(&format!("listen = \"127.0.0.1:0\"\n{config}")).await
    }

    /// Where the config says.
    pub(crate) async fn start_there(config: &str) -> Self {
        let server = Server::bind(toml::from_str(config).expect("a config")).await.expect("binds");
        let (address, redirect, cancel) = (server.local_addr(), server.redirects_from(), CancellationToken::new());
        let relay = server.turn_tally();
        Self { address, redirect, relay, task: tokio::spawn(server.run(cancel.clone())), cancel }
    }

    /// It may take its time after this.
    pub(crate) fn begin_to_stop(&self) {
        self.cancel.cancel();
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.task.is_finished()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        self.connect_from([127, 0, 0, 1]).await
    }

    /// All of 127.0.0.0/8 is this machine.
    pub(crate) async fn connect_from(&self, address: impl Into<IpAddr>) -> TcpStream {
        connect(self.address, address.into()).await
    }

    /// Its way of ending.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        within(self.task).await.expect("no panic").expect("a graceful end");
    }
}

pub(crate) async fn connect(to: SocketAddr, from: IpAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(from, 0)).expect("an address of this machine");
    within(socket.connect(to)).await.expect("connects")
}

/// Asks once and returns everything that is answered until the connection ends.
pub(crate) async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str, headers: &str) -> String {
    let host = if headers.contains("host:") { "" } else { "host: x\r\n" };
    let request = format!("GET {path} HTTP/1.1\r\n{host}connection: close\r\n{headers}\r\n");
    // Whoever is turned away may be so before it has asked.
    let _ = within(stream.write_all(request.as_bytes())).await;
    rest(stream).await
}

/// The same, after all that `before` asks, and with what that is answered.
pub(crate) async fn ask_after(mut stream: TcpStream, before: String) -> String {
    let (mut reader, mut writer) = stream.split();
    let last = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let asks = before + last;
    // Who does not listen meanwhile is not listened to either.
    let (_, answers) = tokio::join!(within(writer.write_all(asks.as_bytes())), rest(&mut reader));
    answers
}

/// Everything that comes until the connection ends, in whatever way.
pub(crate) async fn rest(mut stream: impl AsyncRead + Unpin) -> String {
    let mut heard = Vec::new();
    let _ = within(stream.read_to_end(&mut heard)).await;
    String::from_utf8_lossy(&heard).into_owned()
}

/// Socket.IO over a WebSocket.
pub(crate) struct Client<S>(WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Becomes a WebSocket and says nothing yet. `on_behalf` is whom a proxy names.
    pub(crate) async fn open(stream: S, on_behalf: Option<&str>) -> Result<Self, String> {
        let mut request = "ws://x/socket.io/?EIO=4&transport=websocket".into_client_request().expect("a request");
        if let Some(on_behalf) = on_behalf {
            let address = HeaderValue::from_str(on_behalf).expect("an address");
            request.headers_mut().insert("x-forwarded-for", address);
        }
        let (socket, _) = within(client_async(request, stream)).await.map_err(|error| error.to_string())?;
        Ok(Self(socket))
    }

    /// Joins the namespace, too; or the message of the `connect_error`.
    pub(crate) async fn join(stream: S, on_behalf: Option<&str>) -> Result<Self, String> {
        let mut client = Self::open(stream, on_behalf).await?;
        client.send("40").await;
        loop {
            let packet = client.packet().await.ok_or("closed")?;
            if let Some(refusal) = packet.strip_prefix("44") {
                let refusal: serde_json::Value = serde_json::from_str(refusal).expect("JSON");
                return Err(refusal["message"].as_str().expect("a message").to_owned());
            }
            if packet.starts_with("40") {
                return Ok(client);
            }
        }
    }

    /// Whether it is still served: asks for a robot and waits for the answer.
    pub(crate) async fn is_served(&mut self) -> bool {
        self.send(r#"421["watcher",{"robot":"demo"}]"#).await;
        while let Some(packet) = self.packet().await {
            if packet.starts_with("431[") {
                return true;
            }
        }
        false
    }

    /// Answers heartbeats until the server ends the connection.
    pub(crate) async fn stay(&mut self) {
        while self.packet().await.is_some() {}
    }

    async fn send(&mut self, text: &str) {
        within(self.0.send(Message::text(text))).await.expect("sent");
    }

    /// The next one; heartbeats are answered.
    async fn packet(&mut self) -> Option<String> {
        loop {
            match within(self.0.next()).await {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => self.send("3").await,
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}

/// An encrypted connection to whoever answers.
pub(crate) async fn encrypt(
    stream: TcpStream,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Anybody(provider.clone()));
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    let mut config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

/// The usual one.
pub(crate) async fn encrypted(stream: TcpStream) -> TlsStream<TcpStream> {
    encrypt(stream, rustls::DEFAULT_VERSIONS, &[b"http/1.1"]).await.expect("encrypted")
}

/// What the server showed of itself.
pub(crate) fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let (_, session) = stream.get_ref();
    session.peer_certificates().and_then(|chain| chain.first()).expect("a certificate").clone().into_owned()
}

/// Takes any certificate whose key the other end has.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A folder of a test's own, gone with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let mut name = [0; 8];
        getrandom::fill(&mut name).expect("random bytes");
        let path = std::env::temp_dir().join(format!("panocast-listen-{:016x}", u64::from_le_bytes(name)));
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// As whoever renews files does: another one in its place, which is its owner's alone.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let (new, path) = (self.path("new"), self.path(name));
        fs::write(&new, text).expect("written");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("its owner's");
        fs::rename(&new, &path).expect("in place");
        path
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that failed has more to say than this.
        let _ = fs::remove_dir_all(&self.0);
    }
}
