//! On whose behalf a request is made: nobody becomes somebody else by what it says of itself.

use std::net::IpAddr;

use server::{Config, fuzz::listen::client};

use crate::script::Script;

const PROXY: &str = "10.0.0.1";
const CLIENT: &str = "203.0.113.7";

pub fn proxy(data: &[u8]) {
    let mut script = Script::new(data);
    let (header, says): (&str, &[u8]) = match script.below(2) {
        0 => ("x-forwarded-for", b"203.0.113.7"),
        _ => ("forwarded", b"for=203.0.113.7"),
    };
    let config: Config =
        toml::from_str(&format!("trusted_proxies = [\"10.0.0.0/8\"]\nforwarded_header = \"{header}\""))
            .expect("a config");
    let [proxy, outside] = [PROXY, CLIENT].map(|text| text.parse::<IpAddr>().expect("an address"));
    let mut lines = Vec::new();
    while script.step().is_some() && lines.len() < 8 {
        lines.push(script.bytes());
    }
    assert_eq!(client(&config, outside, header, &lines), outside, "asked without a proxy");
    // Whatever that is: a proxy that says nothing of its own believes its client.
    let _ = client(&config, proxy, header, &lines);
    lines.push(says);
    assert_eq!(client(&config, proxy, header, &lines), outside, "the proxy has added a line");
    let Some(own) = lines.iter().rev().nth(1).copied() else { return };
    let appended = [own, &b", "[..], says].concat();
    lines.pop();
    lines.pop();
    lines.push(&appended);
    let seen = client(&config, proxy, header, &lines);
    let is_line = own.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    // A quote that does not end hides what is behind it; a line that is no text, or no line, says nothing.
    assert!(seen == outside || seen.is_unspecified() || !is_line, "{seen}");
}
