//! Who may reach the stack: those who have proven to know what only the two ends know.
//!
//! A media port is open to the world. The stack reacts to some messages before it knows whom they are from: it settles role
//! conflicts, and starts handshakes with whoever says hello. So ICE's messages pass only with a password that fits, and
//! anything else only from addresses that such a message came from.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use rtc_crypto::RTCCryptoProvider;
use rtc_stun::{
    attributes::{ATTR_MESSAGE_INTEGRITY, ATTR_USERNAME},
    integrity::MessageIntegrity,
    message::{CLASS_INDICATION, CLASS_REQUEST, METHOD_BINDING, Message},
    textattrs::TextAttribute,
};

use super::Credentials;

/// The candidates of a viewer, and what NATs make of them.
const MAX_PROVEN: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    New,
    Again,
}

pub(super) struct Guard {
    crypto: Arc<dyn RTCCryptoProvider>,
    /// Ours; the first are in use, the second those of a restart that the viewer has not agreed to yet.
    local: [Option<Credentials>; 2],
    remote_password: Option<String>,
    proven: BTreeSet<SocketAddr>,
}

impl Guard {
    pub(super) fn new(local: Credentials, crypto: Arc<dyn RTCCryptoProvider>) -> Self {
        Self { crypto, local: [Some(local), None], remote_password: None, proven: BTreeSet::new() }
    }

    /// The viewer's checks may come under new credentials before its answer to them does.
    pub(super) fn announce(&mut self, local: Credentials) {
        self.local[1] = Some(local);
    }

    /// The viewer has agreed: what was announced is in use. Of the addresses that were believed, `keeps` stays.
    pub(super) fn agree(&mut self, remote_password: String, keeps: Option<SocketAddr>) {
        if self.remote_password.is_some() {
            self.proven.retain(|address| Some(*address) == keeps);
        }
        if let Some(announced) = self.local[1].take() {
            self.local[0] = Some(announced);
        }
        self.remote_password = Some(remote_password);
    }

    /// The viewer is to be found there. Who moves often leaves addresses behind, and needs room for others.
    pub(super) fn settle(&mut self, used: SocketAddr) {
        if self.proven.len() > MAX_PROVEN / 2 {
            self.proven.retain(|address| *address == used);
        }
    }

    /// Ours, those in use and those announced.
    pub(super) fn credentials(&self) -> &[Option<Credentials>; 2] {
        &self.local
    }

    /// Whether a message of ICE may pass. Its sender has proven itself then, perhaps for the first time.
    pub(super) fn admit_stun(&mut self, data: &[u8], from: SocketAddr) -> Option<Proof> {
        let known = self.proven.contains(&from);
        if !known && self.proven.len() >= MAX_PROVEN || !self.is_authentic(data) {
            return None;
        }
        Some(if self.proven.insert(from) { Proof::New } else { Proof::Again })
    }

    /// Whether anything else may pass.
    pub(super) fn admit_other(&self, from: SocketAddr) -> bool {
        self.proven.contains(&from)
    }

