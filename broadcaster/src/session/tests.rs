//! A session against a real receiving peer connection, with invented time and no network.

use std::net::SocketAddr;

use rtc::{
    peer_connection::{
        RTCPeerConnection, RTCPeerConnectionBuilder,
        configuration::{
            interceptor_registry::register_default_interceptors, media_engine::MediaEngine,
            setting_engine::SettingEngineBuilder,
        },
        event::{RTCPeerConnectionEvent, RTCTrackEvent},
        message::RTCMessage,
        sdp::RTCSessionDescription,
        transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate},
    },
    rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication,
    rtp_transceiver::RTCRtpReceiverId,
    sansio::Protocol,
    shared::{TaggedBytesMut, TransportContext, TransportProtocol},
};

use super::*;

const ROBOT: &str = "10.0.0.1:8190";
const VIEWER: &str = "10.0.0.2:50000";

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
fn start() -> Instant {
    Instant::now()
}

fn session(now: Instant) -> Session {
    let identity = Identity::generate().expect("an identity");
    let (id, viewer, camera) = ("s1".parse(), "v1".parse(), "main".parse());
    let local = [address(ROBOT)];
    Session::offer(id.expect("id"), viewer.expect("id"), camera.expect("id"), &identity, &local, now).expect("an offer")
}

fn said(session: &mut Session) -> ToServer {
    match session.poll_event() {
        Some(SessionEvent::Say(message)) => message,
        other => panic!("expected a message, not {other:?}"),
    }
}

fn offered(session: &mut Session) -> String {
    let ToServer::Offer { description: Some(description), about, .. } = said(session) else {
        panic!("the first message is an offer");
    };
    assert_eq!(about.map(|about| about.session), Some("s1".parse().expect("id")));
    description.sdp.into_string()
}

fn answer(sdp: &str) -> Description {
    Description { kind: DescriptionKind::Answer, sdp: Sdp::try_from(sdp.to_owned()).expect("an SDP") }
}

fn ending(session: &mut Session) -> (Option<Notice>, SessionEnd) {
    let mut told = None;
    while let Some(event) = session.poll_event() {
        match event {
            SessionEvent::Say(ToServer::Notice { notice, .. }) => told = Some(notice),
            SessionEvent::Ended(end) => return (told, end),
            SessionEvent::Say(_) | SessionEvent::Connected | SessionEvent::KeyframeWanted => {}
        }
    }
    panic!("it has not ended");
}

/// The stack's own receiver.
struct Viewer {
    connection: RTCPeerConnection,
    receiver: Option<(RTCRtpReceiverId, u32)>,
    packets: Vec<rtc::rtp::Packet>,
}

impl Viewer {
    fn new(offer: &str, now: Instant) -> (Self, String) {
        let mut engine = MediaEngine::default();
        engine.register_default_codecs().expect("codecs");
        let registry = register_default_interceptors(Default::default(), &mut engine).expect("interceptors");
        let settings =
            SettingEngineBuilder::new().with_multicast_dns_mode(rtc::ice::mdns::MulticastDnsMode::Disabled).build();
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .build(now)
            .expect("a viewer");
        let offer = RTCSessionDescription::offer(offer.to_owned()).expect("an offer");
        connection.set_remote_description(now, offer).expect("a good offer");
        let address = address(VIEWER);
        let base_config = CandidateConfig {
            network: "udp".to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            component: 1,
            ..Default::default()
        };
        let candidate = CandidateHostConfig { base_config, ..Default::default() }.new_candidate_host();
        let candidate = RTCIceCandidate::from(&candidate.expect("a candidate")).to_json().expect("JSON");
        connection.add_local_candidate(candidate).expect("taken");
        let answer = connection.create_answer(None).expect("an answer");
        connection.set_local_description(now, answer).expect("taken");
        let sdp = connection.local_description().expect("set").sdp;
        (Self { connection, receiver: None, packets: Vec::new() }, sdp)
    }

