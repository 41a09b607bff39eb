//! Events between robot, server and viewer: whatever is taken means the same after it was passed on, and whoever is refused is
//! told so in a line.

use std::fmt::Debug;

use bytes::Bytes;
use protocol::{Admission, DecodeError, Hello, Overview, RegisterReply, ToRobot, ToServer, ToViewer, WatchReply};
use serde::{Serialize, de::DeserializeOwned};

use crate::script::{Script, is_one_line};

/// Letters that a refusal may have: it repeats some of what was refused, and not all of it.
const MAX_NOTICE: usize = 512;

pub fn events(data: &[u8]) {
    let mut script = Script::new(data);
    let direction = script.byte();
    let Ok(text) = std::str::from_utf8(script.rest()) else { return };
    let attached = Bytes::from_static(b"JPEG");
    match direction % 8 {
        0 => event(text, |text| ToServer::decode_with(text, Some(&attached))),
        1 => event(text, ToServer::decode),
        2 => event(text, ToViewer::decode),
        3 => event(text, ToRobot::decode),
        4 => plain::<WatchReply>(text),
        5 => plain::<RegisterReply>(text),
        6 => plain::<Hello>(text),
        _ => {
            plain::<Admission>(text);
            plain::<Overview>(text);
        }
    }
}

fn event<T: Serialize + PartialEq + Debug>(text: &str, decode: impl Fn(&str) -> Result<T, DecodeError>) {
    let message = match decode(text) {
        Ok(message) => message,
        Err(error) => {
            let notice = error.notice();
            assert!(is_one_line(&notice.message), "{:?}", notice.message);
            assert!(notice.message.chars().count() <= MAX_NOTICE, "{}", notice.message);
            return;
        }
    };
    let again = serde_json::to_string(&message).expect("messages are plain data");
    assert_eq!(decode(&again).expect("what is passed on is taken"), message);
}

fn plain<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    if let Ok(value) = serde_json::from_str::<T>(text) {
        let again = serde_json::to_string(&value).expect("plain data");
        assert_eq!(serde_json::from_str::<T>(&again).expect("what is passed on is taken"), value);
    }
}
