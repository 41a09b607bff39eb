//! Those who are silent, slow or gone are not waited for. A paused clock moves on as soon as nothing else does.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::support::{Client, Folder, Running, ask, rest, until, within};

async fn say(stream: &mut TcpStream, text: &str) {
    within(stream.write_all(text.as_bytes())).await.expect("sent");
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_ask_in_time_is_dropped() {
    let server = Running::start("").await;
    let silent = server.connect().await;
    let mut slow = server.connect().await;
    say(&mut slow, "GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
    let mut between = server.connect().await;
    say(&mut between, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let began = tokio::time::Instant::now();
    assert_eq!(rest(silent).await, "");
    assert_eq!(rest(slow).await, "");
    // One that was served is kept for the next request, as long.
    assert!(rest(between).await.starts_with("HTTP/1.1 200"));
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    server.stop().await;
}

/// In real time: a paused clock would not wait for answers to heartbeats.
#[tokio::test]
async fn a_websocket_outlives_connections_that_idle() {
    let server = Running::start("").await;
    let mut client = Client::join(server.connect().await, None).await.expect("admitted");
    let mut idle = server.connect().await;
    say(&mut idle, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    tokio::select! {
        idled = rest(idle) => assert!(idled.starts_with("HTTP/1.1 200"), "{idled}"),
        () = client.stay() => panic!("the WebSocket was closed"),
    }
    assert!(client.is_served().await);
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_encrypt_in_time_is_dropped() {
    let folder = Folder::new();
    let tls = format!("state_dir = {:?}\n[tls]\nmode = \"self_signed\"\n", folder.root());
    let server = Running::start(&tls).await;
    let silent = server.connect().await;
    let mut slow = server.connect().await;
    within(slow.write_all(&[22, 3, 1])).await.expect("sent");
    let began = tokio::time::Instant::now();
    assert_eq!(rest(silent).await, "");
    assert_eq!(rest(slow).await, "");
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn headers_have_a_bound() {
    let server = Running::start("").await;
    let long = format!("x-long: {}\r\n", "a".repeat(40 << 10));
    let refused = ask(server.connect().await, "/healthz", &long).await;
    assert!(refused.starts_with("HTTP/1.1 431"), "{refused}");
    server.stop().await;
}

/// The kernel's clock cannot be paused: this takes as long as a stalled reader is borne.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_stall_lose_their_seats() {
    let limits = "trusted_proxies = []\n[limits]\nmax_connections_per_address = 1\n";
    let server = Running::start(limits).await;
    let page = ask(server.connect().await, "/", "").await;
    let script = page.split('"').find(|text| text.starts_with("/assets/") && text.ends_with(".js")).expect("a script");
    let asks = format!("GET {script} HTTP/1.1\r\nhost: x\r\n\r\n").repeat(64);
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        socket.bind("127.0.0.2:0".parse().expect("an address")).expect("bound");
        let mut stream = within(socket.connect(server.address)).await.expect("connects");
        say(&mut stream, &asks).await;
        // It is being served, and takes no more than this.
        within(stream.read_exact(&mut [0; 15])).await.expect("an answer");
        stalled.push(stream);
    }
    let refused = ask(server.connect_from([127, 0, 0, 2]).await, "/healthz", "").await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    let again = || async { ask(server.connect_from([127, 0, 0, 2]).await, "/healthz", "").await };
    until(async || again().await.starts_with("HTTP/1.1 200")).await;
    drop(stalled);
    server.stop().await;
}
