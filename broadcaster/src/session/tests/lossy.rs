//! Paths that lose what is said and shown.

use super::{
    journey::Journey,
    link::{Conditions, Link},
    *,
};

#[test]
fn the_picture_stands_still_hardly_ever_on_a_path_that_loses_whatever_is_sent() {
    for (loss, most) in [(0.1, 20), (0.2, 60)] {
        let lossy = Conditions { loss, delay: Duration::from_millis(20), ..Conditions::PERFECT };
        let mut journey = Journey::begin(&[1.5e6, 5e5], lossy, 1);
        let now = journey.stage.now;
        journey.up.change(lossy, now);
        journey.pass(Duration::from_secs(5));
        journey.late = 0;
        journey.pass(Duration::from_secs(30));
        assert!(journey.late <= most, "{} of {loss}", journey.late);
    }
}

#[test]
fn viewers_get_in_over_a_path_that_loses_a_quarter_both_ways() {
    let mut took: Vec<Duration> = (0..40).map(gets_in).collect();
    took.sort();
    assert!(took[20] < Duration::from_secs(2) && took[39] < Duration::from_secs(8), "{took:?}");
}

/// How long it takes over one such path until there is a picture.
fn gets_in(seed: u64) -> Duration {
    let lossy = Conditions { loss: 0.25, delay: Duration::from_millis(20), ..Conditions::PERFECT };
    let (mut down, mut up) = (Link::new(lossy, seed), Link::new(lossy, 1000 + seed));
    let mut stage = Stage::new();
    let (mut viewer, sdp) = Viewer::new(&stage.offered(), stage.now);
    stage.answer(&sdp);
    let (begun, mut heard) = (stage.now, BTreeSet::new());
    let mut hellos = Hellos::default();
    while viewer.packets.is_empty() {
        assert!(stage.now < begun + Duration::from_secs(15), "{seed} is not in");
        stage.capture(video(0), 3000, true);
        for datagram in stage.sent() {
            down.send(datagram, 1, stage.now);
        }
        while let Some(datagram) = down.take(stage.now) {
            // This viewer's stack, other than browsers, says nothing more once it has heard a repetition.
            let old = handshake_message(&datagram.data).is_some_and(|message| !heard.insert(message.to_vec()));
            if !old {
                viewer.take(datagram, stage.now);
            }
        }
        let said = std::iter::from_fn(|| viewer.says()).collect::<Vec<_>>();
        for datagram in said.into_iter().inspect(|datagram| hellos.note(datagram, stage.now)) {
            up.send(datagram, 1, stage.now);
        }
        if let Some(hello) = hellos.again(stage.now) {
            up.send(hello, 1, stage.now);
        }
        while let Some(datagram) = up.take(stage.now) {
            stage.receive(datagram);
        }
        stage.pass(Duration::from_millis(5), &mut viewer);
    }
    stage.now - begun
}

/// The header of the first message in a datagram of the handshake's open part (RFC 6347, section 4.2.2).
fn handshake_message(data: &[u8]) -> Option<&[u8]> {
    data.get(13..25).filter(|_| data[0] == 22 && data[3..5] == [0, 0])
}

/// A viewer's greeting, which browsers repeat sooner than this viewer's stack does.
#[derive(Default)]
struct Hellos {
    last: Option<(Instant, Vec<u8>, Datagram)>,
    repeated: u8,
}

impl Hellos {
    const INTERVAL: Duration = Duration::from_millis(300);

    fn note(&mut self, said: &Datagram, now: Instant) {
        let Some(message) = handshake_message(&said.data) else { return };
        let is_hello = message[0] == 1;
        let is_new = self.last.as_ref().is_none_or(|(_, last, _)| last != message);
        if is_new {
            let copy = Datagram { data: said.data.clone(), ..*said };
            self.last = is_hello.then(|| (now + Self::INTERVAL, message.to_vec(), copy));
        }
    }

    fn again(&mut self, now: Instant) -> Option<Datagram> {
        let (at, _, hello) = self.last.as_mut().filter(|(at, ..)| *at <= now)?;
        *at = now + Self::INTERVAL;
        self.repeated += 1;
        let mut data = hello.data.clone();
        // A record's number that its own stack does not come to.
        data[10] = 30 + self.repeated;
        Some(Datagram { data, ..*hello })
    }
}
