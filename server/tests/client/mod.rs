//! The least Socket.IO client: version 4 of its protocol over a WebSocket, written out by hand.

use std::{collections::VecDeque, future::Future, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        http::{HeaderValue, header::ORIGIN},
        protocol::WebSocketConfig,
    },
};

/// Thousands of them are to fit.
const READ_AT_ONCE: usize = 4096;

/// No single step takes this long; a test that waits longer has failed.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("in time")
}

pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    /// What nobody else knows.
    pub(crate) session: String,
    /// What others know it by, once they were introduced to it.
    pub(crate) id: String,
    /// Events that came while an acknowledgement was awaited.
    early: VecDeque<Value>,
    asked: u32,
}

impl Client {
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        Self::try_connect(server).await.expect("admitted")
    }

    /// Or the message of the `connect_error`.
    pub(crate) async fn try_connect(server: SocketAddr) -> Result<Self, String> {
        Self::try_connect_as(server, None, None).await
    }

    /// From a page of this origin, and showing this.
    pub(crate) async fn try_connect_as(
        server: SocketAddr,
        origin: Option<&'static str>,
        hello: Option<Value>,
    ) -> Result<Self, String> {
        let stream = within(TcpStream::connect(server)).await.map_err(|error| error.to_string())?;
        Self::over(stream, origin, hello).await
    }

    /// The same, from wherever this connection comes.
    pub(crate) async fn over(
        stream: TcpStream,
        origin: Option<&'static str>,
        hello: Option<Value>,
    ) -> Result<Self, String> {
        let server = stream.peer_addr().map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let url = format!("ws://{server}/socket.io/?EIO=4&transport=websocket");
        let mut request = url.into_client_request().expect("a request");
        request.headers_mut().extend(origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))));
        let mut client = Self::open(stream, request).await?;
        assert!(client.packet().await.expect("open").starts_with("0{"));
        client.raw(&format!("40{}", hello.map(|hello| hello.to_string()).unwrap_or_default())).await;
        let greeting = client.packet().await.expect("a greeting");
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        match greeting.strip_prefix("44") {
            Some(refusal) => Err(json(refusal)["message"].as_str().expect("a message").to_owned()),
            None => {
                client.session = json(&greeting[2..])["sid"].as_str().expect("an id").to_owned();
                Ok(client)
            }
        }
    }

    /// A WebSocket, and nothing said yet.
    pub(crate) async fn open(stream: TcpStream, request: impl IntoClientRequest + Unpin) -> Result<Self, String> {
        let config = WebSocketConfig::default().read_buffer_size(READ_AT_ONCE);
        let opening = client_async_with_config(request, stream, Some(config));
        let (socket, _) = within(opening).await.map_err(|error| error.to_string())?;
        Ok(Self { socket, session: String::new(), id: String::new(), early: VecDeque::new(), asked: 0 })
    }

    pub(crate) async fn raw(&mut self, text: &str) {
        within(self.socket.send(Message::text(text))).await.expect("sent");
    }

    pub(crate) async fn say(&mut self, event: &Value) {
        self.raw(&format!("42{event}")).await;
    }

    /// All of it in one piece.
    pub(crate) async fn blurt(&mut self, events: impl IntoIterator<Item = Value>) {
        for event in events {
            within(self.socket.feed(Message::text(format!("42{event}")))).await.expect("sent");
        }
        within(self.socket.flush()).await.expect("sent");
    }

    /// Whether it could still be said.
    pub(crate) async fn try_say(&mut self, event: &Value) -> bool {
        within(self.socket.send(Message::text(format!("42{event}")))).await.is_ok()
    }

    /// Takes what has come already, and answers heartbeats; false if there is no more.
    pub(crate) async fn heard(&mut self) -> bool {
        tokio::select! {
            biased;
            packet = self.packet() => packet.is_some(),
            () = std::future::ready(()) => false,
        }
    }

    /// Ends the connection without a goodbye of any kind.
    pub(crate) fn abort(self) {
        // Data that was on its way is dropped, and the other end is told that it was.
        self.socket.get_ref().set_zero_linger().expect("its own socket");
    }

    /// Says something and waits for its acknowledgement.
    pub(crate) async fn ask(&mut self, event: &Value) -> Value {
        self.asked += 1;
        let prefix = format!("43{}[", self.asked);
        self.raw(&format!("42{}{event}", self.asked)).await;
        loop {
            let packet = self.packet().await.expect("an acknowledgement");
            if packet.starts_with(&prefix) {
                let answer: Value = serde_json::from_str(&packet[prefix.len() - 1..]).expect("JSON");
                return answer[0].clone();
            }
            self.early.push_back(event_of(&packet));
        }
    }

    /// Waits until it is introduced, as a robot, to this viewer, and notes what they know each other by. Returns the ticket.
    pub(crate) async fn meet(&mut self, viewer: &mut Self, admission: &Value) -> Value {
        let mut introduced = self.expect("watcher").await;
        let id = |value: &Value| value.as_str().expect("an id").to_owned();
        (self.id, viewer.id) = (id(&admission["peer"]), id(&introduced[0]));
        introduced.swap_remove(1)
    }

    pub(crate) async fn event(&mut self) -> Value {
        match self.early.pop_front() {
            Some(event) => event,
            None => event_of(&self.packet().await.expect("an event")),
        }
    }

    /// Waits for the event and returns its arguments; any other is a failure.
    pub(crate) async fn expect(&mut self, name: &str) -> Vec<Value> {
        let Value::Array(mut event) = self.event().await else { panic!("an event is an array") };
        assert_eq!(event[0], name, "{event:?}");
        event.split_off(1)
    }

    /// Says what the server will end the connection for, perhaps before all of it is sent.
    pub(crate) async fn provoke(&mut self, text: String) {
        let _ = within(self.socket.send(Message::text(text))).await;
        self.ended().await;
    }

    /// Says this so many times without looking up, until the server has ended the connection.
    pub(crate) async fn flood(mut self, event: &Value, times: usize) {
        for _ in 0..times {
            // It may have ended already.
            let _ = within(self.socket.send(Message::text(format!("42{event}")))).await;
        }
        self.ended().await;
    }

    /// Waits until the server has ended the connection, or this part of it, whose line it leaves to the client.
    pub(crate) async fn ended(&mut self) {
        while self.packet().await.is_some_and(|packet| packet != "41") {}
    }

    /// Waits until the server has ended the connection as a whole.
    pub(crate) async fn hung_up(&mut self) {
        within(async { while self.packet().await.is_some() {} }).await;
    }

    /// The next packet that is no heartbeat; nothing when the connection has ended.
    pub(crate) async fn packet(&mut self) -> Option<String> {
        // Heartbeats do not make it wait any longer.
        within(async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) if text.as_str() == "2" => {
                        // A server that has just closed takes no answer.
                        self.socket.send(Message::text("3")).await.ok()?;
                    }
                    Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        })
        .await
    }
}

fn event_of(packet: &str) -> Value {
    let json = packet.strip_prefix("42").unwrap_or_else(|| panic!("{packet} is no event"));
    serde_json::from_str(json).expect("JSON")
}
