//! That a viewer hears how the robot leans, and that nothing else depends on it.

use bytes::Bytes;

use super::{
    stage::{Abilities, Stage, Viewer, video},
    *,
};

const LISTENS: Abilities = Abilities { listens: true, ..Abilities::ALL };

/// A viewer that hears.
fn listening() -> (Stage, Viewer) {
    let (mut stage, mut viewer) = Stage::leaning().connect_with(LISTENS);
    stage.exchange(&mut viewer, |event, _| matches!(event, SessionEvent::Listens));
    (stage, viewer)
}

fn tell(stage: &mut Stage, number: u8) {
    let now = stage.now;
    stage.session.tell_attitude(&Bytes::from(vec![number; 14]), now);
}

fn heard(viewer: &Viewer) -> Vec<u8> {
    viewer.heard.iter().map(|message| message[0]).collect()
}

#[test]
fn a_viewer_that_listens_hears_how_the_robot_leans() {
    let (mut stage, mut viewer) = listening();
    for number in 0..100 {
        tell(&mut stage, number);
        stage.deliver(&mut viewer);
        stage.pass(Duration::from_millis(33), &mut viewer);
    }
    assert_eq!(heard(&viewer), (0..100).collect::<Vec<_>>());
}

#[test]
fn what_is_lost_is_not_said_again_and_holds_up_nothing() {
    let (mut stage, mut viewer) = listening();
    // The end of the handshake.
    stage.deliver(&mut viewer);
    for number in 0..200 {
        tell(&mut stage, number);
        for (place, datagram) in stage.sent().into_iter().enumerate() {
            if place > 0 || !number.is_multiple_of(4) {
                viewer.take(datagram, stage.now);
            }
        }
        while let Some(datagram) = viewer.says() {
            stage.receive(datagram);
        }
        stage.pass(Duration::from_millis(33), &mut viewer);
    }
    let heard = heard(&viewer);
    assert!(heard.is_sorted() && heard.len() < 200, "{heard:?}");
    let safe = |number: &u8| !number.is_multiple_of(4);
    assert_eq!(heard.into_iter().filter(safe).collect::<Vec<_>>(), (0..200).filter(safe).collect::<Vec<_>>());
}

#[test]
fn who_has_no_use_for_it_gets_its_picture_all_the_same() {
    for (stage, abilities) in [(Stage::leaning(), Abilities::ALL), (Stage::new(), LISTENS)] {
        let (mut stage, mut viewer) = stage.connect_with(abilities);
        assert!(!stage.session.listens());
        tell(&mut stage, 1);
        stage.capture(video(0), 900, true);
        stage.deliver(&mut viewer);
        assert_eq!((viewer.packets.len(), viewer.heard.len()), (1, 0));
    }
}

#[test]
fn a_viewer_that_has_stopped_to_answer_costs_no_more_than_one_that_has_not() {
    let (mut stage, _) = listening();
    for _ in 0..20 {
        let mut sent = 0;
        for number in 0..30 {
            tell(&mut stage, number);
            stage.now += Duration::from_millis(33);
            stage.handle_timeout();
            // It is looked for as well, by checks of ICE (RFC 7983), for a while.
            sent += stage.sent().iter().filter(|datagram| datagram.data[0] > 3).count();
        }
        assert!(sent <= 32, "{sent} in a second");
    }
}
