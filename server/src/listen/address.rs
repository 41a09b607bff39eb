//! Where a request really comes from. Pure.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};

use crate::config::{Config, ForwardedHeader, Network};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whom a proxy that we believe does not name, in a way that can be understood: all of them share one place.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The address of whoever made a request, at the far end of the proxies that are believed. Every request that comes in
/// through [`super::Entrance`] has it among its extensions. Personal: for logs at debug level at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl ClientAddress {
    pub(crate) const NOBODY: Self = Self(UNKNOWN);

    pub(crate) fn is_of_this_machine(self) -> bool {
        self.0.to_canonical().is_loopback()
    }
}

/// Who is believed when it says on whose behalf it asks.
#[derive(Debug)]
pub(crate) struct Proxies {
    trusted: Vec<Network>,
    header: ForwardedHeader,
}

impl Proxies {
    pub(crate) fn new(config: &Config) -> Self {
        Self { trusted: config.trusted_proxies.clone(), header: config.forwarded_header }
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// The last address in the header that no trusted proxy has: what stands before it, its owner may have made up.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = peer;
        if !self.trusts(peer) {
            return ClientAddress(peer);
        }
        let name = match self.header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => header::FORWARDED,
        };
        for line in headers.get_all(name).iter().rev() {
            let hops = line.to_str().ok().and_then(|line| match self.header {
                ForwardedHeader::XForwardedFor => Some(line.split(',').map(address).collect::<Vec<_>>()),
                ForwardedHeader::Forwarded => Some(split(line, ',')?.into_iter().map(forwarded_for).collect()),
            });
            for hop in hops.unwrap_or_else(|| vec![None]).into_iter().rev() {
                client = hop.unwrap_or(UNKNOWN);
                if !self.trusts(client) {
                    return ClientAddress(client);
                }
            }
        }
        ClientAddress(client)
    }
}

/// `for=192.0.2.43;proto=https`, in any order.
fn forwarded_for(hop: &str) -> Option<IpAddr> {
    let parameters = split(hop, ';')?;
    let value = parameters.iter().find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    })?;
    address(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// With or without a port, IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = text.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip())).or_else(bare);
    address.map(|address: IpAddr| address.to_canonical())
}

