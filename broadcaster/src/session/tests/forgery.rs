//! What strangers send to the media port, at every step of a session's life.

use bytes::BytesMut;

use super::{
    stage::{ROBOT, Stage, VIEWER, Viewer, address, video},
    stranger::Stranger,
    *,
};

/// The stranger writes from some addresses, all it can think of from each.
fn attack(stranger: &mut Stranger, stage: &mut Stage, packets: usize) {
    for number in 0..packets {
        forge(stranger, stage, &format!("10.0.9.9:{}", 1000 + number / Stranger::KINDS));
    }
}

fn forge(stranger: &mut Stranger, stage: &mut Stage, from: &str) {
    let data = BytesMut::from(&stranger.forge()[..]);
    stage.receive(Datagram { data, from: address(from), to: address(ROBOT) });
}

#[test]
fn strangers_keep_nobody_from_joining_and_end_nothing() {
    for _ in 0..20 {
        let mut stage = Stage::new();
        let offer = stage.offered();
        let (mut viewer, sdp) = Viewer::new(&offer, stage.now);
        let mut stranger = Stranger::new(&offer, &sdp);
        attack(&mut stranger, &mut stage, 4 * Stranger::KINDS);
        stage.answer(&sdp);
        let begun = stage.now;
        while !stage.session.is_live() {
            attack(&mut stranger, &mut stage, 2 * Stranger::KINDS);
            stage.deliver(&mut viewer);
            stage.pass(Duration::from_millis(5), &mut viewer);
            assert!(stage.now < begun + Duration::from_millis(300), "joining takes longer");
        }
        for tick in 0..50 {
            stage.capture(video(0), 3000, tick == 0);
            attack(&mut stranger, &mut stage, 2 * Stranger::KINDS);
            stage.deliver(&mut viewer);
            stage.pass(Duration::from_millis(20), &mut viewer);
        }
        assert_eq!(viewer.packets.len(), 150);
        assert!(stage.session.is_live());
        let path = stage.session.transport.path().expect("a path");
        assert_eq!((path.local, path.remote), (address(ROBOT), address(VIEWER)));
    }
}

/// Who can write in the viewer's name, once the two know each other.
#[test]
fn an_impostor_ends_nothing_either() {
    let (mut stage, mut viewer) = Stage::new().connect();
    stage.deliver(&mut viewer);
    let mut stranger = Stranger::new("a=ice-ufrag:robot", "a=ice-ufrag:viewer");
    for tick in 0..50 {
        stage.capture(video(0), 3000, tick == 0);
        for _ in 0..2 * Stranger::KINDS {
            forge(&mut stranger, &mut stage, VIEWER);
        }
        stage.deliver(&mut viewer);
        stage.pass(Duration::from_millis(20), &mut viewer);
    }
    assert!(stage.session.is_live());
    assert_eq!(viewer.packets.len(), 150);
}
