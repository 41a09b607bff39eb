//! That sender reports tell a viewer when each picture and each sound was captured, so that it can line them up.

use std::collections::BTreeMap;

use protocol::Want;
use rtc::rtp::Packet;

use super::{
    reports::Report,
    stage::{H264, Stage, Viewer, video},
    *,
};
use crate::media::NtpTime;

const RUNGS: [f64; 3] = [3e6, 1e6, 333_333.0];
/// Sound comes so often, and a picture with every second one.
const TICK: Duration = Duration::from_millis(20);
/// What it takes until a picture is encoded, and a piece of sound.
const PICTURE_TAKES: Duration = Duration::from_millis(35);
const SOUND_TAKES: Duration = Duration::from_millis(5);

/// Its payload type in our offers.
const OPUS: u8 = 111;

const SECOND: f64 = (1_u64 << 32) as f64;

/// Everything that was captured, by what it bears.
type Captured = BTreeMap<[u8; 2], NtpTime>;

/// Twelve seconds of pictures and sound whose quality changes now and then, half of the times to one whose keyframe is there.
fn watch(stage: &mut Stage, viewer: &mut Viewer) -> Captured {
    let mut captured = Captured::new();
    for tick in 0..600_usize {
        let filling = [0x80 | (tick >> 7) as u8, tick as u8 & 0x7f];
        captured.insert(filling, stage.captured_before(SOUND_TAKES).ntp);
        stage.capture_before(SOUND_TAKES, Encoding::Audio, 80, true, filling);
        if tick.is_multiple_of(2) {
            let mark = [filling[0] | 0x40, filling[1]];
            captured.insert(mark, stage.captured_before(PICTURE_TAKES).ntp);
            for rung in 0..3 {
                let keyframe = tick % 30 == usize::from(rung) * 10;
                stage.capture_before(PICTURE_TAKES, video(rung), 4000 >> rung, keyframe, mark);
            }
        }
        if tick % 77 == 76 {
            let rung = Some((tick / 77 % 3) as u8);
            let wishes = Wishes { want: Some(Want { rung, ..Want::default() }), ..Wishes::default() };
            let me = stage.session.viewer().clone();
            stage.session.resume(me, wishes, &stage.addresses, &stage.rings, stage.now);
        }
        stage.deliver(viewer);
        stage.pass(TICK, viewer);
    }
    captured
}

/// What it bears that began in this packet.
fn mark(packet: &Packet) -> Option<[u8; 2]> {
    let payload = &packet.payload;
    if packet.header.payload_type == OPUS {
        return Some([payload[5], payload[6]]);
    }
    match (payload[0] & 0x1f, payload[1]) {
        (28, fragment) if fragment & 0x80 == 0 => None,
        (28, _) => Some([payload[2], payload[3]]),
        _ => Some([payload[1], payload[2]]),
    }
}

/// How many seconds off a viewer is that goes by the reports, at worst: by any of them, for everything that it got.
fn worst(viewer: &Viewer, payload_type: u8, rate: f64, captured: &Captured) -> f64 {
    let packets: Vec<&Packet> = viewer.packets.iter().filter(|p| p.header.payload_type == payload_type).collect();
    let ssrc = packets[0].header.ssrc;
    let reports: Vec<&Report> = viewer.reports.iter().filter(|report| report.ssrc == ssrc).collect();
    assert!(reports.len() >= 11, "one a second: {reports:?}");
    let (mut worst, mut newest) = (0.0_f64, 0);
    for packet in packets {
        let Some(mark) = mark(packet) else { continue };
        let NtpTime(truth) = captured[&mark];
        // What is older than what was shown cannot be told so: a stream's timestamps grow.
        newest = newest.max(truth);
        for report in &reports {
            let since = f64::from(packet.header.timestamp.wrapping_sub(report.rtp) as i32) / rate;
            let off = report.ntp.wrapping_sub(newest) as i64 as f64 / SECOND + since;
            worst = worst.max(off.abs());
        }
    }
    worst
}

#[test]
fn reports_tell_when_all_was_captured_across_changes_of_quality() {
    let (mut stage, mut viewer) = Stage::with_sound(&RUNGS).connect();
    let captured = watch(&mut stage, &mut viewer);
    let (sound, pictures) = (worst(&viewer, OPUS, 48e3, &captured), worst(&viewer, H264, 90e3, &captured));
    assert!(sound < 0.001 && pictures < 0.001, "{sound} s, {pictures} s");
}
