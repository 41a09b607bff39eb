//! The tasks around [`Reach`](super::Reach): names become addresses, and streams to servers are kept up.
//!
//! They hear from the fan-out through [`Requests`], and tell it what happens as [`ReachInput`]s.

#[cfg(feature = "fuzz")]
pub(in crate::reach) mod fuzz;
mod group;
mod line;
mod lines;
mod names;
mod outside;
mod resolver;
mod url;

use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use protocol::IceServer;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

pub(crate) use outside::look_from_outside;

use super::{
    names::LocalName,
    server::{Server, ServerId},
};

/// A turn of the fan-out takes one; streams wait for it, and with them their servers.
const INPUTS: usize = 256;

/// Relayed datagrams that wait for their stream: a keyframe for some viewers. What does not fit is lost, as on any network.
const RELAYED: usize = 512;

const NAMES: usize = 64;

/// What the fan-out hears. All but the last is for [`Reach`](super::Reach), by the functions of nearly the same names.
#[derive(Debug)]
pub(crate) enum ReachInput {
    Servers(Vec<Server>),
    StreamUp(ServerId),
    Stream(ServerId, BytesMut),
    StreamDown(ServerId),
    Name { name: LocalName, address: IpAddr },
}

/// The fan-out's end of the tasks. None of it waits.
pub(crate) struct Requests {
    servers: watch::Sender<Vec<IceServer>>,
    relayed: mpsc::Sender<(ServerId, Bytes)>,
    names: mpsc::Sender<LocalName>,
}

impl Requests {
    /// The servers to use from now on, as the signalling server lists them.
    pub(crate) fn set_servers(&self, servers: Vec<IceServer>) {
        self.servers.send_replace(servers);
    }

    /// Sends a whole message on a server's stream.
    pub(crate) fn send(&self, server: ServerId, message: Bytes) {
        if self.relayed.try_send((server, message)).is_err() {
            tracing::trace!("relayed datagram not sent");
        }
    }

    /// Asks the local network where a viewer's name is. Most are answered within a second, and some never.
    pub(crate) fn resolve(&self, name: LocalName) {
        if self.names.try_send(name).is_err() {
            tracing::debug!("a viewer's name is not asked for: there are too many");
        }
    }
}

pub(crate) struct ReachTasks {
    servers: watch::Receiver<Vec<IceServer>>,
    relayed: mpsc::Receiver<(ServerId, Bytes)>,
    names: mpsc::Receiver<LocalName>,
    inputs: mpsc::Sender<ReachInput>,
}

impl ReachTasks {
    pub(crate) fn new() -> (Requests, mpsc::Receiver<ReachInput>, Self) {
        let (servers_in, servers) = watch::channel(Vec::new());
        let (relayed_in, relayed) = mpsc::channel(RELAYED);
        let (names_in, names) = mpsc::channel(NAMES);
        let (inputs, inputs_out) = mpsc::channel(INPUTS);
        let requests = Requests { servers: servers_in, relayed: relayed_in, names: names_in };
        (requests, inputs_out, Self { servers, relayed, names, inputs })
    }

    /// Runs until cancelled, or until the fan-out drops its ends.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let Self { servers, relayed, names, inputs } = self;
        let (lines_in, lines) = watch::channel(Vec::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(until(cancel.clone(), resolver::run(servers, lines_in, inputs.clone())));
        tasks.spawn(until(cancel.clone(), lines::run(lines, relayed, inputs.clone())));
        tasks.spawn(until(cancel, names::run(names, inputs)));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task panicked");
            }
        }
    }
}

/// Nothing here has a goodbye to say: servers notice that a stream has ended.
async fn until(cancel: CancellationToken, task: impl Future<Output = ()>) {
    let _ = cancel.run_until_cancelled(task).await;
}