    fn take(&mut self, datagram: Datagram, now: Instant) {
        let transport = TransportContext {
            local_addr: datagram.to,
            peer_addr: datagram.from,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        let message = TaggedBytesMut { now, transport, message: datagram.data };
        self.connection.handle_read(message).expect("taken");
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnTrack(RTCTrackEvent::OnOpen(track)) = event {
                let receiver = self.connection.rtp_receiver(track.receiver_id).expect("there");
                self.receiver = receiver.track().ssrcs().next().map(|ssrc| (track.receiver_id, ssrc));
            }
        }
        while let Some(message) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message.message {
                self.packets.push(packet);
            }
        }
    }

    fn ask_for_keyframe(&mut self, now: Instant) {
        let (receiver, media_ssrc) = self.receiver.expect("a track is open");
        let request = PictureLossIndication { sender_ssrc: 0, media_ssrc };
        let mut receiver = self.connection.rtp_receiver(receiver).expect("there");
        receiver.write_rtcp(now, vec![Box::new(request)]).expect("sent");
    }
}

/// Lets both ends talk over a perfect network until `done` or ten invented seconds are over.
fn exchange(
    session: &mut Session,
    viewer: &mut Viewer,
    now: &mut Instant,
    mut done: impl FnMut(&SessionEvent, &Viewer) -> bool,
) {
    let until = *now + Duration::from_secs(10);
    while *now < until {
        while let Some(datagram) = session.poll_transmit() {
            viewer.take(datagram, *now);
        }
        while let Some(TaggedBytesMut { transport, message, .. }) = viewer.connection.poll_write() {
            session.handle_datagram(message, transport.local_addr, transport.peer_addr, *now);
        }
        while let Some(event) = session.poll_event() {
            if done(&event, viewer) {
                return;
            }
        }
        *now += Duration::from_millis(5);
        session.handle_timeout(*now);
        viewer.connection.handle_timeout(*now).expect("time passes");
    }
    panic!("it did not come to pass within ten seconds");
}

fn connected(now: &mut Instant) -> (Session, Viewer) {
    let mut session = session(*now);
    let (mut viewer, sdp) = Viewer::new(&offered(&mut session), *now);
    session.handle_answer(answer(&sdp), *now);
    exchange(&mut session, &mut viewer, now, |event, _| matches!(event, SessionEvent::Connected));
    (session, viewer)
}

fn frame(keyframe: bool, timestamp: u32) -> Frame {
    Frame { payloads: vec![vec![0x65; 900].into(), vec![0x41; 400].into()], keyframe, timestamp }
}

#[test]
fn a_viewer_connects_and_gets_pictures_from_the_first_keyframe_on() {
    let mut now = start();
    let begun = now;
    let (mut session, mut viewer) = connected(&mut now);
    assert!(now - begun < Duration::from_millis(200), "on a perfect network joining takes {:?}", now - begun);
    assert!(matches!(session.poll_event(), Some(SessionEvent::KeyframeWanted)));

    session.send(&frame(false, 0), now);
    session.send(&frame(true, 3000), now);
    session.send(&frame(false, 6000), now);
    while let Some(datagram) = session.poll_transmit() {
        viewer.take(datagram, now);
    }
    let got: Vec<(bool, usize)> =
        viewer.packets.iter().map(|packet| (packet.header.marker, packet.payload.len())).collect();
    assert_eq!(got, [(false, 900), (true, 400), (false, 900), (true, 400)]);
    let [first, .., last] = &viewer.packets[..] else { panic!("four packets") };
    assert_eq!(last.header.timestamp.wrapping_sub(first.header.timestamp), 3000);
    assert_eq!(last.header.sequence_number.wrapping_sub(first.header.sequence_number), 3);
}

#[test]
fn a_viewer_that_lost_the_picture_gets_its_wish_heard() {
    let mut now = start();
    let (mut session, mut viewer) = connected(&mut now);
    session.send(&frame(true, 0), now);
    while let Some(datagram) = session.poll_transmit() {
        viewer.take(datagram, now);
    }
    while session.poll_event().is_some() {}
    viewer.ask_for_keyframe(now);
    exchange(&mut session, &mut viewer, &mut now, |event, _| matches!(event, SessionEvent::KeyframeWanted));
}

