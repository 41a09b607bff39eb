//! One way to end: a signal cancels, the process tidies up, a second signal stops the tidying.

use std::{future::Future, io};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Runs `body` to its end. SIGINT or SIGTERM cancels the token that `body` was given; a second one drops `body`.
pub async fn run<F, T, E>(body: impl FnOnce(CancellationToken) -> F) -> Result<Option<T>, E>
where
    F: Future<Output = Result<T, E>>,
    E: From<io::Error>,
{
    let mut signals = Signals::listen()?;
    let cancel = CancellationToken::new();
    let mut body = std::pin::pin!(body(cancel.clone()));
    tokio::select! {
        ended = &mut body => return ended.map(Some),
        name = signals.next() => {
            tracing::info!(signal = name, "ending");
            cancel.cancel();
        }
    }
    tokio::select! {
        ended = &mut body => ended.map(Some),
        name = signals.next() => {
            tracing::warn!(signal = name, "signalled again: ending at once");
            Ok(None)
        }
    }
}
