//! One viewer: a real receiving peer connection, which is spared the media unless it is to decrypt it.

use std::{
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::BytesMut;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use rtc::{
    peer_connection::{
        RTCPeerConnection, RTCPeerConnectionBuilder,
        configuration::{
            interceptor_registry::{configure_nack, configure_twcc_receiver_only},
            media_engine::MediaEngine,
            setting_engine::SettingEngineBuilder,
        },
        event::{RTCPeerConnectionEvent, RTCTrackEvent},
        message::RTCMessage,
        sdp::RTCSessionDescription,
        state::RTCIceConnectionState,
        transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate},
    },
    rtp_transceiver::{
        RTCRtpReceiverId,
        rtp_sender::{RTCRtpHeaderExtensionCapability, RtpCodecKind},
    },
    sansio::Protocol,
    shared::{TaggedBytesMut, TransportContext, TransportProtocol},
};
use socket2::SockRef;
use tokio::{io::Interest, net::UdpSocket, time::Sleep};

use super::{Shared, feedback::Feedback, tally::Tally};

/// A second of media.
const KERNEL_BUFFER: usize = 1024 * 1024;

/// A connection that wants nothing is looked at that often.
const IDLE: Duration = Duration::from_secs(1);

/// What browsers take beside the transport-wide numbers.
const EXTENSIONS: [&str; 3] = [
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
];

pub(super) struct Viewer {
    connection: RTCPeerConnection,
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    opens: bool,
    track: Option<(RTCRtpReceiverId, u32)>,
    feedback: Feedback,
    tally: Rc<Tally>,
    shared: Rc<Shared>,
}

/// A datagram that is not only counted.
struct Datagram {
    data: BytesMut,
    from: SocketAddr,
}

impl Viewer {
    /// Answers an offer; `opens` says whether media is decrypted.
    pub(super) fn answer(
        offer: &str,
        opens: bool,
        tally: Rc<Tally>,
        shared: Rc<Shared>,
    ) -> anyhow::Result<(Self, String, SocketAddr)> {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        // The kernel gives what it allows.
        let _ = SockRef::from(&socket).set_recv_buffer_size(KERNEL_BUFFER);
        let socket = UdpSocket::from_std(socket)?;
        let (state, local) = (UdpSocketState::new(UdpSockRef::from(&socket))?, socket.local_addr()?);
        let (connection, sdp) = connect(offer, local)?;
        let feedback = Feedback::new(now());
        let viewer = Self { connection, socket, state, local, opens, track: None, feedback, tally, shared };
        Ok((viewer, sdp, local))
    }

    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let sleep = tokio::time::sleep(IDLE);
        tokio::pin!(sleep);
        loop {
            self.flush().await?;
            arm(sleep.as_mut(), self.deadline());
            let datagrams = tokio::select! {
                received = self.receive() => received?,
                () = sleep.as_mut() => {
                    self.handle_timeout()?;
                    continue;
                }
            };
            for Datagram { data, from } in datagrams {
                let transport = TransportContext {
                    local_addr: self.local,
                    peer_addr: from,
                    transport_protocol: TransportProtocol::UDP,
                    ecn: None,
                };
                // What it cannot use is for it to say, and not to count.
                let _ = self.connection.handle_read(TaggedBytesMut { now: now(), transport, message: data });
                if self.look() {
                    // The stack would begin DTLS with its next timer, up to 200 ms later; a browser does so at once.
                    self.connection.handle_timeout(now())?;
                    self.look();
                }
            }
        }
    }

    fn deadline(&mut self) -> Instant {
        let connection = self.connection.poll_timeout().unwrap_or_else(|| now() + IDLE);
        if self.shared.feedback.get() { connection.min(self.feedback.due()) } else { connection }
    }

    fn handle_timeout(&mut self) -> anyhow::Result<()> {
        let now = now();
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now).with_context(|| format!("viewer at {}", self.local))?;
            self.look();
        }
        if self.shared.feedback.get()
            && self.feedback.due() <= now
            && let Some((id, ssrc)) = self.track
        {
            let packets = self.feedback.poll(ssrc, self.tally.media(), now);
            let mut receiver = self.connection.rtp_receiver(id).context("its track is open")?;
            // A viewer whose connection has ended goes on missing packets, which shows.
            if !packets.is_empty() && receiver.write_rtcp(now, packets).is_ok() {
                self.tally.reports.set(self.tally.reports.get() + 1);
            }
        }
        Ok(())
    }

    /// Counts what has come and returns what is to be understood as well.
    async fn receive(&mut self) -> io::Result<Vec<Datagram>> {
        let Self { socket, state, shared, tally, feedback, opens, track, .. } = self;
        socket
            .async_io(Interest::READABLE, || {
                let mut buffer = shared.buffer.borrow_mut();
                let mut meta = [RecvMeta::default()];
                state.recv(UdpSockRef::from(&*socket), &mut [IoSliceMut::new(&mut buffer)], &mut meta)?;
                let [meta] = meta;
                let now = now();
                let mut rest = Vec::new();
                for data in buffer[..meta.len].chunks(meta.stride.max(1)) {
                    let wanted = if is_rtp(data) {
                        let media = tally.take(data);
                        if media && shared.feedback.get() {
                            feedback.take(data, now);
                        }
                        if media && *opens {
                            tally.to_open.set(tally.to_open.get() + 1);
                        }
                        // The first packets show the connection that there is a track.
                        media && (*opens || track.is_none())
                    } else {
                        true
                    };
                    if wanted {
                        rest.push(Datagram { data: BytesMut::from(data), from: meta.addr });
                    }
                }
                Ok(rest)
            })
            .await
    }

    /// Sees what has become of the connection. True: ICE has just found the robot.
    fn look(&mut self) -> bool {
        let mut found = false;
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnTrack(RTCTrackEvent::OnOpen(track)) = event {
                if let Some(receiver) = self.connection.rtp_receiver(track.receiver_id) {
                    self.track = receiver.track().ssrcs().next().map(|ssrc| (track.receiver_id, ssrc));
                }
            } else if let RTCPeerConnectionEvent::OnIceConnectionStateChangeEvent(state) = event {
                found |= state == RTCIceConnectionState::Connected;
            }
        }
        while let Some(message) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(..) = message.message
                && self.opens
            {
                self.tally.opened.set(self.tally.opened.get() + 1);
            }
        }
        found
    }

    async fn flush(&mut self) -> io::Result<()> {
        while let Some(TaggedBytesMut { transport, message, .. }) = self.connection.poll_write() {
            self.socket.send_to(&message, transport.peer_addr).await?;
        }
        Ok(())
    }
}

