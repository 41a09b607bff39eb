//! The loops, over real sockets.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream},
    net::{TcpSocket, TcpStream, UdpSocket},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    config,
    turn::{Inlet, Tally, Turn, unix_time},
};

struct Running {
    address: SocketAddr,
    tally: Tally,
    inlet: Inlet,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(more: &str) -> Self {
        let text = format!(
            "enabled = true\nlisten = [\"127.0.0.1:0\"]\npublic_address = \"127.0.0.1\"\n\
             secret = \"a secret of the tests\"\n{more}"
        );
        let config: config::Turn = toml::from_str(&text).expect("valid");
        let turn = Turn::bind(&config).await.expect("binds");
        let address = turn.urls().stun.trim_start_matches("stun:").parse().expect("an address");
        let (tally, inlet, cancel) = (turn.tally(), turn.inlet(), CancellationToken::new());
        Self { address, tally, inlet, cancel: cancel.clone(), task: tokio::spawn(turn.run(cancel)) }
    }

    async fn connect(&self, from: Ipv4Addr) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((from, 0).into()).expect("binds");
        socket.connect(self.address).await.expect("connects")
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.expect("it ends");
    }
}

/// An unsigned question and its whole answer.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Vec<u8> {
    let mut request = Vec::new();
    Writer::new(&mut request, Method::Binding, Class::Request, &[9; 12]);
    // In pieces, as streams may bring it.
    for piece in request.chunks(7) {
        stream.write_all(piece).await.expect("sent");
    }
    let mut answer = vec![0; 32];
    stream.read_exact(&mut answer).await.expect("answered");
    answer
}

/// Whether the other end has closed it.
async fn is_closed(mut stream: TcpStream) -> bool {
    let mut byte = [0];
    !matches!(stream.read(&mut byte).await, Ok(length) if length > 0)
}

#[tokio::test]
async fn a_name_that_only_this_machine_has_is_refused() {
    let config: config::Turn =
        toml::from_str("listen = [\"127.0.0.1:0\"]\npublic_address = \"localhost\"").expect("valid");
    let error = format!("{:#}", Turn::bind(&config).await.err().expect("refused"));
    assert!(
        error.contains("turn.public_address") && error.contains("localhost") && error.contains("loopback"),
        "{error}"
    );
}

#[tokio::test]
async fn both_ways_in_are_answered() {
    let running = Running::start("").await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    let mut request = Vec::new();
    Writer::new(&mut request, Method::Binding, Class::Request, &[9; 12]);
    for garbage in [&b""[..], b"hello", &[0; 3000], &[0xff; 20]] {
        socket.send_to(garbage, running.address).await.expect("sent");
    }
    socket.send_to(&request, running.address).await.expect("sent");
    let mut buffer = [0; 100];
    let (length, from) = socket.recv_from(&mut buffer).await.expect("answered");
    let mapped = |bytes: &[u8]| Message::parse(bytes)?.address_of(attribute::XOR_MAPPED_ADDRESS);
    assert_eq!((from, mapped(&buffer[..length])), (running.address, socket.local_addr().ok()));
    let mut stream = running.connect(Ipv4Addr::LOCALHOST).await;
    assert_eq!(mapped(&ask(&mut stream).await), stream.local_addr().ok());
    assert_eq!(running.tally.counters().bindings, 2);
    running.stop().await;
}

#[tokio::test]
async fn a_source_has_so_many_connections_and_others_have_theirs() {
    let running = Running::start("max_connections = 5\nmax_connections_per_address = 3").await;
    let (one, other) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = running.connect(one).await;
        ask(&mut stream).await;
        held.push(stream);
    }
    assert!(is_closed(running.connect(one).await).await);
    for _ in 0..2 {
        let mut stream = running.connect(other).await;
        ask(&mut stream).await;
        held.push(stream);
    }
    assert!(is_closed(running.connect(other).await).await, "there are as many as there may be");
    let counters = running.tally.counters();
    assert_eq!((counters.connections, counters.refused.connections), (5, 2));
    drop(held);
    while running.tally.counters().connections > 0 {
        tokio::task::yield_now().await;
    }
    ask(&mut running.connect(one).await).await;
    running.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_handed_in_is_one_of_its_address_and_ends_with_the_relay() {
    let running = Running::start("max_connections_per_address = 1").await;
    let client = address("192.0.2.1:1000");
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let inlet = running.inlet.clone();
    let served = tokio::spawn(async move {
        // What is written to it leaves when it is told to, as with encryption.
        inlet.place(client).expect("a place").serve(BufStream::new(far)).await;
    });
    let answer = tokio::time::timeout(10 * SECOND, ask(&mut near)).await.expect("in time");
    let mapped = Message::parse(&answer).and_then(|answer| answer.address_of(attribute::XOR_MAPPED_ADDRESS));
    assert_eq!(mapped, Some(client));
    assert!(running.inlet.place(client).is_none(), "it has one");
    assert!(running.inlet.place(address("192.0.2.2:1000")).is_some());
    assert_eq!(running.tally.counters().connections, 1);
    running.stop().await;
    let ended = tokio::time::timeout(10 * SECOND, served).await.expect("in time, though nobody has hung up");
    ended.expect("in good order");
    assert_eq!(near.read(&mut [0]).await.expect("closed"), 0);
}

#[tokio::test]
async fn whoever_speaks_something_else_is_cut_off_and_nobody_else() {
    let running = Running::start("").await;
    let mut neighbour = running.connect(Ipv4Addr::LOCALHOST).await;
    for bad in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x80; 64], &[0x00, 0x01, 0xff, 0xfc, 0, 0]] {
        let mut stream = running.connect(Ipv4Addr::LOCALHOST).await;
        stream.write_all(bad).await.expect("sent");
        assert!(is_closed(stream).await, "{bad:?}");
    }
    ask(&mut neighbour).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_an_allocation_ends_however_much_it_says() {
    let running = Running::start("").await;
    let mut silent = running.connect(Ipv4Addr::LOCALHOST).await;
    ask(&mut silent).await;
    let mut serving = running.connect(Ipv4Addr::LOCALHOST).await;
    let flow = Flow::Tcp { connection: 0, client: serving.local_addr().expect("connected") };
    let mut client = Client::on(flow, mint(&secret(), &robot("demo"), unix_time() + HOLDS));
    for _ in 0..2 {
        let request = client.request(Method::Allocate, |request| {
            request.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        });
        serving.write_all(&request).await.expect("sent");
        let mut answer = vec![0; 20];
        serving.read_exact(&mut answer).await.expect("answered");
        let length = usize::from(u16::from_be_bytes([answer[2], answer[3]]));
        answer.resize(20 + length, 0);
        serving.read_exact(&mut answer[20..]).await.expect("the rest of it");
        let answer = Message::parse(&answer).expect("a message");
        client.nonce = answer.find(attribute::NONCE).unwrap_or_default().to_vec();
    }
    assert_eq!(running.tally.counters().allocations, 1);
    let talkative = tokio::spawn({
        let mut stream = running.connect(Ipv4Addr::LOCALHOST).await;
        async move {
            // An hour of it, unless it is cut off.
            for second in 0..3600 {
                if stream.write_all(&[0, 1]).await.is_err() {
                    return second;
                }
                tokio::time::sleep(SECOND).await;
            }
            3600
        }
    });
    assert!(is_closed(silent).await);
    let cut_off = talkative.await.expect("it ends");
    assert!(cut_off < 100, "after {cut_off} s");
    assert_eq!(running.tally.counters().connections, 1, "the one with an allocation stays");
    drop(serving);
    running.stop().await;
}
