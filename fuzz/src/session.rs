//! One viewer's session as a whole: it writes only to where its viewer may be, little before it knows that somebody is there,
//! and never hurries without end.

use std::{collections::BTreeSet, net::SocketAddr, sync::LazyLock, time::Duration};

use broadcaster::fuzz::{
    session::{Outcome, Visit},
    transport::Shared,
};
use protocol::{Candidate, Sdp};

use crate::script::{Script, start};

static SHARED: LazyLock<Shared> = LazyLock::new(Shared::default);

const THEIRS: (&str, &str) = ("Yzvn", "HGcYvJ0kVnqrB6vXn0zZQm3G");

/// What one step may cause: a check from each candidate to each, repetitions, a picture.
const MAX_SENT: usize = 1024;

/// More than any timer of a session at one instant.
const MAX_WAKES: usize = 64;

pub fn session(data: &[u8]) {
    let mut script = Script::new(data);
    let mut visit = Visit::new(&SHARED, start());
    let (mut peers, mut names) = (BTreeSet::new(), BTreeSet::<String>::new());
    let mut checks: Vec<(SocketAddr, Vec<u8>)> = Vec::new();
    for _ in 0..256 {
        let Some(step) = script.step() else { break };
        let from = SocketAddr::from(([10, 0, 0, 2], 50_000 + u16::from(script.below(3))));
        match step % 11 {
            0 => answer(&mut visit, step, script.bytes()),
            1 => {
                if let Ok(candidate) = serde_json::from_slice::<Candidate>(script.bytes()) {
                    visit.candidate(candidate);
                }
            }
            2 => {
                let username = format!("{}:{}", visit.credentials.0, THEIRS.0);
                let check = SHARED.check(false, Some(&username), Some(&visit.credentials.1));
                visit.receive(&check, from);
            }
            3 => {
                if let Some((to, check)) = checks.pop()
                    && let Some(answer) = SHARED.answer(&check, SocketAddr::from(([10, 0, 0, 1], 8190)), THEIRS.1)
                {
                    visit.receive(&answer, to);
                }
            }
            4 | 5 => visit.receive(script.bytes(), from),
            6 => visit.pass(script.time()),
            7 => visit.capture(usize::from(script.number())),
            8 => {
                let addresses = script.below(4);
                visit.relocate(addresses & 1 > 0, addresses & 2 > 0);
            }
            9 => visit.restart(),
            _ => {
                if let Some(name) = names.iter().nth(usize::from(script.byte())) {
                    visit.resolved(name, from);
                }
            }
        }
        let Outcome { sent, peers: more, names: hidden, has_ended } = visit.drain();
        peers.extend(more);
        names.extend(hidden);
        assert!(sent.len() <= MAX_SENT && peers.len() <= 64 && names.len() <= 64, "{} packets", sent.len());
        for (to, packet) in sent {
            assert!(peers.contains(&to), "nobody has said to be at {to}");
            assert!(!packet.is_empty() && packet.len() <= 1500, "{} bytes", packet.len());
            if packet.starts_with(&[0, 1]) {
                checks.push((to, packet));
            }
        }
        checks.truncate(64);
        if has_ended {
            visit.pass(Duration::from_secs(60));
            let Outcome { sent, has_ended, .. } = visit.drain();
            return assert!(has_ended && sent.is_empty(), "who has said goodbye says no more");
        }
        rest(&mut visit);
    }
}

/// The viewer's answer, or a line in it is another.
fn answer(visit: &mut Visit, step: u8, line: &[u8]) {
    let role = if step & 16 == 0 { "active" } else { "passive" };
    let (ufrag, password) = THEIRS;
    let line = String::from_utf8_lossy(line);
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 102 103\r\nc=IN IP4 0.0.0.0\r\n\
         a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=fingerprint:sha-256 AB:CD\r\na=setup:{role}\r\na=recvonly\r\n\
         a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1\r\n{line}\r\n"
    );
    if let Ok(sdp) = Sdp::try_from(sdp) {
        visit.answer(sdp);
    }
}

/// Nothing is due over and over.
fn rest(visit: &mut Visit) {
    for _ in 0..MAX_WAKES {
        if visit.sleeps().is_none_or(|time| time > Duration::ZERO) {
            return;
        }
        visit.pass(Duration::ZERO);
        let _ = visit.drain();
    }
    panic!("it wants to be woken over and over");
}
