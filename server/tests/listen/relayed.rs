//! The relay at the port that serves pages: who gets to it there, how many, and for how long.

use std::{net::SocketAddr, process::Stdio};

use rustls::version::TLS13;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::Instant,
};
use tokio_rustls::client::TlsStream;

use crate::{
    encrypted::{files, pair},
    support::{Folder, Running, ask, connect, encrypt, encrypted, rest, until, within},
};

/// STUN's question for one's own address.
const BINDING: [u8; 20] = *b"\x00\x01\x00\x00\x21\x12\xa4\x42nineteenbyte";

const MAGIC: u32 = 0x2112_a442;

const RELAY: &str = "[turn]\nenabled = true\nlisten = [\"127.0.0.1:0\"]\npublic_address = \"127.0.0.1\"\n\
                     secret = \"north and south pole\"\nmax_allocations_per_user = 10\n";

/// `more` is of the relay, and whatever comes after it; `first` belongs before all sections.
async fn relaying(folder: &Folder, first: &str, more: &str) -> Running {
    let tls = format!("state_dir = {:?}\n[tls]\nmode = \"self_signed\"\n", folder.root());
    Running::start(&format!("{first}{tls}{RELAY}{more}")).await
}

impl Running {
    async fn encrypted_from(&self, last: u8) -> TlsStream<TcpStream> {
        encrypted(self.connect_from([127, 0, 0, last]).await).await
    }

    fn relay_connections(&self) -> usize {
        self.relay.as_ref().expect("it relays").counters().connections
    }
}

