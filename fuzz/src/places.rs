//! Where a viewer says that it is: how many addresses are tried, and which never.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use broadcaster::fuzz::transport::{Judged, Places};

use crate::script::Script;

/// Of all kinds together.
const MAX_TAKEN: usize = 14;
const MAX_PORTS: usize = 2;

pub fn places(data: &[u8]) {
    let mut script = Script::new(data);
    let loopback = script.byte() & 1 == 1;
    let mut places = Places::new(loopback);
    let (mut taken, mut tried, mut names) = (0, BTreeMap::new(), BTreeSet::new());
    while let Some(step) = script.step() {
        let Ok(text) = std::str::from_utf8(script.bytes()) else { continue };
        let line = if step % 4 == 3 {
            let mut octets = [0; 16];
            octets.fill_with(|| script.byte());
            let address = if octets[0] & 1 == 0 {
                IpAddr::from([octets[1], octets[2], octets[3], octets[4]])
            } else {
                IpAddr::from(octets)
            };
            // Whoever answers for a name chooses the address.
            let Some(line) = places.resolved(text, address) else { continue };
            assert!(names.contains(text), "{text} was not sought");
            assert!(line.contains(&address.to_canonical().to_string()), "{line}");
            line
        } else {
            match places.judge(text) {
                Judged::Ignored => continue,
                Judged::Sought(name) => {
                    taken += 1;
                    assert!(name.len() <= 64 && name.ends_with(".local"), "{name}");
                    names.insert(name);
                    continue;
                }
                Judged::Tried => {
                    taken += 1;
                    text.to_owned()
                }
            }
        };
        assert!(taken <= MAX_TAKEN);
        let address = line.split_ascii_whitespace().nth(4).and_then(|address| address.parse::<IpAddr>().ok());
        let address = address.expect("it is tried").to_canonical();
        assert!(!address.is_unspecified() && !address.is_multicast() && (loopback || !address.is_loopback()), "{line}");
        let ports = tried.entry(address).or_insert(0);
        *ports += 1;
        assert!(*ports <= MAX_PORTS, "{address}");
    }
}
