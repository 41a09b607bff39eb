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
    credentials: Credentials,
    challenge: Option<Challenge>,
    /// How many there were.
    nonces: u32,
    /// In a row.
    challenges: u32,
    queue: VecDeque<BytesMut>,
}

/// What the server wants mixed into our signatures.
struct Challenge {
    realm: Vec<u8>,
    nonce: Vec<u8>,
    key: Vec<u8>,
}

pub(super) enum Answer {
    Granted,
    /// There is a new nonce: ask again.
    Again,
    Refused(ErrorCode),
}

impl Wire {
    pub(super) fn new(transport: Transport, crypto: Arc<dyn RTCCryptoProvider>, credentials: Credentials) -> Self {
        Self { transport, crypto, credentials, challenge: None, nonces: 0, challenges: 0, queue: VecDeque::new() }
    }

    pub(super) fn set_credentials(&mut self, credentials: Credentials) {
        self.credentials = credentials;
        self.challenge = None;
        self.challenges = 0;
    }

    pub(super) fn is_stream(&self) -> bool {
        self.transport != Transport::Udp
    }

    /// Signs a request and sends it.
    pub(super) fn ask(&mut self, mut request: Message, now: Instant) -> Transaction {
        if let Some(Challenge { realm, nonce, key }) = &self.challenge {
            request.add(ATTR_USERNAME, self.credentials.username.as_bytes());
            request.add(ATTR_REALM, realm);
            request.add(ATTR_NONCE, nonce);
            MessageIntegrity::new_raw_integrity_with_provider(key.clone(), self.crypto.crypto())
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
            if let Some(Challenge { key, .. }) = &self.challenge {
                MessageIntegrity::check(answer, key, self.crypto.crypto()).ok()?;
            }
            self.challenges = 0;
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
        if challenged && self.challenges < MAX_CHALLENGES && self.take_challenge(answer) {
            self.nonces = self.nonces.wrapping_add(1);
            self.challenges += 1;
            return Some(Answer::Again);
        }
        Some(Answer::Refused(code))
    }

    fn take_challenge(&mut self, answer: &Message) -> bool {
        let text = |attribute| answer.get(attribute).ok().filter(|text| text.len() <= MAX_TEXT);
        let former = self.challenge.as_ref().map(|challenge| challenge.realm.clone());
        // A stale nonce may come without the realm, which is then the same.
        let (Some(nonce), Some(realm)) = (text(ATTR_NONCE), text(ATTR_REALM).or(former)) else {
            return false;
        };
        let Ok(realm_text) = String::from_utf8(realm.clone()) else {
            return false;
        };
        let Credentials { username, password } = self.credentials.clone();
        match MessageIntegrity::long_term_integrity_key(username, realm_text, password, self.crypto.crypto()) {
            Ok(key) => self.challenge = Some(Challenge { realm, nonce, key }),
            Err(error) => {
                tracing::error!(%error, "no key for the relay can be made");
                return false;
            }
        }
        true
    }
}
