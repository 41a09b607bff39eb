//! STUN messages (RFC 8489) and TURN's short form for data (RFC 8656, section 12.4): read where they lie, and written into
//! a buffer that is used again and again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hmac::{Hmac, Mac};
use sha1::Sha1;

/// What signs a message: ready to begin with its first byte.
pub(super) type Key = Hmac<Sha1>;

pub(super) type Transaction = [u8; 12];

const HEADER: usize = 20;
const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// An attribute's type and length.
const PREFIX: usize = 4;
const SIGNATURE: usize = 20;

/// Channel data's number and length.
const CHANNEL_HEADER: usize = 4;

pub(super) mod attribute {
    pub(in crate::turn) const USERNAME: u16 = 0x0006;
    pub(in crate::turn) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(in crate::turn) const ERROR_CODE: u16 = 0x0009;
    pub(in crate::turn) const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    pub(in crate::turn) const CHANNEL_NUMBER: u16 = 0x000c;
    pub(in crate::turn) const LIFETIME: u16 = 0x000d;
    pub(in crate::turn) const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub(in crate::turn) const DATA: u16 = 0x0013;
    pub(in crate::turn) const REALM: u16 = 0x0014;
    pub(in crate::turn) const NONCE: u16 = 0x0015;
    pub(in crate::turn) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(in crate::turn) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub(in crate::turn) const EVEN_PORT: u16 = 0x0018;
    pub(in crate::turn) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(in crate::turn) const XOR_MAPPED_ADDRESS: u16 = 0x0020;

    /// Those of which a message that has another one must be refused; types from 0x8000 on may be ignored.
    pub(super) const UNDERSTOOD: [u16; 11] = [
        USERNAME,
        MESSAGE_INTEGRITY,
        CHANNEL_NUMBER,
        LIFETIME,
        XOR_PEER_ADDRESS,
        DATA,
        REALM,
        NONCE,
        REQUESTED_ADDRESS_FAMILY,
        EVEN_PORT,
        REQUESTED_TRANSPORT,
    ];
    pub(super) const OPTIONAL: u16 = 0x8000;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Request,
    Indication,
    Success,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Binding,
    Allocate,
    Refresh,
    Send,
    Data,
    CreatePermission,
    ChannelBind,
}

impl Method {
    const ALL: [Self; 7] = [
        Self::Binding,
        Self::Allocate,
        Self::Refresh,
        Self::Send,
        Self::Data,
        Self::CreatePermission,
        Self::ChannelBind,
    ];

    fn number(self) -> u16 {
        match self {
            Self::Binding => 0x001,
            Self::Allocate => 0x003,
            Self::Refresh => 0x004,
            Self::Send => 0x006,
            Self::Data => 0x007,
            Self::CreatePermission => 0x008,
            Self::ChannelBind => 0x009,
        }
    }
}

/// A whole message whose attributes fit in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) class: Class,
    pub(super) method: Method,
    pub(super) transaction: Transaction,
    raw: &'a [u8],
    /// What the signature covers, or all of them: later ones may be anybody's.
    attributes: &'a [u8],
    signature: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    pub(super) fn parse(raw: &'a [u8]) -> Option<Self> {
        let (header, attributes) = raw.split_at_checked(HEADER)?;
        let kind = u16_at(header, 0)?;
        let length = usize::from(u16_at(header, 2)?);
        if kind & 0xc000 != 0 || header[4..8] != MAGIC || length != attributes.len() || !length.is_multiple_of(4) {
            return None;
        }
        let number = kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2;
        let method = Method::ALL.into_iter().find(|method| method.number() == number)?;
        let class = match kind & 0x0110 {
            0x0000 => Class::Request,
            0x0010 => Class::Indication,
            0x0100 => Class::Success,
            _ => Class::Error,
        };
        let mut message =
            Self { class, method, transaction: header[8..].try_into().ok()?, raw, attributes, signature: None };
        let mut rest = attributes;
        while !rest.is_empty() {
            let at = attributes.len() - rest.len();
            let (kind, value, next) = split_attribute(rest)?;
            if kind == attribute::MESSAGE_INTEGRITY && message.signature.is_none() {
                message.signature = Some(value);
                message.attributes = &attributes[..at];
            }
            rest = next;
        }
        Some(message)
    }

    pub(super) fn find(&self, wanted: u16) -> Option<&'a [u8]> {
        self.attributes().find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
    }

    pub(super) fn number(&self, wanted: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.find(wanted)?.try_into().ok()?))
    }

    pub(super) fn text(&self, wanted: u16) -> Option<&'a str> {
        std::str::from_utf8(self.find(wanted)?).ok()
    }

    /// All that the message names; `None` for each that is no address.
    pub(super) fn peers(&self) -> impl Iterator<Item = Option<SocketAddr>> {
        let peers = self.attributes().filter(|(kind, _)| *kind == attribute::XOR_PEER_ADDRESS);
        peers.map(|(_, value)| self.address(value))
    }

    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn address_of(&self, wanted: u16) -> Option<SocketAddr> {
        self.address(self.find(wanted)?)
    }

    /// Attributes that whoever sent it insists on, and that mean nothing here.
    pub(super) fn unknown(&self) -> impl Iterator<Item = u16> {
        let kinds = self.attributes().map(|(kind, _)| kind);
        kinds.filter(|kind| *kind < attribute::OPTIONAL && !attribute::UNDERSTOOD.contains(kind))
    }

    pub(super) fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    pub(super) fn is_signed_by(&self, key: &Key) -> bool {
        self.signature.is_some_and(|signature| {
            let covered = HEADER + self.attributes.len();
            sign(key, &self.raw[..covered]).verify_slice(signature).is_ok()
        })
    }

    fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.attributes;
        std::iter::from_fn(move || {
            let (kind, value, next) = split_attribute(rest)?;
            rest = next;
            Some((kind, value))
        })
    }

    fn address(&self, value: &[u8]) -> Option<SocketAddr> {
        let mask = mask(&self.transaction);
        let (&[_, family, high, low], ip) = value.split_first_chunk()?;
        let port = u16::from_be_bytes([high ^ mask[0], low ^ mask[1]]);
        let unmasked = ip.iter().zip(mask).map(|(byte, mask)| byte ^ mask);
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(unmasked).for_each(|(to, byte)| *to = byte);
        let ip: IpAddr = match (family, ip.len()) {
            (1, 4) => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into(),
            (2, 16) => Ipv6Addr::from(bytes).into(),
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }
}

