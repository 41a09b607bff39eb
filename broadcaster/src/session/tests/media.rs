//! That receivers who share nothing with our sealing get what was captured, once and again.

use std::collections::BTreeMap;

use protocol::Want;
use rtc::{dtls::extension::extension_use_srtp::SrtpProtectionProfile, rtp::Packet};

use super::{
    stage::{Abilities, Stage, Viewer, video},
    *,
};

const RUNGS: [f64; 3] = [3e6, 1e6, 333_333.0];
const TICK: Duration = Duration::from_millis(33);
/// The least packet that is whole pictures at once, and fragments of the others.
const LENGTHS: [usize; 5] = [700, 1070, 5000, 1101, 30_000];

fn wishes(rung: u8) -> Wishes {
    Wishes { want: Some(Want { rung: Some(rung), ..Want::default() }), ..Wishes::default() }
}

/// Shows pictures for some seconds, changes their quality, and asks for every seventh packet again.
fn watch(stage: &mut Stage, viewer: &mut Viewer, again: bool) -> usize {
    let mut sent = 0;
    for tick in 0..240_usize {
        for rung in 0..3 {
            let filling = [0x80 | rung, (tick % 128) as u8];
            stage.capture_filled(video(rung), LENGTHS[tick % 5] >> rung, tick % 10 == 0, filling);
        }
        if tick % 25 == 24 {
            let me = stage.session.viewer().clone();
            let rung = wishes((tick / 25 % 3) as u8);
            stage.session.resume(me, rung, &stage.addresses, &stage.rings, stage.now);
        }
        let before = viewer.packets.len();
        stage.deliver(viewer);
        sent += viewer.packets.len() - before;
        if again && tick % 3 == 2 {
            let some: Vec<u16> = viewer.packets[before..].iter().step_by(7).map(|p| p.header.sequence_number).collect();
            if !some.is_empty() {
                viewer.ask_again(&some, stage.now);
                stage.deliver(viewer);
                stage.deliver(viewer);
            }
        }
        stage.pass(TICK, viewer);
    }
    sent
}

/// A picture's bytes, put together from its packets.
fn picture(packets: &[&Packet]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for packet in packets {
        match packet.payload[0] & 0x1f {
            28 => bytes.extend_from_slice(&packet.payload[2..]),
            _ => bytes.extend_from_slice(&packet.payload[1..]),
        }
    }
    bytes
}

fn all_of_it_comes(abilities: Abilities) {
    let again = abilities.repair;
    let (mut stage, mut viewer) = Stage::with_rungs(&RUNGS).connect_with(abilities.clone());
    let sent = watch(&mut stage, &mut viewer, again);
    let (mut once, mut repeated) = (BTreeMap::new(), 0);
    let first = viewer.packets[0].header.sequence_number;
    for packet in &viewer.packets {
        let number = packet.header.sequence_number.wrapping_sub(first);
        if let Some(original) = once.insert(number, packet) {
            repeated += 1;
            let Packet { header, payload } = original;
            let key = |header: &rtc::rtp::Header| (header.timestamp, header.marker, header.payload_type, header.ssrc);
            assert_eq!(key(&packet.header), key(header), "{number} of {abilities:?}");
            assert_eq!(&packet.payload, payload, "{number} of {abilities:?}");
        }
    }
    assert_eq!(repeated > 50, again, "{repeated} of {sent} came again with {abilities:?}");
    assert!(once.len() > 500, "{} of {sent}", once.len());
    let numbers: Vec<u16> = once.keys().copied().collect();
    assert!(numbers.iter().copied().eq(0..once.len() as u16), "no gap: {abilities:?}");

    let packets: Vec<&Packet> = once.into_values().collect();
    let pictures: Vec<&[&Packet]> = packets.split_inclusive(|packet| packet.header.marker).collect();
    let mut rungs = Vec::new();
    for pair in pictures.windows(2) {
        let [before, after] = [pair[0][0].header.timestamp, pair[1][0].header.timestamp];
        assert!((1..90_000).contains(&after.wrapping_sub(before)), "timestamps grow: {before} {after}");
    }
    for packets in &pictures {
        assert!(packets.iter().all(|packet| packet.header.timestamp == packets[0].header.timestamp));
        let bytes = picture(packets);
        let filling = [bytes[0], bytes[1]];
        let rung = filling[0] & 0x7f;
        let expected = LENGTHS.map(|length| (length >> rung) - 1);
        assert!(expected.contains(&bytes.len()), "{} bytes", bytes.len());
        assert!(bytes.iter().zip(filling.iter().cycle()).all(|(byte, expected)| byte == expected));
        rungs.push(rung);
    }
    rungs.dedup();
    assert!(rungs.len() > 6, "its quality changed: {rungs:?}");
}

#[test]
fn all_of_it_comes_whatever_cipher_is_agreed_on() {
    for cipher in [
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32,
    ] {
        all_of_it_comes(Abilities { cipher: Some(cipher), ..Abilities::ALL });
    }
}

#[test]
fn all_of_it_comes_whatever_else_is_agreed_on() {
    for (repair, transport_cc) in [(true, false), (false, true), (false, false)] {
        all_of_it_comes(Abilities { repair, transport_cc, ..Abilities::ALL });
    }
}
