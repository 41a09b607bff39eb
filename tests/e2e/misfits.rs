//! Configs that cannot work: one sentence, nothing started, and an exit code after which systemd lets it be.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::Context;
use gstreamer::{self as gst, prelude::*};
use tests::Process;

use crate::{PATIENCE, leaving_nothing};

/// As the unit's RestartPreventExitStatus has it.
const BAD_CONFIG: i32 = 2;

/// A folder with a config, and perhaps with GStreamer's plugins, that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("panocast-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// All of GStreamer's plugins but these.
    fn plugins_without(&self, missing: &[&str]) -> anyhow::Result<PathBuf> {
        gst::init()?;
        let plugin = gst::ElementFactory::find("videotestsrc").and_then(|element| element.plugin());
        let file = plugin.and_then(|plugin| plugin.filename()).context("every machine has this one")?;
        let plugins = self.0.join("plugins");
        fs::create_dir(&plugins)?;
        for plugin in fs::read_dir(file.parent().context("it is in a folder")?)? {
            let plugin = plugin?;
            let name = plugin.file_name();
            if !missing.iter().any(|missing| Path::new(&name) == Path::new(&format!("libgst{missing}.so"))) {
                symlink(plugin.path(), plugins.join(name))?;
            }
        }
        Ok(plugins)
    }

    /// Runs a broadcaster whose first camera is well and whose second is this one. Returns its exit code and what it said.
    async fn run(&self, second: &str, environment: &[(&str, &str)]) -> anyhow::Result<(Option<i32>, String)> {
        let config = self.0.join("broadcaster.toml");
        let first = "[[cameras]]\nid = \"front\"\nsource = \"test\"\nsound = \"tone\"\nwidth = 320\nheight = 160";
        let second = format!("[[cameras]]\nid = \"back\"\nwidth = 320\nheight = 160\n{second}");
        fs::write(&config, format!("[media]\nlisten = \"127.0.0.1:0\"\n{first}\n{second}"))?;
        // Nobody listens there.
        let config = config.to_string_lossy();
        let arguments = ["--config", &config, "--server", "http://127.0.0.1:9", "--log", "debug"];
        let ended = tokio::time::timeout(PATIENCE, Process::output("broadcaster", &arguments, environment)).await??;
        Ok((ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a broadcaster logs that has begun something.
const STARTED: [&str; 3] = ["broadcaster starts", "camera runs", "sound runs"];

#[test]
fn what_one_camera_lacks_of_gstreamer_keeps_all_from_starting_for_good() -> anyhow::Result<()> {
    leaving_nothing(async {
        let folder = Folder::new("lacks")?;
        let plugins = folder.plugins_without(&["alsa", "openh264", "rtp"])?.display().to_string();
        let registry = folder.0.join("registry.bin").display().to_string();
        let environment = [("GST_PLUGIN_SYSTEM_PATH_1_0", &*plugins), ("GST_REGISTRY_1_0", &registry)];
        for (second, expected) in [
            ("source = \"test\"\nsound = \"alsa\"", "no element alsasrc: install the Debian package gstreamer1.0-alsa"),
            ("source = \"test\"\nencoder = \"openh264\"", "which does not work on this machine"),
            (
                "source = \"rtsp\"\nurl = \"rtsp://127.0.0.1:9/camera\"\npassthrough = true",
                "no element rtph264depay: install the Debian package gstreamer1.0-plugins-good",
            ),
            ("source = \"pipeline\"\npipeline = \"videotestsrcc\"", "no element videotestsrcc"),
        ] {
            let (code, said) = folder.run(second, &environment).await?;
            assert_eq!(code, Some(BAD_CONFIG), "{second}: {said}");
            assert!(said.contains("camera back: ") && said.contains(expected), "{second}: {said}");
            assert!(STARTED.iter().all(|started| !said.contains(started)), "not even the first of them: {said}");
        }
        Ok(())
    })
}

#[test]
fn what_may_come_later_is_worth_another_try() -> anyhow::Result<()> {
    leaving_nothing(async {
        let folder = Folder::new("later")?;
        for second in [
            "source = \"v4l2\"\ndevice = \"/dev/video-nobody\"",
            // Drivers come when they come.
            "source = \"test\"\nencoder = \"jetson\"",
        ] {
            let (code, said) = folder.run(second, &[]).await?;
            assert_eq!(code, Some(1), "{second}: {said}");
            assert!(said.contains("camera back: "), "{second}: {said}");
            assert!(STARTED.iter().all(|started| !said.contains(started)), "not even the first of them: {said}");
        }
        Ok(())
    })
}
