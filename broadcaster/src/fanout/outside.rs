//! What lies between the shared socket and viewers elsewhere: NATs, relays, and names that only the local network knows.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use protocol::IceServer;
use rtc_crypto::RTCCryptoProvider;
use tokio::sync::mpsc;

use crate::{
    reach::{CandidateKind, LocalName, Reach, ReachEvent, ReachInput, Requests, Transmit},
    transport::{Datagram, Local, reflexive_line},
};

pub(super) struct Outside {
    reach: Reach,
    requests: Requests,
    inputs: mpsc::Receiver<ReachInput>,
    /// The addresses are others than before.
    moved: bool,
}

/// What came from elsewhere for the audience.
pub(super) enum News {
    Datagram(Datagram),
    Name(LocalName, IpAddr),
}

impl Outside {
    pub(super) fn new(
        crypto: Arc<dyn RTCCryptoProvider>,
        requests: Requests,
        inputs: mpsc::Receiver<ReachInput>,
    ) -> Self {
        Self { reach: Reach::new(crypto), requests, inputs, moved: false }
    }

    pub(super) fn set_servers(&self, servers: Vec<IceServer>) {
        self.requests.set_servers(servers);
    }

    pub(super) async fn next(&mut self) -> Option<ReachInput> {
        self.inputs.recv().await
    }

    pub(super) fn handle(&mut self, input: ReachInput, now: Instant) -> Option<News> {
        match input {
            ReachInput::Servers(servers) => self.reach.set_servers(servers, now),
            ReachInput::StreamUp(server) => self.reach.handle_stream_up(server, now),
            ReachInput::StreamDown(server) => self.reach.handle_stream_down(server),
            ReachInput::Stream(server, data) => return self.reach.handle_stream(server, data, now).map(News::Datagram),
            ReachInput::Name { name, address } => return Some(News::Name(name, address)),
        }
        None
    }

    /// Takes what the socket received. What comes back is for the audience.
    pub(super) fn handle_datagram(&mut self, datagram: Datagram, now: Instant) -> Option<Datagram> {
        self.reach.handle_datagram(datagram, now)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.reach.handle_timeout(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.reach.poll_timeout()
    }

    /// What leaves from the shared socket. What goes by stream is passed on here.
    pub(super) fn poll_transmit(&mut self) -> Option<Datagram> {
        while let Some(transmit) = self.reach.poll_transmit() {
            match transmit {
                Transmit::Udp(datagram) => return Some(datagram),
                Transmit::Stream(server, data) => self.requests.send(server, data),
            }
        }
        None
    }

    /// Whether our addresses have changed since the last question.
    pub(super) fn take_moved(&mut self) -> bool {
        while let Some(event) = self.reach.poll_event() {
            match event {
                ReachEvent::Found(found) => tracing::info!(kind = ?found.kind, "reachable from elsewhere"),
                ReachEvent::Lost(lost) => tracing::info!(kind = ?lost.kind, "no longer reachable so from elsewhere"),
            }
            self.moved = true;
        }
        std::mem::take(&mut self.moved)
    }

    pub(super) fn relays(&self) -> impl Iterator<Item = Local> {
        let relays = self.reach.candidates().filter(|candidate| candidate.kind == CandidateKind::Relay);
        relays.map(|candidate| Local::Relay(candidate.address))
    }

    /// What NATs make of us, as lines of a session description.
    pub(super) fn reflexive(&self) -> Vec<String> {
        let outer = self.reach.candidates().filter(|candidate| candidate.kind == CandidateKind::ServerReflexive);
        outer.filter_map(|candidate| reflexive_line(candidate.address).ok()).collect()
    }

    pub(super) fn is_relay(&self, from: SocketAddr) -> bool {
        self.reach.is_relay(from)
    }

    /// Sends a datagram by the relay that it is to leave from.
    pub(super) fn wrap(&mut self, datagram: Datagram, now: Instant) {
        self.reach.wrap(datagram, now);
    }

    pub(super) fn permit(&mut self, viewer: SocketAddr, now: Instant) {
        self.reach.permit(viewer, now);
    }

    pub(super) fn resolve(&self, name: &str) {
        if let Some(name) = LocalName::new(name) {
            self.requests.resolve(name);
        }
    }

    /// Gives back what servers hold for us.
    pub(super) fn shut_down(&mut self, now: Instant) {
        self.reach.set_servers(Vec::new(), now);
    }
}
