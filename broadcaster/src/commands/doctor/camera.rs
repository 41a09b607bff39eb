//! What a camera's trial means. Pure.

use super::finding::Finding;
use crate::{
    capture::Trial,
    config::{Camera, Rung},
};

/// A camera that gives less than this share of what was promised has slowed down.
const ENOUGH: f64 = 0.9;

pub(super) fn measured(camera: &Camera, rungs: &[Rung], trial: Trial) -> Finding {
    let subject = subject(camera);
    let Camera { width, height, fps, .. } = camera;
    let best = camera.info(rungs).video.rungs.first().map_or(*fps, |rung| rung.fps);
    let pictures = format!(
        "{:.1} pictures of {width}×{height} a second, the first after {:.1} s",
        trial.fps,
        trial.first_picture.as_secs_f64()
    );
    if trial.encoded_fps < trial.fps.min(f64::from(best)) * ENOUGH {
        return Finding::fail(
            &subject,
            format!("{pictures}; only {:.1} of them are encoded", trial.encoded_fps),
            "this machine does not keep up: take a smaller width or fps, or end what else runs on it",
        );
    }
    let encoding = if camera.source.is_passthrough() {
        "sent on as they come".to_owned()
    } else {
        let millis = trial.encoding.as_secs_f64() * 1e3;
        // What a hardware encoder costs the processor is next to nothing.
        let times = 1e3 / f64::from(best) / millis.max(0.1);
        format!(
            "encoding the best quality takes {millis:.1} ms of processor time each, {times:.1} × real time on one core"
        )
    };
    let says = format!("{pictures}; {encoding}");
    if trial.fps < f64::from(*fps) * ENOUGH {
        let advice = format!(
            "fps is {fps}: cameras slow down in dim light and at sizes that their bus cannot carry; give it light, or set \
             what it gives"
        );
        return Finding::warn(&subject, says, advice);
    }
    Finding::ok(&subject, says)
}

pub(super) fn busy(camera: &Camera) -> Finding {
    Finding::warn(
        &subject(camera),
        format!("{} is in use by another program", camera.source),
        "if that is a broadcaster, all is well; to try the camera, stop it first",
    )
}

pub(super) fn failed(camera: &Camera, error: &anyhow::Error) -> Finding {
    let advice =
        "`broadcaster devices` lists what is plugged in; mind the cable, the group video, and who else uses it";
    let says = format!("{}: {error:#}", camera.source);
    Finding::fail(&subject(camera), says.replace('\n', " "), advice)
}

fn subject(camera: &Camera) -> String {
    format!("camera {}", camera.id)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::commands::doctor::finding::Level;

    #[test]
    fn a_slow_camera_is_warned_of_and_a_slow_machine_fails() {
        let camera = Camera::synthetic("main".parse().expect("an id"));
        let trial = |fps, encoded_fps| Trial {
            first_picture: Duration::from_millis(250),
            fps,
            encoded_fps,
            encoding: Duration::from_millis(8),
        };
        let well = measured(&camera, &[], trial(30.0, 29.9));
        assert_eq!(well.level, Level::Ok);
        assert!(well.says.contains("8.0 ms") && well.says.contains("4.2 × real time"), "{}", well.says);
        assert_eq!(measured(&camera, &[], trial(15.0, 15.0)).level, Level::Warn);
        assert_eq!(measured(&camera, &[], trial(30.0, 20.0)).level, Level::Fail);
        let half = [Rung { width: 1920, fps: Some(15), bitrate: 3_000_000 }];
        assert_eq!(measured(&camera, &half, trial(30.0, 15.0)).level, Level::Ok, "no more are wanted");
    }
}
