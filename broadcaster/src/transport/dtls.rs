//! The handshake that proves who the viewer is and agrees on keys (DTLS-SRTP, RFC 5764).

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_dtls::{
    config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig, VerifyPeerCertificateFn},
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::{TransportProtocol, error::Error};
use rtc_srtp::protection_profile::ProtectionProfile;

use super::{Fingerprint, Identity, Path, TransportEvent};
use crate::srtp::Keys;

/// The endpoint tells its peers apart by address. Ours has one, wherever ICE finds it.
const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 9));

/// A handshake is a dozen datagrams. The endpoint keeps what it cannot read yet: a viewer that sends no end of it is not
/// one of ours.
const MAX_HANDSHAKE: u32 = 256;

/// Repetitions of it that are looked at once it is done: the viewer may have missed its end. Its records need no key then,
/// so anybody who can write from the viewer's address may have sent them.
const MAX_REPEATED: u32 = 16;

/// No path carries a longer one whole.
const MAX_LENGTH: usize = 1500;

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;

/// What is not answered is said again, at first so soon and then less and less often.
const FIRST_REPEAT: Duration = Duration::from_millis(200);
const MAX_REPEAT: Duration = Duration::from_secs(2);

/// Best first: AES-GCM is several times as fast to seal with.
const PROFILES: [(SrtpProtectionProfile, ProtectionProfile); 4] = [
    (SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm, ProtectionProfile::AeadAes128Gcm),
    (SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm, ProtectionProfile::AeadAes256Gcm),
    (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
    (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32, ProtectionProfile::Aes128CmHmacSha1_32),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

pub(super) struct Dtls {
    identity: Identity,
    endpoint: Endpoint,
    /// Set when we are to begin.
    client: Option<Arc<HandshakeConfig>>,
    received: u32,
    complete: bool,
    /// The way that the last datagram came.
    answers: Option<Path>,
    outgoing: VecDeque<BytesMut>,
    /// What the endpoint said just now.
    said: Vec<BytesMut>,
    /// What was said last, when to repeat it, and how long to wait then.
    ///
    /// The stack's own timer stops for good when it hears something that it has heard before: two lost datagrams, and the
    /// two ends would wait for each other. A repeated record is dropped by who has it already: if it is our last word as a
    /// client, and the answer to it was lost, this does not help. Browsers are the clients here.
    flight: Vec<BytesMut>,
    repeats: Option<(Instant, Duration)>,
    events: VecDeque<TransportEvent>,
}

impl Dtls {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            identity,
            endpoint: Endpoint::new(PEER, TransportProtocol::UDP, None),
            client: None,
            received: 0,
            complete: false,
            answers: None,
            outgoing: VecDeque::new(),
            said: Vec::new(),
            flight: Vec::new(),
            repeats: None,
            events: VecDeque::new(),
        }
    }

    pub(super) fn accept(&mut self, role: Role, fingerprints: Vec<Fingerprint>) -> Result<(), Error> {
        let crypto = self.identity.crypto.clone();
        let hash = crypto.clone();
        let verify: VerifyPeerCertificateFn = Arc::new(move |certificates, _| {
            let certificate = certificates.first().ok_or(Error::ErrNonCertificate)?;
            let presented = Fingerprint::of(certificate, hash.as_ref())?;
            if fingerprints.contains(&presented) { Ok(()) } else { Err(Error::ErrNoMatchingCertificateFingerprint) }
        });
        let config = ConfigBuilder::default()
            .with_crypto_provider(crypto)
            .with_certificates(vec![self.identity.certificate.clone()])
            .with_srtp_protection_profiles(PROFILES.map(|(profile, _)| profile).to_vec())
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            // Certificates are made for the occasion: who has the one that the answer names is right.
            .with_insecure_skip_verify(true)
            .with_verify_peer_certificate(Some(verify))
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .build(role == Role::Client, None)?;
        match role {
            Role::Client => self.client = Some(Arc::new(config)),
            Role::Server => self.endpoint.set_server_config(Some(Arc::new(config))),
        }
        Ok(())
    }

    /// There is a path now: whoever begins can begin.
    pub(super) fn start(&mut self, now: Instant) {
        if let Some(config) = self.client.take()
            && let Err(error) = self.endpoint.connect(now, PEER, config, None)
        {
            self.events.push_back(TransportEvent::Failed(Some(error)));
        }
        self.collect();
        self.remember(now);
    }

    pub(super) fn handle(&mut self, data: BytesMut, way: Path, now: Instant) {
        self.answers = Some(way);
        let handshake = data.first() == Some(&HANDSHAKE);
        let limit = if self.complete { MAX_HANDSHAKE + MAX_REPEATED } else { MAX_HANDSHAKE };
        self.received += u32::from(handshake || !self.complete);
        if data.len() > MAX_LENGTH || (handshake || !self.complete) && self.received > limit {
            return;
        }
        match self.endpoint.read(now, PEER, None, data) {
            Ok(events) => {
                for event in events {
                    self.handle_event(event);
                }
            }
            // Nothing that a stranger sends gets here. What is broken all the same is repeated by a sound peer.
            Err(error) => tracing::debug!(%error, "DTLS"),
        }
        self.collect();
        self.remember(now);
    }

    /// Takes what the endpoint wants sent.
    fn collect(&mut self) {
        self.said.clear();
        self.said.extend(std::iter::from_fn(|| self.endpoint.poll_transmit()).map(|transmit| transmit.message));
        self.outgoing.extend(self.said.iter().cloned());
    }

    /// What was said just now is to be said again, until it is answered.
    fn remember(&mut self, now: Instant) {
        if self.complete {
            self.flight.clear();
            self.repeats = None;
        } else if self.said.iter().any(|record| record.first() != Some(&ALERT)) {
            std::mem::swap(&mut self.flight, &mut self.said);
            self.repeats = Some((now + FIRST_REPEAT, FIRST_REPEAT));
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the stack's enum is open; what is not named changes nothing")]
    fn handle_event(&mut self, event: EndpointEvent) {
        match event {
            EndpointEvent::HandshakeComplete if !self.complete => {
                self.complete = true;
                self.received = MAX_HANDSHAKE;
                let keys = self.export();
                self.events
                    .push_back(keys.map_or_else(|error| TransportEvent::Failed(Some(error)), TransportEvent::Keys));
            }
            EndpointEvent::ApplicationData(data) => self.events.push_back(TransportEvent::Data(data)),
            EndpointEvent::PeerClosed => self.events.push_back(TransportEvent::Closed),
            _ => {}
        }
    }

    fn export(&self) -> Result<Keys, Error> {
        let state = self.endpoint.get_connection_state(PEER).ok_or(Error::ErrInvalidDTLSStart)?;
        let chosen = state.srtp_protection_profile();
        let profile = PROFILES.iter().find(|(profile, _)| *profile == chosen).map(|(_, profile)| *profile);
        let profile = profile.ok_or(Error::ErrNoSuchSrtpProfile)?;
        let length = Keys::material_len(profile);
        let material = state.export_keying_material(rtc_srtp::config::LABEL_EXTRACTOR_DTLS_SRTP, &[], length)?;
        Keys::new(profile, material.as_ref(), state.is_client())
    }

    /// Sends the viewer what is no media. Before the end of the handshake there is no way to.
    pub(super) fn send(&mut self, data: &[u8], now: Instant) {
        if let Err(error) = self.endpoint.write(now, PEER, data) {
            tracing::debug!(%error, "DTLS");
        }
        self.collect();
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.endpoint.poll_timeout(&PEER).is_some_and(|at| at <= now)
            && let Err(error) = self.endpoint.handle_timeout(PEER, now)
        {
            self.events.push_back(TransportEvent::Failed(Some(error)));
        }
        // The stack's own repetitions do not begin ours anew.
        self.collect();
        if let Some((at, interval)) = self.repeats
            && at <= now
        {
            let interval = (interval * 2).min(MAX_REPEAT);
            self.repeats = Some((now + interval, interval));
            self.outgoing.extend(self.flight.iter().cloned());
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        // What comes after the handshake is not repeated, and this is asked with every picture.
        if self.complete {
            return None;
        }
        let repeats = self.repeats.map(|(at, _)| at);
        [self.endpoint.poll_timeout(&PEER), repeats].into_iter().flatten().min()
    }

    pub(super) fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    /// What to send, and the way that the viewer's last datagram came.
    pub(super) fn poll_transmit(&mut self) -> Option<(BytesMut, Option<Path>)> {
        self.outgoing.pop_front().map(|message| (message, self.answers))
    }

    pub(super) fn close(&mut self, now: Instant) {
        if let Err(error) = self.endpoint.close(now) {
            tracing::debug!(%error, "DTLS did not close");
        }
        self.collect();
    }
}
