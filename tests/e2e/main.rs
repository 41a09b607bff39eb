//! Robot, server and viewers together, over loopback, with real signalling and real media.
//!
//! Every test waits for events under a deadline, and those that run in this process end by showing that nothing is left.

mod cameras;
mod capped;
mod input;
mod joining;
mod recording;
mod restarts;
mod snapshot;
mod strangers;
mod supervised;
mod unruly;

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::runtime::Runtime;

/// For things that take a moment on an idle machine and may take long on a busy one.
const PATIENCE: Duration = Duration::from_secs(60);

/// A crowd beside a crowd would lose packets for want of CPU, which says nothing about the product.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs a test and then waits until every task that it started has ended.
fn leaving_nothing<F: Future<Output = anyhow::Result<()>>>(test: F) -> anyhow::Result<()> {
    // A test that failed leaves nothing behind that the next could trip over.
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let run = || runtime.block_on(to_the_end(&runtime, test));
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    // Whoever fails leaves threads that nobody has told to end: to wait for them would be to wait for ever.
    runtime.shutdown_background();
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

async fn to_the_end<F: Future<Output = anyhow::Result<()>>>(runtime: &Runtime, test: F) -> anyhow::Result<()> {
    test.await?;
    let metrics = runtime.metrics();
    let gone = async {
        while metrics.num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    };
    if tokio::time::timeout(PATIENCE, gone).await.is_err() {
        anyhow::bail!("{} tasks are left running", metrics.num_alive_tasks());
    }
    Ok(())
}
