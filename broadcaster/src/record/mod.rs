//! What is kept of the cameras: recordings on disk, and single pictures for those who ask.
//!
//! A recorder takes what its camera's best encoder makes anyway, and has it run when nobody watches. `reel` decides where
//! files begin and end, `mp4` what their bytes are, `shelf` which of them go, and `name` what they are called; none of these
//! knows a file. `recorder` and `keeper` are the shells: one writes a camera's files, the other looks after the disk that all
//! share; `place` is where. Whatever a disk does, cameras and viewers never wait for it: what a recorder cannot take is left out.

mod file;
mod keeper;
mod mp4;
mod name;
mod photographer;
mod place;
mod recorder;
mod reel;
mod shelf;

use std::{
    path::Path,
    pin::pin,
    time::{Duration, Instant},
};

use protocol::{CameraId, RobotId};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{capture::Tape, config::Recording};
use keeper::Keeper;
#[cfg(feature = "fuzz")]
pub(crate) use mp4::fuzz;
pub(crate) use photographer::Photographer;
pub(crate) use place::check;
use recorder::Recorder;
use shelf::{Allowance, Room};

/// Files that begin or end between two looks at the disk.
const NEWS: usize = 64;

/// A disk that has not said by then what is on it is spoken of.
const LOOKED_WITHIN: Duration = Duration::from_secs(5);

/// Records until cancelled, and then ends the files well.
pub(crate) async fn run(config: Recording, robot: RobotId, tapes: Vec<(CameraId, Tape)>, cancel: CancellationToken) {
    let dir = config.folder(&robot);
    let allowance = Allowance { quota: config.quota.0, reserve: config.reserve.0 };
    let limits = reel::Limits { duration: config.segment, bytes: allowance.volume(tapes.len()) };
    let (news, heard) = mpsc::channel(NEWS);
    let (room, told) = watch::channel(Room::Enough);
    let mut keeper = Keeper::new(dir.clone(), allowance, heard, room);
    tokio::select! {
        () = cancel.cancelled() => return,
        () = begin(&mut keeper, &dir) => {}
    }
    let mut tasks = JoinSet::new();
    let recorders = cancel.child_token();
    for (camera, tape) in tapes {
        tracing::info!(%camera, dir = %dir.display(), quota = %config.quota, "recording");
        let recorder = Recorder::new(camera, &dir, tape, limits, news.clone(), told.clone());
        tasks.spawn(recorder.run(recorders.child_token()));
    }
    // It ends with the last recorder.
    drop(news);
    let keeper = tasks.spawn(keeper.run()).id();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(()) => {}
            Err(error) if error.id() == keeper => {
                tracing::error!(%error, "the keeper of the recordings panicked; nothing is recorded any more, lest it fills the disk");
                recorders.cancel();
            }
            Err(error) => tracing::error!(%error, "a recorder panicked; its camera is not recorded any more"),
        }
    }
}

async fn begin(keeper: &mut Keeper, dir: &Path) {
    let mut begun = pin!(keeper.begin());
    if tokio::time::timeout(LOOKED_WITHIN, &mut begun).await.is_err() {
        tracing::warn!(dir = %dir.display(), "recording has not begun, as its disk does not answer; the video goes on");
        begun.await;
    }
}

/// The recorders' one clock.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A folder of its own that does not outlive its test.
    pub(super) struct Folder(PathBuf);

    impl Folder {
        pub(super) fn new() -> Self {
            let name = format!("panocast-record-{}-{:08x}", std::process::id(), rand::random::<u32>());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).expect("a folder");
            Self(path)
        }

        pub(super) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            if let Err(error) = std::fs::remove_dir_all(&self.0) {
                eprintln!("{} is left behind: {error}", self.0.display());
            }
        }
    }
}
