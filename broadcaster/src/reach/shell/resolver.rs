//! From the signalling server's list to addresses: again when the list changes, and now and then, as addresses do.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use protocol::IceServer;
use tokio::sync::{mpsc, watch};

use super::{ReachInput, line::Line, url::ServerUrl};
use crate::{
    reach::{
        canonical, merge,
        server::{Credentials, Server, ServerId, Transport},
    },
    signalling::backoff::Backoff,
};

/// Urls beyond these are not looked at.
const MAX_URLS: usize = 16;

/// A robot that starts before its network is up tries often at first.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);
const LOOKUP_WITHIN: Duration = Duration::from_secs(5);

/// RFC 8489, section 14.3: 508 bytes; and no password is longer than a line.
const MAX_CREDENTIAL: usize = 508;

/// One url, and what its server knows us by.
pub(super) struct Target {
    pub(super) url: ServerUrl,
    pub(super) relay: Option<Credentials>,
}

/// Ends when the fan-out does.
pub(super) async fn run(
    mut lists: watch::Receiver<Vec<IceServer>>,
    lines: watch::Sender<Vec<Line>>,
    inputs: mpsc::Sender<ReachInput>,
) {
    // The list is empty until there is one.
    let mut known = BTreeMap::new();
    while lists.changed().await.is_ok() {
        let targets = targets(&lists.borrow_and_update());
        let mut backoff = Backoff::between(FIRST_WAIT, LONGEST_WAIT);
        // New credentials for a server are no reason to look for it elsewhere, or to lose it while names lead nowhere.
        known.retain(|(host, port), _| targets.iter().any(|Target { url, .. }| url.host == *host && url.port == *port));
        let mut told = None;
        loop {
            let complete = look_up(&targets, &mut known).await;
            let (servers, wanted) = found(&targets, &known);
            if told.as_ref() != Some(&servers) {
                // Lines come after their servers, so that nothing on them is unexpected.
                if inputs.send(ReachInput::Servers(servers.clone())).await.is_err() {
                    return;
                }
                lines.send_replace(wanted);
                told = Some(servers);
            }
            let wait = if complete { LOOK_AGAIN } else { backoff.next(rand::random()) };
            // What a clone sees the original has still to see.
            let mut another = lists.clone();
            tokio::select! {
                _ = another.changed() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

pub(super) fn targets(list: &[IceServer]) -> Vec<Target> {
    let entries = list.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url)));
    let targets = entries.take(MAX_URLS).filter_map(|(server, url)| match target(server, url) {
        Ok(target) => Some(target),
        Err(reason) => {
            tracing::warn!(url, reason, "a STUN or TURN server cannot be used");
            None
        }
    });
    targets.collect()
}

fn target(server: &IceServer, url: &str) -> Result<Target, String> {
    let url: ServerUrl = url.parse().map_err(|error: super::url::InvalidUrl| error.to_string())?;
    let relay = match (url.is_relay, &server.username, &server.credential) {
        (false, _, _) => None,
        (true, Some(username), Some(password)) if username.len().max(password.len()) <= MAX_CREDENTIAL => {
            Some(Credentials { username: username.clone(), password: password.clone() })
        }
        (true, Some(_), Some(_)) => return Err("its credentials are too long".to_owned()),
        (true, _, _) => return Err("a relay wants a username and a credential".to_owned()),
    };
    Ok(Target { url, relay })
}

/// Finds each host's address. False: some are missing.
async fn look_up(targets: &[Target], known: &mut BTreeMap<(String, u16), SocketAddr>) -> bool {
    let mut complete = true;
    for Target { url: ServerUrl { host, port, .. }, .. } in targets {
        let lookup = tokio::time::timeout(LOOKUP_WITHIN, tokio::net::lookup_host((host.as_str(), *port))).await;
        let addresses: Vec<SocketAddr> = match lookup {
            Ok(Ok(addresses)) => addresses.map(canonical).collect(),
            Ok(Err(error)) => {
                tracing::debug!(host, %error, "a STUN or TURN server's name leads nowhere yet");
                Vec::new()
            }
            Err(_) => {
                tracing::debug!(host, "no answer yet to where a STUN or TURN server is");
                Vec::new()
            }
        };
        let key = (host.clone(), *port);
        match choose(&addresses, known.get(&key).copied()) {
            Some(address) => drop(known.insert(key, address)),
            None => complete = false,
        }
    }
    complete
}

/// IPv4 first: that is where NATs are. An address that is in use stays while its name has it.
fn choose(addresses: &[SocketAddr], used: Option<SocketAddr>) -> Option<SocketAddr> {
    if let Some(used) = used.filter(|used| addresses.contains(used)) {
        return Some(used);
    }
    let reachable = || addresses.iter().copied().filter(|address| has_route(*address));
    reachable().find(SocketAddr::is_ipv4).or_else(|| reachable().next()).or(addresses.first().copied())
}

/// Sends nothing: connecting a UDP socket only asks the routing table.
fn has_route(to: SocketAddr) -> bool {
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    UdpSocket::bind(any).and_then(|socket| socket.connect(to)).is_ok()
}

fn found(targets: &[Target], known: &BTreeMap<(String, u16), SocketAddr>) -> (Vec<Server>, Vec<Line>) {
    let mut hosts = BTreeMap::new();
    let servers = targets.iter().filter_map(|Target { url, relay }| {
        let address = *known.get(&(url.host.clone(), url.port))?;
        let id = ServerId { address, transport: url.transport };
        hosts.entry(id).or_insert_with(|| url.host.clone());
        Some(Server { id, relay: relay.clone() })
    });
    let servers = merge(servers.collect());
    let streams = servers.iter().map(|server| server.id).filter(|id| id.transport != Transport::Udp);
    let lines = streams.filter_map(|id| Some(Line { id, host: hosts.get(&id)?.clone() })).collect();
    (servers, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(urls: &[&str], username: Option<&str>) -> IceServer {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        IceServer { urls, username: username.map(str::to_owned), credential: username.map(str::to_owned) }
    }

    #[tokio::test]
    async fn a_list_becomes_servers_and_lines_without_what_cannot_be_used() {
        let list = [
            listed(&["stun:127.0.0.1:1", "http://127.0.0.1", "stun:[::1]"], None),
            listed(&["turn:127.0.0.1:2"], None),
            listed(&["turn:127.0.0.1:1", "turns:127.0.0.1:3"], Some("robot")),
            listed(&["turn:127.0.0.1:4"], Some(&"x".repeat(600))),
        ];
        let targets = targets(&list);
        let mut known = BTreeMap::new();
        assert!(look_up(&targets, &mut known).await);
        let (servers, lines) = found(&targets, &known);
        let servers: Vec<(String, bool)> =
            servers.iter().map(|server| (server.id.to_string(), server.relay.is_some())).collect();
        let expected = [("udp:127.0.0.1:1", true), ("udp:[::1]:3478", false), ("tls:127.0.0.1:3", true)];
        assert_eq!(servers, expected.map(|(id, relay)| (id.to_owned(), relay)));
        let lines: Vec<(String, &str)> = lines.iter().map(|line| (line.id.to_string(), line.host.as_str())).collect();
        assert_eq!(lines, [("tls:127.0.0.1:3".to_owned(), "127.0.0.1")]);
    }

    #[test]
    fn an_address_stays_while_its_name_has_it_and_ipv4_comes_first() {
        let [v4, other, v6] = ["127.0.0.1:1", "127.0.0.2:1", "[::1]:1"].map(|text| text.parse().expect("an address"));
        assert_eq!(choose(&[v6, v4, other], None), Some(v4));
        assert_eq!(choose(&[v6, v4, other], Some(other)), Some(other));
        assert_eq!(choose(&[v6], Some(other)), Some(v6));
        assert_eq!(choose(&[], Some(other)), None);
    }
}
