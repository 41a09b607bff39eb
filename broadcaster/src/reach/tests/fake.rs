//! A TURN server of which only the rules are real.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_crypto::RTCCryptoProvider;
use rtc_stun::{
    attributes::{
        ATTR_CHANNEL_NUMBER, ATTR_DATA, ATTR_LIFETIME, ATTR_NONCE, ATTR_REALM, ATTR_USERNAME, ATTR_XOR_PEER_ADDRESS,
        ATTR_XOR_RELAYED_ADDRESS, ATTR_XORMAPPED_ADDRESS,
    },
    error_code::{
        CODE_ALLOC_MISMATCH, CODE_BAD_REQUEST, CODE_FORBIDDEN, CODE_STALE_NONCE, CODE_UNAUTHORIZED,
        CODE_WRONG_CREDENTIALS, ErrorCode,
    },
    integrity::MessageIntegrity,
    message::{
        CLASS_ERROR_RESPONSE, CLASS_INDICATION, CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE, METHOD_BINDING,
        METHOD_CHANNEL_BIND, METHOD_CREATE_PERMISSION, METHOD_DATA, METHOD_REFRESH, METHOD_SEND, Message, MessageType,
        Method, Setter,
    },
};

use crate::reach::{message, server::Credentials};

const REALM: &str = "example.org";

pub(super) struct FakeServer {
    crypto: Arc<dyn RTCCryptoProvider>,
    pub(super) accepts: Credentials,
    /// How it sees whoever speaks to it.
    pub(super) mapped: SocketAddr,
    pub(super) lifetime: Duration,
    pub(super) is_silent: bool,
    /// An allocation goes on under other credentials, as at our own server.
    pub(super) renews: bool,
    nonce: u32,
    next_port: u16,
    pub(super) allocation: Option<Granted>,
    /// What it was asked for, in order.
    pub(super) asked: Vec<Method>,
    /// What reached peers.
    pub(super) delivered: Vec<(SocketAddr, Vec<u8>)>,
}

pub(super) struct Granted {
    username: String,
    expires: Instant,
    permissions: BTreeMap<IpAddr, Instant>,
    pub(super) channels: BTreeMap<u16, (SocketAddr, Instant)>,
}

impl FakeServer {
    pub(super) fn new(crypto: Arc<dyn RTCCryptoProvider>, accepts: Credentials, mapped: SocketAddr) -> Self {
        let lifetime = Duration::from_secs(600);
        Self {
            crypto,
            accepts,
            mapped,
            lifetime,
            is_silent: false,
            renews: false,
            nonce: 0,
            next_port: 50_000,
            allocation: None,
            asked: Vec::new(),
            delivered: Vec::new(),
        }
    }

    pub(super) fn change_nonce(&mut self) {
        self.nonce += 1;
    }

    /// Takes a message and gives the answer.
    pub(super) fn handle(&mut self, data: &[u8], now: Instant) -> Option<BytesMut> {
        if self.allocation.as_ref().is_some_and(|granted| granted.expires <= now) {
            self.allocation = None;
        }
        if self.is_silent {
            return None;
        }
        if message::is_channel_data(data) {
            let (number, payload) = message::split_channel_data(BytesMut::from(data)).expect("whole");
            let (peer, until) = self.allocation.as_ref()?.channels.get(&number)?;
            assert!(now < *until, "a channel that has expired is used");
            self.delivered.push((*peer, payload.to_vec()));
            return None;
        }
        let mut request = message::decode(data).expect("a STUN message");
        if request.typ == MessageType::new(METHOD_SEND, CLASS_INDICATION) {
            let peer = message::address(&request, ATTR_XOR_PEER_ADDRESS).expect("for somebody");
            if self.is_permitted(peer, now) {
                self.delivered.push((peer, request.get(ATTR_DATA).expect("something")));
            }
            return None;
        }
        self.asked.push(request.typ.method);
        if request.typ.method == METHOD_BINDING {
            let mut answer = answer(&request, CLASS_SUCCESS_RESPONSE);
            message::add_address(&mut answer, ATTR_XORMAPPED_ADDRESS, self.mapped);
            return Some(BytesMut::from(&answer.raw[..]));
        }
        if let Err(code) = self.authenticate(&mut request) {
            return Some(self.refuse(&request, code));
        }
        Some(match self.grant(&request, now) {
            Ok(mut answer) => {
                let Credentials { username, password } = self.accepts.clone();
                MessageIntegrity::new_long_term_integrity_with_provider(
                    username,
                    REALM.to_owned(),
                    password,
                    self.crypto.crypto(),
                )
                .and_then(|integrity| integrity.add_to(&mut answer))
                .expect("signed");
                BytesMut::from(&answer.raw[..])
            }
            Err(code) => self.refuse(&request, code),
        })
    }

