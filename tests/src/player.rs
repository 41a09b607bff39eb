//! A player that speaks WHEP: it makes the offer, by one HTTP request, and gets the answer.

use std::net::SocketAddr;

use anyhow::Context;
use broadcaster::signalling::ServerUrl;
use rtc::{
    peer_connection::sdp::RTCSessionDescription,
    rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit, rtp_sender::RtpCodecKind},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::{
    Reception,
    peer::{Peer, PeerEvent},
};

pub struct Player {
    server: SocketAddr,
    peer: Peer,
    began: Instant,
    reception: Reception,
    /// Where its session is.
    pub location: String,
    pub answer: String,
}

/// What an HTTP server answers.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answered {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// One request, as a program makes it.
pub async fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> anyhow::Result<Answered> {
    let mut connection = TcpStream::connect(server).await?;
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.0\r\nhost: {server}\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    connection.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    connection.read_to_string(&mut response).await?;
    let (head, body) = response.split_once("\r\n\r\n").context("an answer has a head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("a status")?;
    Ok(Answered { status, head: head.to_owned(), body: body.to_owned() })
}

const SDP: &str = "content-type: application/sdp\r\n";

impl Player {
    /// Asks for what is at this path, as `/whep/demo`, with more headers.
    pub async fn play(server: &ServerUrl, address: SocketAddr, path: &str, headers: &str) -> anyhow::Result<Self> {
        let peer = Peer::build(server).await?;
        for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
            let init = RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Recvonly, ..Default::default() };
            peer.connection.add_transceiver_from_kind(kind, Some(init)).await?;
        }
        let offer = peer.connection.create_offer(None).await?;
        let sdp = offer.sdp.clone();
        peer.connection.set_local_description(offer).await?;
        let answered = request(address, "POST", path, &format!("{SDP}{headers}"), &sdp).await?;
        anyhow::ensure!(answered.status == 201, "{answered:?}\nto\n{sdp}");
        let location = answered.header("location").context("it is somewhere")?.to_owned();
        let answer = answered.body;
        peer.connection.set_remote_description(RTCSessionDescription::answer(answer.clone())?).await?;
        let (began, reception) = (Instant::now(), Reception::default());
        Ok(Self { server: address, peer, began, reception, location, answer })
    }

    /// Plays until what has come satisfies `enough`, and says where it can be reached.
    pub async fn until(&mut self, enough: impl Fn(&Reception) -> bool) -> anyhow::Result<&Reception> {
        while !enough(&self.reception) {
            match self.peer.next().await {
                PeerEvent::Failed => anyhow::bail!("no way was found any more"),
                PeerEvent::Packet(packet) => self.reception.count(&packet, self.began.elapsed()),
                PeerEvent::Candidate(candidate) => {
                    let fragment = format!("m=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na={}\r\n", candidate.candidate);
                    let kind = "content-type: application/trickle-ice-sdpfrag\r\n";
                    let answered = request(self.server, "PATCH", &self.location, kind, &fragment).await?;
                    anyhow::ensure!(answered.status == 204, "{answered:?}");
                }
            }
        }
        Ok(&self.reception)
    }

    /// Says that it leaves, and does.
    pub async fn leave(self) -> anyhow::Result<Answered> {
        let answered = request(self.server, "DELETE", &self.location, "", "").await?;
        self.peer.connection.close().await?;
        Ok(answered)
    }

    /// Ends its connection without a word to the server.
    pub async fn hang_up(self) -> anyhow::Result<()> {
        Ok(self.peer.connection.close().await?)
    }
}
