//! A session against a real receiving peer connection.

mod attitude;
mod bandwidth;
mod forgery;
mod journey;
#[expect(unreachable_pub, dead_code, reason = "of the crate that tests everything together")]
#[path = "../../../../tests/src/link.rs"]
mod link;
mod lipsync;
mod lossy;
mod media;
mod reports;
mod restart;
mod stage;
#[expect(unreachable_pub, reason = "of the crate that tests everything together")]
#[path = "../../../../tests/src/stranger.rs"]
mod stranger;
mod telling;
mod viewer;

use std::collections::BTreeSet;

use protocol::{Code, Sdp};
use rtc::sansio::Protocol;

use super::*;
use stage::{Stage, Viewer, video};

#[test]
fn a_viewer_connects_and_gets_pictures_from_the_first_keyframe_on() {
    let mut stage = Stage::new();
    let begun = stage.now;
    stage = {
        let (stage, mut viewer) = stage.connect();
        let took = stage.now - begun;
        assert!(took < Duration::from_millis(80), "on a perfect network joining takes {took:?}");
        let mut stage = stage;
        assert_eq!(stage.session.take_wanted(), Some(video(0)), "there is no keyframe yet");
        for (keyframe, length) in [(false, 900), (true, 2000), (false, 900)] {
            stage.capture(video(0), length, keyframe);
            stage.deliver(&mut viewer);
            stage.pass(Duration::from_millis(33), &mut viewer);
        }
        let got: Vec<(bool, u8)> =
            viewer.packets.iter().map(|packet| (packet.header.marker, packet.payload[0])).collect();
        assert_eq!(got, [(false, 0x7c), (true, 0x7c), (true, 0x41)], "two fragments of the keyframe, and a picture");
        let [first, .., last] = &viewer.packets[..] else { panic!("three packets") };
        assert_eq!(last.header.timestamp.wrapping_sub(first.header.timestamp), 2970);
        assert_eq!(last.header.sequence_number.wrapping_sub(first.header.sequence_number), 2);
        stage
    };
    assert!(stage.session.is_live());
}

#[test]
fn a_fresh_keyframe_is_replayed_with_what_came_after_it() {
    let mut stage = Stage::new();
    assert!(stage.session.watches().iter().eq([video(0)]), "the encoder begins while the viewer connects");
    assert_eq!(stage.session.take_wanted(), Some(video(0)));
    stage.capture(video(0), 2000, true);
    stage.now += Duration::from_millis(33);
    stage.capture(video(0), 700, false);
    let (mut stage, mut viewer) = stage.connect();
    assert_eq!(stage.session.take_wanted(), None, "nobody needs another");
    stage.deliver(&mut viewer);
    assert_eq!(viewer.packets.len(), 3);
}

#[test]
fn a_viewer_that_lost_the_picture_gets_its_wish_heard() {
    let (mut stage, mut viewer) = Stage::connected();
    stage.capture(video(0), 2000, true);
    stage.deliver(&mut viewer);
    stage.session.take_wanted();
    viewer.ask_for_keyframe(stage.now);
    stage.deliver(&mut viewer);
    assert_eq!(stage.session.take_wanted(), Some(video(0)));
}

#[test]
fn a_viewers_goodbye_is_heard() {
    let (mut stage, mut viewer) = Stage::connected();
    stage.capture(video(0), 2000, true);
    stage.deliver(&mut viewer);
    assert!(!viewer.packets.is_empty());
    viewer.connection.close().expect("closes");
    stage.exchange(&mut viewer, |event, _| matches!(event, SessionEvent::Ended(SessionEnd::Left)));
    assert!(!stage.session.is_live());
}

#[test]
fn a_viewer_that_never_answers_is_given_up() {
    let mut stage = Stage::new();
    stage.offered();
    let deadline = stage.session.poll_timeout(&stage.rings).expect("a deadline");
    assert!(deadline <= stage.now + ANSWER_WITHIN);
    stage.now += ANSWER_WITHIN;
    stage.handle_timeout();
    let (told, end) = stage.ending();
    assert!(matches!(end, SessionEnd::NoAnswer));
    assert_eq!(told.map(|notice| notice.code), Some(Code::ConnectionFailed));
    assert_eq!(stage.session.poll_timeout(&stage.rings), None);
}

#[test]
fn a_viewer_that_answers_and_never_connects_is_given_up() {
    let mut stage = Stage::new();
    let (_, sdp) = Viewer::new(&stage.offered(), stage.now);
    stage.answer(&sdp);
    let until = stage.now + CONNECT_WITHIN;
    while stage.now < until {
        let deadline = stage.session.poll_timeout(&stage.rings).expect("a deadline");
        stage.now = deadline.max(stage.now + Duration::from_millis(1));
        stage.handle_timeout();
        stage.sent();
    }
    let (_, end) = stage.ending();
    assert!(matches!(end, SessionEnd::NotConnected | SessionEnd::ConnectionLost), "{end:?}");
}

