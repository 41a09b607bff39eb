//! How a path is found again when one of its ends has moved to another network. [`super::moving`] says when.

use std::{net::SocketAddr, time::Instant};

use rtc_ice::candidate::unmarshal_candidate;

use super::{Due, Local, Path, Transport, TransportEvent};

impl Transport {
    /// Our addresses are others than before.
    pub(crate) fn relocate(&mut self, local: &[Local], now: Instant) {
        let Some(Path { local: used, remote }) = self.path else { return };
        self.local = local.to_vec();
        let stays = local.iter().any(|local| local.address() == used);
        // Without any there is nowhere to look from, and the one in use may come back.
        if !self.moving.rests() && !local.is_empty() && (!stays || self.moving.is_missing()) {
            self.look_again(&[remote], now);
        }
    }

    /// What came from there was the viewer's: it is still where it was.
    pub(crate) fn heard(&mut self, from: SocketAddr, now: Instant) {
        if self.path.is_some_and(|path| path.remote == from) && self.moving.hears(now) {
            self.due = Due::Unknown;
        }
    }

    /// Media leaves by the path in use.
    pub(crate) fn sends(&mut self, now: Instant) {
        self.moving.sends(now);
    }

    /// Has the agent find the viewer anew at these addresses, under the credentials there are: whoever asks from one of them has
    /// only shown that it knows the password. The path there is stays in use until there is another.
    pub(super) fn look_again(&mut self, remotes: &[SocketAddr], now: Instant) {
        self.due = Due::Unknown;
        self.moving.looks(now);
        if self.local.is_empty() {
            return;
        }
        let mut look = || {
            let ([Some(used), announced], Some((ufrag, password))) = (self.guard.credentials(), self.agreed.clone())
            else {
                return Ok(());
            };
            // What has been offered stays offered.
            self.ice.announce(used)?;
            self.ice.restart(now)?;
            if let Some(announced) = announced {
                self.ice.announce(announced)?;
            }
            for local in &self.local {
                self.ice.add_local(local.candidate()?)?;
            }
            for remote in remotes {
                // Relays let nobody through whom they were not told of.
                self.events.push_back(TransportEvent::Peer(*remote));
                let line = format!("1 1 udp 2113937151 {} {} typ host", remote.ip(), remote.port());
                self.ice.add_remote(unmarshal_candidate(&line)?)?;
            }
            self.ice.start(ufrag, password, now)
        };
        if let Err(error) = look() {
            tracing::debug!(%error, "cannot look for the viewer");
        }
        self.run_ice(now);
    }
}