/// Splits where the separator is not in quotes; nothing when a quote does not end.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if quoted && c == '\\' {
            escaped = true;
        } else if c == '"' {
            quoted = !quoted;
        } else if c == separator && !quoted {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn proxies(header: ForwardedHeader) -> Proxies {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network")).into();
        Proxies { trusted, header }
    }

    fn client(header: ForwardedHeader, peer: &str, lines: &[&[u8]]) -> IpAddr {
        let name = match header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => header::FORWARDED,
        };
        let lines = lines.iter().map(|line| (name.clone(), HeaderValue::from_bytes(line).expect("a value")));
        proxies(header).client(peer.parse().expect("an address"), &lines.collect()).0
    }

    fn x(peer: &str, line: &str) -> String {
        client(ForwardedHeader::XForwardedFor, peer, &[line.as_bytes()]).to_string()
    }

    fn forwarded(line: &str) -> String {
        client(ForwardedHeader::Forwarded, PROXY, &[line.as_bytes()]).to_string()
    }

    #[test]
    fn the_last_address_that_no_proxy_has_is_the_clients() {
        assert_eq!(x(PROXY, "203.0.113.7"), "203.0.113.7");
        assert_eq!(x(PROXY, "198.51.100.1, 203.0.113.7,10.2.3.4"), "203.0.113.7");
        assert_eq!(x(PROXY, "203.0.113.7:4711"), "203.0.113.7");
        assert_eq!(x(PROXY, "[2001:db8::1]:4711"), "2001:db8::1");
        assert_eq!(x(PROXY, "2001:db8::1"), "2001:db8::1");
        assert_eq!(x(PROXY, "::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(x(PROXY, "10.7.7.7, fd00::2"), "10.7.7.7", "proxies only: the farthest");
        assert_eq!(x("203.0.113.9", "198.51.100.1"), "203.0.113.9", "whoever is not trusted is nobody else");
        assert_eq!(client(ForwardedHeader::XForwardedFor, PROXY, &[]).to_string(), PROXY);
        let lines: [&[u8]; 2] = [b"198.51.100.1", b"203.0.113.7"];
        assert_eq!(client(ForwardedHeader::XForwardedFor, PROXY, &lines).to_string(), "203.0.113.7");
    }

    #[test]
    fn forwarded_is_read_as_its_standard_says() {
        assert_eq!(forwarded("for=203.0.113.7;proto=https;by=10.0.0.1"), "203.0.113.7");
        assert_eq!(forwarded("proto=https; For=\"[2001:db8::1]:4711\""), "2001:db8::1");
        assert_eq!(forwarded("for=198.51.100.1, for=203.0.113.7, for=10.0.0.9"), "203.0.113.7");
        // What a client calls its host is its own affair.
        assert_eq!(forwarded("for=203.0.113.7;host=\"a, for=198.51.100.1\""), "203.0.113.7");
        assert_eq!(forwarded("for=203.0.113.7;host=\"a\\\", for=198.51.100.1\""), "203.0.113.7");
    }

    #[test]
    fn those_whom_a_proxy_does_not_name_share_one_place() {
        for garbage in ["unknown", "", "_hidden", "203.0.113", "203.0.113.7, ", "fe80::1%eth0"] {
            assert_eq!(x(PROXY, garbage), "0.0.0.0", "{garbage}");
        }
        for garbage in ["for=unknown", "for=_hidden", "by=10.0.0.1", "for=\"203.0.113.7", "203.0.113.7"] {
            assert_eq!(forwarded(garbage), "0.0.0.0", "{garbage}");
        }
        assert_eq!(client(ForwardedHeader::XForwardedFor, PROXY, &[b"203.0.113.7\xff"]).to_string(), "0.0.0.0");
    }

    /// SplitMix64: a failing seed can be run again.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a usize")
        }

        /// What a client may say of itself, made of what the parser looks for.
        fn line(&mut self) -> Vec<u8> {
            let pieces: [&[u8]; 16] = [
                b"10.0.0.1",
                b"198.51.100.1",
                b"::1",
                b"[fd00::1]",
                b",",
                b", ",
                b";",
                b"for=",
                b"FOR =",
                b"\"",
                b"\\",
                b":80",
                b"unknown",
                b"\xff",
                b"\t",
                b"host=",
            ];
            (0..self.below(12)).flat_map(|_| pieces[self.below(pieces.len())].to_vec()).collect()
        }
    }

    #[test]
    fn nothing_that_a_client_says_makes_it_somebody_else() {
        for seed in 0..100_000 {
            let mut random = Random(seed);
            let own: Vec<Vec<u8>> = (0..=random.below(3)).map(|_| random.line()).collect();
            let mut lines: Vec<&[u8]> = own.iter().map(Vec::as_slice).collect();
            for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                let seen = client(header, "203.0.113.7", &lines).to_string();
                assert_eq!(seen, "203.0.113.7", "seed {seed}: asked without a proxy");
            }
            // The proxy adds a line, or to the last one.
            let said: &[u8] = if random.below(2) == 0 { b"203.0.113.7" } else { b"203.0.113.7, 10.1.1.1" };
            let appended = [own.last().expect("at least one"), &b", "[..], said].concat();
            if random.below(2) == 0 {
                lines.push(said);
            } else {
                lines.pop();
                lines.push(&appended);
            }
            let seen = client(ForwardedHeader::XForwardedFor, PROXY, &lines).to_string();
            // A line that is no text names nobody.
            let is_text = lines.last().is_some_and(|line| !line.contains(&0xff));
            assert_eq!(seen, if is_text { "203.0.113.7" } else { "0.0.0.0" }, "seed {seed}: {lines:?}");

            lines.pop();
            lines.push(b"for=203.0.113.7;proto=https, for=\"10.1.1.1:80\"");
            assert_eq!(client(ForwardedHeader::Forwarded, PROXY, &lines).to_string(), "203.0.113.7", "seed {seed}");
        }
    }
}
