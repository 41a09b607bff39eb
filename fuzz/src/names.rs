//! Answers of multicast DNS, which anybody on the local network can send.

use std::net::IpAddr;

use broadcaster::fuzz::reach::{question, told};

/// As many records as one packet is read for.
const MAX_RECORDS: usize = 64;

/// Of a name with its last label.
const MAX_NAME: usize = 255;

pub fn names(data: &[u8]) {
    let answers = told(data);
    assert!(answers.len() <= MAX_RECORDS);
    for (name, address) in &answers {
        assert!(name.len() <= MAX_NAME, "{} bytes", name.len());
        assert!(!address.is_unspecified() && !address.is_multicast(), "{address}");
        assert!(!matches!(address, IpAddr::V6(address) if address.is_unicast_link_local()), "{address}");
    }
    // Viewers choose the names that are asked for.
    if let Ok(name) = std::str::from_utf8(data)
        && let Some(packet) = question(name)
    {
        assert!(packet.len() < 128, "a name that a browser makes is short");
        assert!(told(&packet).is_empty(), "a question answers nothing");
    }
}
