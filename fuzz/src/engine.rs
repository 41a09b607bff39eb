//! What a server says to a robot over Socket.IO, as it comes off the WebSocket.

use broadcaster::{
    fuzz::signalling::{Heard, heard},
    signalling::Incoming,
};
use protocol::{RegisterReply, ToRobot};

pub fn engine(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let payload = match heard(text) {
        Heard::Other => return,
        Heard::Refused(reason) => reason,
        Heard::Incoming(Incoming::Event(json)) => {
            assert!(text.starts_with("42"));
            if let Ok(event) = ToRobot::decode(&json) {
                servers(&event);
            }
            json
        }
        Heard::Incoming(Incoming::Ack(_, json)) => {
            assert!(text.starts_with("43"));
            // What it says is for whoever asked.
            let _ = serde_json::from_str::<Vec<RegisterReply>>(&json);
            json
        }
    };
    assert!(text.ends_with(&payload), "nothing is made up");
    assert!(!payload.starts_with(|letter: char| letter.is_ascii_digit()) || text.starts_with("44"), "{payload}");
}

/// The STUN and TURN servers that it is told of.
fn servers(event: &ToRobot) {
    let ToRobot::IceServers { servers } = event else { return };
    let sought = broadcaster::fuzz::reach::sought(servers);
    assert!(sought.len() <= 16);
    for server in sought {
        assert!(server.port != 0 && !server.host.is_empty(), "{server:?}");
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
        assert!(server.host.bytes().all(is_host), "{server:?}");
        assert!(server.credentials.iter().flatten().all(|length| *length <= 508), "{server:?}");
    }
}
