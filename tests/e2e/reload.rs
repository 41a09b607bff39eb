//! A server takes up another config while it is used.

use std::{fs, net::TcpListener, path::PathBuf};

use broadcaster::signalling::ServerUrl;
use protocol::{Code, Notice};
use tests::{Options, Process, Viewer};

use crate::{PATIENCE, leaving_nothing};

struct Config(PathBuf);

impl Config {
    /// A new file in the place of the one before.
    fn write(&self, text: &str) -> std::io::Result<()> {
        let fresh = self.0.with_extension("fresh");
        fs::write(&fresh, text)?;
        fs::rename(fresh, &self.0)
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_lower_limit_stops_no_picture_and_lets_no_more_in() -> anyhow::Result<()> {
    leaving_nothing(async {
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let url: ServerUrl = format!("http://127.0.0.1:{port}").parse()?;
        let config = Config(std::env::temp_dir().join(format!("panocast-reload-{port}.toml")));
        config.write("[limits]\nmax_viewers = 2\n")?;
        let (path, listen) = (config.0.display().to_string(), format!("127.0.0.1:{port}"));
        let (server, log) = Process::start_logged("server", &["--config", &path, "--listen", &listen])?;
        log.wait("serving")?;
        let robot = concat!(env!("CARGO_MANIFEST_DIR"), "/broadcaster.toml");
        let arguments = ["--config", robot, "--server", &url.to_string(), "--log", "warn"];
        let _broadcaster = Process::start("broadcaster", &arguments)?;
        let mut viewers = [Viewer::join(Options::new(url.clone())), Viewer::join(Options::new(url.clone()))];
        for viewer in &mut viewers {
            viewer.until(PATIENCE, |reception| reception.frames >= 10).await?;
        }

        config.write("[limits]\nmax_viewers = 1\n")?;
        server.hang_up()?;
        log.wait("limits.max_viewers from 2 to 1")?;
        let mut third = Viewer::join(Options::new(url.clone()));
        let is_full = |refused: &Option<Notice>| refused.as_ref().is_some_and(|notice| notice.code == Code::Full);
        third.until(PATIENCE, |reception| is_full(&reception.refused)).await?;
        third.leave().await?;
        for mut viewer in viewers {
            let before = viewer.reception().frames;
            viewer.until(PATIENCE, |reception| reception.frames >= before + 30).await?;
            let reception = viewer.leave().await?;
            assert_eq!((reception.offers, reception.resumed), (1, 0), "{reception:?}");
        }
        Ok(())
    })
}
