//! A viewer that goes where the server sends it: to a room of LiveKit's, by one HTTP request.
//!
//! A page does that with LiveKit's own client. This makes an offer for a picture that it knows by name, as LiveKit's WHIP allows,
//! with the token that the server has given it.

use std::time::Duration;

use anyhow::Context;
use broadcaster::signalling::{Connection, Incoming, ServerUrl};
use protocol::{Admission, Media, MediaKind, MediaToken, RobotId, ToServer, Watch, WatchReply};
use rtc::{
    peer_connection::sdp::RTCSessionDescription,
    rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit, rtp_sender::RtpCodecKind},
};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    Reception,
    peer::{Peer, PeerEvent},
    player::request,
};

/// How LiveKit calls who publishes by WHIP, and what: all qualities are called so, and one of them is enough.
const PUBLISHER: &str = "robot";
const PICTURE: &str = "synthesized-camera";

pub struct Guest {
    /// Answers the server, which gives up whoever does not.
    link: JoinSet<()>,
    leaves: CancellationToken,
    peer: Peer,
    began: Instant,
    reception: Reception,
}

/// How the server has let somebody in.
pub async fn ask(server: &ServerUrl, robot: &RobotId, token: Option<&str>) -> anyhow::Result<(Connection, Admission)> {
    let hello = protocol::Hello { version: Some(protocol::VERSION), token: token.map(str::to_owned) };
    let mut link = Connection::open_showing(server, None, &hello).await?;
    let takes = Some(vec![MediaKind::Livekit]);
    let watch = Watch { version: Some(protocol::VERSION), robot: Some(robot.clone()), takes, ..Watch::default() };
    let asked = link.ask(&ToServer::Watcher { watch: Some(watch) }).await?;
    loop {
        if let Incoming::Ack(id, json) = link.next().await?
            && id == asked
        {
            return match serde_json::from_str::<(WatchReply,)>(&json)? {
                (WatchReply::Admitted(admission),) => Ok((link, admission)),
                (WatchReply::Refused { error },) => anyhow::bail!("{}: {}", error.code, error.message),
            };
        }
    }
}

impl Guest {
    /// Fails where the server sends it to the robot.
    pub async fn join(server: &ServerUrl, robot: &RobotId, token: Option<&str>) -> anyhow::Result<Self> {
        let (link, admission) = ask(server, robot, token).await?;
        let Media::Livekit { url, token } = &admission.media else { anyhow::bail!("{:?}", admission.media) };
        let peer = listen(server, url, token).await?;
        let (began, reception) = (Instant::now(), Reception::default());
        let (leaves, mut links) = (CancellationToken::new(), JoinSet::new());
        links.spawn(stay(link, leaves.clone()));
        Ok(Self { link: links, leaves, peer, began, reception })
    }

    /// Plays until what has come satisfies `enough`.
    pub async fn until(&mut self, within: Duration, enough: impl Fn(&Reception) -> bool) -> anyhow::Result<&Reception> {
        let until = Instant::now() + within;
        while !enough(&self.reception) {
            let event = tokio::time::timeout_at(until, self.peer.next()).await;
            match event.with_context(|| format!("not within {within:?}: {:?}", self.reception))? {
                PeerEvent::Failed => anyhow::bail!("the media server is gone"),
                PeerEvent::Packet(packet) => self.reception.count(&packet, self.began.elapsed()),
                PeerEvent::Candidate(_) => {}
            }
        }
        Ok(&self.reception)
    }

    /// Plays until nothing comes for so long, and says how long ago the last packet came.
    pub async fn until_silent(&mut self, quiet: Duration) -> Instant {
        let mut last = Instant::now();
        loop {
            match tokio::time::timeout_at(last + quiet, self.peer.next()).await {
                Err(_) | Ok(PeerEvent::Failed) => return last,
                Ok(PeerEvent::Packet(_)) => last = Instant::now(),
                Ok(PeerEvent::Candidate(_)) => {}
            }
        }
    }

    pub async fn leave(mut self) -> anyhow::Result<()> {
        self.peer.connection.close().await?;
        self.leaves.cancel();
        self.link.join_next().await.transpose()?;
        Ok(())
    }
}

async fn stay(mut link: Connection, leaves: CancellationToken) {
    let here = async { while link.next().await.is_ok() {} };
    leaves.run_until_cancelled(here).await;
    link.close().await;
}

/// Receives from a room what a token is good for.
async fn listen(server: &ServerUrl, url: &str, token: &MediaToken) -> anyhow::Result<Peer> {
    let peer = Peer::build(server).await?;
    let init = RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Recvonly, ..Default::default() };
    peer.connection.add_transceiver_from_kind(RtpCodecKind::Video, Some(init)).await?;
    let offer = peer.connection.create_offer(None).await?;
    let sdp = offer.sdp.clone();
    peer.connection.set_local_description(offer).await?;
    let address = url.rsplit('/').next().context("a URL")?.parse()?;
    let wanted = serde_json::json!({ "subscribedParticipantTrackNames": { PUBLISHER: [PICTURE] } });
    let headers = format!(
        "content-type: application/sdp\r\nauthorization: Bearer {}\r\nx-livekit-clientinfo: {wanted}\r\n",
        token.as_str()
    );
    let answered = request(address, "POST", "/whip/v1", &headers, &sdp).await?;
    anyhow::ensure!(answered.status == 201, "{answered:?}");
    peer.connection.set_remote_description(RTCSessionDescription::answer(answered.body)?).await?;
    Ok(peer)
}
