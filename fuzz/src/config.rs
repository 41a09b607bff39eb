//! Config files: what is refused is refused in one sentence, and what is accepted can be described.

use std::path::Path;

use broadcaster::config as robot;
use daemon::config::{LoadError, Surroundings};

use crate::script::{Script, is_one_line};

/// Longer than any sentence of ours, with the longest value that it may repeat.
const SENTENCE: usize = 4096;

pub fn config(data: &[u8]) {
    let mut script = Script::new(data);
    let is_robots = script.byte().is_multiple_of(2);
    let text = script.rest();
    if text.len() > SENTENCE {
        return;
    }
    let surroundings = Surroundings::invented(text);
    let path = Some(Path::new("config.toml"));
    if is_robots {
        match daemon::config::load::<robot::Config>(path, robot::Config::SECRETS, &surroundings) {
            Ok(loaded) => robots(&loaded.config),
            Err(error) => refused(&error),
        }
    } else {
        match server::Config::load(path, &surroundings) {
            Ok(loaded) => servers(&loaded),
            Err(error) => refused(&error),
        }
    }
}

fn refused(error: &LoadError) {
    sentence(&error.to_string());
}

fn sentence(text: &str) {
    assert!(is_one_line(text), "{text:?}");
    assert!(text.len() < 3 * SENTENCE, "{} bytes", text.len());
}

fn robots(config: &robot::Config) {
    if let Err(error) = config.check() {
        return sentence(&error.to_string());
    }
    let (text, doubts) = broadcaster::fuzz::describe(config);
    assert!(text.lines().count() > config.cameras.len(), "{text}");
    doubts.iter().for_each(|doubt| sentence(doubt));
    for camera in &config.cameras {
        let info = camera.info(&config.rungs);
        assert!((1..=robot::MAX_RUNGS).contains(&info.video.rungs.len()), "{info:?}");
        for rung in &info.video.rungs {
            assert!(rung.width > 0 && rung.height > 0 && rung.fps > 0 && rung.bitrate > 0, "{rung:?}");
            assert!(rung.width.is_multiple_of(2) && rung.height.is_multiple_of(2), "{rung:?}");
        }
        // Viewers are told of it as JSON, which must be what it was.
        let told = serde_json::to_string(&info).expect("plain data");
        assert_eq!(serde_json::from_str::<protocol::CameraInfo>(&told).expect("it is read"), info);
    }
}

fn servers(loaded: &daemon::config::Loaded<server::Config>) {
    let config = &loaded.config;
    if let Err(error) = config.check() {
        return sentence(&error.to_string());
    }
    server::report::suspicions(loaded, Some(1024)).iter().for_each(|suspicion| sentence(suspicion));
    assert!(!server::report::explain(loaded, None).is_empty());
    // Where there is a certificate, its files would be read.
    if config.tls.mode == server::config::TlsMode::Off {
        assert!(!server::report::describe(config).expect("there is no certificate").is_empty());
    }
}
