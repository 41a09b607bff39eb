//! How the robot leans, for those who watch by LiveKit, which passes data packets on to all who are in a room.
//!
//! As to the robot's own viewers, messages go unordered and are never repeated. There is nothing to be read.

use bytes::Bytes;
use prost::Message as _;
use tokio::{sync::mpsc, task::JoinSet};
use webrtc::{
    data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit},
    peer_connection::PeerConnection,
};

use crate::attitude::IN_FLIGHT;

/// As LiveKit knows the channel for what may get lost.
const LOSSY: &str = "_lossy";

/// What pages know it by, among what else may be said in a room.
const TOPIC: &str = "attitude";

/// Bytes that wait to leave: a message that stays behind these is of no use any more.
pub(super) const UNSENT: usize = 1024;

/// Handed to a task that ends with this.
pub(super) struct Attitude {
    messages: mpsc::Sender<Bytes>,
    _task: JoinSet<()>,
}

/// What there is of `livekit_models.proto` in such a message.
#[derive(prost::Message)]
struct DataPacket {
    #[prost(message, tag = "2")]
    user: Option<UserPacket>,
}

#[derive(prost::Message)]
struct UserPacket {
    #[prost(bytes = "bytes", tag = "2")]
    payload: Bytes,
    #[prost(string, tag = "4")]
    topic: String,
}

impl Attitude {
    pub(super) async fn open(peer: &dyn PeerConnection) -> Option<Self> {
        let init = RTCDataChannelInit { ordered: false, max_retransmits: Some(0), ..Default::default() };
        let channel = peer.create_data_channel(LOSSY, Some(init)).await;
        let channel =
            channel.inspect_err(|error| tracing::warn!(%error, "nobody there hears how the robot leans")).ok()?;
        let (messages, taken) = mpsc::channel(IN_FLIGHT);
        let mut task = JoinSet::new();
        task.spawn(async move { pass_on(&*channel, taken).await });
        Some(Self { messages, _task: task })
    }

    pub(super) fn tell(&self, message: &Bytes) {
        // A few wait; whoever is behind by more than those hears the next.
        let _ = self.messages.try_send(message.clone());
    }
}

async fn pass_on(channel: &dyn DataChannel, mut messages: mpsc::Receiver<Bytes>) {
    // What is not in order could come before the channel itself.
    let mut is_open = false;
    loop {
        tokio::select! {
            // Nobody says anything there, but whatever happens to the channel wants to be heard.
            event = channel.poll() => match event {
                Some(DataChannelEvent::OnOpen) => is_open = true,
                Some(DataChannelEvent::OnClosing | DataChannelEvent::OnClose) | None => return,
                Some(_) => {}
            },
            message = messages.recv() => {
                let Some(payload) = message else { return };
                if !is_open {
                    continue;
                }
                if let Err(error) = channel.try_send(packet(payload).as_slice().into()).await {
                    tracing::debug!(%error, "the media server is not told how the robot leans");
                }
            }
        }
    }
}

fn packet(payload: Bytes) -> Vec<u8> {
    DataPacket { user: Some(UserPacket { payload, topic: TOPIC.to_owned() }) }.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_user_packet_with_its_topic() {
        let said = packet(Bytes::from_static(b"up"));
        assert_eq!(said, b"\x12\x0e\x12\x02up\x22\x08attitude");
    }
}
