//! What goes to one relay: requests with our signature, and data for peers.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::BytesMut;
use rtc_crypto::RTCCryptoProvider;
use rtc_stun::{
    attributes::{ATTR_NONCE, ATTR_REALM, ATTR_USERNAME},
    error_code::{CODE_STALE_NONCE, CODE_UNAUTHORIZED, ErrorCode},
    integrity::MessageIntegrity,
    message::{CLASS_ERROR_RESPONSE, CLASS_SUCCESS_RESPONSE, Message, Setter},
};

use super::{
    message,
    server::{Credentials, Transport},
    transaction::Transaction,
};

/// A turn of the fan-out makes a few hundred at most: whoever leaves more lying does not want them.
const MAX_QUEUE: usize = 4096;

/// A server that still does not like the nonce it has just given does not like us.
const MAX_CHALLENGES: u32 = 3;

/// RFC 8489, section 14.9 and 14.10.
const MAX_TEXT: usize = 763;

pub(super) struct Wire {
    transport: Transport,
    crypto: Arc<dyn RTCCryptoProvider>,
    identity: Identity,
    challenge: Option<Challenge>,
    /// How many there were.
    nonces: u32,
    queue: VecDeque<BytesMut>,
}

/// What the server wants mixed into our signatures.
struct Challenge {
    realm: String,
    nonce: Vec<u8>,
}

/// As whom we sign.
pub(super) struct Identity {
    credentials: Credentials,
    /// By the realm that it is for.
    key: Option<(String, Vec<u8>)>,
    /// In a row.
    challenges: u32,
}

impl Identity {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self { credentials, key: None, challenges: 0 }
    }

    fn key(&mut self, realm: &str, crypto: &dyn RTCCryptoProvider) -> Option<Vec<u8>> {
        if let Some((known, key)) = &self.key
            && known == realm
        {
            return Some(key.clone());
        }
        let Credentials { username, password } = self.credentials.clone();
        match MessageIntegrity::long_term_integrity_key(username, realm.to_owned(), password, crypto.crypto()) {
            Ok(key) => {
                self.key = Some((realm.to_owned(), key.clone()));
                Some(key)
            }
            Err(error) => {
                tracing::error!(%error, "no key for the relay can be made");
                None
            }
        }
    }
}

pub(super) enum Answer {
    Granted,
    /// There is a new nonce: ask again.
    Again,
    Refused(ErrorCode),
}

impl Wire {
    pub(super) fn new(transport: Transport, crypto: Arc<dyn RTCCryptoProvider>, credentials: Credentials) -> Self {
        let identity = Identity::new(credentials);
        Self { transport, crypto, identity, challenge: None, nonces: 0, queue: VecDeque::new() }
    }

    pub(super) fn set_credentials(&mut self, credentials: Credentials) {
        self.identity = Identity::new(credentials);
        self.challenge = None;
    }

    /// Signs as somebody else from now on, for the same allocation.
    pub(super) fn set_identity(&mut self, identity: Identity) {
        self.identity = identity;
    }

    /// Does one thing as somebody else.
    pub(super) fn acting_as<T>(&mut self, identity: &mut Identity, act: impl FnOnce(&mut Self) -> T) -> T {
        std::mem::swap(&mut self.identity, identity);
        let done = act(self);
        std::mem::swap(&mut self.identity, identity);
        done
    }

    pub(super) fn is_stream(&self) -> bool {
        self.transport != Transport::Udp
    }

    /// Signs a request and sends it.
    pub(super) fn ask(&mut self, mut request: Message, now: Instant) -> Transaction {
        if let Some(Challenge { realm, nonce }) = &self.challenge
            && let Some(key) = self.identity.key(realm, &*self.crypto)
        {
            request.add(ATTR_USERNAME, self.identity.credentials.username.as_bytes());
            request.add(ATTR_REALM, realm.as_bytes());
            request.add(ATTR_NONCE, nonce);
            MessageIntegrity::new_raw_integrity_with_provider(key, self.crypto.crypto())
                .add_to(&mut request)
                .expect("the cryptography that made the key makes the signature");
        }
        self.send(BytesMut::from(&request.raw[..]));
        Transaction::new(&request, self.nonces, self.transport, now)
    }

    pub(super) fn send(&mut self, data: BytesMut) {
        if self.queue.len() < MAX_QUEUE {
            self.queue.push_back(data);
        }
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(super) fn poll(&mut self) -> Option<BytesMut> {
        self.queue.pop_front()
    }

    /// What the answer to a question of ours means. None: it is not from whom it seems to be.
    pub(super) fn judge(&mut self, question: &Transaction, answer: &mut Message) -> Option<Answer> {
        if answer.typ.class == CLASS_SUCCESS_RESPONSE {
            if let Some(Challenge { realm, .. }) = &self.challenge {
                let key = self.identity.key(realm, &*self.crypto)?;
                MessageIntegrity::check(answer, &key, self.crypto.crypto()).ok()?;
            }
            self.identity.challenges = 0;
            return Some(Answer::Granted);
        }
        if answer.typ.class != CLASS_ERROR_RESPONSE {
            return None;
        }
        let code = message::error_code(answer);
        let challenged = code == CODE_UNAUTHORIZED || code == CODE_STALE_NONCE;
        if challenged && question.nonce != self.nonces {
            // Many are asked at once: another's answer has brought a new nonce since.
            return Some(Answer::Again);
        }
        if challenged && self.identity.challenges < MAX_CHALLENGES && self.take_challenge(answer) {
            self.nonces = self.nonces.wrapping_add(1);
            self.identity.challenges += 1;
            return Some(Answer::Again);
        }
        Some(Answer::Refused(code))
    }

    fn take_challenge(&mut self, answer: &Message) -> bool {
        let text = |attribute| answer.get(attribute).ok().filter(|text| text.len() <= MAX_TEXT);
        let former = self.challenge.as_ref().map(|challenge| challenge.realm.clone());
        let named = match text(ATTR_REALM).map(String::from_utf8) {
            Some(Ok(realm)) => Some(realm),
            // A stale nonce may come without the realm, which is then the same.
            None => former,
            Some(Err(_)) => None,
        };
        let (Some(nonce), Some(realm)) = (text(ATTR_NONCE), named) else {
            return false;
        };
        self.challenge = Some(Challenge { realm, nonce });
        true
    }
}
