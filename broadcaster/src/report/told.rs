//! A report as the server is told of it.

use protocol::{Bitrate, Count, EncodingReport, Fps, RobotReport, Sent};

use super::{CameraState, Report, Stream, StreamKind, rate};

/// What happened between two reports, and what was `sent` since the beginning.
pub(crate) fn told(before: &Report, now: &Report, sent: Sent) -> RobotReport {
    let seconds = now.at.saturating_duration_since(before.at).as_secs_f64();
    let pairs = now.cameras.iter().zip(&before.cameras);
    let cameras = pairs.map(|(camera, before)| {
        // The camera's task counts at moments of its own.
        let counted = camera.health.turned.saturating_duration_since(before.health.turned).as_secs_f64();
        let streams = || camera.streams.iter().zip(&before.streams).filter(|(stream, _)| stream.running);
        let bitrate =
            |stream: &Stream, before: &Stream| Bitrate::nearest(rate(stream.bytes, before.bytes, seconds) * 8.0);
        let encodings = streams().filter_map(|(stream, before)| {
            let StreamKind::Video { rung, codec, .. } = stream.kind else { return None };
            let fps = Fps::nearest(rate(stream.units, before.units, seconds));
            Some(EncodingReport { rung, codec, fps, bitrate: bitrate(stream, before) })
        });
        let sound = streams().find(|(stream, _)| stream.kind == StreamKind::Audio);
        protocol::CameraReport {
            id: camera.id.clone(),
            running: camera.state == CameraState::Running,
            fps: Fps::nearest(rate(camera.health.pictures, before.health.pictures, counted)),
            left_out: Count::from(camera.health.left_out),
            encodings: encodings.collect(),
            sound: sound.map(|(stream, before)| bitrate(stream, before)),
        }
    });
    RobotReport { cameras: cameras.collect(), sent }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use protocol::VideoCodec;

    use super::*;
    use crate::report::{CameraReport, Health, LinkState};

    fn stream(kind: StreamKind, running: bool, units: u64, bytes: u64) -> Stream {
        Stream { kind, running, units, bytes }
    }

    fn report(at: Instant, seconds: u64) -> Report {
        let video = |rung, codec| StreamKind::Video { rung, width: 960, fps: 30, codec };
        let streams = vec![
            stream(video(0, VideoCodec::H264), true, 30 * seconds, 380_000 * seconds),
            stream(video(1, VideoCodec::H264), false, 0, 0),
            stream(video(1, VideoCodec::Vp8), true, 20 * seconds, 125_000 * seconds),
            stream(StreamKind::Audio, true, 50 * seconds, 4000 * seconds),
        ];
        let health = Health { pictures: 30 * seconds, left_out: seconds, ..Health::new(at) };
        let camera = CameraReport { id: "main".parse().expect("an id"), state: CameraState::Running, health, streams };
        let lost = CameraReport { state: CameraState::Lost, streams: Vec::new(), ..camera.clone() };
        Report { at, link: LinkState::Registered, viewers: 3, cameras: vec![camera, lost], stalled: false }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn the_server_is_told_rates_of_what_runs_and_totals() {
        let start = Instant::now();
        let sent = Sent { packets: Count::from(7), ..Sent::default() };
        let told = told(&report(start, 10), &report(start + Duration::from_secs(5), 15), sent);
        let json = serde_json::to_value(&told).expect("encodes");
        let expected = serde_json::json!({
            "cameras": [
                { "id": "main", "running": true, "fps": 30.0, "left_out": 15, "sound": 32_000.0, "encodings": [
                    { "rung": 0, "codec": "h264", "fps": 30.0, "bitrate": 3_040_000.0 },
                    { "rung": 1, "codec": "vp8", "fps": 20.0, "bitrate": 1_000_000.0 },
                ] },
                { "id": "main", "running": false, "fps": 30.0, "left_out": 15, "encodings": [] },
            ],
            "sent": { "packets": 7, "bytes": 0, "resent": 0 },
        });
        assert_eq!(json, expected);
    }
}
