//! A connection to Redis that asks and hears.

use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, RedisError, Value, aio::MultiplexedConnection};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long Redis may take for anything.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between one try to reach it and the next.
pub(super) const AGAIN: Duration = Duration::from_millis(250);

/// What was heard and may wait: a join takes about ten messages each way, and a thousand may join at once.
const WAITING: usize = 65_536;

/// Why a connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("its connection ended")]
    Disconnected,
    #[error("it was silent for too long")]
    Forgotten,
    #[error("more was said than could be taken")]
    Overrun,
    #[error("what it says cannot be kept")]
    Store,
    #[error("the server is ending")]
    Ending,
}

/// What comes on the channels that were asked for.
pub(super) struct Ears {
    pushed: mpsc::Receiver<PushInfo>,
    overrun: CancellationToken,
}

/// Everything that is said from now on is heard.
pub(super) async fn connect(redis: &Client, channels: &[String]) -> Result<(MultiplexedConnection, Ears), Broken> {
    let (pushes, pushed) = mpsc::channel(WAITING);
    let overrun = CancellationToken::new();
    let lost = overrun.clone();
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE))
        .set_push_sender(move |push| pushes.try_send(push).inspect_err(|_| lost.cancel()));
    let mut connection = redis.get_multiplexed_async_connection_with_config(&config).await?;
    connection.subscribe(channels).await?;
    Ok((connection, Ears { pushed, overrun }))
}

impl Ears {
    /// The next that is said on any of the channels. Nothing is lost when this is dropped.
    pub(super) async fn hear(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            let push = tokio::select! {
                biased;
                () = self.overrun.cancelled() => return Err(Broken::Overrun),
                push = self.pushed.recv() => push,
            };
            match push {
                None | Some(PushInfo { kind: PushKind::Disconnection, .. }) => return Err(Broken::Disconnected),
                // A channel's name, and what was said there.
                Some(PushInfo { kind: PushKind::Message, mut data }) => {
                    if let Some(Value::BulkString(said)) = data.pop() {
                        return Ok(said);
                    }
                }
                Some(_) => {}
            }
        }
    }
}
