//! Answers the server's requests for a camera's current picture.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use protocol::{
    Attachment, CameraId, Code, MAX_SNAPSHOT, MAX_SNAPSHOT_PIECE, Notice, SnapshotFailure, SnapshotPiece,
    SnapshotRequest, ToServer,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::capture::{Shutter, SnapshotError};

/// Pictures that are made at the same time; the server asks for at most one of each camera.
const AT_ONCE: usize = 4;

/// A link that has not taken a picture by then is one on which nobody waits for it any more.
const SENT_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Photographer {
    pub(crate) cameras: BTreeMap<CameraId, watch::Receiver<Option<Shutter>>>,
    pub(crate) requests: mpsc::Receiver<SnapshotRequest>,
    pub(crate) answers: mpsc::Sender<ToServer>,
}

impl Photographer {
    /// Until cancelled, or until nobody can ask any more.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        let mut jobs = JoinSet::new();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                request = self.requests.recv() => match request {
                    Some(request) if jobs.len() < AT_ONCE => drop(jobs.spawn(self.job(request))),
                    Some(SnapshotRequest { request, .. }) => {
                        let notice = Notice::new(Code::RateLimited, "The robot makes too many pictures at once.");
                        // A link that is full as well leaves the server to its own patience.
                        let _ = self.answers.try_send(ToServer::SnapshotFailed { failure: SnapshotFailure { request, notice } });
                    }
                    None => return,
                },
                Some(job) = jobs.join_next() => if let Err(error) = job {
                    tracing::error!(%error, "a snapshot panicked");
                },
            }
        }
    }

    fn job(&self, SnapshotRequest { request, camera }: SnapshotRequest) -> impl Future<Output = ()> + use<> {
        let shutter = self.cameras.get(&camera).map(|shutter| shutter.borrow().clone());
        let answers = self.answers.clone();
        async move {
            let messages = match take(shutter).await {
                Ok(picture) => pieces(request, &picture),
                Err(notice) => {
                    tracing::debug!(%camera, reason = notice.message, "no snapshot");
                    vec![ToServer::SnapshotFailed { failure: SnapshotFailure { request, notice } }]
                }
            };
            let send = async {
                for message in messages {
                    if answers.send(message).await.is_err() {
                        return;
                    }
                }
            };
            if tokio::time::timeout(SENT_WITHIN, send).await.is_err() {
                tracing::debug!(%camera, "the link is too slow for a snapshot");
            }
        }
    }
}

async fn take(shutter: Option<Option<Shutter>>) -> Result<Bytes, Notice> {
    let shutter = shutter.ok_or_else(|| Notice::new(Code::UnknownCamera, "The robot has no such camera."))?;
    let picture = match shutter {
        Some(shutter) => shutter.picture().await,
        None => Err(SnapshotError::NoPicture),
    };
    let picture = picture.map_err(|error| Notice::new(code(&error), error.to_string()))?;
    if picture.len() > MAX_SNAPSHOT {
        return Err(Notice::new(Code::TooLarge, "The picture is larger than the server takes."));
    }
    Ok(picture)
}

fn code(error: &SnapshotError) -> Code {
    match error {
        SnapshotError::NoPicture | SnapshotError::Slow => Code::CameraLost,
        SnapshotError::NoDecoder | SnapshotError::Pipeline(_) | SnapshotError::Failed(_) => Code::Unsupported,
    }
}

fn pieces(request: u32, picture: &Bytes) -> Vec<ToServer> {
    let starts = (0..picture.len()).step_by(MAX_SNAPSHOT_PIECE);
    let piece = |start: usize| {
        let end = picture.len().min(start + MAX_SNAPSHOT_PIECE);
        let piece = SnapshotPiece { request, last: end == picture.len() };
        ToServer::Snapshot { piece, jpeg: Attachment(picture.slice(start..end)) }
    };
    starts.map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_travels_in_pieces_the_last_of_which_says_so() {
        let picture = Bytes::from(vec![7; 2 * MAX_SNAPSHOT_PIECE + 1]);
        let lengths: Vec<(usize, bool)> = pieces(3, &picture)
            .into_iter()
            .map(|message| {
                let ToServer::Snapshot { piece, jpeg } = message else { panic!("{message:?}") };
                (jpeg.0.len(), piece.last)
            })
            .collect();
        assert_eq!(lengths, [(MAX_SNAPSHOT_PIECE, false), (MAX_SNAPSHOT_PIECE, false), (1, true)]);
        assert_eq!(pieces(3, &picture.slice(..MAX_SNAPSHOT_PIECE)).len(), 1);
    }

    #[tokio::test]
    async fn who_cannot_take_a_picture_says_why() {
        let refused = |shutter| async { take(shutter).await.expect_err("refused").code };
        assert_eq!(refused(None).await, Code::UnknownCamera);
        assert_eq!(refused(Some(None)).await, Code::CameraLost);
    }
}
