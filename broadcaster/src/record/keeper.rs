//! Looks after the disk that all recordings share.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::sync::{mpsc, watch};

use super::{
    name::{self, Kind},
    shelf::{Allowance, Plan, Room, Survey, Volume},
};

/// How often: what is written meanwhile is a few megabytes.
const LOOK: Duration = Duration::from_secs(2);

/// What recorders tell, by the name that the file has when it can be played.
#[derive(Debug)]
pub(super) enum News {
    Opened(PathBuf),
    Closed(PathBuf),
}

pub(super) struct Keeper {
    dir: PathBuf,
    allowance: Allowance,
    news: mpsc::Receiver<News>,
    room: watch::Sender<Room>,
    open: BTreeSet<PathBuf>,
}

impl Keeper {
    pub(super) fn new(
        dir: PathBuf,
        allowance: Allowance,
        news: mpsc::Receiver<News>,
        room: watch::Sender<Room>,
    ) -> Self {
        Self { dir, allowance, news, room, open: BTreeSet::new() }
    }

    /// Until all recorders have ended.
    pub(super) async fn run(mut self) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                news = self.news.recv() => match news {
                    Some(News::Opened(path)) => drop(self.open.insert(path)),
                    Some(News::Closed(path)) => drop(self.open.remove(&path)),
                    None => return,
                },
                _ = look.tick() => self.look().await,
            }
        }
    }

    /// Deletes what is too much, and says whether there is room.
    pub(super) async fn look(&mut self) {
        let before = *self.room.borrow();
        let (dir, open, allowance) = (self.dir.clone(), self.open.clone(), self.allowance);
        let looked = tokio::task::spawn_blocking(move || look(&dir, &open, allowance, before)).await;
        let room = match looked.map_err(io::Error::other).flatten() {
            Ok(room) => room,
            Err(error) => {
                // Whoever writes there meets the same and says so.
                tracing::debug!(%error, dir = %self.dir.display(), "the recordings cannot be looked at");
                return;
            }
        };
        match (before, room) {
            (Room::Enough, Room::Short { free }) => tracing::warn!(
                dir = %self.dir.display(), free, reserve = self.allowance.reserve,
                "recording stopped, as its disk has too little free space; the video goes on. Free some space, or lower \
                 recording.reserve"
            ),
            (Room::Short { .. }, Room::Enough) => {
                tracing::info!(dir = %self.dir.display(), "there is room for recordings again");
            }
            (Room::Enough, Room::Enough) | (Room::Short { .. }, Room::Short { .. }) => {}
        }
        // Recorders need not hear that it is as short as before.
        self.room.send_if_modified(|known| {
            let other = matches!(*known, Room::Enough) != matches!(room, Room::Enough);
            *known = room;
            other
        });
    }
}

/// Blocks for as long as the disk likes.
fn look(dir: &Path, open: &BTreeSet<PathBuf>, allowance: Allowance, before: Room) -> io::Result<Room> {
    let survey = survey(dir, open)?;
    let Plan { delete, room } = allowance.plan(survey, before);
    for Volume { path, bytes, .. } in delete {
        match fs::remove_file(&path) {
            Ok(()) => tracing::info!(path = %path.display(), bytes, "the oldest recording has made room"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(path = %path.display(), %error, "a recording that is too much stays"),
        }
    }
    Ok(room)
}

fn survey(dir: &Path, open: &BTreeSet<PathBuf>) -> io::Result<Survey<PathBuf>> {
    let mut survey = Survey { volumes: Vec::new(), open: 0, free: free(dir)? };
    let cameras = match fs::read_dir(dir) {
        Ok(cameras) => cameras,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(survey),
        Err(error) => return Err(error),
    };
    for camera in cameras {
        let camera = camera?;
        if !camera.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(camera.path())? {
            let file = file?;
            let path = file.path();
            if !file.file_type()?.is_file() {
                continue;
            }
            // It may have been renamed meanwhile.
            let Ok(bytes) = file.metadata().map(|metadata| metadata.len()) else { continue };
            let playable = path.with_extension("");
            match name::kind(&path) {
                Kind::Recording if open.contains(&path) => survey.open += bytes,
                Kind::Recording => {
                    let name = file.file_name().to_string_lossy().into_owned();
                    survey.volumes.push(Volume { path, name, bytes });
                }
                Kind::Unfinished if open.contains(&playable) => survey.open += bytes,
                Kind::Unfinished => remove_leftover(&path),
                Kind::Foreign => {}
            }
        }
    }
    Ok(survey)
}

fn remove_leftover(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::debug!(path = %path.display(), %error, "a file in which nothing is stays");
    }
}

/// Bytes that are free for us where the folder is, or will be.
fn free(dir: &Path) -> io::Result<u64> {
    let existing = dir.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let disk = nix::sys::statvfs::statvfs(existing)?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}
