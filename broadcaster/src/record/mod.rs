//! What is kept of the cameras: recordings on disk, and single pictures for those who ask.
//!
//! A recorder takes what its camera's best encoder makes anyway, and has it run when nobody watches. `reel` decides where
//! files begin and end, `mp4` what their bytes are, `shelf` which of them go, and `name` what they are called; none of these
//! knows a file. `recorder` and `keeper` are the shells: one writes a camera's files, the other looks after the disk that all
//! share. Whatever a disk does, cameras and viewers never wait for it: what a recorder cannot take is left out.

mod file;
mod keeper;
mod mp4;
mod name;
mod photographer;
mod recorder;
mod reel;
mod shelf;

use std::time::Instant;

use protocol::CameraId;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{capture::Tape, config::Recording};
use keeper::Keeper;
pub(crate) use photographer::Photographer;
use recorder::Recorder;
use shelf::{Allowance, Room};

/// Files that begin or end between two looks at the disk.
const NEWS: usize = 64;

/// Records until cancelled, and then ends the files well.
pub(crate) async fn run(config: Recording, tapes: Vec<(CameraId, Tape)>, cancel: CancellationToken) {
    let allowance = Allowance { quota: config.quota.0, reserve: config.reserve.0 };
    let limits = reel::Limits { duration: config.segment, bytes: allowance.volume(tapes.len()) };
    let (news, heard) = mpsc::channel(NEWS);
    let (room, told) = watch::channel(Room::Enough);
    let mut keeper = Keeper::new(config.dir.clone(), allowance, heard, room);
    // Before anything is written: there may be too much already.
    keeper.look().await;
    let mut tasks = JoinSet::new();
    for (camera, tape) in tapes {
        tracing::info!(%camera, dir = %config.dir.display(), quota = %config.quota, "recording");
        let recorder = Recorder::new(camera, &config.dir, tape, limits, news.clone(), told.clone());
        tasks.spawn(recorder.run(cancel.child_token()));
    }
    // It ends with the last recorder.
    drop(news);
    tasks.spawn(keeper.run());
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a recorder panicked; its camera is not recorded any more");
        }
    }
}

/// The recorders' one clock.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
