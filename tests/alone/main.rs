//! Crowds, floods, narrow paths and what is to be lost in no more than an instant: tests of robot, server and viewers that
//! say something only while nothing runs beside them.

mod capped;
mod crowds;
mod recording;
mod relay;
mod strangers;
mod unruly;

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
};

use tests::{PATIENCE, leaving_nothing};

/// A crowd beside a crowd would lose packets for want of CPU, which says nothing about the product.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone<F: Future<Output = anyhow::Result<()>>>(test: F) -> anyhow::Result<()> {
    // A test that failed leaves nothing behind that the next could trip over.
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    leaving_nothing(test)
}
