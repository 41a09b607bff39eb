//! Looks after the disk that all recordings of a robot share.

use std::{
    collections::BTreeSet,
    fs::{self, DirEntry},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use protocol::CameraId;
use tokio::sync::{mpsc, watch};

use super::{
    name::{self, Kind},
    place,
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
    /// It has been said that nobody looks after the disk.
    complained: bool,
}

impl Keeper {
    pub(super) fn new(
        dir: PathBuf,
        allowance: Allowance,
        news: mpsc::Receiver<News>,
        room: watch::Sender<Room>,
    ) -> Self {
        Self { dir, allowance, news, room, open: BTreeSet::new(), complained: false }
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

    /// Before any recorder runs: what is unfinished then will never be finished, and there may be too much already.
    pub(super) async fn begin(&mut self) {
        let dir = self.dir.clone();
        let removed = tokio::task::spawn_blocking(move || remove_leftovers(&dir)).await;
        if let Err(error) = removed.map_err(io::Error::other).flatten() {
            tracing::debug!(%error, dir = %self.dir.display(), "files in which nothing is may have stayed");
        }
        self.look().await;
    }

    /// Deletes what is too much, and says whether there is room.
    async fn look(&mut self) {
        let before = *self.room.borrow();
        let (dir, open, allowance) = (self.dir.clone(), self.open.clone(), self.allowance);
        let looked = tokio::task::spawn_blocking(move || look(&dir, &open, allowance, before)).await;
        let room = match looked.map_err(io::Error::other).flatten() {
            Ok(room) => room,
            Err(error) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(
                        %error, dir = %self.dir.display(),
                        "the recordings cannot be looked at; until they can, neither recording.quota nor recording.reserve \
                         is kept. Let the broadcaster's user read that folder"
                    );
                }
                return;
            }
        };
        if std::mem::take(&mut self.complained) {
            tracing::info!(dir = %self.dir.display(), "the recordings can be looked at again");
        }
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
    let mut survey = Survey { volumes: Vec::new(), open: 0, free: place::free(dir)? };
    for file in files(dir)? {
        let path = file.path();
        // It may have been renamed meanwhile.
        let Ok(metadata) = file.metadata() else { continue };
        let bytes = metadata.len();
        match name::kind(&path) {
            Kind::Recording { .. } if open.contains(&path) => survey.open += bytes,
            Kind::Recording { begins } => {
                // Names are of the clock of then, which a robot without a battery for it sets late.
                let written = metadata.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
                let taken = written.map_or(begins, |written| written.max(begins));
                survey.volumes.push(Volume { path, taken, bytes });
            }
            // Too little to matter where it is nobody's: it goes at the next start.
            Kind::Unfinished => survey.open += bytes,
            Kind::Foreign => {}
        }
    }
    Ok(survey)
}

fn remove_leftovers(dir: &Path) -> io::Result<()> {
    for file in files(dir)? {
        let path = file.path();
        if name::kind(&path) == Kind::Unfinished
            && let Err(error) = fs::remove_file(&path)
        {
            tracing::debug!(path = %path.display(), %error, "a file in which nothing is stays");
        }
    }
    Ok(())
}

/// What lies in the folders of the robot's cameras, those of before included. Folders that cannot be read are left alone.
fn files(dir: &Path) -> io::Result<Vec<DirEntry>> {
    let cameras = match fs::read_dir(dir) {
        Ok(cameras) => cameras,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for camera in cameras {
        let camera = camera?;
        let named_so = camera.file_name().to_str().is_some_and(|name| name.parse::<CameraId>().is_ok());
        if !named_so || !camera.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        match fs::read_dir(camera.path()) {
            Ok(found) => files.extend(found.flatten().filter(|file| file.file_type().is_ok_and(|kind| kind.is_file()))),
            // Who records there meets the same and says so.
            Err(error) => tracing::debug!(%error, dir = %camera.path().display(), "a folder that cannot be read"),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::Folder;

    const FILE: &str = "2026-11-21T11-41-42.007Z.mp4";

    fn write(dir: &Path, name: &str, bytes: usize) -> PathBuf {
        fs::create_dir_all(dir).expect("a folder");
        let path = dir.join(name);
        fs::write(&path, vec![0; bytes]).expect("a file");
        path
    }

    #[test]
    fn only_folders_of_cameras_are_looked_into() {
        let folder = Folder::new();
        write(&folder.path().join("lost+found"), FILE, 10);
        let ours = write(&folder.path().join("main"), FILE, 20);
        // A link that leads nowhere is no folder either.
        std::os::unix::fs::symlink("nowhere", folder.path().join("other")).expect("a link");
        let survey = survey(folder.path(), &BTreeSet::new()).expect("the rest can be read");
        let paths: Vec<&PathBuf> = survey.volumes.iter().map(|volume| &volume.path).collect();
        assert_eq!(paths, [&ours]);
        let fresh = files(&folder.path().join("never made")).expect("none yet");
        assert!(fresh.is_empty());
    }

    #[test]
    fn a_file_that_was_just_begun_is_no_leftover() {
        let folder = Folder::new();
        let begun = write(&folder.path().join("main"), &name::unfinished(FILE), 30);
        let allowance = Allowance { quota: 1_000_000, reserve: 0 };
        look(folder.path(), &BTreeSet::new(), allowance, Room::Enough).expect("it can be looked at");
        assert!(begun.exists(), "whose recorder has not told of it yet");
        remove_leftovers(folder.path()).expect("it can be read");
        assert!(!begun.exists());
    }

    #[test]
    fn what_was_written_last_is_new_whatever_its_name_says() {
        let folder = Folder::new();
        let before = write(&folder.path().join("main"), FILE, 10);
        let after = write(&folder.path().join("main"), "1970-01-01T00-00-09.000Z.mp4", 10);
        let set = |path: &Path, at: u64| {
            let file = fs::File::options().write(true).open(path).expect("the file");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(at)).expect("its time");
        };
        // The name is a second later than that.
        set(&before, 1_795_261_301);
        set(&after, 1_795_261_303);
        let mut volumes = survey(folder.path(), &BTreeSet::new()).expect("it can be looked at").volumes;
        volumes.sort_by_key(|volume| volume.taken);
        let order: Vec<PathBuf> = volumes.into_iter().map(|volume| volume.path).collect();
        assert_eq!(order, [before, after]);
    }
}
