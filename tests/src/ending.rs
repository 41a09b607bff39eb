//! How a test ends: with nothing left of what it started.

use std::{future::Future, time::Duration};

use tokio::runtime::Runtime;

/// For things that take a moment on an idle machine and may take long on a busy one.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a test and then waits until every task that it started has ended.
pub fn leaving_nothing<F: Future<Output = anyhow::Result<()>>>(test: F) -> anyhow::Result<()> {
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
