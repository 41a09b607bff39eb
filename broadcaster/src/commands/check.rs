//! `broadcaster check`: what a config amounts to on this machine, without opening a camera.

use std::fmt::Write;

use daemon::config::{Given, Loaded};
use protocol::Projection;

use super::Answer;
use crate::{
    Choice, check_camera, check_media,
    config::{Camera, Config, MaxBitrate, Recording},
    record,
};

/// Says what the config would do. Everything that stands in its way is named, not only the first.
pub fn run(loaded: &Loaded<Config>) -> Answer {
    let config = &loaded.config;
    let mut answer = Answer { text: describe(config), complaints: Vec::new() };
    answer.text.push_str(&provenance(loaded));
    if let Err(error) = check_media(config) {
        answer.complaints.push(format!("{error:#}"));
    }
    for camera in &config.cameras {
        match check_camera(camera, &config.rungs) {
            Ok(Some(encoder)) => {
                answer.text.push_str(&format!("Camera {}: H.264 by {}.\n", camera.id, named(&encoder)))
            }
            Ok(None) => answer.text.push_str(&format!("Camera {}: H.264 as it comes.\n", camera.id)),
            Err(error) => answer.complaints.push(format!("camera {}: {:#}", camera.id, anyhow::Error::from(error))),
        }
    }
    let folder = config.recording.folder(&config.robot);
    let recorded = config.cameras.iter().filter(|camera| camera.record);
    // What is in the way of one is, as a rule, in the way of all.
    if let Some(error) = recorded.filter_map(|camera| record::check(&folder.join(camera.id.as_str())).err()).next() {
        answer.complaints.push(error.to_string());
    }
    if answer.complaints.is_empty() {
        answer.text.push_str("All of it can be done on this machine; `broadcaster doctor` tries it.\n");
    }
    answer
}

/// Where the secrets come from, and what looks wrong there.
fn provenance(loaded: &Loaded<Config>) -> String {
    let key = match loaded.secrets.iter().find(|secret| secret.key == "key") {
        Some(Given { place, .. }) => format!("Has its key {place}.\n"),
        None => "Has no key: only a server that lets everybody in lets it in.\n".to_owned(),
    };
    loaded
        .warnings
        .iter()
        .cloned()
        .chain(loaded.config.doubts())
        .fold(key, |text, warning| text + &format!("WARNING: {warning}.\n"))
}

fn named(encoder: &Choice) -> String {
    let refused = encoder.refused();
    if refused.is_empty() { encoder.to_string() } else { format!("{encoder}; {refused}") }
}

pub(crate) fn describe(config: &Config) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("writing to a string cannot fail");
    line(format!("Shows robot {} through {}.", config.robot, config.server));
    if let Some(fingerprint) = config.fingerprint {
        line(format!("Knows that server by its certificate, {fingerprint}, and talks to no other."));
    }
    let media = &config.media;
    line(format!("Sends from UDP {} to at most {} viewers.", media.listen, media.max_viewers));
    match config.uplink.max_bitrate {
        None => {}
        Some(MaxBitrate::Known(max)) => {
            line(format!("Sends at most {:.1} Mbit/s to all of them together.", f64::from(max.get()) / 1e6));
        }
        Some(MaxBitrate::Measured) => line("Sends them together what they show to get through.".to_owned()),
    }
    let viewers = config.spill.viewers.map(|viewers| format!("{viewers} viewers"));
    let cpu = config.spill.cpu.map(|share| format!("{:.0} % of the machine's computing time", 100.0 * share.get()));
    let crowd: Vec<String> = [viewers, cpu].into_iter().flatten().collect();
    if !crowd.is_empty() {
        let crowd = crowd.join(" or ");
        line(format!("From {crowd} on, sends them by the server's media server, if it has one."));
    }
    for camera in &config.cameras {
        let Camera { id, source, width, height, fps, sound, .. } = camera;
        let shape = match camera.projection {
            Projection::Flat => "flat",
            Projection::Equirectangular { .. } => "equirectangular",
            Projection::Fisheye { .. } => "through a fisheye lens",
            Projection::DualFisheye { .. } => "through two fisheye lenses",
            Projection::CubeMap { .. } => "a cube map",
            Projection::Equiangular { .. } => "an equiangular cube map",
        };
        line(format!("Camera {id}: {source}, {width}×{height} at {fps} fps, {shape}, with {sound}; offered as"));
        for rung in camera.info(&config.rungs).video.rungs {
            let megabits = f64::from(rung.bitrate) / 1e6;
            line(format!("  {}×{} at {} fps, {megabits:.1} Mbit/s", rung.width, rung.height, rung.fps));
        }
    }
    line("Each quality is encoded only while somebody watches it.".to_owned());
    let recorded: Vec<&str> =
        config.cameras.iter().filter(|camera| camera.record).map(|camera| camera.id.as_str()).collect();
    if !recorded.is_empty() {
        let Recording { dir: _, quota, reserve, segment } = &config.recording;
        let folder = config.recording.folder(&config.robot);
        let (cameras, dir) = (recorded.join(" and "), folder.display());
        line(format!("Records {cameras} in {dir}, {segment:?} a file, {quota} at most, and leaves {reserve} free."));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_stands_in_the_way_is_named_in_a_sentence_each() {
        let mut config: Config = toml::from_str(
            r#"
            [media]
            listen = "127.0.0.1:0"
            [[cameras]]
            id = "front"
            source = "v4l2"
            device = "/dev/nonexistent"
            [[cameras]]
            id = "back"
            source = "pipeline"
            pipeline = "nosuchsrc"
            "#,
        )
        .expect("a config");
        let run = |config: &Config| {
            run(&Loaded { config: config.clone(), origin: None, secrets: Vec::new(), warnings: Vec::new() })
        };
        let answer = run(&config);
        let [front, back] = &answer.complaints[..] else { panic!("{answer:?}") };
        assert!(front.contains("front: device /dev/nonexistent") && front.contains("devices"), "{front}");
        assert!(back.contains("back: ") && back.contains("nosuchsrc"), "{back}");
        assert!(answer.complaints.iter().all(|complaint| !complaint.contains('\n')));
        config.cameras = Config::default().cameras;
        let answer = run(&config);
        assert_eq!(answer.complaints, [""; 0]);
        assert!(answer.text.contains("960×480 at 30 fps, 1.0 Mbit/s"), "{}", answer.text);
        assert!(!answer.text.contains("WARNING"), "{}", answer.text);
        let cube = "[[cameras]]\nid = \"main\"\nsource = \"test-cube-map\"\nwidth = 640\nheight = 320";
        let answer = run(&toml::from_str(cube).expect("a config"));
        assert_eq!(answer.complaints, [""; 0], "it can be all the same");
        assert!(answer.text.contains("640×320 at 30 fps, a cube map, with"), "{}", answer.text);
        assert!(answer.text.contains("WARNING: camera main: width is 640 and height is 320"), "{}", answer.text);
        // Nobody can write below a file.
        config.recording.dir = "/proc/self/stat/recordings".into();
        assert_eq!(run(&config).complaints, [""; 0], "no camera is recorded");
        config.cameras[0].record = true;
        let answer = run(&config);
        let [dir] = &answer.complaints[..] else { panic!("{answer:?}") };
        assert!(dir.contains("/proc/self/stat/recordings/demo/main (") && dir.contains("recording.dir"), "{dir}");
    }
}
