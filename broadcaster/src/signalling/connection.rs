//! One Socket.IO connection, from the client's end (protocol version 5 over Engine.IO 4, WebSocket only).
//!
//! The crates that speak this protocol's server side parse only what clients send, and the client crate spawns its handlers,
//! which loses the order of events; what a client must speak is the little below.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use protocol::{Fingerprint, Hello, ToServer};
use serde::Deserialize;
use tokio::{net::TcpStream, time::Instant};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{self, Message, http::header::LOCATION, protocol::WebSocketConfig},
};

use super::ServerUrl;
use crate::{
    networks,
    tls::{self, Mismatch},
};

/// A server that has not let us in by then is as good as absent.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// Nobody waits for a goodbye that does not get through.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// The largest thing a server has to say is a session description.
const MAX_MESSAGE: usize = 128 * 1024;

/// Why there is no connection, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    #[error("the server did not let us in within {OPEN_WITHIN:?}")]
    Slow,
    #[error("the line failed")]
    Line(#[source] tungstenite::Error),
    #[error(transparent)]
    Stranger(#[from] Mismatch),
    #[error("the server has moved to {0}: set `server` to that address, without what follows the host and its port")]
    Moved(String),
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    #[error("the server refused: {0}")]
    Refused(String),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server has been silent for {0:?}")]
    Silent(Duration),
    #[error("the network that led to the server is gone")]
    Stranded,
    #[error("the server does not speak Socket.IO: {0}")]
    Protocol(&'static str),
}

impl From<tungstenite::Error> for ConnectionError {
    fn from(error: tungstenite::Error) -> Self {
        if let tungstenite::Error::Io(line) = &error
            && let Some(mismatch) = tls::mismatch(line)
        {
            return Self::Stranger(mismatch);
        }
        if let tungstenite::Error::Http(response) = &error
            && response.status().is_redirection()
            && let Some(Ok(location)) = response.headers().get(LOCATION).map(|location| location.to_str())
        {
            return Self::Moved(location.to_owned());
        }
        Self::Line(error)
    }
}

/// Names a question, to know its answer by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AckId(u64);

/// What the server sent, as JSON arrays.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// `["name", argument, …]`
    Event(String),
    /// `[argument, …]`
    Ack(AckId, String),
}

pub struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The server says something at least this often, if only a ping.
    heartbeat: Duration,
    heard: Instant,
    pong_due: bool,
    next_ack: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Open {
    ping_interval: u64,
    ping_timeout: u64,
}

pub(super) enum Packet<'a> {
    Ping,
    Close,
    Connected,
    Refused(&'a str),
    Disconnected,
    Incoming(Incoming),
    Other,
}

impl Connection {
    /// Connects and joins the main namespace. With a fingerprint, only the server that has this certificate is spoken to.
    pub async fn open(server: &ServerUrl, pin: Option<Fingerprint>) -> Result<Self, ConnectionError> {
        Self::open_showing(server, pin, &Hello::default()).await
    }

    /// The same, and shows this, as viewers do who have a link.
    pub async fn open_showing(
        server: &ServerUrl,
        pin: Option<Fingerprint>,
        hello: &Hello,
    ) -> Result<Self, ConnectionError> {
        let handshake = Self::handshake(server, pin, hello);
        tokio::time::timeout(OPEN_WITHIN, handshake).await.map_err(|_| ConnectionError::Slow)?
    }

    async fn handshake(server: &ServerUrl, pin: Option<Fingerprint>, hello: &Hello) -> Result<Self, ConnectionError> {
        let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
        // Otherwise it depends on other crates' features whether there is exactly one to choose. A second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let connector = pin.map(tls::pinned).transpose()?.map(|config| Connector::Rustls(Arc::new(config)));
        // Small messages must leave at once: candidates wait for nobody.
        let (mut socket, _) = connect_async_tls_with_config(server.socket(), Some(config), true, connector).await?;
        let open = text(socket.next().await.ok_or(ConnectionError::Closed)??);
        let open: Open = open
            .as_deref()
            .and_then(|text| text.strip_prefix('0'))
            .and_then(|json| serde_json::from_str(json).ok())
            .ok_or(ConnectionError::Protocol("it did not open with a handshake"))?;
        let shown = if *hello == Hello::default() {
            String::new()
        } else {
            serde_json::to_string(hello).expect("it is plain data")
        };
        socket.send(Message::text(format!("40{shown}"))).await?;
        let heartbeat = Duration::from_millis(open.ping_interval.saturating_add(open.ping_timeout));
        let mut connection = Self { socket, heartbeat, heard: Instant::now(), pong_due: false, next_ack: 0 };
        loop {
            let text = connection.receive().await?;
            match parse(&text) {
                Packet::Connected => return Ok(connection),
                Packet::Refused(reason) => return Err(ConnectionError::Refused(reason.to_owned())),
                Packet::Close | Packet::Disconnected => return Err(ConnectionError::Closed),
                Packet::Ping => connection.pong_due = true,
                Packet::Incoming(_) | Packet::Other => {}
            }
        }
    }

    /// Says something.
    pub async fn emit(&mut self, message: &ToServer) -> Result<(), ConnectionError> {
        let json = serde_json::to_string(message).expect("messages are plain data");
        match message.attachment() {
            None => self.write(format!("42{json}")).await,
            Some(bytes) => {
                self.write(format!("451-{json}")).await?;
                self.send(Message::Binary(bytes.clone())).await
            }
        }
    }

    /// Says something and wants an answer, which comes as [`Incoming::Ack`].
    pub async fn ask(&mut self, message: &ToServer) -> Result<AckId, ConnectionError> {
        let json = serde_json::to_string(message).expect("messages are plain data");
        let id = AckId(self.next_ack);
        self.next_ack += 1;
        self.write(format!("42{}{json}", id.0)).await?;
        Ok(id)
    }

    /// Sends a packet as it is, whatever it says.
    pub async fn send_raw(&mut self, text: String) -> Result<(), ConnectionError> {
        self.write(text).await
    }

    /// The next thing that the server says. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Incoming, ConnectionError> {
        loop {
            if self.pong_due {
                self.write("3".to_owned()).await?;
                self.pong_due = false;
            }
            let text = self.receive().await?;
            match parse(&text) {
                Packet::Ping => self.pong_due = true,
                Packet::Incoming(incoming) => return Ok(incoming),
                Packet::Close | Packet::Disconnected => return Err(ConnectionError::Closed),
                Packet::Refused(reason) => return Err(ConnectionError::Refused(reason.to_owned())),
                Packet::Connected | Packet::Other => {}
            }
        }
    }

    /// Whether this machine no longer has the address that the line begins at: nothing would ever come by it again, and nobody
    /// says so.
    pub(super) fn is_stranded(&self) -> bool {
        let stream = match self.socket.get_ref() {
            MaybeTlsStream::Plain(stream) => stream,
            MaybeTlsStream::Rustls(stream) => stream.get_ref().0,
            _ => return false,
        };
        match (stream.local_addr(), networks::addresses()) {
            (Ok(home), Ok(addresses)) => !addresses.contains(&home.ip().to_canonical()),
            (Err(_), _) | (_, Err(_)) => false,
        }
    }

    /// Leaves in the way that tells the server so.
    pub async fn close(mut self) {
        let goodbye = async {
            self.write("41".to_owned()).await?;
            Ok::<_, ConnectionError>(self.socket.close(None).await?)
        };
        // The line may be gone already, and then there is nobody to tell.
        let _ = tokio::time::timeout(GOODBYE_WITHIN, goodbye).await;
    }

    async fn write(&mut self, text: String) -> Result<(), ConnectionError> {
        self.send(Message::text(text)).await
    }

    /// A line that takes nothing for as long as a ping may be late is as dead as one that says nothing.
    async fn send(&mut self, message: Message) -> Result<(), ConnectionError> {
        let sent = tokio::time::timeout(self.heartbeat, self.socket.send(message));
        Ok(sent.await.map_err(|_| ConnectionError::Silent(self.heartbeat))??)
    }

    async fn receive(&mut self) -> Result<String, ConnectionError> {
        loop {
            let silent = ConnectionError::Silent(self.heartbeat);
            let next = tokio::time::timeout_at(self.heard + self.heartbeat, self.socket.next());
            let message = next.await.map_err(|_| silent)?.ok_or(ConnectionError::Closed)??;
            self.heard = Instant::now();
            if let Some(text) = text(message) {
                return Ok(text);
            }
        }
    }
}

