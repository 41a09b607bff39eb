//! The streams that are wanted now, a task each, and their queues.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
};

use super::{RELAYED, ReachInput, line::Line};
use crate::reach::server::ServerId;

struct Open {
    line: Line,
    queue: mpsc::Sender<Bytes>,
    task: AbortHandle,
}

/// Ends when the fan-out does; dropped, it takes the streams with it.
pub(super) async fn run(
    mut wanted: watch::Receiver<Vec<Line>>,
    mut relayed: mpsc::Receiver<(ServerId, Bytes)>,
    inputs: mpsc::Sender<ReachInput>,
) {
    let mut tasks = JoinSet::new();
    let mut open: BTreeMap<ServerId, Open> = BTreeMap::new();
    loop {
        tokio::select! {
            Ok(()) = wanted.changed() => {
                let lines = wanted.borrow_and_update().clone();
                open.retain(|_, open| {
                    let kept = lines.contains(&open.line);
                    if !kept {
                        open.task.abort();
                    }
                    kept
                });
                for line in lines {
                    open.entry(line.id).or_insert_with(|| {
                        let (queue, queued) = mpsc::channel(RELAYED);
                        let task = tasks.spawn(line.clone().run(queued, inputs.clone()));
                        Open { line, queue, task }
                    });
                }
            }
            Some(ended) = tasks.join_next() => match ended {
                Err(error) if error.is_panic() => tracing::error!(%error, "a relay's line panicked"),
                Ok(()) | Err(_) => {}
            },
            message = relayed.recv() => match message {
                Some((server, message)) => {
                    if let Some(open) = open.get(&server) && open.queue.try_send(message).is_err() {
                        tracing::trace!(%server, "relayed datagram not sent");
                    }
                }
                None => return,
            },
        }
    }
}
