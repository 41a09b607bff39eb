//! Asks STUN servers how a port of this machine is seen, apart from the fan-out.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use tokio::net::UdpSocket;

use super::url::ServerUrl;
use crate::reach::{MAX_SERVERS, Sighting, canonical, server::Transport, survey::Survey};

/// Four questions are lost on no network that could carry video.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const LOOKUP_WITHIN: Duration = Duration::from_secs(5);

/// Two addresses of one name are as good as two servers.
const ADDRESSES: usize = 2;

const LARGEST_ANSWER: usize = 1500;

/// What the servers of these urls see of this port; of another one when somebody has it. Urls that cannot be used, or whose
/// names lead nowhere, come back apart.
pub(crate) async fn look_from_outside(urls: &[String], port: u16) -> io::Result<(Vec<Sighting>, Vec<String>)> {
    let (mut servers, mut useless) = (Vec::new(), Vec::new());
    for url in urls {
        match url.parse::<ServerUrl>() {
            // Only over UDP do they see the port that pictures leave from.
            Ok(ServerUrl { transport: Transport::Tcp | Transport::Tls, .. }) => {}
            Ok(ServerUrl { host, port, .. }) => match look_up(&host, port).await {
                Ok(addresses) => servers.extend(addresses),
                Err(reason) => useless.push(format!("{url}: {reason}")),
            },
            Err(reason) => useless.push(format!("{url}: {reason}")),
        }
    }
    servers.sort_unstable();
    servers.dedup();
    // One socket speaks one family; NATs are where IPv4 is.
    let is_v4 = servers.iter().any(SocketAddr::is_ipv4);
    servers.retain(|server| server.is_ipv4() == is_v4);
    servers.truncate(MAX_SERVERS);
    if servers.is_empty() {
        return Ok((Vec::new(), useless));
    }
    let any: IpAddr = if is_v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = match UdpSocket::bind((any, port)).await {
        Ok(socket) => socket,
        Err(_) => UdpSocket::bind((any, 0)).await?,
    };
    Ok((ask(&socket, servers).await?, useless))
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let lookup = tokio::time::timeout(LOOKUP_WITHIN, tokio::net::lookup_host((host, port))).await;
    let addresses =
        lookup.map_err(|_| "its name is not answered for".to_owned())?.map_err(|error| error.to_string())?;
    let mut addresses: Vec<SocketAddr> = addresses.map(canonical).collect();
    addresses.sort_unstable_by_key(|address| (!address.is_ipv4(), *address));
    addresses.truncate(ADDRESSES);
    Ok(addresses)
}

async fn ask(socket: &UdpSocket, servers: Vec<SocketAddr>) -> io::Result<Vec<Sighting>> {
    let local = socket.local_addr()?;
    let end = now() + ANSWER_WITHIN;
    let mut survey = Survey::new(servers, now());
    let mut buffer = [0; LARGEST_ANSWER];
    while !survey.is_complete() && now() < end {
        survey.handle_timeout(now());
        while let Some((server, data)) = survey.poll_transmit() {
            if let Err(error) = socket.send_to(&data, server).await {
                tracing::debug!(%server, %error, "a STUN server cannot be asked");
            }
        }
        let due = survey.poll_timeout().unwrap_or(end).min(end);
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                // Errors are of one server, as when nobody listens there.
                if let Ok((length, from)) = received {
                    survey.handle_datagram(from, local, &buffer[..length], now());
                }
            }
            () = tokio::time::sleep_until(due.into()) => {}
        }
    }
    Ok(survey.sightings())
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
