//! The fan-out's end of what publishes. It never waits.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use protocol::Sdp;
use tokio::sync::mpsc;

use super::{Camera, Order, Publish, Told};
use crate::media::{Encoding, Frame};

pub(crate) struct Line {
    orders: mpsc::Sender<Order>,
    frames: mpsc::Sender<(Camera, Encoding, Arc<Frame>)>,
    attitude: mpsc::Sender<Bytes>,
    told: mpsc::Receiver<Told>,
    /// Of which frames are handed over …
    wanted: BTreeSet<(Camera, Encoding)>,
    /// … and of which one was lost: those after it are of no use before the next keyframe.
    torn: BTreeSet<(Camera, Encoding)>,
}

impl Line {
    pub(super) fn new(
        orders: mpsc::Sender<Order>,
        frames: mpsc::Sender<(Camera, Encoding, Arc<Frame>)>,
        attitude: mpsc::Sender<Bytes>,
        told: mpsc::Receiver<Told>,
    ) -> Self {
        Self { orders, frames, attitude, told, wanted: BTreeSet::new(), torn: BTreeSet::new() }
    }

    pub(crate) async fn next(&mut self) -> Option<Told> {
        self.told.recv().await
    }

    /// Whether it was taken.
    pub(crate) fn begin(&mut self, camera: Camera, publish: Publish) -> bool {
        self.forget(camera);
        self.wanted.extend(publish.encodings.iter().map(|encoding| (camera, *encoding)));
        self.orders.try_send(Order::Begin(camera, publish)).is_ok()
    }

    pub(crate) fn answer(&self, camera: Camera, answer: Sdp) {
        self.order(Order::Answer(camera, answer));
    }

    pub(crate) fn end(&mut self, camera: Camera) {
        self.forget(camera);
        self.order(Order::End(camera));
    }

    /// Says which keyframe is needed because this frame, or one before it, could not be handed over.
    pub(crate) fn frame(&mut self, camera: Camera, encoding: Encoding, frame: &Arc<Frame>) -> Option<Encoding> {
        let which = (camera, encoding);
        if !self.wanted.contains(&which) || (self.torn.contains(&which) && !frame.keyframe) {
            return None;
        }
        let lost = self.frames.try_send((camera, encoding, frame.clone())).is_err();
        if !lost {
            self.torn.remove(&which);
            return None;
        }
        self.torn.insert(which).then_some(encoding)
    }

    /// How the robot leans. A few wait; what comes while more do is lost.
    pub(crate) fn tell_attitude(&self, message: &Bytes) {
        if !self.wanted.is_empty() {
            let _ = self.attitude.try_send(message.clone());
        }
    }

    fn forget(&mut self, camera: Camera) {
        self.wanted.retain(|(other, _)| *other != camera);
        self.torn.retain(|(other, _)| *other != camera);
    }

    fn order(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            tracing::error!("what publishes has stopped");
        }
    }
}