#[test]
fn candidates_may_overtake_the_answer() {
    let mut stage = Stage::new();
    let (mut viewer, sdp) = Viewer::new(&stage.offered(), stage.now);
    let (candidates, rest): (Vec<&str>, Vec<&str>) = sdp.lines().partition(|line| line.starts_with("a=candidate:"));
    assert!(!candidates.is_empty());
    for line in candidates {
        let json = serde_json::json!({ "candidate": line.trim_start_matches("a="), "sdpMid": "0" });
        stage.candidate(serde_json::from_value(json).expect("a candidate"));
    }
    stage.answer(&format!("{}\r\n", rest.join("\r\n")));
    stage.exchange(&mut viewer, |event, _| matches!(event, SessionEvent::Connected));
}

#[test]
fn another_path_is_found_while_the_one_there_is_goes_on_and_no_number_comes_twice() {
    let (mut stage, mut viewer) = Stage::connected();
    let mut nonces = BTreeSet::new();
    let show = |nonces: &mut BTreeSet<_>, stage: &mut Stage, viewer: &mut Viewer, keyframe| {
        stage.capture(video(0), 3000, keyframe);
        for datagram in stage.sent() {
            // RTP, and not RTCP (RFC 5761, section 4).
            if datagram.data[0] >> 6 == 2 && !(192..=223).contains(&datagram.data[1]) {
                let number = (datagram.data[2..4].to_vec(), datagram.data[8..12].to_vec());
                assert!(nonces.insert(number), "one number for two packets");
            }
            viewer.take(datagram, stage.now);
        }
        stage.pass(Duration::from_millis(33), viewer);
        stage.deliver(viewer);
    };
    show(&mut nonces, &mut stage, &mut viewer, true);
    let (addresses, now) = (stage.addresses.clone(), stage.now);
    stage.session.restart(&addresses, now);
    let offer = stage.offered();
    show(&mut nonces, &mut stage, &mut viewer, false);
    let answer = viewer.renegotiate(&offer, stage.now);
    stage.answer(&answer);
    for _ in 0..30 {
        show(&mut nonces, &mut stage, &mut viewer, false);
    }
    assert!(stage.session.is_live());
    let numbers: Vec<u16> = viewer.packets.iter().map(|packet| packet.header.sequence_number).collect();
    assert_eq!(nonces.len(), 32 * 3, "nothing was held back");
    // This viewer's stack, other than browsers, takes nothing while it has no path of its own.
    let [first, ..] = &numbers[..] else { panic!("packets") };
    // What it missed meanwhile comes again, behind what came since.
    let furthest = numbers.iter().map(|number| number.wrapping_sub(*first)).max();
    assert_eq!(furthest, Some(32 * 3 - 1), "the same stream goes on");
}

#[test]
fn a_restart_that_is_wished_for_again_is_the_same_until_it_is_answered_and_later_a_new_one() {
    let (mut stage, mut viewer) = Stage::connected();
    let addresses = stage.addresses.clone();
    let ask = |stage: &mut Stage| {
        let now = stage.now;
        stage.session.restart(&addresses, now);
    };
    ask(&mut stage);
    let first = stage.offered();
    stage.now += Duration::from_millis(100);
    ask(&mut stage);
    let second = stage.offered();
    assert_eq!(ufrag(&first), ufrag(&second), "any answer fits");
    let answer = viewer.renegotiate(&first, stage.now);
    stage.answer(&answer);
    for _ in 0..40 {
        stage.deliver(&mut viewer);
        stage.pass(Duration::from_millis(20), &mut viewer);
    }
    ask(&mut stage);
    assert!(!std::iter::from_fn(|| stage.session.poll_event()).any(|event| matches!(event, SessionEvent::Say(_))));
    let at = stage.session.mending.poll_timeout().expect("it is not forgotten");
    assert!(at > stage.now && at < stage.now + Duration::from_secs(6));
    while stage.now < at {
        stage.deliver(&mut viewer);
        stage.pass(Duration::from_millis(20), &mut viewer);
    }
    assert_ne!(ufrag(&stage.offered()), ufrag(&first));
}

fn ufrag(sdp: &str) -> Option<&str> {
    sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"))
}

#[test]
fn nothing_is_sent_to_where_nobody_has_agreed_to_it_for_half_a_minute() {
    let (mut stage, mut viewer) = Stage::connected();
    stage.capture(video(0), 2000, true);
    stage.deliver(&mut viewer);
    let silent_since = stage.now;
    let mut last = stage.now;
    while stage.now < silent_since + Duration::from_secs(60) {
        stage.now += Duration::from_millis(500);
        stage.handle_timeout();
        stage.capture(video(0), 2000, true);
        if !stage.sent().is_empty() {
            last = stage.now;
        }
    }
    let took = last - silent_since;
    assert!((25..=31).contains(&took.as_secs()), "{took:?} (RFC 7675, section 5.1)");
    assert!(matches!(stage.ending(), (Some(_), SessionEnd::ConnectionLost)));
}

#[test]
fn no_answer_makes_the_stack_panic() {
    let mut probe = Stage::new();
    let (_, good) = Viewer::new(&probe.offered(), probe.now);
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
        let mut stage = Stage::new();
        stage.offered();
        stage.answer(&sdp.into_string());
        stage.now += Duration::from_millis(100);
        stage.handle_timeout();
        let ended =
            std::iter::from_fn(|| stage.session.poll_event()).any(|event| matches!(event, SessionEvent::Ended(_)));
        *if ended { &mut refused } else { &mut taken } += 1;
    }
    assert!(refused > 10 && taken > 10, "{refused} refused, {taken} taken");
}