#[test]
fn a_viewers_goodbye_is_heard() {
    let mut now = start();
    let (mut session, mut viewer) = connected(&mut now);
    session.send(&frame(true, 0), now);
    // The viewer's half of the handshake is done only when the robot's last flight has reached it.
    while let Some(datagram) = session.poll_transmit() {
        viewer.take(datagram, now);
    }
    assert!(!viewer.packets.is_empty());
    viewer.connection.close().expect("closes");
    exchange(&mut session, &mut viewer, &mut now, |event, _| matches!(event, SessionEvent::Ended(SessionEnd::Left)));
    assert!(!session.is_live());
}

#[test]
fn a_viewer_that_never_answers_is_given_up() {
    let now = start();
    let mut session = session(now);
    offered(&mut session);
    let deadline = session.poll_timeout().expect("a deadline");
    assert!(deadline <= now + ANSWER_WITHIN);
    session.handle_timeout(now + ANSWER_WITHIN);
    let (told, end) = ending(&mut session);
    assert!(matches!(end, SessionEnd::NoAnswer));
    assert_eq!(told.map(|notice| notice.code), Some(Code::ConnectionFailed));
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn a_viewer_that_answers_and_never_connects_is_given_up() {
    let now = start();
    let mut session = session(now);
    let (_, sdp) = Viewer::new(&offered(&mut session), now);
    session.handle_answer(answer(&sdp), now);
    let mut later = now;
    while later < now + CONNECT_WITHIN {
        later = session.poll_timeout().expect("a deadline").max(later + Duration::from_millis(1));
        session.handle_timeout(later);
        while session.poll_transmit().is_some() {}
    }
    let (_, end) = ending(&mut session);
    assert!(matches!(end, SessionEnd::NotConnected | SessionEnd::ConnectionLost), "{end:?}");
}

#[test]
fn candidates_may_overtake_the_answer() {
    let mut now = start();
    let mut session = session(now);
    let (mut viewer, sdp) = Viewer::new(&offered(&mut session), now);
    let (candidates, rest): (Vec<&str>, Vec<&str>) = sdp.lines().partition(|line| line.starts_with("a=candidate:"));
    assert!(!candidates.is_empty());
    for line in candidates {
        let json = serde_json::json!({ "candidate": line.trim_start_matches("a="), "sdpMid": "0" });
        session.handle_candidate(serde_json::from_value(json).expect("a candidate"));
    }
    session.handle_answer(answer(&format!("{}\r\n", rest.join("\r\n"))), now);
    exchange(&mut session, &mut viewer, &mut now, |event, _| matches!(event, SessionEvent::Connected));
}

#[test]
fn no_answer_makes_the_stack_panic() {
    let now = start();
    let mut probe = session(now);
    let (_, good) = Viewer::new(&offered(&mut probe), now);
    let lines: Vec<&str> = good.lines().collect();
    let mut mangled: Vec<String> = Vec::new();
    for index in 0..lines.len() {
        let with = |line: Option<String>| -> String {
            let changed = lines
                .iter()
                .enumerate()
                .filter_map(|(other, text)| if other == index { line.clone() } else { Some((*text).to_owned()) });
            changed.map(|line| line + "\r\n").collect()
        };
        let line = lines[index];
        mangled.push(with(None));
        mangled.push(with(Some(line[..line.len() / 2].to_owned())));
        mangled.push(with(Some(format!("{line} 99999999999999999999 -1 \u{e9}"))));
        mangled.push(with(Some(line.replace(|c: char| c.is_ascii_digit(), "9"))));
        mangled.push(with(Some(line.replace([':', ' '], ""))));
    }
    let (mut refused, mut taken) = (0, 0);
    for sdp in mangled {
        let Ok(sdp) = Sdp::try_from(sdp) else { continue };
        let mut session = session(now);
        offered(&mut session);
        session.handle_answer(Description { kind: DescriptionKind::Answer, sdp }, now);
        session.handle_timeout(now + Duration::from_millis(100));
        let ended = std::iter::from_fn(|| session.poll_event()).any(|event| matches!(event, SessionEvent::Ended(_)));
        *if ended { &mut refused } else { &mut taken } += 1;
    }
    assert!(refused > 10 && taken > 10, "{refused} refused, {taken} taken");
}
