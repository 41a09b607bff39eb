//! What a camera's task says of itself, again and again for as long as it goes round.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::watch;

use super::{WATCH, moment};
use crate::report::Health;

pub(super) struct Pulse {
    health: watch::Sender<Health>,
    left_out: Arc<AtomicU64>,
    /// Those of former pipelines.
    pictures: u64,
}

impl Pulse {
    /// `left_out` is counted by the camera's outlets.
    pub(super) fn new(left_out: Arc<AtomicU64>) -> (Self, watch::Receiver<Health>) {
        let (health, told) = watch::channel(Health::new(moment::now()));
        (Self { health, left_out, pictures: 0 }, told)
    }

    /// The pipeline has given so many pictures.
    pub(super) fn beat(&self, pictures: u64) {
        let (pictures, left_out) = (self.pictures + pictures, self.left_out.load(Ordering::Relaxed));
        self.health.send_replace(Health { turned: moment::now(), pictures, left_out });
    }

    /// The pipeline has ended.
    pub(super) fn close(&mut self, pictures: u64) {
        self.pictures += pictures;
        self.beat(0);
    }

    /// Beats until it is dropped, where there is nothing else to do.
    pub(super) async fn rest(&self) -> std::convert::Infallible {
        let mut watch = tokio::time::interval(WATCH);
        loop {
            watch.tick().await;
            self.beat(0);
        }
    }
}
