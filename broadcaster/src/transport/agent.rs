//! The stack's ICE agent, on a clock that is ours: put forward while a viewer joins, and slow once there is a path.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rtc_crypto::RTCCryptoProvider;
use rtc_ice::{Agent, AgentConfig, Event, candidate::Candidate, mdns::MulticastDnsMode};
use rtc_shared::{TaggedBytesMut, TransportContext, TransportProtocol, error::Error};
use sansio::Protocol;

use super::{Credentials, Datagram};

/// How often unanswered checks are repeated while connecting. The stack's default costs a join up to 200 ms.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// With that interval, ten seconds of trying: the agent takes a pair up again in no other way.
const MAX_CHECKS: u16 = 200;
/// Answers that may bring the next check forward, of each attempt to connect.
const MAX_HASTES: u32 = 8;

const DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
/// Consent to send expires after 30 s (RFC 7675, section 5.1).
const FAILED_AFTER: Duration = Duration::from_secs(25);
const KEEPALIVE: Duration = Duration::from_secs(2);
/// A relay is the last resort; a direct way that exists has answered by then.
const RELAY_AFTER: Duration = Duration::from_millis(500);

/// How often the agent of a path that works is woken, which has little to do then. The stack's own rhythm is 200 ms.
const CALM_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct IceAgent {
    agent: Agent,
    controls: bool,
    hastes: u32,
    /// How far the agent's clock is ahead of ours.
    ahead: Duration,
    /// When the agent was last woken, if it has found a path and looks for no other.
    calm: Option<Instant>,
}

impl IceAgent {
    /// `controls`: the viewer answers our offer, and not the other way round.
    pub(super) fn new(
        credentials: &Credentials,
        controls: bool,
        crypto: Arc<dyn RTCCryptoProvider>,
        now: Instant,
    ) -> Result<Self, Error> {
        let config = AgentConfig {
            local_ufrag: credentials.ufrag.as_str().to_owned(),
            local_pwd: credentials.password.clone(),
            // Names are resolved for all sessions in one place.
            multicast_dns_mode: MulticastDnsMode::Disabled,
            disconnected_timeout: Some(DISCONNECTED_AFTER),
            failed_timeout: Some(FAILED_AFTER),
            keepalive_interval: Some(KEEPALIVE),
            check_interval: CHECK_INTERVAL,
            max_binding_requests: Some(MAX_CHECKS),
            is_controlling: controls,
            // A viewer behind a hidden name shows up as peer reflexive; there is no better candidate to wait for.
            srflx_acceptance_min_wait: Some(Duration::ZERO),
            prflx_acceptance_min_wait: Some(Duration::ZERO),
            relay_acceptance_min_wait: Some(RELAY_AFTER),
            ..AgentConfig::default()
        };
        let agent = Agent::new(now, Arc::new(config), crypto)?;
        Ok(Self { agent, controls, hastes: 0, ahead: Duration::ZERO, calm: None })
    }

    /// The viewer does not: it answers checks, and asks nothing.
    pub(super) fn control(&mut self) {
        self.controls = true;
    }

    pub(super) fn add_local(&mut self, candidate: Candidate) -> Result<(), Error> {
        self.agent.add_local_candidate(candidate).map(|_| ())
    }

    pub(super) fn add_remote(&mut self, candidate: Candidate) -> Result<(), Error> {
        self.agent.add_remote_candidate(candidate).map(|_| ())
    }

    pub(super) fn start(&mut self, ufrag: String, password: String, now: Instant) -> Result<(), Error> {
        self.agent.start_connectivity_checks(now + self.ahead, self.controls, ufrag, password)
    }

    /// Goes by another name from the next restart on.
    pub(super) fn announce(&mut self, credentials: &Credentials) -> Result<(), Error> {
        let ufrag = credentials.ufrag.as_str().to_owned();
        self.agent.generate_restart_credentials(ufrag, credentials.password.clone()).map(|_| ())
    }

    /// Forgets all candidates, and looks for another path when it is started again.
    pub(super) fn restart(&mut self, now: Instant) -> Result<(), Error> {
        self.agent.apply_restart(now + self.ahead, false)?;
        (self.hastes, self.calm) = (0, None);
        Ok(())
    }

    /// The path works, or no longer does.
    pub(super) fn settle(&mut self, works: bool, now: Instant) {
        self.calm = works.then_some(now);
    }

    /// Takes an authentic check or answer. In haste: an answer that may be the first brings the next check forward.
    pub(super) fn read(&mut self, Datagram { data, from, to }: Datagram, hasty: bool, now: Instant) {
        let transport =
            TransportContext { local_addr: to, peer_addr: from, transport_protocol: TransportProtocol::UDP, ecn: None };
        if let Err(error) = self.agent.handle_read(TaggedBytesMut { now: now + self.ahead, transport, message: data }) {
            tracing::debug!(%error, "check not taken");
        }
        if hasty && self.agent.get_selected_candidate_pair().is_none() {
            self.haste(now);
        }
    }

    /// The agent goes on from a pair that works only at its next regular check: its clock is put forward to that.
    fn haste(&mut self, now: Instant) {
        if self.hastes < MAX_HASTES
            && let Some(due) = self.agent.poll_timeout()
        {
            self.hastes += 1;
            self.ahead = self.ahead.max(due.saturating_duration_since(now));
            self.tick(now);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.tick(now);
        }
    }

    fn tick(&mut self, now: Instant) {
        self.calm = self.calm.map(|_| now);
        if let Err(error) = self.agent.handle_timeout(now + self.ahead) {
            tracing::debug!(%error, "ICE timer");
        }
    }

    /// When the agent wants to be woken, on our clock.
    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        let at = self.agent.poll_timeout()?;
        let at = at.checked_sub(self.ahead).unwrap_or(at);
        // What is overdue at once is a check that was asked for.
        Some(self.calm.filter(|ticked| at > *ticked).map_or(at, |ticked| at.max(ticked + CALM_INTERVAL)))
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.agent.poll_event().map(|tagged| tagged.event)
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Datagram> {
        let TaggedBytesMut { transport, message, .. } = self.agent.poll_write()?;
        Some(Datagram { data: message, from: transport.local_addr, to: transport.peer_addr })
    }
}