    fn is_authentic(&self, data: &[u8]) -> bool {
        let mut message = Message { raw: data.to_vec(), ..Message::default() };
        if message.decode().is_err()
            || message.typ.method != METHOD_BINDING
            || message.typ.class == CLASS_INDICATION
            || !message.contains(ATTR_MESSAGE_INTEGRITY)
        {
            return false;
        }
        let password = if message.typ.class == CLASS_REQUEST {
            let Ok(name) = TextAttribute::get_from_as(&message, ATTR_USERNAME) else { return false };
            let ours = self.local.iter().flatten().find(|local| local.ufrag.is_named_in(&name.text));
            ours.map(|local| &local.password)
        } else {
            self.remote_password.as_ref()
        };
        password.is_some_and(|password| {
            MessageIntegrity::check(&mut message, password.as_bytes(), self.crypto.crypto()).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, MessageType, Setter, TransactionId};

    use super::*;
    use crate::transport::Ufrag;

    fn provider() -> Arc<dyn RTCCryptoProvider> {
        rtc_crypto::default_provider().expect("a provider")
    }

    fn credentials(ufrag: &str, password: &str) -> Credentials {
        let ufrag = Ufrag::from_username(&format!("{ufrag}:")).expect("a name");
        Credentials { ufrag, password: password.to_owned() }
    }

    fn message(kind: MessageType, name: Option<&str>, password: Option<&str>) -> Vec<u8> {
        let provider = provider();
        let mut setters: Vec<Box<dyn Setter + '_>> = vec![Box::new(kind), Box::new(TransactionId::new())];
        if let Some(name) = name {
            setters.push(Box::new(TextAttribute::new(ATTR_USERNAME, name.to_owned())));
        }
        if let Some(password) = password {
            let integrity =
                MessageIntegrity::new_short_term_integrity_with_provider(password.to_owned(), provider.crypto());
            setters.push(Box::new(integrity));
        }
        let mut message = Message::new();
        message.build(&setters).expect("a message");
        message.raw.clone()
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    #[test]
    fn only_who_knows_a_password_passes_and_is_believed_from_then_on() {
        let mut guard = Guard::new(credentials("ours", "secret"), provider());
        let forged = [
            message(BINDING_REQUEST, None, None),
            message(BINDING_REQUEST, Some("ours:theirs"), None),
            message(BINDING_REQUEST, Some("ours:theirs"), Some("guess")),
            message(BINDING_REQUEST, Some("other:theirs"), Some("secret")),
            message(BINDING_SUCCESS, None, Some("secret")),
            b"garbage".to_vec(),
        ];
        for (index, forged) in forged.iter().enumerate() {
            assert_eq!(guard.admit_stun(forged, address(1)), None, "{index}");
        }
        assert!(!guard.admit_other(address(1)));
        let check = message(BINDING_REQUEST, Some("ours:theirs"), Some("secret"));
        assert_eq!(guard.admit_stun(&check, address(1)), Some(Proof::New));
        assert_eq!(guard.admit_stun(&check, address(1)), Some(Proof::Again));
        assert!(guard.admit_other(address(1)) && !guard.admit_other(address(2)));
        guard.agree("theirs".to_owned(), None);
        for port in 10..200 {
            assert!(guard.admit_stun(&check, address(port)).is_some(), "wherever it goes");
            guard.settle(address(port));
            assert!(guard.admit_other(address(port)));
        }
        assert!(guard.admit_stun(&message(BINDING_SUCCESS, None, Some("theirs")), address(2)).is_some());
        assert!(guard.admit_other(address(2)));
    }

    #[test]
    fn a_restart_goes_from_the_old_password_to_the_new() {
        let mut guard = Guard::new(credentials("old", "one"), provider());
        let (old, new) = (
            message(BINDING_REQUEST, Some("old:x"), Some("one")),
            message(BINDING_REQUEST, Some("new:x"), Some("two")),
        );
        let admits = |guard: &mut Guard, check: &[u8]| guard.admit_stun(check, address(1)).is_some();
        assert!(admits(&mut guard, &old) && !admits(&mut guard, &new));
        guard.announce(credentials("new", "two"));
        assert!(admits(&mut guard, &old) && admits(&mut guard, &new));
        guard.agree("x".to_owned(), None);
        assert!(!admits(&mut guard, &old) && admits(&mut guard, &new));
    }

    #[test]
    fn the_number_of_believed_addresses_is_bounded() {
        let mut guard = Guard::new(credentials("ours", "secret"), provider());
        let check = message(BINDING_REQUEST, Some("ours:theirs"), Some("secret"));
        let believed = (0..1000).filter(|port| guard.admit_stun(&check, address(*port)).is_some()).count();
        assert_eq!(believed, MAX_PROVEN);
        assert!(guard.admit_stun(&check, address(3)).is_some(), "who is believed stays so");
        guard.agree("first".to_owned(), None);
        assert_eq!(guard.admit_stun(&check, address(5000)), None, "the first answer changes nothing");
        guard.agree("restarted".to_owned(), Some(address(3)));
        assert!(guard.admit_other(address(3)) && !guard.admit_other(address(4)), "a restart makes room");
        assert_eq!(guard.admit_stun(&check, address(5000)), Some(Proof::New));
    }
}