/// Its type, its value, and what follows it.
fn split_attribute(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (kind, length) = (u16_at(bytes, 0)?, usize::from(u16_at(bytes, 2)?));
    let value = bytes.get(PREFIX..PREFIX + length)?;
    let next = bytes.get(PREFIX + length.next_multiple_of(4)..)?;
    Some((kind, value, next))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// What addresses are hidden by from those who would rewrite them.
fn mask(transaction: &Transaction) -> [u8; 16] {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&MAGIC);
    mask[4..].copy_from_slice(transaction);
    mask
}

/// A signature counts towards the length that it covers.
fn sign(key: &Key, covered: &[u8]) -> Key {
    let length = u16::try_from(covered.len() - HEADER + PREFIX + SIGNATURE).unwrap_or(u16::MAX);
    let mut signer = key.clone();
    signer.update(&covered[..2]);
    signer.update(&length.to_be_bytes());
    signer.update(&covered[4..]);
    signer
}

/// Writes one message, attribute by attribute; it is whole after each.
pub(super) struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, method: Method, class: Class, transaction: &Transaction) -> Self {
        let number = method.number();
        let class = match class {
            Class::Request => 0x0000,
            Class::Indication => 0x0010,
            Class::Success => 0x0100,
            Class::Error => 0x0110,
        };
        let kind = number & 0x000f | (number & 0x0070) << 1 | (number & 0x0f80) << 2 | class;
        out.clear();
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(transaction);
        Self(out)
    }

    /// Goes on with a message that is whole already.
    pub(super) fn again(out: &'a mut Vec<u8>) -> Self {
        Self(out)
    }

    /// `value` is short enough: it is ours, or came in one message with more.
    pub(super) fn add(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        let length = u16::try_from(self.0.len() - HEADER).unwrap_or(u16::MAX);
        self.0[2..4].copy_from_slice(&length.to_be_bytes());
        self
    }

    pub(super) fn add_address(&mut self, kind: u16, address: SocketAddr) -> &mut Self {
        let mut mask = [0; 16];
        mask.copy_from_slice(&self.0[4..HEADER]);
        let [high, low] = address.port().to_be_bytes();
        let mut value = [0; 20];
        value[2..4].copy_from_slice(&[high ^ mask[0], low ^ mask[1]]);
        let mut write = |family: u8, ip: &[u8]| {
            value[1] = family;
            let masked = ip.iter().zip(mask).map(|(byte, mask)| byte ^ mask);
            value[4..].iter_mut().zip(masked).for_each(|(to, byte)| *to = byte);
            4 + ip.len()
        };
        let length = match address.ip() {
            IpAddr::V4(ip) => write(1, &ip.octets()),
            IpAddr::V6(ip) => write(2, &ip.octets()),
        };
        self.add(kind, &value[..length])
    }

    /// Without a phrase, which nobody reads and which would make answers to strangers larger.
    pub(super) fn add_error(&mut self, code: u16) -> &mut Self {
        let [class, number] = [code / 100, code % 100].map(|part| u8::try_from(part).unwrap_or_default());
        self.add(attribute::ERROR_CODE, &[0, 0, class, number])
    }

    pub(super) fn sign(&mut self, key: &Key) {
        let signature = sign(key, self.0).finalize().into_bytes();
        self.add(attribute::MESSAGE_INTEGRITY, &signature);
    }
}