/// As cheap as can be: most often the deadline is what it was.
fn arm(sleep: std::pin::Pin<&mut Sleep>, deadline: Instant) {
    let deadline = tokio::time::Instant::from_std(deadline);
    if sleep.deadline() != deadline {
        sleep.reset(deadline);
    }
}

/// RTP, and neither RTCP nor anything else (RFC 7983; RFC 5761, section 4).
fn is_rtp(data: &[u8]) -> bool {
    matches!(data, [128..=191, kind, ..] if !(192..=223).contains(kind))
}

fn connect(offer: &str, local: SocketAddr) -> anyhow::Result<(RTCPeerConnection, String)> {
    let now = now();
    let mut engine = MediaEngine::default();
    engine.register_default_codecs()?;
    for uri in EXTENSIONS {
        let extension = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
        engine.register_header_extension(extension, RtpCodecKind::Video, None)?;
    }
    // Only for what they say in the answer: what they do is done here, at a price that a thousand viewers can pay.
    let unused = configure_nack(Default::default(), &mut engine);
    configure_twcc_receiver_only(unused, &mut engine)?;
    let settings =
        SettingEngineBuilder::new().with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled).build();
    let mut connection =
        RTCPeerConnectionBuilder::new().with_media_engine(engine).with_setting_engine(settings).build(now)?;
    connection.set_remote_description(now, RTCSessionDescription::offer(offer.to_owned())?)?;
    let base_config = CandidateConfig {
        network: "udp".to_owned(),
        address: local.ip().to_string(),
        port: local.port(),
        component: 1,
        ..Default::default()
    };
    let candidate = CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host()?;
    connection.add_local_candidate(RTCIceCandidate::from(&candidate).to_json()?)?;
    let answer = connection.create_answer(None)?;
    connection.set_local_description(now, answer)?;
    let sdp = connection.local_description().context("it was set")?.sdp;
    Ok((connection, sdp))
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
