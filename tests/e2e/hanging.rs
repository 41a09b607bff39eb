//! Drivers that hang: a pipe that nobody writes into keeps whoever opens it or reads from it, as they do.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tests::{Log, Process};

use crate::{PATIENCE, leaving_nothing};

/// A folder with a pipe in it.
struct Pipe {
    folder: PathBuf,
}

impl Pipe {
    fn make(name: &str) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("panocast-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let pipe = Self { folder };
        anyhow::ensure!(std::process::Command::new("mkfifo").arg(pipe.path()).status()?.success(), "mkfifo failed");
        Ok(pipe)
    }

    fn path(&self) -> PathBuf {
        self.folder.join("pipe")
    }

    /// Keeps it open for those who read, and gives them nothing.
    fn hold(&self) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.path())
    }

    fn start(&self, section: &str, environment: &[(&str, &str)]) -> anyhow::Result<(Process, Log)> {
        let config = self.folder.join("broadcaster.toml");
        std::fs::write(&config, format!("[media]\nlisten = \"127.0.0.1:0\"\n[[cameras]]\nid = \"main\"\n{section}"))?;
        // Nobody listens there.
        let arguments = ["--config", &config.to_string_lossy(), "--server", "http://127.0.0.1:9"];
        Process::start_logged_with("broadcaster", &arguments, environment)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Writes silence until it is told to end, or nobody reads any more.
struct Silence {
    ends: Arc<AtomicBool>,
}

impl Silence {
    fn pour(pipe: &Pipe) -> io::Result<Self> {
        let mut into = OpenOptions::new().write(true).open(pipe.path())?;
        let ends = Arc::new(AtomicBool::new(false));
        let told = ends.clone();
        std::thread::spawn(move || while !told.load(Ordering::Relaxed) && into.write_all(&[0; 4096]).is_ok() {});
        Ok(Self { ends })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}

/// The process is to end by itself, and to say by its code that it did not end well: then another one is begun.
async fn gives_up(robot: &mut Process) -> anyhow::Result<()> {
    let mut look = tokio::time::interval(Duration::from_millis(100));
    let ended = async {
        loop {
            if let Some(ended) = robot.ended()? {
                return anyhow::Ok(ended);
            }
            look.tick().await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await??;
    anyhow::ensure!(ended.code() == Some(1), "{ended}");
    Ok(())
}

#[test]
fn a_driver_that_hangs_in_opening_ends_the_robots_process_for_another_to_begin() -> anyhow::Result<()> {
    leaving_nothing(async {
        let pipe = Pipe::make("opening")?;
        let section = format!("source = \"file\"\npath = \"{}\"", pipe.path().display());
        let (mut robot, log) = pipe.start(&section, &[])?;
        gives_up(&mut robot).await?;
        log.wait("its driver hangs")?;
        Ok(())
    })
}

#[test]
fn so_does_one_that_hangs_in_stopping() -> anyhow::Result<()> {
    const PICTURE: usize = 160 * 80 * 3 / 2;
    leaving_nothing(async {
        let pipe = Pipe::make("stopping")?;
        let section = format!(
            "width = 160\nheight = 80\nfps = 10\nsource = \"pipeline\"\n\
             pipeline = \"filesrc location={} blocksize={PICTURE} \
             ! rawvideoparse format=i420 width=160 height=80 framerate=10/1\"",
            pipe.path().display()
        );
        let mut held = pipe.hold()?;
        let (mut robot, log) = pipe.start(&section, &[])?;
        let held = tokio::task::spawn_blocking(move || held.write_all(&[128; 20 * PICTURE]).map(|()| held)).await??;
        log.wait("camera runs")?;
        // No more pictures come, and nobody hangs up.
        gives_up(&mut robot).await?;
        log.wait("its driver hangs")?;
        drop(held);
        Ok(())
    })
}

#[test]
fn a_microphone_that_hangs_is_left_alone_and_heard_when_it_lets_go() -> anyhow::Result<()> {
    leaving_nothing(async {
        let pipe = Pipe::make("microphone")?;
        let cards = pipe.folder.join("cards");
        let card = format!(
            "pcm.nothing {{ type null }}\n\
             pcm.hangs {{ type file slave.pcm nothing file /dev/null infile \"{}\" format raw }}\n",
            pipe.path().display()
        );
        std::fs::write(&cards, card)?;
        let section = "source = \"test\"\nwidth = 320\nheight = 160\nsound = \"alsa\"\nsound_device = \"hangs\"";
        let (mut robot, log) = pipe.start(section, &[("ALSA_CONFIG_PATH", &cards.to_string_lossy())])?;
        log.wait("camera runs")?;
        let hangs_in_opening = log.wait("sound lost")?;
        anyhow::ensure!(hangs_in_opening.contains("it hangs, and is left alone"), "{hangs_in_opening}");

        let held = pipe.hold()?;
        let silence = Silence::pour(&pipe)?;
        log.wait("sound runs")?;
        drop(silence);
        let hangs_in_reading = log.wait("sound lost")?;
        anyhow::ensure!(hangs_in_reading.contains("it hangs, and is left alone"), "{hangs_in_reading}");

        let silence = Silence::pour(&pipe)?;
        log.wait("sound runs")?;
        anyhow::ensure!(robot.is_running()?, "the pictures went on all the while");
        robot.stop()?;
        drop((silence, held));
        Ok(())
    })
}