/// The channel's number, and what comes through it.
pub(super) fn split_channel_data(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, length) = (u16_at(bytes, 0)?, usize::from(u16_at(bytes, 2)?));
    // On a stream there may be padding behind it.
    Some((number, bytes.get(CHANNEL_HEADER..CHANNEL_HEADER + length)?))
}

/// `padded`: on a stream, where the next message must begin at a multiple of four.
pub(super) fn write_channel_data(out: &mut Vec<u8>, number: u16, payload: &[u8], padded: bool) {
    out.clear();
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(payload);
    if padded {
        out.resize(out.len().next_multiple_of(4), 0);
    }
}

/// What a stream brings is not what is spoken here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("it does not speak TURN")]
pub(super) struct NotTurn;

/// How long the message is that a stream goes on with; `None` until that can be told.
pub(super) fn frame_length(stream: &[u8]) -> Result<Option<usize>, NotTurn> {
    let (Some(first), Some(length)) = (stream.first(), u16_at(stream, 2)) else { return Ok(None) };
    match first >> 6 {
        0b00 => Ok(Some(HEADER + usize::from(length))),
        0b01 => Ok(Some(CHANNEL_HEADER + usize::from(length).next_multiple_of(4))),
        _ => Err(NotTurn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5769, section 2.4: a request with long-term authentication, whose password is another than ours.
    const SAMPLE: &str = "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b9\
                          00000015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d\
                          706c652e6f7267000008 0014f67024656dd64a3e02b8e0712e85c9a28ca89666";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("a byte");
        digits.chunks(2).map(byte).collect()
    }

    #[test]
    fn the_rfcs_sample_is_read_and_its_signature_holds() {
        let sample = bytes(SAMPLE);
        let message = Message::parse(&sample).expect("a message");
        assert_eq!((message.class, message.method), (Class::Request, Method::Binding));
        assert_eq!(message.text(attribute::USERNAME), Some("マトリックス"));
        assert_eq!(message.text(attribute::REALM), Some("example.org"));
        assert_eq!(message.text(attribute::NONCE), Some("f//499k954d6OL34oL9FSTvy64sA"));
        let key = |password| crate::turn::credentials::key("マトリックス", "example.org", password);
        assert!(message.is_signed_by(&key("TheMatrIX")));
        assert!(!message.is_signed_by(&key("TheMatrix")));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let key = crate::turn::credentials::key("u", "r", "p");
        for peer in ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:1"] {
            let peer: SocketAddr = peer.parse().expect("an address");
            let mut out = Vec::new();
            Writer::new(&mut out, Method::ChannelBind, Class::Request, &[7; 12])
                .add(attribute::USERNAME, b"odd")
                .add_address(attribute::XOR_PEER_ADDRESS, peer)
                .sign(&key);
            let message = Message::parse(&out).expect("a message");
            assert_eq!((message.class, message.method), (Class::Request, Method::ChannelBind));
            assert_eq!(message.peers().collect::<Vec<_>>(), [Some(peer)]);
            assert!(message.is_signed_by(&key));
            assert_eq!(frame_length(&out), Ok(Some(out.len())));
            for at in 0..out.len() - PREFIX - SIGNATURE {
                let mut forged = out.clone();
                forged[at] ^= 1;
                assert!(!Message::parse(&forged).is_some_and(|message| message.is_signed_by(&key)), "byte {at}");
            }
        }
    }

    #[test]
    fn attributes_behind_the_signature_are_nobodys() {
        let key = crate::turn::credentials::key("u", "r", "p");
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, Method::Refresh, Class::Request, &[7; 12]);
        writer.sign(&key);
        writer.add(attribute::LIFETIME, &[0; 4]);
        let message = Message::parse(&out).expect("a message");
        assert!(message.is_signed_by(&key));
        assert_eq!(message.number(attribute::LIFETIME), None);
    }

    #[test]
    fn a_stream_is_cut_into_messages() {
        let mut out = Vec::new();
        write_channel_data(&mut out, 0x4001, b"abcde", true);
        assert_eq!(frame_length(&out), Ok(Some(12)));
        assert_eq!(split_channel_data(&out), Some((0x4001, &b"abcde"[..])));
        assert_eq!(frame_length(&out[..3]), Ok(None));
        assert_eq!(frame_length(b"GET / HTTP/1.1"), Ok(Some(CHANNEL_HEADER + 0x5420)), "which is too long for us");
        assert_eq!(frame_length(&[0x80, 0, 0, 0]), Err(NotTurn));
    }
}
