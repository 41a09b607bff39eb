//! The little of DNS's wire format (RFC 1035) that asks for one name's addresses and reads the answers.
//!
//! The family's own crate asks for IPv4 alone, compares names to the letter, and reads no further than the first record of
//! another type.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;

/// In answers the class's highest bit asks for other caches to be flushed (RFC 6762, section 10.2).
const CLASS_MASK: u16 = 0x7fff;

const RESPONSE: u16 = 0x8000;

/// An answer to us has one record or two; others' traffic has more.
const MAX_RECORDS: u16 = 64;

/// RFC 1035, section 2.3.4.
const MAX_NAME: usize = 255;

/// Compression that points on and on leads nowhere.
const MAX_JUMPS: usize = 8;

pub(in crate::reach) fn question(name: &str) -> Vec<u8> {
    let mut packet = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    for kind in [TYPE_A, TYPE_AAAA] {
        put_name(&mut packet, name);
        packet.extend(kind.to_be_bytes());
        packet.extend(CLASS_IN.to_be_bytes());
    }
    packet
}

/// Names and their addresses, as far as the packet makes sense.
pub(in crate::reach) fn answers(packet: &[u8]) -> Vec<(String, IpAddr)> {
    let mut answers = Vec::new();
    let mut reader = Reader { packet, at: 0 };
    // A packet that ends too early has said what it had to say.
    let _ = read_answers(&mut reader, &mut answers);
    answers
}

fn read_answers(reader: &mut Reader<'_>, answers: &mut Vec<(String, IpAddr)>) -> Option<()> {
    let (_id, flags) = (reader.u16()?, reader.u16()?);
    if flags & RESPONSE == 0 {
        return None;
    }
    let (questions, records) = (reader.u16()?, reader.u16()?);
    let (_authorities, _additionals) = (reader.u16()?, reader.u16()?);
    for _ in 0..questions.min(MAX_RECORDS) {
        reader.name()?;
        reader.take(4)?;
    }
    for _ in 0..records.min(MAX_RECORDS) {
        let name = reader.name()?;
        let (kind, class) = (reader.u16()?, reader.u16()?);
        let _ttl = reader.take(4)?;
        let length = reader.u16()?;
        let data = reader.take(length.into())?;
        let address = match kind {
            TYPE_A => <[u8; 4]>::try_from(data).ok().map(|octets| IpAddr::from(Ipv4Addr::from(octets))),
            TYPE_AAAA => <[u8; 16]>::try_from(data).ok().map(|octets| IpAddr::from(Ipv6Addr::from(octets))),
            _ => None,
        };
        if let Some(address) = address.filter(|address| class & CLASS_MASK == CLASS_IN && is_usable(*address)) {
            answers.push((name, address));
        }
    }
    Some(())
}

/// A link-local address is of no use without its link, which candidates cannot name.
fn is_usable(address: IpAddr) -> bool {
    let link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    !(link_local || address.is_unspecified() || address.is_multicast())
}

fn put_name(packet: &mut Vec<u8>, name: &str) {
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).expect("names that are asked for have short labels"));
        packet.extend(label.as_bytes());
    }
    packet.push(0);
}

struct Reader<'a> {
    packet: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.packet.get(self.at..self.at + length)?;
        self.at += length;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A name, which may go on elsewhere in the packet.
    fn name(&mut self) -> Option<String> {
        const POINTER: u8 = 0xc0;
        let mut name = String::new();
        let mut after = None;
        let mut jumps = 0;
        loop {
            let length = self.take(1)?[0];
            if length & POINTER == POINTER {
                let offset = usize::from(length & !POINTER) << 8 | usize::from(self.take(1)?[0]);
                after.get_or_insert(self.at);
                self.at = offset;
                jumps += 1;
                if jumps > MAX_JUMPS {
                    return None;
                }
                continue;
            }
            if length == 0 {
                self.at = after.unwrap_or(self.at);
                return Some(name);
            }
            let label = std::str::from_utf8(self.take(length.into())?).ok()?;
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(label);
            if name.len() > MAX_NAME {
                return None;
            }
        }
    }
}

/// What a browser says whose name was asked for.
#[cfg(test)]
pub(in crate::reach) fn answer(name: &str, address: IpAddr) -> Vec<u8> {
    let (kind, octets) = match address {
        IpAddr::V4(address) => (TYPE_A, address.octets().to_vec()),
        IpAddr::V6(address) => (TYPE_AAAA, address.octets().to_vec()),
    };
    let mut packet = vec![0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0];
    put_name(&mut packet, "another-record");
    packet.extend([0, 16, 0, 1, 0, 0, 0, 120, 0, 2, 1, b'x']);
    put_name(&mut packet, name);
    packet.extend(kind.to_be_bytes());
    packet.extend([0x80, 1, 0, 0, 0, 120]);
    packet.extend(u16::try_from(octets.len()).expect("short").to_be_bytes());
    packet.extend(octets);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_past_other_records_and_through_compression() {
        let address: IpAddr = "10.0.0.7".parse().expect("an address");
        assert_eq!(answers(&answer("a.local", address)), [("a.local".to_owned(), address)]);
        let mut packet = vec![0, 0, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        put_name(&mut packet, "a.local");
        packet.extend([0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 7]);
        assert_eq!(answers(&packet), [("a.local".to_owned(), address)]);
    }

    #[test]
    fn questions_loops_and_addresses_of_no_use_are_nothing() {
        assert_eq!(answers(&question("a.local")), []);
        assert_eq!(answers(&[0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 12]), []);
        for useless in ["0.0.0.0", "224.0.0.251", "fe80::1"] {
            assert_eq!(answers(&answer("a.local", useless.parse().expect("an address"))), [], "{useless}");
        }
    }
}
