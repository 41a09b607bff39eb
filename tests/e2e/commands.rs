//! What the broadcaster's commands say to people and programs, as they are installed.

use std::{fs, path::PathBuf, process::Stdio, time::Duration};

use serde_json::Value;
use tests::Process;

use crate::{PATIENCE, leaving_nothing};

/// A sound server of its own that has one microphone, which hears nothing.
struct Pulse {
    folder: PathBuf,
    _process: tokio::process::Child,
}

impl Pulse {
    async fn start() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("panocast-pulse-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let socket = folder.join("native");
        let protocol =
            format!("module-native-protocol-unix socket={} auth-anonymous=1 auth-cookie-enabled=0", socket.display());
        let mut command = tokio::process::Command::new("pulseaudio");
        command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-level=error"]);
        command.args([
            "-L",
            &protocol,
            "-L",
            "module-null-source source_name=table",
            "-L",
            "module-null-sink sink_name=room",
        ]);
        for name in ["HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH"] {
            command.env(name, &folder);
        }
        let process =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        let pulse = Self { folder, _process: process };
        let mut look = tokio::time::interval(Duration::from_millis(50));
        let listens = async {
            while !socket.exists() {
                look.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, listens).await?;
        Ok(pulse)
    }

    fn address(&self) -> String {
        format!("unix:{}", self.folder.join("native").display())
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn devices_names_microphones_with_the_lines_that_use_them() -> anyhow::Result<()> {
    leaving_nothing(async {
        let pulse = Pulse::start().await?;
        let environment = [("PULSE_SERVER", &*pulse.address())];
        let answer = Process::output("broadcaster", &["devices", "--json"], &environment).await?;
        assert!(answer.status.success(), "{answer:?}");
        let found: Value = serde_json::from_slice(&answer.stdout)?;
        let devices = found["devices"].as_array().expect("a list");
        let microphones: Vec<&Value> = devices
            .iter()
            .filter(|found| found["device"]["kind"] == "microphone" && found["device"]["api"] == "pulse")
            .collect();
        let [table] = &microphones[..] else { panic!("what the null sink plays is none: {found:#}") };
        assert_eq!(table["config"], "sound = \"pulse\"\nsound_device = \"table\"\n", "{found:#}");
        assert!(found["missing_packages"].is_array(), "{found:#}");
        let answer = Process::output("broadcaster", &["devices"], &environment).await?;
        let text = String::from_utf8(answer.stdout)?;
        assert!(answer.status.success() && text.contains("\nsound = \"pulse\"\nsound_device = \"table\"\n"), "{text}");
        assert!(text.contains("in the section of the camera"), "{text}");
        Ok(())
    })
}

#[test]
fn doctor_says_of_each_thing_whether_it_is_well_and_what_to_do() -> anyhow::Result<()> {
    leaving_nothing(async {
        let config = std::env::temp_dir().join(format!("panocast-doctor-{}.toml", std::process::id()));
        let cameras = "[[cameras]]\nid = \"front\"\nsource = \"test\"\nwidth = 320\nheight = 160\n\
                       [[cameras]]\nid = \"back\"\nsource = \"pipeline\"\nwidth = 320\nheight = 160\n\
                       pipeline = \"videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1\"";
        fs::write(&config, format!("[media]\nlisten = \"127.0.0.1:0\"\n{cameras}"))?;
        // Nobody listens there.
        let arguments = ["doctor", "--config", &config.to_string_lossy(), "--server", "http://127.0.0.1:9"];
        let text = Process::output("broadcaster", &arguments, &[]).await;
        let json = Process::output("broadcaster", &[&arguments[..], &["--json"]].concat(), &[]).await;
        fs::remove_file(&config)?;
        let (text, json) = (text?, json?);
        assert_eq!((text.status.code(), json.status.code()), (Some(1), Some(1)), "{text:?}");

        let found: Value = serde_json::from_slice(&json.stdout)?;
        assert_eq!(found["ok"], false);
        let findings = found["findings"].as_array().expect("a list");
        let of = |subject: &str| findings.iter().find(|finding| finding["subject"] == subject).unwrap_or(&Value::Null);
        for (subject, level) in [("server", "fail"), ("media port", "ok"), ("camera back", "fail")] {
            assert_eq!(of(subject)["level"], level, "{found:#}");
            assert_eq!(of(subject)["advice"].is_string(), level == "fail", "{found:#}");
        }
        // How many pictures there are is up to what else the machine does, and with it what is said of them.
        let front = of("camera front");
        assert!(front["says"].as_str().is_some_and(|says| says.contains(" pictures of 320×160 a second")), "{found:#}");
        assert_eq!(front["advice"].is_string(), front["level"] != "ok", "{found:#}");
        assert!(
            of("camera back")["says"].as_str().is_some_and(|says| says.contains("set width = 320 and height = 240"))
        );

        let lines = String::from_utf8(text.stdout)?;
        for finding in findings {
            let (level, subject) = (finding["level"].as_str().unwrap_or_default(), finding["subject"].as_str());
            let level = if level == "fail" { "FAIL" } else { level };
            let subject = subject.unwrap_or_default();
            let begins = format!("{level:<6}{subject}");
            let tells =
                |line: &str| line.starts_with(&begins) || subject == "camera front" && line.contains("camera front  ");
            assert!(lines.lines().any(tells), "{begins}: {lines}");
        }
        let complaint = String::from_utf8(text.stderr)?;
        // GStreamer's plugins may have complaints of their own.
        let is_ours = |line: &str| line.starts_with("broadcaster: not well: server, ") && line.contains("camera back");
        assert!(complaint.lines().any(is_ours), "{complaint}");
        Ok(())
    })
}

#[test]
fn the_last_line_of_a_terminal_says_what_goes_on_and_goes_in_the_end() -> anyhow::Result<()> {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/broadcaster.toml");
    let arguments = ["--config", config, "--server", "http://127.0.0.1:9", "--log", "error"];
    let (mut broadcaster, mut terminal) = Process::start_at_terminal("broadcaster", &arguments, 100)?;
    let line = terminal
        .until(|line| line.starts_with("no link to the server · 0 viewers · main ") && line.ends_with(" fps"))?;
    assert!(!line.contains('\n') && line.chars().count() < 100, "{line:?}");
    terminal.resize(20)?;
    terminal.until(|line| line == "no link to the ser…")?;
    broadcaster.stop()?;
    assert_eq!(terminal.rest(), "");
    Ok(())
}

#[test]
fn who_wants_no_line_gets_none() -> anyhow::Result<()> {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/broadcaster.toml");
    let arguments =
        ["--no-status", "--config", config, "--server", "http://127.0.0.1:9", "--log", "info,broadcaster=debug"];
    let (mut broadcaster, mut terminal) = Process::start_at_terminal("broadcaster", &arguments, 100)?;
    terminal.until(|log| log.contains("camera runs"))?;
    broadcaster.stop()?;
    let log = terminal.rest();
    assert!(log.contains("broadcaster ended") && !log.contains(" · "), "{log}");
    Ok(())
}
