//! What `make fuzz` reaches of what proxies say.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::Proxies;
use crate::config::Config;

/// Whom a request is from that came from `peer` with these lines of a header, as far as they can be a header's.
pub fn client(config: &Config, peer: IpAddr, header: &'static str, lines: &[&[u8]]) -> IpAddr {
    let name = HeaderName::from_static(header);
    let values = lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers: HeaderMap = values.map(|value| (name.clone(), value)).collect();
    Proxies::new(config).client(peer, &headers).0
}
