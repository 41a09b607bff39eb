//! A report as one line on a terminal.

use protocol::VideoCodec;

use super::{CameraReport, CameraState, Report, Stream, StreamKind, rate, viewers};

/// An encoder that gives less than this share of its pictures does not keep up.
const KEEPS_UP: f64 = 0.9;

/// What happened between two reports, in so many columns: what matters most comes first, as the end may be cut off.
pub fn line(before: &Report, now: &Report, width: usize) -> String {
    let seconds = now.at.saturating_duration_since(before.at).as_secs_f64();
    let mut parts = vec![now.link.to_string(), viewers(now.viewers)];
    let pairs = now.cameras.iter().zip(&before.cameras);
    parts.extend(pairs.map(|(camera, before)| describe(camera, before, seconds)));
    cut(&parts.join(" · "), width)
}

fn describe(camera: &CameraReport, before: &CameraReport, seconds: f64) -> String {
    if camera.state != CameraState::Running {
        return format!("{} {}", camera.id, camera.state);
    }
    // The camera's task counts at moments of its own.
    let counted = camera.health.turned.saturating_duration_since(before.health.turned).as_secs_f64();
    let pictures = rate(camera.health.pictures, before.health.pictures, counted);
    let mut text = format!("{} {pictures:.1} fps", camera.id);
    let streams = camera.streams.iter().zip(&before.streams).filter(|(stream, _)| stream.running);
    let streams: Vec<String> = streams.map(|(stream, before)| bitrate(stream, before, seconds)).collect();
    if !streams.is_empty() {
        text.push_str(&format!(": {} Mbit/s", streams.join(", ")));
    }
    if camera.health.left_out > 0 {
        text.push_str(&format!(", {} left out", camera.health.left_out));
    }
    text
}

fn bitrate(stream: &Stream, before: &Stream, seconds: f64) -> String {
    let megabits = rate(stream.bytes, before.bytes, seconds) * 8.0 / 1e6;
    match stream.kind {
        StreamKind::Audio => format!("sound {megabits:.2}"),
        StreamKind::Video { width, fps, codec, .. } => {
            let codec = match codec {
                VideoCodec::H264 => "H.264",
                VideoCodec::Vp8 => "VP8",
                VideoCodec::Other => "video",
            };
            let pictures = rate(stream.units, before.units, seconds);
            let behind = before.running && pictures < f64::from(fps) * KEEPS_UP;
            let behind = if behind { format!(" at {pictures:.0} of {fps} fps") } else { String::new() };
            format!("{width} {codec} {megabits:.2}{behind}")
        }
    }
}

/// Every character that occurs here takes one column.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept = text.chars().take(width.saturating_sub(1));
    kept.chain((width > 0).then_some('…')).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::report::{Health, LinkState};

    fn stream(width: u32, codec: VideoCodec, running: bool, units: u64, bytes: u64) -> Stream {
        Stream { kind: StreamKind::Video { rung: 0, width, fps: 30, codec }, running, units, bytes }
    }

    fn report(at: Instant, seconds: u64) -> Report {
        let streams = vec![
            stream(1920, VideoCodec::H264, true, 30 * seconds, 380_000 * seconds),
            stream(960, VideoCodec::H264, false, 0, 0),
            stream(1920, VideoCodec::Vp8, true, 20 * seconds, 250_000 * seconds),
            Stream { kind: StreamKind::Audio, running: true, units: 50 * seconds, bytes: 4000 * seconds },
        ];
        let health = Health { pictures: 30 * seconds, ..Health::new(at) };
        let camera = CameraReport { id: "main".parse().expect("an id"), state: CameraState::Running, health, streams };
        let lost = CameraReport { id: "arm".parse().expect("an id"), state: CameraState::Lost, ..camera.clone() };
        Report { at, link: LinkState::Registered, viewers: 3, cameras: vec![camera, lost], stalled: false }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn what_happened_meanwhile_stands_in_one_line_that_fits() {
        let start = Instant::now();
        let (before, mut now) = (report(start, 10), report(start + Duration::from_secs(2), 12));
        let whole = "linked · 3 viewers · main 30.0 fps: 1920 H.264 3.04, 1920 VP8 2.00 at 20 of 30 fps, sound 0.03 Mbit/s \
                     · arm is lost";
        assert_eq!(line(&before, &now, 200), whole);
        assert_eq!(line(&before, &now, 19), "linked · 3 viewers…");
        assert_eq!((line(&before, &now, 1), line(&before, &now, 0)), ("…".to_owned(), String::new()));
        now.cameras[0].health.left_out = 7;
        assert!(line(&before, &now, 200).contains("Mbit/s, 7 left out · arm"));
        now.cameras.truncate(1);
        for stream in &mut now.cameras[0].streams {
            stream.running = false;
        }
        (now.viewers, now.cameras[0].health.left_out) = (1, 0);
        assert_eq!(line(&before, &now, 200), "linked · 1 viewer · main 30.0 fps");
        assert!(line(&now, &now, 200).contains("main 0.0 fps"), "no time has passed");
    }
}
