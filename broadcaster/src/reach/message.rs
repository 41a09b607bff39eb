//! STUN messages as they are asked and answered here (RFC 8489), and TURN's short form for data (RFC 8656, section 12.4).

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
};

use bytes::{Buf, BufMut, BytesMut};
use rtc_stun::{
    attributes::{ATTR_DATA, ATTR_LIFETIME, ATTR_XOR_PEER_ADDRESS, AttrType},
    error_code::{ErrorCode, ErrorCodeAttribute},
    message::{CLASS_INDICATION, Getter, METHOD_DATA, METHOD_SEND, Message, MessageClass, MessageType, Method},
    message::{TransactionId, is_stun_message},
    xoraddr::XorMappedAddress,
};

/// Those that RFC 8656 leaves after RFC 5766 had given away four times as many.
pub(super) const CHANNELS: RangeInclusive<u16> = 0x4000..=0x4fff;

pub(super) const DATA_INDICATION: MessageType = MessageType { method: METHOD_DATA, class: CLASS_INDICATION };

/// Far more than a path carries, and well below what a length field holds.
const MAX_PAYLOAD: usize = 32 * 1024;

pub(super) fn new(method: Method, class: MessageClass) -> Message {
    let mut message = Message::new();
    message.typ = MessageType::new(method, class);
    message.transaction_id = TransactionId::new();
    message.write_header();
    message
}

pub(super) fn decode(data: &[u8]) -> Option<Message> {
    if !is_stun_message(data) {
        return None;
    }
    let mut message = Message { raw: data.to_vec(), ..Message::default() };
    message.decode().ok().map(|()| message)
}

/// An address that can be used, in its shortest form.
pub(super) fn address(message: &Message, attribute: AttrType) -> Option<SocketAddr> {
    let mut address = XorMappedAddress::default();
    address.get_from_as(message, attribute).ok()?;
    let ip = address.ip.to_canonical();
    (!ip.is_unspecified() && !ip.is_multicast() && address.port != 0).then(|| SocketAddr::new(ip, address.port))
}

pub(super) fn add_address(message: &mut Message, attribute: AttrType, address: SocketAddr) {
    let address = XorMappedAddress { ip: address.ip(), port: address.port() };
    address.add_to_as(message, attribute).expect("an address always fits");
}

pub(super) fn lifetime(message: &Message) -> Option<u32> {
    let value: [u8; 4] = message.get(ATTR_LIFETIME).ok()?.try_into().ok()?;
    Some(u32::from_be_bytes(value))
}

pub(super) fn error_code(message: &Message) -> ErrorCode {
    let mut error = ErrorCodeAttribute::default();
    // Without a code it is an error all the same.
    let _ = error.get_from(message);
    error.code
}

/// What came from a peer by way of a relay, in the long form.
pub(super) fn data(message: &Message) -> Option<(SocketAddr, BytesMut)> {
    let peer = address(message, ATTR_XOR_PEER_ADDRESS)?;
    Some((peer, BytesMut::from(&message.get(ATTR_DATA).ok()?[..])))
}

/// Data for a peer in the long form, which needs no channel.
pub(super) fn send_indication(peer: SocketAddr, payload: &[u8]) -> Option<BytesMut> {
    if payload.len() > MAX_PAYLOAD {
        return None;
    }
    let mut message = new(METHOD_SEND, CLASS_INDICATION);
    add_address(&mut message, ATTR_XOR_PEER_ADDRESS, peer);
    message.add(ATTR_DATA, payload);
    Some(BytesMut::from(&message.raw[..]))
}

pub(super) fn is_channel_data(data: &[u8]) -> bool {
    matches!(data, [high, low, _, _, ..] if CHANNELS.contains(&u16::from_be_bytes([*high, *low])))
}

/// The channel's number, and what came through it.
pub(super) fn split_channel_data(mut data: BytesMut) -> Option<(u16, BytesMut)> {
    if data.len() < 4 {
        return None;
    }
    let (number, length) = (data.get_u16(), usize::from(data.get_u16()));
    if data.len() < length {
        return None;
    }
    data.truncate(length);
    Some((number, data))
}

/// `padded`: on a stream, where the next message must begin at a multiple of four.
pub(super) fn channel_data(number: u16, payload: &[u8], padded: bool) -> Option<BytesMut> {
    let length = u16::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_PAYLOAD)?;
    let mut data = BytesMut::with_capacity(payload.len() + 8);
    data.put_u16(number);
    data.put_u16(length);
    data.put_slice(payload);
    if padded {
        data.resize(data.len().next_multiple_of(4), 0);
    }
    Some(data)
}

/// A relay of one family cannot speak to the other.
pub(super) fn same_family(one: IpAddr, other: IpAddr) -> bool {
    one.is_ipv4() == other.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_data_keeps_its_length_whatever_the_padding() {
        for payload in [&b""[..], b"a", b"abcd", b"abcdefg"] {
            for padded in [false, true] {
                let data = channel_data(0x4001, payload, padded).expect("short");
                assert!(!padded || data.len().is_multiple_of(4));
                assert!(is_channel_data(&data));
                assert_eq!(split_channel_data(data), Some((0x4001, BytesMut::from(payload))));
            }
        }
        assert_eq!(channel_data(0x4000, &[0; MAX_PAYLOAD + 1], false), None);
        assert_eq!(split_channel_data(BytesMut::from(&[0x40, 0, 0, 9, 1][..])), None, "cut short");
        assert!(!is_channel_data(&[0x40, 0, 0]) && !is_channel_data(&[0x50, 0, 0, 0]));
    }
}