fn text(message: Message) -> Option<String> {
    match message {
        Message::Text(text) => Some(text.as_str().to_owned()),
        Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => None,
    }
}

/// Reads one packet: a digit for Engine.IO, for messages another for Socket.IO, perhaps an acknowledgement's number.
pub(super) fn parse(text: &str) -> Packet<'_> {
    let Some(message) = text.strip_prefix('4') else {
        return match text {
            "1" => Packet::Close,
            "2" => Packet::Ping,
            _ => Packet::Other,
        };
    };
    let Some((kind, rest)) = message.split_at_checked(1) else {
        return Packet::Other;
    };
    match kind {
        "0" => Packet::Connected,
        "1" => Packet::Disconnected,
        "4" => Packet::Refused(rest),
        "2" | "3" => {
            let (number, json) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
            match (kind, number.parse()) {
                // Nobody asks a robot for acknowledgements, so an event's number is of no use.
                ("2", _) => Packet::Incoming(Incoming::Event(json.to_owned())),
                (_, Ok(id)) => Packet::Incoming(Incoming::Ack(AckId(id), json.to_owned())),
                (_, Err(_)) => Packet::Other,
            }
        }
        _ => Packet::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(text: &str) -> Option<Incoming> {
        match parse(text) {
            Packet::Incoming(incoming) => Some(incoming),
            Packet::Ping
            | Packet::Close
            | Packet::Connected
            | Packet::Refused(_)
            | Packet::Disconnected
            | Packet::Other => None,
        }
    }

    /// A server that lets in whoever comes, and then says nothing, as one does whose machine has lost its network.
    async fn silent_server() -> (ServerUrl, tokio::task::JoinHandle<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("bound")).parse().expect("an address");
        let serve = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a WebSocket");
            let open = r#"0{"sid":"x","upgrades":[],"pingInterval":20,"pingTimeout":20,"maxPayload":1000}"#;
            socket.send(Message::text(open)).await.expect("sent");
            socket.send(Message::text(r#"40{"sid":"y"}"#)).await.expect("sent");
            std::future::pending::<()>().await;
        });
        (url, serve)
    }

    #[tokio::test]
    async fn a_line_on_which_nothing_is_heard_is_given_up() {
        let (url, server) = silent_server().await;
        let mut connection = Connection::open(&url, None).await.expect("let in");
        let heard = tokio::time::timeout(Duration::from_secs(30), connection.next()).await.expect("noticed");
        assert!(matches!(heard, Err(ConnectionError::Silent(_))), "{heard:?}");
        server.abort();
    }

    #[test]
    fn events_and_answers_are_told_apart() {
        assert_eq!(incoming("42[\"bye\",\"a\"]"), Some(Incoming::Event("[\"bye\",\"a\"]".to_owned())));
        assert_eq!(incoming("427[\"bye\"]"), Some(Incoming::Event("[\"bye\"]".to_owned())));
        assert_eq!(incoming("4312[{}]"), Some(Incoming::Ack(AckId(12), "[{}]".to_owned())));
    }

    #[test]
    fn no_text_makes_the_parser_panic() {
        for text in ["", "4", "42", "43", "43x", "4é", "4399999999999999999999[]", "é", "45-[]", "2probe"] {
            assert!(incoming(text).is_none_or(|incoming| incoming == Incoming::Event(String::new())), "{text:?}");
        }
        assert!(matches!(parse("2"), Packet::Ping) && matches!(parse("41"), Packet::Disconnected));
        assert!(matches!(parse("44{\"message\":\"no\"}"), Packet::Refused("{\"message\":\"no\"}")));
    }
}
