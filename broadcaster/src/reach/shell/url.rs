//! The addresses of STUN and TURN servers (RFC 7064, RFC 7065).

use std::{net::IpAddr, str::FromStr};

use crate::reach::server::Transport;

const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerUrl {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
    pub(super) is_relay: bool,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidUrl {
    #[error("it begins with none of stun:, turn: and turns:")]
    Scheme,
    #[error("it names no host")]
    Host,
    #[error("it names a port that is none")]
    Port,
    #[error("this transport cannot be used here")]
    Transport,
}

impl FromStr for ServerUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidUrl::Scheme)?;
        let (authority, query) =
            rest.split_once('?').map_or((rest, None), |(authority, query)| (authority, Some(query)));
        let (is_relay, transport) = match (scheme.to_ascii_lowercase().as_str(), query) {
            ("stun", None) => (false, Transport::Udp),
            ("turn", None | Some("transport=udp")) => (true, Transport::Udp),
            ("turn", Some("transport=tcp")) => (true, Transport::Tcp),
            ("turns", None | Some("transport=tcp")) => (true, Transport::Tls),
            ("stun" | "turn" | "turns" | "stuns", _) => return Err(InvalidUrl::Transport),
            _ => return Err(InvalidUrl::Scheme),
        };
        let default_port = if transport == Transport::Tls { TLS_PORT } else { PORT };
        let (host, port) = split(authority)?;
        Ok(Self { host: host.to_owned(), port: port.unwrap_or(default_port), transport, is_relay })
    }
}

fn split(authority: &str) -> Result<(&str, Option<u16>), InvalidUrl> {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let is_address = host.parse::<IpAddr>().is_ok();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !is_address && (host.is_empty() || !host.bytes().all(is_name)) {
        return Err(InvalidUrl::Host);
    }
    let port = port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or(InvalidUrl::Port)).transpose()?;
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (String, u16, Transport, bool) {
        let ServerUrl { host, port, transport, is_relay } = text.parse().expect("valid");
        (host, port, transport, is_relay)
    }

    #[test]
    fn scheme_and_query_say_how_a_server_is_spoken_to() {
        assert_eq!(parse("stun:a.example"), ("a.example".to_owned(), 3478, Transport::Udp, false));
        assert_eq!(parse("turn:a.example:1000"), ("a.example".to_owned(), 1000, Transport::Udp, true));
        assert_eq!(parse("TURN:a.example?transport=tcp"), ("a.example".to_owned(), 3478, Transport::Tcp, true));
        assert_eq!(parse("turns:192.0.2.1"), ("192.0.2.1".to_owned(), 5349, Transport::Tls, true));
        assert_eq!(
            parse("turns:[2001:db8::1]:443?transport=tcp"),
            ("2001:db8::1".to_owned(), 443, Transport::Tls, true)
        );
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let error = |text: &str| text.parse::<ServerUrl>().expect_err("not valid");
        assert_eq!(error("https://a.example"), InvalidUrl::Scheme);
        assert_eq!(error("a.example"), InvalidUrl::Scheme);
        assert_eq!(error("turn:"), InvalidUrl::Host);
        assert_eq!(error("turn://a.example"), InvalidUrl::Host);
        assert_eq!(error("turn:user@a.example"), InvalidUrl::Host);
        assert_eq!(error("stun:a.example:0"), InvalidUrl::Port);
        assert_eq!(error("stun:a.example:http"), InvalidUrl::Port);
        assert_eq!(error("turns:a.example?transport=udp"), InvalidUrl::Transport);
        assert_eq!(error("stuns:a.example"), InvalidUrl::Transport);
    }
}
