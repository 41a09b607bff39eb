//! Writes one camera's files.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use protocol::CameraId;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    file::OpenFile,
    keeper::News,
    now,
    place::advice,
    reel::{Limits, Output, Reel},
    shelf::Room,
};
use crate::{
    capture::Tape,
    media::{AccessUnit, Encoding, Running},
    signalling::backoff::Backoff,
};

/// A disk that takes longer for a quarter of a second's pictures takes none.
const WRITES_WITHIN: Duration = Duration::from_secs(5);

/// After a failure.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Who has written for so long was well: the next failure is a first one.
const WELL_AFTER: Duration = Duration::from_secs(10);

pub(super) struct Recorder {
    camera: CameraId,
    dir: PathBuf,
    tape: Tape,
    reel: Reel,
    file: Option<OpenFile>,
    state: State,
    backoff: Backoff,
    /// It has been said that nothing is recorded.
    complained: bool,
    news: mpsc::Sender<News>,
    room: watch::Receiver<Room>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Recording {
        since: Instant,
    },
    /// Something failed, and is tried again then.
    Failed {
        until: Instant,
    },
    /// The keeper says when.
    NoRoom,
}

impl Recorder {
    pub(super) fn new(
        camera: CameraId,
        dir: &Path,
        tape: Tape,
        limits: Limits,
        news: mpsc::Sender<News>,
        room: watch::Receiver<Room>,
    ) -> Self {
        let dir = dir.join(camera.as_str());
        let reel = Reel::new(limits, tape.sounds.is_some());
        let backoff = Backoff::between(FIRST_WAIT, LONGEST_WAIT);
        Self { camera, dir, tape, reel, file: None, state: State::NoRoom, backoff, complained: false, news, room }
    }

    /// Until cancelled, or until the camera ends.
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        self.start();
        loop {
            let retry = match self.state {
                State::Failed { until } => Some(until),
                State::Recording { .. } | State::NoRoom => None,
            };
            tokio::select! {
                () = cancel.cancelled() => break,
                unit = self.tape.pictures.recv() => match unit {
                    Some(unit) => self.picture(&unit),
                    None => break,
                },
                Some(unit) = next(&mut self.tape.sounds) => self.sound(&unit),
                Ok(()) = self.room.changed() => self.room_changed(),
                () = sleep_until(self.reel.poll_timeout()) => self.reel.handle_timeout(now()),
                () = sleep_until(retry) => self.start(),
            }
            self.carry_out().await;
        }
        self.rest();
        self.reel.stop();
        self.carry_out().await;
    }

    /// Records from now on, if there is room.
    fn start(&mut self) {
        let Room::Enough = *self.room.borrow_and_update() else {
            self.state = State::NoRoom;
            return;
        };
        // What is left there is from before, and cannot be gone on from.
        while self.tape.pictures.try_recv().is_ok() {}
        while self.tape.sounds.as_mut().is_some_and(|sounds| sounds.try_recv().is_ok()) {}
        self.state = State::Recording { since: now() };
        let mut wanted = Running::from([(self.tape.picture, None)]);
        wanted.extend(self.tape.sounds.is_some().then_some((Encoding::Audio, None)));
        self.tape.running.send_replace(wanted);
    }

    /// Nothing more is wanted of the camera.
    fn rest(&mut self) {
        self.tape.running.send_replace(Running::new());
    }

    fn picture(&mut self, unit: &AccessUnit) {
        if let State::Recording { .. } = self.state {
            self.reel.handle_picture(unit, now());
        }
    }

    fn sound(&mut self, unit: &AccessUnit) {
        if let State::Recording { .. } = self.state {
            self.reel.handle_sound(unit, now());
        }
    }

    fn room_changed(&mut self) {
        let room = *self.room.borrow_and_update();
        match (room, self.state) {
            (Room::Enough, State::NoRoom) => self.start(),
            (Room::Short { .. }, State::Recording { .. }) => {
                self.rest();
                self.reel.stop();
                self.state = State::NoRoom;
            }
            (Room::Enough, State::Recording { .. } | State::Failed { .. })
            | (Room::Short { .. }, State::NoRoom | State::Failed { .. }) => {}
        }
    }

    async fn carry_out(&mut self) {
        while let Some(output) = self.reel.poll_output() {
            if let Err(error) = self.write(output).await {
                self.failed(&error).await;
            }
        }
    }

    async fn write(&mut self, output: Output) -> io::Result<()> {
        match output {
            Output::Open(begins) => {
                let file = within(WRITES_WITHIN, OpenFile::create(&self.dir, begins)).await?;
                tell(&self.news, News::Opened(file.path().to_owned())).await;
                self.file = Some(file);
            }
            Output::Append(bytes) => {
                if let Some(file) = &mut self.file {
                    within(WRITES_WITHIN, file.append(&bytes)).await?;
                    self.went_well();
                }
            }
            Output::Close(closing) => {
                if let Some(file) = self.file.take() {
                    let path = file.path().to_owned();
                    end(path, &self.news, WRITES_WITHIN, file.close(closing)).await?;
                }
            }
            Output::Keyframe => {
                // A full channel holds requests that have not been carried out yet, which is as good.
                let _ = self.tape.keyframes.try_send(self.tape.picture);
            }
        }
        Ok(())
    }

    fn went_well(&mut self) {
        if std::mem::take(&mut self.complained) {
            tracing::info!(camera = %self.camera, "recording goes on");
        }
        if let State::Recording { since } = self.state
            && now().saturating_duration_since(since) >= WELL_AFTER
        {
            self.backoff.reset();
        }
    }

    async fn failed(&mut self, error: &io::Error) {
        self.rest();
        self.reel.abandon();
        let wait = self.backoff.next(rand::random());
        // Who stopped for want of room waits for room.
        if let State::Recording { .. } = self.state {
            self.state = State::Failed { until: now() + wait };
        }
        if std::mem::replace(&mut self.complained, true) {
            tracing::debug!(camera = %self.camera, %error, again_in = ?wait, "still nothing recorded");
        } else {
            tracing::warn!(
                camera = %self.camera, dir = %self.dir.display(), %error, again_in = ?wait,
                "recording stopped, the video goes on; {}", advice(error)
            );
        }
        if let Some(file) = self.file.take() {
            let path = file.path().to_owned();
            // A disk that did not take the one may not take the other.
            let _ = end(path, &self.news, WRITES_WITHIN, file.give_up()).await;
        }
    }
}

/// Tells that nobody writes into the file any more, whether it ended well, badly, or never.
async fn end(
    path: PathBuf,
    news: &mpsc::Sender<News>,
    limit: Duration,
    ending: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let ended = within(limit, ending).await;
    tell(news, News::Closed(path)).await;
    ended
}

async fn within<T>(limit: Duration, done: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, done).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn tell(news: &mpsc::Sender<News>, told: News) {
    // The keeper outlives the recorders.
    let _ = news.send(told).await;
}

async fn next(sounds: &mut Option<mpsc::Receiver<AccessUnit>>) -> Option<AccessUnit> {
    match sounds {
        Some(sounds) => sounds.recv().await,
        None => None,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_a_disk_does_not_take_is_closed_nevertheless() {
        let (news, mut heard) = mpsc::channel(1);
        let error =
            end("a.mp4".into(), &news, Duration::ZERO, std::future::pending()).await.expect_err("it took too long");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(matches!(heard.try_recv(), Ok(News::Closed(path)) if path == Path::new("a.mp4")));
    }
}