/// The address that the relay sees, or nothing if it has hung up.
async fn mapped(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<SocketAddr> {
    // In pieces, as streams may bring it.
    for piece in BINDING.chunks(7) {
        within(stream.write_all(piece)).await.ok()?;
        within(stream.flush()).await.ok()?;
    }
    let mut answer = [0; 32];
    within(stream.read_exact(&mut answer)).await.ok()?;
    assert_eq!(answer[..4], [1, 1, 0, 12], "a success");
    assert_eq!(answer[20..26], [0, 0x20, 0, 8, 0, 1], "an address of IPv4");
    let port = u16::from_be_bytes([answer[26], answer[27]]) ^ 0x2112;
    let ip = u32::from_be_bytes([answer[28], answer[29], answer[30], answer[31]]) ^ MAGIC;
    Some(SocketAddr::from((ip.to_be_bytes(), port)))
}

/// Coturn's client, as Debian packages it: two of them, who send each other so many packets, relay to relay.
fn couple(server: &Running, packets: &str) -> Command {
    let mut client = Command::new("turnutils_uclient");
    client
        .args(["-S", "-t", "-y", "-c", "-u", "demo", "-W", "north and south pole", "-m", "2", "-z", "5"])
        .args(["-n", packets, "-p", &server.address.port().to_string(), "127.0.0.1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    client
}

/// Waits until so many packets were carried.
async fn carried(server: &Running, packets: u64) {
    let relay = server.relay.as_ref().expect("it relays");
    until(async || relay.counters().relayed_packets >= packets).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_relays_and_serves_pages_at_the_same_time() {
    let folder = Folder::new();
    let server = relaying(&folder, "", "").await;
    let endless = couple(&server, "1000000").spawn().expect("turnutils_uclient starts; Debian's package coturn has it");
    carried(&server, 100).await;
    let page = ask(encrypted(server.connect().await).await, "/", "").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<html"), "{page}");
    let before = server.relay.as_ref().expect("it relays").counters().relayed_packets;
    carried(&server, before + 100).await;
    drop(endless);
    until(async || server.relay_connections() == 0).await;

    let before = server.relay.as_ref().expect("it relays").counters().relayed_packets;
    let output = within(couple(&server, "100").output()).await.expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    // It takes whatever one record of TLS holds for one message, and so does not count all that it is given.
    carried(&server, before + 200).await;
    server.stop().await;
}

#[tokio::test]
async fn the_first_byte_tells_who_means_the_relay() {
    let folder = Folder::new();
    let server = relaying(&folder, "", "").await;
    for protocols in [&[&b"stun.turn"[..]][..], &[b"http/1.1"], &[]] {
        let mut stream = encrypt(server.connect().await, &[&TLS13], protocols).await.expect("encrypted");
        let local = stream.get_ref().0.local_addr().expect("connected");
        assert_eq!(mapped(&mut stream).await, Some(local));
    }
    // HTTP may begin with line breaks.
    let mut early = encrypted(server.connect().await).await;
    within(early.write_all(b"\r\n")).await.expect("sent");
    assert!(ask(early, "/healthz", "").await.starts_with("HTTP/1.1 200"));
    // As many questions as do not fit into one record of TLS.
    let mut hasty = encrypted(server.connect().await).await;
    within(hasty.write_all(&BINDING.repeat(900))).await.expect("sent");
    within(hasty.read_exact(&mut vec![0; 900 * 32])).await.expect("all of them answered");
    drop(hasty);
    let mut neighbour = server.encrypted_from(1).await;
    assert!(mapped(&mut neighbour).await.is_some());
    for garbage in [
        &[0x00, 0x01, 0xff, 0xfc, 0, 0][..],
        &[0x03, 0x00, 0xff, 0xff],
        &[0x04; 64],
        &[0x40; 64],
        &[0x80; 64],
        b"hello\r\n\r\n",
    ] {
        let mut stream = encrypted(server.connect().await).await;
        within(stream.write_all(garbage)).await.expect("sent");
        let answer = rest(stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{garbage:?}: {answer}");
    }
    assert!(mapped(&mut neighbour).await.is_some(), "that is nobody else's affair");
    drop(neighbour);
    until(async || server.relay_connections() == 0).await;
    server.stop().await;
}

#[tokio::test]
async fn without_a_relay_it_is_all_http() {
    let folder = Folder::new();
    let server = Running::start(&format!("state_dir = {:?}\n[tls]\nmode = \"self_signed\"\n", folder.root())).await;
    let mut stream = encrypted(server.connect().await).await;
    within(stream.write_all(&BINDING)).await.expect("sent");
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    encrypt(server.connect().await, &[&TLS13], &[b"stun.turn"]).await.expect_err("nothing in common");
    server.stop().await;
}

#[tokio::test]
async fn an_address_of_ipv4_is_one_at_a_port_for_both_families() {
    let folder = Folder::new();
    let tls = format!("state_dir = {:?}\n[tls]\nmode = \"self_signed\"\n", folder.root());
    let server = Running::start_there(&format!("listen = \"[::]:0\"\n{tls}{RELAY}")).await;
    let there = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    let mut stream = encrypted(connect(there, [127, 0, 0, 1].into()).await).await;
    let local = stream.get_ref().0.local_addr().expect("connected");
    assert_eq!(mapped(&mut stream).await, Some(local));
    drop(stream);
    server.stop().await;
}

/// A paused clock moves on as soon as nothing else does.
#[tokio::test(start_paused = true)]
async fn whoever_stalls_is_let_go_of_whatever_it_began() {
    let folder = Folder::new();
    let server = relaying(&folder, "", "").await;
    for (begins, within_seconds) in [(&b""[..], 15), (b"G", 25), (b"\x00", 35), (&BINDING, 35)] {
        let mut stream = encrypted(server.connect().await).await;
        within(stream.write_all(begins)).await.expect("sent");
        let began = Instant::now();
        rest(stream).await;
        let waited = began.elapsed().as_secs();
        assert!((5..within_seconds).contains(&waited), "{begins:?}: {waited} s");
    }
    assert_eq!(server.relay_connections(), 0);
    server.stop().await;
}

#[tokio::test]
async fn the_relay_counts_its_clients_whichever_port_they_come_by_and_nobody_counts_them_twice() {
    let folder = Folder::new();
    // Four connections of one address to pages, and three to the relay.
    let relays = "max_connections = 4\nmax_connections_per_address = 3\n[limits]\nmax_connections_per_address = 1\n";
    let server = relaying(&folder, "trusted_proxies = []\n", relays).await;
    let counters = || server.relay.as_ref().expect("it relays").counters();
    let url = server.relay.as_ref().expect("it relays").url();
    let plain: SocketAddr = url.trim_start_matches("stun:").parse().expect("an address");
    let mut direct = connect(plain, [127, 0, 0, 2].into()).await;
    assert!(mapped(&mut direct).await.is_some());
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = server.encrypted_from(2).await;
        assert!(mapped(&mut stream).await.is_some());
        held.push(stream);
    }
    assert_eq!(mapped(&mut server.encrypted_from(2).await).await, None, "it has as many as it may");
    let mut other = server.encrypted_from(3).await;
    assert!(mapped(&mut other).await.is_some());
    assert_eq!(mapped(&mut server.encrypted_from(4).await).await, None, "there are as many as there may be");
    assert_eq!((counters().connections, counters().refused.connections), (4, 2));

    // None of them takes a seat from those who want pages, which are four.
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(server.encrypted_from(2).await);
    }
    let served = ask(server.encrypted_from(2).await, "/healthz", "").await;
    assert!(served.starts_with("HTTP/1.1 200"), "{served}");
    drop((direct, held, other, idle));
    until(async || counters().connections == 0).await;

    // Seats of either kind come back, however often they are taken.
    for _ in 0..20 {
        until(async || mapped(&mut server.encrypted_from(2).await).await.is_some()).await;
    }
    until(async || ask(server.encrypted_from(2).await, "/healthz", "").await.starts_with("HTTP/1.1 200")).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_relayed_goes_on_while_the_server_ends_and_no_longer_than_it_may() {
    for drain in ["1h", "1s"] {
        let folder = Folder::new();
        let server = relaying(&folder, &format!("drain_timeout = {drain:?}\n"), "").await;
        let endless = couple(&server, "1000000").spawn().expect("turnutils_uclient starts");
        carried(&server, 100).await;
        // One who carries nothing keeps nobody waiting.
        let mut quiet = encrypted(server.connect().await).await;
        assert!(mapped(&mut quiet).await.is_some());
        server.begin_to_stop();
        if drain == "1h" {
            let before = server.relay.as_ref().expect("it relays").counters().relayed_packets;
            carried(&server, before + 1000).await;
            assert!(!server.has_stopped());
            assert!(TcpStream::connect(server.address).await.is_err(), "nobody else is let in");
            drop(endless);
            server.stop().await;
        } else {
            server.stop().await;
            drop(endless);
        }
        assert_eq!(rest(quiet).await, "");
    }
}

#[tokio::test]
async fn robots_and_viewers_are_told_of_it_by_the_name_that_the_certificate_is_for() {
    let folder = Folder::new();
    let tls = files(&folder, &pair());
    for (public, is_told) in [("public_url = \"https://localhost:8443\"\n", true), ("", false)] {
        let config = format!("{public}{tls}{RELAY}");
        let server = Running::start(&config).await;
        let told = ask(encrypted(server.connect().await).await, "/api/v1/server", "").await;
        assert!(told.contains("?transport=udp") && told.contains("?transport=tcp\""), "{told}");
        assert_eq!(told.contains("\"turns:localhost:8443?transport=tcp\""), is_told, "{told}");
        server.stop().await;
        let described = server::report::describe(&toml::from_str(&config).expect("a config")).expect("described");
        assert!(described.contains("Relays over TLS as well"), "{described}");
        assert_eq!(described.contains("turns:localhost:8443?transport=tcp"), is_told, "{described}");
    }
}