    /// What a peer sends to the relayed address, as the client gets it.
    pub(super) fn relay(&self, peer: SocketAddr, payload: &[u8], now: Instant) -> Option<BytesMut> {
        if !self.is_permitted(peer, now) {
            return None;
        }
        let channels = &self.allocation.as_ref()?.channels;
        if let Some((number, _)) = channels.iter().find(|(_, (bound, until))| *bound == peer && now < *until) {
            return message::channel_data(*number, payload, false);
        }
        let mut indication = message::new(METHOD_DATA, CLASS_INDICATION);
        message::add_address(&mut indication, ATTR_XOR_PEER_ADDRESS, peer);
        indication.add(ATTR_DATA, payload);
        Some(BytesMut::from(&indication.raw[..]))
    }

    pub(super) fn is_permitted(&self, peer: SocketAddr, now: Instant) -> bool {
        let permissions = self.allocation.as_ref().map(|granted| &granted.permissions);
        permissions.and_then(|permissions| permissions.get(&peer.ip())).is_some_and(|until| now < *until)
    }

    fn authenticate(&self, request: &mut Message) -> Result<(), ErrorCode> {
        let Credentials { username, password } = self.accepts.clone();
        if request.get(ATTR_USERNAME).ok().as_deref() != Some(username.as_bytes()) {
            return Err(CODE_UNAUTHORIZED);
        }
        let key = MessageIntegrity::long_term_integrity_key(username, REALM.to_owned(), password, self.crypto.crypto())
            .expect("a key");
        MessageIntegrity::check(request, &key, self.crypto.crypto()).map_err(|_| CODE_UNAUTHORIZED)?;
        if request.get(ATTR_NONCE).ok() != Some(self.nonce.to_string().into_bytes()) {
            return Err(CODE_STALE_NONCE);
        }
        Ok(())
    }

    fn grant(&mut self, request: &Message, now: Instant) -> Result<Message, ErrorCode> {
        let mut answer = answer(request, CLASS_SUCCESS_RESPONSE);
        let seconds = u32::try_from(self.lifetime.as_secs()).expect("short").to_be_bytes();
        let username = String::from_utf8(request.get(ATTR_USERNAME).expect("authenticated")).expect("text");
        if request.typ.method == METHOD_ALLOCATE {
            if self.allocation.is_some() {
                return Err(CODE_ALLOC_MISMATCH);
            }
            let relayed = SocketAddr::new("198.51.100.1".parse().expect("an address"), self.next_port);
            self.next_port += 1;
            message::add_address(&mut answer, ATTR_XOR_RELAYED_ADDRESS, relayed);
            message::add_address(&mut answer, ATTR_XORMAPPED_ADDRESS, self.mapped);
            answer.add(ATTR_LIFETIME, &seconds);
            let (permissions, channels) = (BTreeMap::new(), BTreeMap::new());
            let expires = now + self.lifetime;
            self.allocation = Some(Granted { username, expires, permissions, channels });
            return Ok(answer);
        }
        let granted = self.allocation.as_mut().ok_or(CODE_ALLOC_MISMATCH)?;
        if granted.username != username {
            if !self.renews {
                return Err(CODE_WRONG_CREDENTIALS);
            }
            granted.username = username;
        }
        if request.typ.method == METHOD_REFRESH {
            granted.expires = now + self.lifetime;
            answer.add(ATTR_LIFETIME, &seconds);
            if message::lifetime(request) == Some(0) {
                self.allocation = None;
            }
            return Ok(answer);
        }
        let peer = message::address(request, ATTR_XOR_PEER_ADDRESS).ok_or(CODE_BAD_REQUEST)?;
        if peer.ip().is_loopback() {
            return Err(CODE_FORBIDDEN);
        }
        granted.permissions.insert(peer.ip(), now + Duration::from_secs(300));
        if request.typ.method == METHOD_CHANNEL_BIND {
            let number = request.get(ATTR_CHANNEL_NUMBER).map_err(|_| CODE_BAD_REQUEST)?;
            let number = u16::from_be_bytes([number[0], number[1]]);
            let mut bound = granted.channels.iter().filter(|(_, (_, until))| now < *until);
            if bound.any(|(other, (bound, _))| (*other == number) != (*bound == peer)) {
                return Err(CODE_BAD_REQUEST);
            }
            granted.channels.insert(number, (peer, now + Duration::from_secs(600)));
        } else {
            assert_eq!(request.typ.method, METHOD_CREATE_PERMISSION);
        }
        Ok(answer)
    }

    fn refuse(&self, request: &Message, code: ErrorCode) -> BytesMut {
        let mut answer = answer(request, CLASS_ERROR_RESPONSE);
        code.add_to(&mut answer).expect("a code that is known");
        if code == CODE_UNAUTHORIZED || code == CODE_STALE_NONCE {
            answer.add(ATTR_REALM, REALM.as_bytes());
            answer.add(ATTR_NONCE, self.nonce.to_string().as_bytes());
        }
        BytesMut::from(&answer.raw[..])
    }

    pub(super) fn distinct_peers(&self) -> usize {
        self.delivered.iter().map(|(peer, _)| *peer).collect::<BTreeSet<_>>().len()
    }
}

fn answer(request: &Message, class: rtc_stun::message::MessageClass) -> Message {
    let mut answer = message::new(request.typ.method, class);
    answer.transaction_id = request.transaction_id;
    answer.write_transaction_id();
    answer
}
