//! The least Socket.IO client: version 4 of its protocol over a WebSocket, written out by hand.

use std::{collections::VecDeque, future::Future, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// No single step takes this long; a test that waits longer has failed.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("in time")
}

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
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
        let url = format!("ws://{server}/socket.io/?EIO=4&transport=websocket");
        let (socket, _) = within(connect_async(url)).await.expect("connects");
        let mut client = Self { socket, id: String::new(), early: VecDeque::new(), asked: 0 };
        assert!(client.packet().await.expect("open").starts_with("0{"));
        client.raw("40").await;
        let greeting = client.packet().await.expect("a greeting");
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        match greeting.strip_prefix("44") {
            Some(refusal) => Err(json(refusal)["message"].as_str().expect("a message").to_owned()),
            None => {
                client.id = json(&greeting[2..])["sid"].as_str().expect("an id").to_owned();
                Ok(client)
            }
        }
    }

    pub(crate) async fn raw(&mut self, text: &str) {
        within(self.socket.send(Message::text(text))).await.expect("sent");
    }

    pub(crate) async fn say(&mut self, event: &Value) {
        self.raw(&format!("42{event}")).await;
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

    /// Waits until the server has ended the connection.
    pub(crate) async fn ended(&mut self) {
        while self.packet().await.is_some() {}
    }

    /// The next packet that is no heartbeat; nothing when the connection has ended.
    async fn packet(&mut self) -> Option<String> {
        loop {
            match within(self.socket.next()).await {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => {
                    // A server that has just closed takes no answer.
                    within(self.socket.send(Message::text("3"))).await.ok()?;
                }
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}

fn event_of(packet: &str) -> Value {
    let json = packet.strip_prefix("42").unwrap_or_else(|| panic!("{packet} is no event"));
    serde_json::from_str(json).expect("JSON")
}
