//! What `make fuzz` reaches of who may reach the stack, and where it may write to.

use std::net::{IpAddr, SocketAddr};

use rtc_stun::{
    attributes::{ATTR_USERNAME, ATTR_XOR_PEER_ADDRESS},
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message, MessageType, Setter, TransactionId},
    textattrs::TextAttribute,
    xoraddr::XorMappedAddress,
};

use super::{
    Credentials, Fingerprint, Identity, Ufrag,
    guard::Guard,
    remotes::{Remotes, Verdict},
};

/// A guard whose viewer knows these passwords.
pub struct Gate(Guard);

/// A name, and the password that goes with it.
pub type Pair<'a> = (&'a str, &'a str);

fn credentials((ufrag, password): Pair<'_>) -> Credentials {
    let ufrag = Ufrag::from_username(&format!("{ufrag}:")).expect("a name");
    Credentials { ufrag, password: password.to_owned() }
}

impl Gate {
    pub fn new(local: Pair<'_>, identity: &Shared) -> Self {
        Self(Guard::new(credentials(local), identity.0.crypto.clone()))
    }

    pub fn announce(&mut self, local: Pair<'_>) {
        self.0.announce(credentials(local));
    }

    pub fn agree(&mut self, remote_password: &str, keeps: Option<SocketAddr>) {
        self.0.agree(remote_password.to_owned(), keeps);
    }

    pub fn admits_stun(&mut self, data: &[u8], from: SocketAddr) -> bool {
        self.0.admit_stun(data, from).is_some()
    }

    pub fn admits_other(&self, from: SocketAddr) -> bool {
        self.0.admit_other(from)
    }
}

/// What all sessions have in common, made once: it takes long.
pub struct Shared(pub(crate) Identity);

/// What a description of ours shows of this end.
pub(crate) fn shown() -> (Credentials, Fingerprint) {
    let fingerprint = Fingerprint::parse("sha-256 00:11").expect("it is of a kind that we know");
    (Credentials::generate(), fingerprint)
}

impl Default for Shared {
    fn default() -> Self {
        Self(Identity::generate().expect("there is cryptography"))
    }
}

impl Shared {
    /// An ICE check, or an answer to one, signed with this password.
    pub fn check(&self, is_answer: bool, username: Option<&str>, password: Option<&str>) -> Vec<u8> {
        let kind: MessageType = if is_answer { BINDING_SUCCESS } else { BINDING_REQUEST };
        self.message(kind, [7; 12], None, username, password)
    }

    /// The answer to a check that came from there.
    pub fn answer(&self, check: &[u8], from: SocketAddr, password: &str) -> Option<Vec<u8>> {
        let transaction = check.get(8..20)?.try_into().ok()?;
        Some(self.message(BINDING_SUCCESS, transaction, Some(from), None, Some(password)))
    }

    fn message(
        &self,
        kind: MessageType,
        transaction: [u8; 12],
        mapped: Option<SocketAddr>,
        username: Option<&str>,
        password: Option<&str>,
    ) -> Vec<u8> {
        let crypto = self.0.crypto.crypto();
        let mut setters: Vec<Box<dyn Setter + '_>> = vec![Box::new(kind), Box::new(TransactionId(transaction))];
        if let Some(mapped) = mapped {
            setters.push(Box::new(XorMappedAddress { ip: mapped.ip(), port: mapped.port() }));
        }
        if let Some(username) = username {
            setters.push(Box::new(TextAttribute::new(ATTR_USERNAME, username.to_owned())));
        }
        if let Some(password) = password {
            let password = password.to_owned();
            setters.push(Box::new(MessageIntegrity::new_short_term_integrity_with_provider(password, crypto)));
        }
        let mut message = Message::new();
        message.build(&setters).expect("a message");
        message.raw
    }
}

/// What the stack's own parser reads of a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Parsed {
    pub is_success_or_error: bool,
    pub username: Option<String>,
    pub peer: Option<SocketAddr>,
}

pub fn parsed(data: &[u8]) -> Option<Parsed> {
    let mut message = Message { raw: data.to_vec(), ..Message::default() };
    message.decode().ok()?;
    let mut peer = XorMappedAddress::default();
    let peer = peer.get_from_as(&message, ATTR_XOR_PEER_ADDRESS).ok().map(|()| SocketAddr::new(peer.ip, peer.port));
    let username = TextAttribute::get_from_as(&message, ATTR_USERNAME).ok().map(|name| name.text);
    Some(Parsed { is_success_or_error: data[0] & 1 != 0, username, peer })
}

/// Where a viewer may be.
pub struct Places(Remotes);

/// What is done with a candidate.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    Tried,
    /// Its address hides behind this name.
    Sought(String),
    Ignored,
}

impl Places {
    /// `loopback`: robot and viewer may share the machine.
    pub fn new(loopback: bool) -> Self {
        Self(Remotes::new(loopback))
    }

    pub fn judge(&mut self, candidate: &str) -> Judged {
        match self.0.judge(candidate) {
            Verdict::Try => Judged::Tried,
            Verdict::Resolve(name) => Judged::Sought(name),
            Verdict::Ignore => Judged::Ignored,
        }
    }

    pub fn resolved(&mut self, name: &str, address: IpAddr) -> Option<String> {
        self.0.resolved(name, address)
    }
}
