//! What the network's trials mean. Pure.

use std::{io, net::SocketAddr};

use super::finding::Finding;
use crate::{
    config::Config,
    reach::{Nat, Sighting},
};

pub(super) fn port(listen: SocketAddr, error: Option<&anyhow::Error>) -> Finding {
    let Some(error) = error else {
        return Finding::ok("media port", format!("UDP {listen} is free"));
    };
    let in_use = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    if in_use.into_iter().any(|error| error.kind() == io::ErrorKind::AddrInUse) {
        return Finding::warn(
            "media port",
            format!("UDP {listen} is in use"),
            "if that is a broadcaster, all is well; two on one machine need a media.listen each",
        );
    }
    Finding::fail("media port", format!("{error:#}"), "set media.listen to an address of this machine, or to [::]:8190")
}

pub(super) fn no_servers() -> Finding {
    Finding::warn(
        "stun",
        "no STUN server is known, so that viewers in other networks may not reach this robot",
        "list one in the server's ice.servers, or name one here: --stun stun:stun.example.org:3478",
    )
}

pub(super) fn no_socket(error: &io::Error) -> Finding {
    Finding::fail("stun", format!("no UDP socket can be opened: {error}"), "does this machine have a network?")
}

pub(super) fn useless(why: &str) -> Finding {
    Finding::warn("stun", why, "correct it in the server's ice.servers, or check this machine's DNS")
}

/// `useless`: there were others, which could not be asked.
pub(super) fn stun(sightings: &[Sighting], useless: bool) -> Finding {
    if sightings.is_empty() {
        let finding = if useless { Finding::fail } else { Finding::warn };
        return finding(
            "stun",
            "none of the servers can be asked over UDP",
            "list one in the server's ice.servers, or name one here: --stun stun:stun.example.org:3478",
        );
    }
    let silent: Vec<String> = sightings
        .iter()
        .filter(|sighting| sighting.seen.is_none())
        .map(|sighting| sighting.server.to_string())
        .collect();
    let says = format!("{} of {} servers answer over UDP", sightings.len() - silent.len(), sightings.len());
    if silent.is_empty() {
        Finding::ok("stun", says)
    } else if silent.len() < sightings.len() {
        Finding::warn("stun", format!("{says}; {} not", silent.join(", ")), "is it down, or its address wrong?")
    } else {
        Finding::fail(
            "stun",
            format!("{says}: {} silent", silent.join(", ")),
            "a firewall drops UDP: let it out to that port, or list a TURN server with ?transport=tcp or turns: in the \
             server's ice.servers",
        )
    }
}

/// `relays`: there are TURN servers.
pub(super) fn nat(nat: Nat, relays: bool) -> Finding {
    match nat {
        Nat::None => Finding::ok("nat", "none: this machine's own address is seen outside"),
        Nat::Friendly => Finding::ok(
            "nat",
            "a friendly one: every server sees the same address, and viewers reach the robot directly",
        ),
        Nat::Unknown => Finding::warn(
            "nat",
            "there is one; whether it is friendly, a single server cannot tell",
            "name a second one: --stun stun:stun.example.org:3478",
        ),
        Nat::Symmetric if relays => {
            Finding::ok("nat", "a symmetric one: viewers behind such networks come through the TURN server")
        }
        Nat::Symmetric => Finding::warn(
            "nat",
            "a symmetric one: each server sees another address, and viewers behind such networks cannot reach the robot",
            "list a TURN server in the server's ice.servers",
        ),
        Nat::NoUdp => Finding::fail(
            "nat",
            "unknown, as no UDP comes back",
            "open UDP on the network, or list a TURN server with turns: in the server's ice.servers",
        ),
    }
}

/// It is not measured, as that would take it from those who use it now.
pub(super) fn uplink(config: &Config) -> Finding {
    let best = config.cameras.iter().flat_map(|camera| camera.info(&config.rungs).video.rungs).map(|rung| rung.bitrate);
    let best = f64::from(best.max().unwrap_or_default()) / 1e6;
    Finding::ok("uplink", format!("not measured; each viewer takes up to {best:.1} Mbit/s of it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Level;

    #[test]
    fn a_port_in_use_may_be_our_own() {
        let listen = "[::]:8190".parse().expect("an address");
        let level = |kind| port(listen, Some(&anyhow::Error::from(io::Error::from(kind)).context("open"))).level;
        assert_eq!(port(listen, None).level, Level::Ok);
        assert_eq!(level(io::ErrorKind::AddrInUse), Level::Warn);
        assert_eq!(level(io::ErrorKind::PermissionDenied), Level::Fail);
    }

    #[test]
    fn one_silent_server_is_no_failure_and_all_of_them_are() {
        let seen = |seen: Option<&str>| Sighting {
            server: "192.0.2.1:3478".parse().expect("an address"),
            seen: seen.map(|seen| seen.parse().expect("an address")),
        };
        let (silent, answers) = (seen(None), seen(Some("203.0.113.1:1")));
        assert_eq!(stun(&[answers.clone(), answers.clone()], true).level, Level::Ok);
        assert_eq!(stun(&[answers, silent.clone()], false).level, Level::Warn);
        assert_eq!(stun(&[silent], false).level, Level::Fail);
        assert_eq!(stun(&[], false).level, Level::Warn, "there are only streams");
        assert_eq!(stun(&[], true).level, Level::Fail);
    }

    #[test]
    fn a_symmetric_nat_needs_a_relay() {
        assert_eq!(nat(Nat::Symmetric, false).level, Level::Warn);
        assert_eq!(nat(Nat::Symmetric, true).level, Level::Ok);
        assert_eq!(nat(Nat::Friendly, false).level, Level::Ok);
        assert_eq!(nat(Nat::NoUdp, true).level, Level::Fail);
    }
}
