//! The audience as the server and the cameras see it.

use protocol::{Code, Ticket, Wishes};

use super::*;
use crate::{media::VideoCodec, transport::Local};

#[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
fn start() -> Instant {
    Instant::now()
}

fn audience(max_viewers: usize) -> Audience {
    let cameras = ["front", "rear"].map(|id| CameraInfo {
        id: id.parse().expect("an id"),
        title: None,
        video: protocol::Video::default(),
    });
    let encodings = vec![Encoding::Video { rung: 0, codec: VideoCodec::H264 }];
    let cameras = cameras.iter().map(|info| (info, true, encodings.clone()));
    let identity = Identity::generate().expect("an identity");
    let mut audience = Audience::new(identity, cameras, max_viewers);
    let local = vec![Local::Host("127.0.0.1:8190".parse().expect("an address"))];
    audience.handle(Input::Relocate(Addresses { local, reflexive: Vec::new() }), start());
    audience
}

fn ask(audience: &mut Audience, viewer: &str, session: &str, camera: &str, resumed: bool) {
    let id = |text: &str| text.parse().expect("an id");
    let ticket = Ticket {
        session: id(session),
        camera: camera.parse().expect("an id"),
        resumed,
        expires_in: None,
        link: None,
        operates: false,
        wishes: Wishes::default(),
    };
    let viewer = viewer.parse().expect("an id");
    audience.handle(Input::Viewer { viewer, ticket: Some(ticket), allowed: 0 }, start());
}

fn bye(audience: &mut Audience, viewer: &str) {
    let bye = ToRobot::Bye { viewer: viewer.parse().expect("an id") };
    audience.handle(Input::Message(bye), start());
}

/// What was said since the last look: the event, whom to, and for notices the code.
fn said(audience: &mut Audience) -> Vec<(&'static str, String, Option<Code>)> {
    let mut said = Vec::new();
    while let Some(output) = audience.poll_output() {
        if let Output::Say(message) = output {
            let (to, code) = match &message {
                ToServer::Offer { to, .. } => (Some(to), None),
                ToServer::Notice { to, notice, .. } => (Some(to), Some(notice.code)),
                ToServer::Broadcaster { .. }
                | ToServer::Watcher { .. }
                | ToServer::Answer { .. }
                | ToServer::Candidate { .. }
                | ToServer::Snapshot { .. }
                | ToServer::SnapshotFailed { .. }
                | ToServer::Report { .. }
                | ToServer::Audience { .. }
                | ToServer::Arrived { .. }
                | ToServer::Publish { .. }
                | ToServer::Published { .. }
                | ToServer::Recall { .. }
                | ToServer::Unpublish { .. }
                | ToServer::Reception { .. } => (None, None),
            };
            let to = to.unwrap_or_else(|| panic!("an audience does not say {message:?}"));
            said.push((message.event(), to.to_string(), code));
        }
    }
    said
}

fn is_empty(audience: &Audience) -> bool {
    let Audience { seats, sessions, viewers, deadlines, routes, names, .. } = audience;
    let empty = sessions.is_empty() && viewers.is_empty() && deadlines.is_empty() && names.is_empty();
    seats.is_empty() && empty && routes.is_empty()
}

#[test]
fn a_viewer_that_asks_again_gets_one_session_and_leaves_nothing_behind() {
    let mut audience = audience(10);
    ask(&mut audience, "v1", "s1", "front", false);
    ask(&mut audience, "v1", "s2", "rear", false);
    assert_eq!(said(&mut audience), [("offer", "v1".to_owned(), None), ("offer", "v1".to_owned(), None)]);
    let sessions: Vec<&str> = audience.sessions.keys().map(SessionId::as_str).collect();
    assert_eq!(sessions, ["s2"]);
    bye(&mut audience, "v1");
    assert!(is_empty(&audience));
}

#[test]
fn who_cannot_be_served_is_told_why() {
    let mut audience = audience(1);
    ask(&mut audience, "v1", "s1", "cellar", false);
    ask(&mut audience, "v2", "s2", "front", false);
    ask(&mut audience, "v3", "s3", "front", false);
    let expected = [
        ("notice", "v1".to_owned(), Some(Code::UnknownCamera)),
        ("offer", "v2".to_owned(), None),
        ("notice", "v3".to_owned(), Some(Code::Full)),
    ];
    assert_eq!(said(&mut audience), expected);
}

#[test]
fn a_session_that_is_resumed_answers_to_its_viewers_new_name_only() {
    let mut audience = audience(10);
    ask(&mut audience, "old", "s1", "front", false);
    said(&mut audience);
    ask(&mut audience, "new", "s1", "front", true);
    assert_eq!(said(&mut audience), [], "nothing is negotiated anew");
    ask(&mut audience, "newer", "s2", "front", false);
    ask(&mut audience, "newer", "s1", "front", true);
    let sessions: Vec<&str> = audience.sessions.keys().map(SessionId::as_str).collect();
    assert_eq!(sessions, ["s1"], "one viewer, one session");
    ask(&mut audience, "new", "s1", "front", true);
    bye(&mut audience, "old");
    assert!(!is_empty(&audience));
    bye(&mut audience, "new");
    assert!(is_empty(&audience));
}

#[test]
fn a_session_that_does_not_live_any_more_begins_anew() {
    let mut audience = audience(10);
    ask(&mut audience, "v1", "s1", "front", true);
    assert_eq!(said(&mut audience), [("offer", "v1".to_owned(), None)]);
}

#[test]
fn the_end_says_goodbye_to_everybody() {
    let mut audience = audience(10);
    ask(&mut audience, "v1", "s1", "front", false);
    ask(&mut audience, "v2", "s2", "rear", false);
    said(&mut audience);
    audience.handle(Input::ShutDown, start());
    let expected = ["v1", "v2"].map(|viewer| ("notice", viewer.to_owned(), Some(Code::RobotOffline)));
    assert_eq!(said(&mut audience), expected);
    assert!(is_empty(&audience));
}

#[test]
fn only_viewers_to_whom_media_flows_are_reported_on() {
    let mut audience = audience(10);
    ask(&mut audience, "v1", "s1", "front", false);
    said(&mut audience);
    audience.handle(Input::Report, start());
    let outputs: Vec<Output> = std::iter::from_fn(|| audience.poll_output()).collect();
    assert!(matches!(&outputs[..], [Output::Counted(sent)] if *sent == Sent::default()), "{}", outputs.len());
}
