//! A viewer's peer connection, on the async `webrtc` crate: media in, nothing out.

use std::sync::Arc;

use broadcaster::signalling::ServerUrl;
use protocol::Candidate;
use rtc::{
    ice::mdns::MulticastDnsMode,
    peer_connection::{
        configuration::{
            interceptor_registry::register_default_interceptors, media_engine::MediaEngine,
            setting_engine::SettingEngineBuilder,
        },
        transport::RTCIceCandidateInit,
    },
};
use tokio::sync::mpsc;
use webrtc::{
    media_stream::track_remote::{TrackRemote, TrackRemoteEvent},
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCPeerConnectionIceEvent,
        RTCPeerConnectionState, Registry,
    },
};

pub(crate) struct Peer {
    pub(crate) connection: Arc<dyn PeerConnection>,
    callbacks: mpsc::UnboundedReceiver<Callback>,
    track: Option<Arc<dyn TrackRemote>>,
}

pub(crate) enum PeerEvent {
    /// It has found no way for too long, and says goodbye to the robot of itself.
    Failed,
    Candidate(RTCIceCandidateInit),
    Packet(rtc::rtp::Packet),
}

enum Callback {
    Failed,
    Candidate(RTCIceCandidateInit),
    Track(Arc<dyn TrackRemote>),
}

/// Hands callbacks to the viewer's task; holds no state of its own.
struct Forward(mpsc::UnboundedSender<Callback>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Forward {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(candidate) = event.candidate.to_json() {
            // A closed channel means that the viewer has left.
            let _ = self.0.send(Callback::Candidate(candidate));
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Failed {
            let _ = self.0.send(Callback::Failed);
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let _ = self.0.send(Callback::Track(track));
    }
}

impl Peer {
    /// A receiver that is reachable where the robot is.
    pub(crate) async fn build(server: &ServerUrl) -> Result<Self, webrtc::error::Error> {
        let mut engine = MediaEngine::default();
        engine.register_default_codecs()?;
        let registry = register_default_interceptors(Registry::new(), &mut engine)?;
        let (sender, callbacks) = mpsc::unbounded_channel();
        let home = if server.is_loopback() { "127.0.0.1:0" } else { "0.0.0.0:0" };
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_setting_engine(
                SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled).build(),
            )
            .with_handler(Arc::new(Forward(sender)))
            .with_udp_addrs(vec![home])
            .build()
            .await?;
        Ok(Self { connection: Arc::new(connection), callbacks, track: None })
    }

    pub(crate) async fn add_candidate(&self, candidate: Candidate) {
        let init = RTCIceCandidateInit { candidate: candidate.candidate, ..Default::default() };
        if let Err(error) = self.connection.add_ice_candidate(init).await {
            tracing::debug!(%error, "candidate not taken");
        }
    }

    /// What happens next. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> PeerEvent {
        loop {
            let track = self.track.clone();
            let event = async {
                match track {
                    Some(track) => track.poll().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = event => match event {
                    Some(TrackRemoteEvent::OnRtpPacket(packet)) => return PeerEvent::Packet(packet),
                    Some(_) => {}
                    None => self.track = None,
                },
                Some(callback) = self.callbacks.recv() => match callback {
                    Callback::Failed => return PeerEvent::Failed,
                    Callback::Candidate(candidate) => return PeerEvent::Candidate(candidate),
                    Callback::Track(track) => self.track = Some(track),
                },
            }
        }
    }
}
